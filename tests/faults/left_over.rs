//! What jobs leave over is counted and told when everything stops (rows 19 and 33).

use nix::sys::signal::Signal;

use crate::support::{DEADLINE, Pilot, wait_until};
use crate::told::times;

const TOLD: &str = "left over by jobs: ";

#[track_caller]
fn wait_running(pilot: &Pilot, command: &str, count: usize) {
    let running = || pilot.processes().iter().filter(|process| process.command == command).count();
    wait_until(DEADLINE, || running() == count, command);
}

// Seen red with src/driver/running.rs:
//- if self.sweeping.is_some() || !self.children.any_left() {
//+ if true {
#[test]
fn f19_f33_the_sweep_tells_how_many_it_has_met() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, stopTimeout: 20, jobs: [
            { name: "shell", exec: ["bash", "-c", "set -m; sleep 1001 > /dev/null 2>&1 & wait"] },
            { name: "hiding", exec: ["sh", "-c",
              "setsid sleep 1002 > /dev/null 2>&1 & setsid sleep 1003 > /dev/null 2>&1 & exec sleep 1000"] },
            { name: "plain", exec: ["sh", "-c", "sleep 1004 & wait"] },
            { name: "deaf", exec: ["sh", "-c", "(trap '' TERM; exec sleep 1006) > /dev/null 2>&1 & wait"] },
        ] }"#,
    );
    for number in [1000, 1001, 1002, 1003, 1004, 1006] {
        wait_running(&pilot, &format!("sleep {number}"), 1);
    }
    pilot.signal(Signal::SIGTERM);
    pilot.wait_stdout(TOLD);
    pilot.signal_process(&pilot.wait_process("sleep 1006"), Signal::SIGKILL);
    assert_eq!(pilot.wait_exit(), 0);
    let stdout = pilot.stdout();
    // The one in its job's group that does not hear SIGTERM is among them; not the one that dies with its job's group,
    // which may be a moment later.
    assert!(stdout.contains(&format!("{TOLD}4 processes; SIGTERM to all that is left")), "{stdout}");
    assert_eq!(times(&pilot, TOLD), 1);
    pilot.finish();
}

#[test]
fn f19_f33_a_sweep_that_meets_nobody_says_nothing() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, jobs: [ { name: "a", exec: ["sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & wait"] } ] }"#,
    );
    wait_running(&pilot, "sleep 1000", 3);
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(times(&pilot, TOLD), 0, "{}", pilot.stdout());
    pilot.finish();
}
