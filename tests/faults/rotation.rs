//! The log's file is rotated while no descriptor is left (row 28).

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::{DEADLINE, Launch, Pilot, Signal, wait_until};

/// What of PID 1's is no standard descriptor and says this.
fn open(pilot: &Pilot, target: &str) -> usize {
    pilot.descriptors().iter().filter(|open| open.number > 2 && open.target.ends_with(target)).count()
}

fn limit(pilot: &Pilot, most: i32) {
    let done =
        Command::new("prlimit").args(["--pid", &pilot.pid.to_string(), &format!("--nofile={most}:4096")]).status();
    assert!(done.unwrap().success());
}

// Seen red with src/log/output.rs:
//- if opened.as_ref().is_err_and(none_left) && self.spare.take().is_some() {
//+ if opened.as_ref().is_err_and(none_left) && self.spare.is_none() {
#[test]
fn f28_without_a_descriptor_left_the_log_still_follows_its_file() {
    let config = r#"{ consul: false, logging: { output: "{{ .DIR }}/told" }, jobs: [
        { name: "tick", exec: ["sh", "-c", "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done"],
          when: { source: "SIGHUP" } },
    ] }"#;
    let pilot = Launch::config(config).start();
    let told = || pilot.read("told").matches("tick").count() > 4;
    // Before a start has pipes for a moment: what is given up must be below the limit, as all are in real life.
    wait_until(DEADLINE, || open(&pilot, "/dev/null") == 2, "one for what children read, and the spare");
    pilot.signal(Signal::SIGHUP);
    wait_until(DEADLINE, told, "it is told");
    let taken: BTreeSet<i32> = pilot.descriptors().iter().map(|open| open.number).collect();
    let free = (0..1000).find(|number| !taken.contains(number)).unwrap();
    limit(&pilot, free);
    for rotation in 0..3 {
        let moved = pilot.path(&format!("told.{rotation}"));
        fs::rename(pilot.path("told"), &moved).unwrap();
        wait_until(DEADLINE, told, "the new file is written");
        let old = fs::read_to_string(&moved).unwrap();
        assert!(!old.contains("failed to open"), "{old}");
        assert_eq!(
            (open(&pilot, "/told"), open(&pilot, "/dev/null")),
            (1, 2),
            "the old one is closed, the spare is back"
        );
    }
    // One that is deleted loses nothing but what it held.
    fs::remove_file(pilot.path("told")).unwrap();
    wait_until(DEADLINE, told, "it is made again");
    assert!(!pilot.read("told").contains("lost"), "{}", pilot.read("told"));
    limit(&pilot, 1024);
    pilot.finish();
}
