//! What goes on, what restarts, and how soon.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::wait::{holds_for, let_pass};
use crate::support::{DEADLINE, Launch, Metronome, Pilot, Signal, wait_until};
use crate::told::{between, times, wait_times};
use crate::{TOP, ask, config, reload, start};

/// So many sleeping jobs; each sleeps so many seconds as its number and a thousand times this, the seventh as it is told.
fn sleepers(count: usize, seventh: usize) -> String {
    let seconds = |n: usize| if n == 7 { seventh * 1000 + n } else { 1_000_000 + n };
    let job = |n: usize| format!(r#"{{ name: "j{n}", exec: ["sleep", "{}"] }}"#, seconds(n));
    let jobs: Vec<String> = (0..count).map(job).collect();
    format!(
        "{{ logging: {{ level: \"DEBUG\" }}, consul: false, signals: {{ SIGHUP: \"reload\" }}, jobs: [ {} ] }}",
        jobs.join(",\n")
    )
}

/// The pids of all that sleep, by their command line.
fn pids(pilot: &Pilot) -> BTreeMap<String, i32> {
    pilot.find("sleep 1").into_iter().map(|process| (process.command, process.pid)).collect()
}

#[test]
fn of_fifty_jobs_the_one_that_changed_restarts_within_200_ms_after_the_quiet_period() {
    let pilot = Launch::config(&sleepers(50, 1000)).start();
    wait_until(DEADLINE, || pids(&pilot).len() == 50, "50 jobs");
    let before = pids(&pilot);
    let metronome = Metronome::start(&pilot);
    let said = reload(&pilot, &sleepers(50, 1001));
    assert_eq!(said, "1 changed (j7), 0 removed, 0 added, 49 unchanged");
    wait_until(DEADLINE, || pids(&pilot).len() == 50, "50 jobs");
    let after = pids(&pilot);
    let kept = after.iter().filter(|(command, pid)| before.get(*command) == Some(*pid)).count();
    assert_eq!(kept, 49);
    assert!(after.contains_key("sleep 1001007") && !after.contains_key("sleep 1000007"), "{after:?}");
    let read = "the configuration is read again and good: it is followed after the quiet period";
    let took = between(&pilot, read, &format!("reloaded: {said}"));
    assert!(took >= Duration::from_millis(490) && took < Duration::from_millis(600) + metronome.allowed(), "{took:?}");
    pilot.finish();
}

#[test]
fn fifty_reloads_in_a_second_are_one() {
    let jobs = |n: usize| {
        format!(
            r#"{{ consul: false, signals: {{ SIGHUP: "reload" }}, reload: {{ quiesce: "4s", coalesce: "60s" }},
                jobs: [ {{ name: "j{n}", exec: ["sleep", "1000"] }} ] }}"#
        )
    };
    let pilot = Launch::config(&jobs(0)).start();
    pilot.wait_process("sleep 1000");
    for n in 1..=50 {
        ask(&pilot, &jobs(n));
        let_pass(Duration::from_millis(15));
    }
    wait_times(&pilot, "reloaded: ", 1);
    pilot.wait_stdout("reloaded: 0 changed, 1 removed (j0), 1 added (j50), 0 unchanged");
    holds_for(Duration::from_secs(1), || times(&pilot, "reloaded: ") == 1, "one reload");
    pilot.finish();
}

#[test]
fn the_pre_stop_job_of_a_changed_job_runs_and_a_new_job_is_started() {
    let jobs = |word: &str, more: &str| {
        config(&format!(
            r#"{{ name: "web", exec: ["sh", "-c", "trap 'echo {word}-term >> \"$LOG\"; exit' TERM; echo {word} >> \"$LOG\"; sleep 1000 & wait"] }},
               {{ name: "pre", exec: ["sh", "-c", "echo pre >> \"$LOG\""], when: {{ source: "web", once: "stopping" }} }},
               {{ name: "post", exec: ["sh", "-c", "echo post >> \"$LOG\""], when: {{ source: "web", once: "stopped" }} }}, {more}"#
        ))
    };
    let mut pilot = Launch::config(&jobs("one", "")).start();
    pilot.wait_log("one");
    let new = r#"{ name: "new", exec: ["sh", "-c", "echo new >> \"$LOG\"; exec sleep 1000"] }"#;
    let said = reload(&pilot, &jobs("two", new));
    assert_eq!(said, "1 changed (web), 0 removed, 1 added (new), 2 unchanged");
    pilot.wait_log("two");
    pilot.wait_log("new");
    assert_eq!(pilot.log()[..4], ["one", "pre", "one-term", "post"]);
    pilot.stop();
    assert_eq!((pilot.logged("pre"), pilot.logged("post")), (2, 2), "and once more at the end");
    pilot.finish();
}

#[test]
fn the_log_and_the_addresses_of_services_change_too() {
    let text = |level: &str, jobs: &str| {
        format!(
            r#"{{ consul: "127.0.0.1:1", logging: {{ level: "{level}" }}, signals: {{ SIGHUP: "reload" }}, reload: {{ quiesce: "50ms" }}, jobs: [
                {{ name: "keep", exec: ["sleep", "1000"] }}, {jobs} ] }}"#
        )
    };
    let service = |name: &str, address: &str| {
        format!(
            r#"{{ name: "{name}", exec: ["sh", "-c", "env | grep _IP= | sort >> \"$LOG\"; exec sleep 999"], port: 80, interfaces: "static:{address}",
                 health: {{ exec: "true", interval: 10, ttl: 30 }} }},"#
        )
    };
    let pilot = Launch::config(&text("INFO", &service("old", "192.0.2.1"))).start();
    pilot.wait_log("CONTAINERPILOT_OLD_IP=192.0.2.1");
    assert_eq!(times(&pilot, "event: "), 0);
    reload(&pilot, &text("DEBUG", &service("new", "192.0.2.2")));
    pilot.wait_log("CONTAINERPILOT_NEW_IP=192.0.2.2");
    assert_eq!(pilot.logged("CONTAINERPILOT_OLD_IP=192.0.2.1"), 1, "the new job does not know the old service");
    pilot.wait_stdout("event: ");
    pilot.finish();
}

#[test]
fn restart_is_the_way_of_version_3() {
    let text = format!(
        r#"{{ {}, jobs: [
            {{ name: "web", exec: ["sh", "-c", "echo web >> \"$LOG\"; exec sleep 1000"] }},
            {{ name: "pre", exec: ["sh", "-c", "echo pre >> \"$LOG\""], when: {{ source: "web", once: "stopping" }} }},
        ] }}"#,
        TOP.replace("reload: {", "reload: { mode: \"restart\",")
    );
    let mut pilot = Launch::config(&text).start();
    pilot.wait_log("web");
    assert_eq!(reload(&pilot, &text), "everything started anew, 2 jobs");
    pilot.wait_logged("web", 2);
    assert_eq!(pilot.log(), ["web", "pre", "web"]);
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.logged("pre"), 2);
    pilot.finish();
}

#[test]
fn a_reload_whose_last_job_has_ended_meanwhile_goes_on() {
    let pilot =
        start(r#"{ name: "a", exec: ["sh", "-c", "read _ < \"$DIR/fifo\""] }, { name: "b", exec: ["sleep", "1000"] }"#);
    pilot.wait_process("sleep 1000");
    let said = reload(&pilot, &config(r#"{ name: "c", exec: ["sleep", "2000"] }"#));
    assert_eq!(said, "0 changed, 2 removed (a, b), 1 added (c), 0 unchanged");
    pilot.wait_process("sleep 2000");
    assert!(pilot.find("sleep 1000").is_empty());
    pilot.finish();
}

// Seen red with src/core/shutdown.rs:
//- self.give_up_reload(effects);
//+
#[test]
fn f71_a_term_while_jobs_stop_for_a_reload_stops_everything() {
    let text = |n: u32| {
        let job = format!(
            r#"{{ name: "a", exec: ["sh", "-c", "trap '' TERM; echo ready >> \"$LOG\"; sleep {n} & wait; wait"] }}"#
        );
        config(&job).replace("consul: false", "consul: false, logging: { level: \"DEBUG\" }")
    };
    let mut pilot = Launch::config(&text(1000)).start();
    pilot.wait_log("ready");
    ask(&pilot, &text(2000));
    pilot.wait_stdout("event: {Stopping a}");
    let (status, took) = pilot.stop();
    assert_eq!(status, 0);
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(pilot.logged("ready"), 1);
    pilot.finish();
}

#[test]
fn without_a_change_nothing_happens() {
    let jobs = r#"{ name: "a", exec: ["sleep", "1000"], restarts: "unlimited" }"#;
    let pilot = start(jobs);
    let before = pilot.wait_process("sleep 1000").pid;
    let descriptors = pilot.descriptors();
    for _ in 0..5 {
        assert_eq!(reload(&pilot, &config(jobs)), "0 changed, 0 removed, 0 added, 1 unchanged");
    }
    assert_eq!(pilot.wait_process("sleep 1000").pid, before);
    pilot.wait_descriptors_back(&descriptors);
    wait_until(DEADLINE, || pilot.threads() == 2, "the threads that read are gone");
    pilot.signal(Signal::SIGTERM);
    pilot.finish();
}

#[test]
fn f71_reloads_one_after_the_other_while_jobs_are_killed_end_in_the_last_one() {
    // One goes at once, one only with SIGKILL; each reload finds the one before at work.
    let text = |n: u32| {
        format!(
            r#"{{ consul: false, signals: {{ SIGHUP: "reload" }}, reload: {{ quiesce: "20ms", coalesce: "100ms" }}, stopTimeout: 1, jobs: [
                {{ name: "quick", exec: ["sleep", "1{n:03}"] }},
                {{ name: "stubborn", exec: ["sh", "-c", "trap '' TERM; exec sleep 2{n:03}"] }},
                {{ name: "same", exec: ["sleep", "3000"], restarts: "unlimited" }} ] }}"#
        )
    };
    let mut pilot = Launch::config(&text(0)).start();
    let same = pilot.wait_process("sleep 3000").pid;
    for n in 1..=40 {
        ask(&pilot, &text(n));
        let_pass(Duration::from_millis(50));
    }
    // "stubborn" is a shell first.
    let running = || {
        let mut all: Vec<String> = pilot.processes().into_iter().map(|process| process.command).collect();
        all.sort();
        all
    };
    wait_until(DEADLINE, || running() == ["sleep 1040", "sleep 2040", "sleep 3000"], "the last one's jobs alone run");
    assert_eq!(pilot.wait_process("sleep 3000").pid, same);
    let (status, took) = pilot.stop();
    assert_eq!(status, 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
    pilot.finish();
}

#[test]
fn many_reloads_leave_nothing_behind() {
    let text = |n: usize| {
        let text = config(&format!(
            r#"{{ name: "a", exec: ["sleep", "{n}000"] }}, {{ name: "b{n}", exec: ["sleep", "5000"] }}"#
        ));
        text.replace("50ms", "1ms")
    };
    let pilot = Launch::config(&text(1)).start();
    pilot.wait_process("sleep 1000");
    let round = |count: usize| (0..count).for_each(|n| drop(reload(&pilot, &text(1 + n % 2))));
    // What is kept of events fills up at first, and is full after some hundreds.
    round(crate::support::count(20, 500));
    let (memory, descriptors) = (pilot.anonymous_kib(), pilot.descriptors().len());
    round(crate::support::count(60, 1000));
    let grown = pilot.anonymous_kib().saturating_sub(memory);
    assert!(grown < 256, "{grown} KiB more");
    // The pipes are others.
    wait_until(DEADLINE, || pilot.descriptors().len() == descriptors, "as many descriptors as before");
    wait_until(DEADLINE, || pilot.processes().len() == 2, "the jobs of the last one");
    pilot.finish();
}
