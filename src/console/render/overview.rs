//! How everything stands: a table, and a line about the whole.

use super::table::{Cell, Part, table, wrapped};
use super::{Colour, Look, ago, health_colour, state, state_colour, status_colour, time};
use crate::api::{Consul, Health, HealthState, Job, JobState, Log, Next, Overview, Readiness, Service};
use crate::number::count;

const HEADER: [&str; 8] = ["JOB", "STATE", "PID", "UP", "RESTARTS", "HEALTH", "SERVICE", "NEXT"];

/// The table and the line.
pub(in crate::console) fn overview(overview: &Overview, look: &Look<'_>) -> String {
    let rows: Vec<Vec<Cell>> = overview.jobs.iter().map(row).collect();
    let jobs = if rows.is_empty() { "no jobs\n".to_owned() } else { table(&HEADER, &rows, look) };
    jobs + &summary(overview, look)
}

fn row(job: &Job) -> Vec<Cell> {
    let runs = job.state == JobState::Running;
    let word = state(job);
    let up = job.since_ms.filter(|_| runs).map(time).unwrap_or_default();
    let restarts = if job.runs > 0 { job.restarts.to_string() } else { String::new() };
    vec![
        Cell::text(&job.name),
        Cell::state(&word, state_colour(job), ""),
        job.pid.map(Cell::number).unwrap_or_default(),
        Cell::text(&up),
        Cell::text(&restarts),
        job.health.as_ref().map(|health| healthy(health, runs)).unwrap_or_default(),
        job.service.as_ref().map(|service| registered(service, runs)).unwrap_or_default(),
        Cell::text(&job.next.as_ref().map_or_else(|| job.waits_for.clone(), next)),
    ]
}

/// A job that does not run is not known to be healthy, and nobody wonders.
fn healthy(health: &Health, runs: bool) -> Cell {
    if health.state == HealthState::Unknown && !runs {
        return Cell::default();
    }
    let checked = if matches!(health.state, HealthState::Healthy | HealthState::Unhealthy) {
        ago(health.checked_ms)
    } else {
        String::new()
    };
    Cell::state(health.state.word(), health_colour(&health.state), &checked)
}

fn registered(service: &Service, runs: bool) -> Cell {
    if !service.status.is_empty() {
        return Cell::state(&service.status, status_colour(&service.status), "");
    }
    if runs { Cell::text("-") } else { Cell::default() }
}

/// When it starts, and why then.
pub(super) fn next(next: &Next) -> String {
    let why = if next.why.is_empty() { String::new() } else { format!(" ({})", next.why) };
    format!("in {}{why}", time(next.in_ms))
}

fn summary(overview: &Overview, look: &Look<'_>) -> String {
    let stopping = overview.stopping.then(|| Part::state("", "stopping", Colour::Yellow));
    let maintenance = if overview.maintenance {
        Part::state("maintenance ", "on", Colour::Yellow)
    } else {
        Part::text("maintenance off")
    };
    let rest = [
        Some(readiness(&overview.ready)),
        Some(format!("up {}", time(overview.up_ms))),
        Some(format!("containerpilot {}", overview.version)),
    ];
    let log = overview.log.as_ref().map(|log| Part::text(&format!("log {}", trouble(log))));
    let told = std::iter::once(overview.consul.as_ref().map(consul)).chain(rest).flatten();
    let parts: Vec<Part> =
        stopping.into_iter().chain(log).chain([maintenance]).chain(told.map(|text| Part::text(&text))).collect();
    wrapped(&parts, " · ", look)
}

/// What is wrong with the log.
fn trouble(log: &Log) -> String {
    let blocked = log.blocked_ms.map(|millis| {
        let wait = if log.jobs_wait { ", and jobs that write wait" } else { "" };
        format!("blocked for {}{wait}", time(millis))
    });
    let failing = (!log.problem.is_empty()).then(|| format!("fails: {}", log.problem));
    let lines = usize::try_from(log.lost).unwrap_or(usize::MAX);
    let lost = (lines > 0).then(|| format!("{} lost so far", count(lines, "line")));
    blocked.into_iter().chain(failing).chain(lost).collect::<Vec<_>>().join(", ")
}

fn consul(consul: &Consul) -> String {
    let address = &consul.address;
    match consul.ok {
        Some(true) => format!("consul {address} ok"),
        None => format!("consul {address} not asked yet"),
        Some(false) if consul.problem.is_empty() => format!("consul {address} fails"),
        Some(false) => {
            // It begins with the address for whoever reads it alone.
            let problem = consul.problem.strip_prefix(&format!("{address}: ")).unwrap_or(&consul.problem);
            format!("consul {address} fails: {problem}")
        }
    }
}

/// Why it is not ready, without the words that `/readyz` begins with.
pub(in crate::console) fn reason(ready: &Readiness) -> &str {
    ready.reason.strip_prefix("not ready: ").unwrap_or(&ready.reason)
}

fn readiness(ready: &Readiness) -> String {
    let counted = match (ready.of, ready.ready) {
        (0, true) => "ready".to_owned(),
        (0, false) => "not ready".to_owned(),
        (of, _) => format!("{} of {of} ready", ready.count),
    };
    let reason = reason(ready);
    if reason.is_empty() { counted } else { format!("{counted}: {reason}") }
}
