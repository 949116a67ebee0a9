//! What is no configuration changes nothing (row 70).

use std::fs;

use nix::sys::stat::Mode;

use crate::cgroup::Group;
use crate::support::{Launch, Pilot, Signal};
use crate::told::{times, wait_times};
use crate::{ask, config, reload, start};

const JOB: &str = r#"{ name: "a", exec: ["sleep", "1000"] }"#;

/// What was said of the newest refusal.
#[track_caller]
fn refusal(pilot: &Pilot, before: usize) -> String {
    wait_times(pilot, "not reloaded", before + 1);
    let stdout = pilot.stdout();
    let line = stdout.lines().rfind(|line| line.contains("not reloaded")).unwrap();
    let said = line.split_once("not reloaded, everything goes on as it was: ").unwrap().1;
    said.replace(&format!("{}/", pilot.dir().display()), "")
}

#[test]
fn f70_a_broken_file_changes_nothing_and_says_where() {
    let pilot = start(JOB);
    let pid = pilot.wait_process("sleep 1000").pid;
    ask(&pilot, "{\n  jobs: [ { name: \"a\" exec: \"b\" } ]\n}");
    let said = refusal(&pilot, 0);
    assert!(said.starts_with("containerpilot.json5:2:23: "), "{said}");
    ask(
        &pilot,
        "{ consul: false, jobs: [\n  { name: \"a\", exec: \"b\", restart: 1 },\n  { name: \"b\", exec: \"b\", restarts: -1 },\n] }",
    );
    wait_times(&pilot, "not reloaded", 3);
    let stdout = pilot.stdout();
    assert!(stdout.contains("containerpilot.json5:2:") && stdout.contains("containerpilot.json5:3:"), "{stdout}");
    let path = pilot.path("containerpilot.json5");
    fs::remove_file(&path).unwrap();
    pilot.signal(Signal::SIGHUP);
    assert!(refusal(&pilot, 3).ends_with("no such file or directory"));
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    pilot.signal(Signal::SIGHUP);
    assert_eq!(refusal(&pilot, 4), "could not read config file: containerpilot.json5 is not a regular file");
    fs::remove_file(&path).unwrap();
    assert_eq!(times(&pilot, "reloaded: "), 0);
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    // … and it is not spoilt by that.
    assert_eq!(
        reload(&pilot, &config(r#"{ name: "b", exec: ["sleep", "2000"] }"#)),
        "0 changed, 1 removed (a), 1 added (b), 0 unchanged"
    );
    pilot.finish();
}

#[test]
fn f70_files_of_tls_that_can_not_be_used_are_found_out_before() {
    let pilot = start(JOB);
    let pid = pilot.wait_process("sleep 1000").pid;
    fs::write(pilot.path("ca.pem"), "no certificate").unwrap();
    let text = config(JOB).replace(
        "consul: false",
        r#"consul: { address: "https://127.0.0.1:1", tls: { cafile: "{{ .DIR }}/ca.pem" } }"#,
    );
    ask(&pilot, &text);
    refusal(&pilot, 0);
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    pilot.finish();
}

// Seen red with src/driver/reload.rs:
//- Err(error) => self.refuse(&[format!("no thread to read the configuration on: {error}")]),
//+ Err(_) => {}
#[test]
fn f25_without_a_thread_to_be_had_it_is_refused_and_can_be_asked_for_again() {
    let group = Group::new("pids");
    let pilot = Launch::config(&config(JOB)).setup(&group.enter()).start();
    let pid = pilot.wait_process("sleep 1000").pid;
    group.limit_processes(Some(group.processes()));
    pilot.signal(Signal::SIGHUP);
    let said = refusal(&pilot, 0);
    assert!(said.starts_with("no thread to read the configuration on: "), "{said}");
    group.limit_processes(None);
    assert_eq!(reload(&pilot, &config(JOB)), "0 changed, 0 removed, 0 added, 1 unchanged");
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    pilot.finish();
}
