//! Reload over the real binary and a real Consul (design §4 row 11, managed-daemons §7.4, rows 70 and 71 of the fault
//! catalogue). What asks for it here is a signal that means `"reload"`.

#![expect(clippy::unwrap_used, reason = "a test outside the program: what can't be done makes it fail")]

#[expect(dead_code, reason = "each test binary uses another part of it")]
#[path = "../faults/cgroup.rs"]
mod cgroup;
#[path = "../support/mod.rs"]
mod support;
#[path = "../faults/told.rs"]
mod told;

mod consul;
mod file;
mod log;
mod reconcile;
mod refused;
mod threads;

use std::fs;

use support::{Launch, Pilot, Signal};
use told::{times, wait_times};

/// The top of a configuration that SIGHUP reloads after a short quiet period.
const TOP: &str = r#"consul: false, signals: { SIGHUP: "reload" }, reload: { quiesce: "50ms" }, stopTimeout: 2"#;

/// A configuration with these jobs.
fn config(jobs: &str) -> String {
    format!("{{ {TOP}, jobs: [ {jobs} ] }}")
}

/// The program with these jobs.
fn start(jobs: &str) -> Pilot {
    Launch::config(&config(jobs)).start()
}

/// Puts another text in the file's place and asks for a reload.
#[track_caller]
fn ask(pilot: &Pilot, text: &str) {
    fs::write(pilot.path("containerpilot.json5"), text).unwrap();
    pilot.signal(Signal::SIGHUP);
}

/// … and waits until it is done. Gives what was said of it.
#[track_caller]
fn reload(pilot: &Pilot, text: &str) -> String {
    let before = times(pilot, "reloaded: ");
    ask(pilot, text);
    wait_times(pilot, "reloaded: ", before + 1);
    let stdout = pilot.stdout();
    let line = stdout.lines().rfind(|line| line.contains(" reloaded: ")).unwrap();
    line.split_once("reloaded: ").unwrap().1.to_owned()
}
