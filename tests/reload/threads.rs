//! Threads that can't be had for a Consul whose address needs some (row 25).

use std::fs;

use crate::cgroup::Group;
use crate::support::http::ask_socket;
use crate::support::{Agent, DEADLINE, Launch, Pilot, Signal, wait_until};
use crate::told::wait_times;

/// The agent has a name there.
const HOSTS: &str = "echo '127.0.0.1 consul.example' > $DIR/hosts && mount --bind $DIR/hosts /etc/hosts || exit 125";

/// A service without a check: nobody is started but its job. `HERE` is the agent.
fn config(consul: &str) -> String {
    r#"{
        consul: "HERE", control: { socket: "{{ .DIR }}/s" }, logging: { level: "DEBUG" }, stopTimeout: 2,
        signals: { SIGHUP: "reload" }, reload: { quiesce: "QUIET" },
        jobs: [ { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7",
                  health: { interval: 1, ttl: 3 } } ],
    }"#
    .replace("HERE", consul)
}

fn quick(consul: &str) -> String {
    config(consul).replace("QUIET", "50ms")
}

fn named(agent: &Agent) -> String {
    format!("consul.example:{}", agent.address().port())
}

/// At `old` by its address, in a group of its own.
#[track_caller]
fn start(group: &Group, old: &Agent) -> Pilot {
    let pilot = Launch::config(&quick(&old.address().to_string()))
        .own_hostname("left")
        .setup(HOSTS)
        .setup(&group.enter())
        .start();
    old.wait_status("web-left", "passing");
    pilot
}

// Seen red with src/driver/reload.rs:
//- if let Err(error) = new.map_or(Ok(()), |new| self.reloads.find_threads(new)) {
//+ if let Err(error) = new.map_or(Ok::<(), String>(()), |_| Ok(())) {
#[test]
fn f25_a_reload_that_needs_a_thread_is_refused_where_none_can_be_had() {
    let group = Group::new("pids");
    let (old, new) = (Agent::new(), Agent::new());
    let pilot = start(&group, &old);
    let pid = pilot.wait_process("sleep 1000").pid;
    let before = group.processes();
    let counted = || wait_until(DEADLINE, || group.processes() == before, "nobody else is there");
    counted();
    // The file can be read, and what it needs can't be had.
    group.limit_processes(Some(before + 1));
    fs::write(pilot.path("containerpilot.json5"), quick(&named(&new))).unwrap();
    pilot.signal(Signal::SIGHUP);
    wait_times(&pilot, "not reloaded, everything goes on as it was: failed to use Consul: no thread ", 1);
    for (at, path) in [(2, "/v3/reload"), (3, "/v4/reload")] {
        counted();
        let answer = ask_socket(&pilot.path("s"), "POST", path, b"").unwrap();
        assert_eq!(answer.status, 422, "{path}: {}", answer.text());
        assert!(answer.text().contains("no thread to read files on"), "{path}: {}", answer.text());
        wait_times(&pilot, "not reloaded, everything goes on as it was: ", at);
    }
    assert_eq!(pilot.stdout().matches("not reloaded, everything goes on as it was: ").count(), 3, "a line for each");
    counted();
    let trial = ask_socket(&pilot.path("s"), "POST", "/v4/reload", br#"{"dryRun": true}"#).unwrap();
    assert_eq!(trial.status, 200, "a trial needs none: {}", trial.text());
    assert_eq!(old.status("web-left").as_deref(), Some("passing"));
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    wait_until(DEADLINE, || pilot.threads() == 2, "who read the file is gone");
    assert_eq!(pilot.stderr(), "");
    group.limit_processes(None);
    pilot.signal(Signal::SIGHUP);
    new.wait_status("web-left", "passing");
    old.wait_gone("web-left");
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    pilot.finish();
}

// Seen red with src/driver/reload.rs:
//- self.reloads.reloader.fingerprint = before;
//+ drop(before);
#[test]
fn f25_a_watched_file_that_was_refused_for_a_thread_is_followed_when_it_is_touched() {
    let group = Group::new("pids");
    let (old, new) = (Agent::new(), Agent::new());
    let watched = |consul: &str| quick(consul).replace("reload: {", "reload: { watch: true,");
    let pilot = start(&group, &old);
    pilot.wait_process("sleep 1000");
    let before = group.processes();
    fs::write(pilot.path("containerpilot.json5"), watched(&old.address().to_string())).unwrap();
    pilot.signal(Signal::SIGHUP);
    wait_times(&pilot, "it is followed after the quiet period", 1);
    wait_times(&pilot, "reloaded", 1);
    wait_until(DEADLINE, || group.processes() == before, "who reads the file is gone");
    group.limit_processes(Some(before + 1));
    fs::write(pilot.path("containerpilot.json5"), watched(&named(&new))).unwrap();
    pilot.wait_stdout("not reloaded, everything goes on as it was: failed to use Consul: no thread ");
    group.limit_processes(None);
    fs::write(pilot.path("containerpilot.json5"), watched(&named(&new))).unwrap();
    new.wait_status("web-left", "passing");
    pilot.finish();
}

// Seen red with src/discovery/mod.rs:
//- threads::find().map_err(|error| {
//+ std::io::Result::Ok(()).map_err(|error| {
#[test]
fn f25_the_threads_are_had_before_the_quiet_period() {
    let group = Group::new("pids");
    let (old, new) = (Agent::new(), Agent::new());
    let pilot = start(&group, &old);
    let pid = pilot.wait_process("sleep 1000").pid;
    fs::write(pilot.path("containerpilot.json5"), config(&named(&new)).replace("QUIET", "3s")).unwrap();
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("it is followed after the quiet period");
    group.limit_processes(Some(1));
    new.wait_status("web-left", "passing");
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    assert_eq!(pilot.stderr(), "");
    group.limit_processes(None);
    pilot.finish();
}
