//! The smaller answers: watches, variables, maintenance.

use std::time::SystemTime;

use super::job::at;
use super::table::{Cell, table};
use super::{Look, since, time, visible};
use crate::api::{Env, Maintenance, Watch, Watches};
use crate::number::count;

/// The watches and what they see.
pub(in crate::console) fn watches(watches: &Watches, now: SystemTime, look: &Look<'_>) -> String {
    if watches.watches.is_empty() {
        return "no watches\n".to_owned();
    }
    let row = |watch: &Watch| {
        let changed = watch.changed.as_ref().map(|stamp| since(stamp, now)).unwrap_or_default();
        vec![
            Cell::text(&watch.name),
            Cell::text(&watch.tag),
            Cell::text(&watch.dc),
            Cell::text(&time(watch.interval_ms)),
            Cell::text(&changed),
            Cell::text(&instances(watch)),
        ]
    };
    let rows: Vec<Vec<Cell>> = watches.watches.iter().map(row).collect();
    table(&["WATCH", "TAG", "DC", "EVERY", "CHANGED", "INSTANCES"], &rows, look)
}

fn instances(watch: &Watch) -> String {
    let places: Vec<String> = watch.instances.iter().map(|instance| at(&instance.address, instance.port)).collect();
    match (places.len(), watch.known) {
        (0, false) => "not known yet".to_owned(),
        (0, true) => "none".to_owned(),
        (number, _) => format!("{number}: {}", places.join(", ")),
    }
}

/// The variables, each in one line, whatever its value holds.
pub(in crate::console) fn environment(env: &Env) -> String {
    let line = |(name, value): &(String, String)| format!("{}={}\n", visible(name), visible(value));
    env.env.iter().map(line).collect()
}

/// What became of maintenance mode; `asked`: it was only asked for.
pub(in crate::console) fn maintenance(maintenance: &Maintenance, asked: bool) -> String {
    let services = |what: &str| match maintenance.services {
        None | Some(0) => String::new(),
        Some(services) => format!("{} {what}, ", count(services, "service")),
    };
    match (maintenance.on, asked || !maintenance.toggled) {
        (true, true) => format!("maintenance is on: {}checks paused\n", services("out of Consul")),
        (false, true) => "maintenance is off\n".to_owned(),
        (true, false) => format!("maintenance on: {}checks paused\n", services("deregistered")),
        (false, false) => format!("maintenance off: {}checks resumed\n", services("to be registered again")),
    }
}
