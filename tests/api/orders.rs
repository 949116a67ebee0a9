//! Start, stop, restart, signal: each at any time, and twice.

use serde_json::{Value, json};

use crate::support::http::ask_socket;
use crate::support::{DEADLINE, wait::holds_for, wait_until};
use crate::{get, job, post, refused, serving, start, wait_state, with_socket};
use std::time::Duration;

fn order(pilot: &crate::support::Pilot, name: &str, what: &str) -> String {
    post(pilot, &format!("/v4/jobs/{name}/{what}"), "")["said"].as_str().unwrap().to_owned()
}

#[test]
fn a_stopped_job_stays_so_until_it_is_started() {
    let mut pilot = start(
        r#"
        { name: "a", exec: ["sleep", "1000"], restarts: "unlimited" },
        { name: "after", exec: ["sh", "-c", "echo after >> {{ .DIR }}/log"], when: { source: "a", once: "stopped" } }"#,
    );
    pilot.wait_process("sleep 1000");
    assert_eq!(order(&pilot, "a", "start"), "a runs already");
    assert_eq!(order(&pilot, "a", "stop"), "a stops");
    wait_state(&pilot, "a", "stopped");
    assert_eq!(order(&pilot, "a", "stop"), "a does not run");
    holds_for(Duration::from_millis(300), || pilot.find("sleep 1000").is_empty(), "nothing starts it");
    assert_eq!(pilot.try_exit(), None, "and the program waits for somebody who does");
    assert_eq!(order(&pilot, "a", "start"), "a starts");
    pilot.wait_process("sleep 1000");
    wait_until(
        DEADLINE,
        || job(&pilot, "after")["state"] == "waiting",
        "who acts on its stop is there for the next one",
    );
    assert_eq!(order(&pilot, "a", "restart"), "a stops, then starts");
    wait_until(DEADLINE, || pilot.read("log").lines().count() == 2, "it has acted twice");
    let a = wait_state(&pilot, "a", "running");
    assert_eq!(a["runs"], 3);
    pilot.finish();
}

#[test]
fn the_main_job_can_be_stopped_without_the_end_of_everything() {
    let mut pilot =
        start(r#"{ name: "a", main: true, exec: ["sleep", "1000"] }, { name: "b", exec: ["sleep", "2000"] }"#);
    pilot.wait_process("sleep 1000");
    order(&pilot, "a", "stop");
    wait_state(&pilot, "a", "stopped");
    assert_eq!((pilot.find("sleep 2000").len(), pilot.try_exit()), (1, None));
    assert_eq!(get(&pilot, "/v4/jobs")["ready"]["reason"], "not ready: a (stopped)");
    order(&pilot, "a", "start");
    pilot.wait_process("sleep 1000");
    pilot.finish();
}

#[test]
fn a_job_that_waits_is_started_by_hand() {
    let pilot = start(
        r#"
        { name: "a", exec: ["sleep", "1000"] },
        { name: "b", exec: ["sleep", "2000"], when: { source: "a", once: "exitSuccess" } },
        { name: "crash", exec: ["sh", "-c", "echo x >> {{ .DIR }}/log; exit 9"], restarts: "unlimited",
          backoff: { free: 0, initial: "1h", max: "1h" } }"#,
    );
    wait_state(&pilot, "crash", "backoff");
    assert_eq!(order(&pilot, "b", "start"), "b starts");
    pilot.wait_process("sleep 2000");
    assert_eq!(order(&pilot, "crash", "start"), "crash starts");
    wait_until(DEADLINE, || pilot.read("log").lines().count() == 2, "its pause is cut short");
    pilot.finish();
}

#[test]
fn a_signal_reaches_the_process_group() {
    let pilot = start(
        r#"
        { name: "a", exec: ["sh", "-c", "trap 'echo hup >> {{ .DIR }}/log' HUP; touch {{ .DIR }}/ready; while :; do sleep 0.1; done"] },
        { name: "b", exec: "true" }"#,
    );
    wait_state(&pilot, "b", "done");
    wait_until(DEADLINE, || pilot.path("ready").exists(), "a's trap");
    let ask = |name: &str, body: &str| post(&pilot, &format!("/v4/jobs/{name}/signal"), body)["said"].clone();
    wait_until(
        DEADLINE,
        || {
            for signal in ["HUP", "SIGHUP", "1"] {
                assert_eq!(ask("a", &json!({ "signal": signal }).to_string()), "a gets SIGHUP");
            }
            std::fs::read_to_string(pilot.path("log")).is_ok_and(|log| log.lines().count() >= 3)
        },
        "the trap",
    );
    let told = refused(&pilot, "POST", "/v4/jobs/b/signal", r#"{"signal": "HUP"}"#, 409).1;
    assert_eq!(told, "b does not run: nobody gets SIGHUP");
    for (body, says) in [
        (r#"{"signal": "NOPE"}"#, "signal: expected a name such as \"HUP\" or a number from 1 to 64, found \"NOPE\""),
        (r#"{"signal": "0"}"#, "signal: expected a name such as \"HUP\" or a number from 1 to 64, found \"0\""),
        ("", "the body ends too early: expected an object such as {\"signal\": \"HUP\"}"),
        ("x", "the body is no JSON at line 1, column 1: expected an object such as {\"signal\": \"HUP\"}"),
        (
            r#"{"signal": "HUP", "to": 3}"#,
            "the body is not what is expected: expected an object such as {\"signal\": \"HUP\"}",
        ),
    ] {
        assert_eq!(refused(&pilot, "POST", "/v4/jobs/a/signal", body, 400), ("badRequest".to_owned(), says.to_owned()));
    }
    assert_eq!(refused(&pilot, "POST", "/v4/jobs/c/signal", r#"{"signal": "HUP"}"#, 404).0, "notFound");
    pilot.finish();
}

#[test]
fn a_shutdown_is_a_stop_of_everything_and_then_nothing_is_ordered() {
    let jobs = r#"{ name: "b", exec: ["sleep", "2000"] }, { name: "a", exec: ["sh", "-c",
        "trap '' TERM; touch {{ .DIR }}/up; until [ -e {{ .DIR }}/go ]; do sleep 0.05; done"] }"#;
    let mut pilot = serving(&with_socket(jobs).replace("stopTimeout: 2", "stopTimeout: 30"));
    pilot.wait_process("sleep 2000");
    wait_until(DEADLINE, || pilot.path("up").exists(), "the shell");
    assert_eq!(post(&pilot, "/v4/shutdown", "")["said"], "everything stops");
    pilot.wait_stdout("stopping on a request to the control socket: 2 jobs");
    let told = refused(&pilot, "POST", "/v4/jobs/b/start", "", 409);
    assert_eq!(told, ("conflict".to_owned(), "b: everything is stopping".to_owned()));
    assert_eq!(refused(&pilot, "POST", "/v4/maintenance", r#"{"on": true}"#, 409).0, "conflict");
    assert_eq!(refused(&pilot, "POST", "/v4/reload", "", 409).0, "conflict");
    let overview = get(&pilot, "/v4/jobs");
    assert_eq!((&overview["stopping"], &overview["ready"]["reason"]), (&json!(true), &json!("not ready: stopping")));
    assert_eq!(job(&pilot, "a")["waitsFor"], "for its process to end");
    std::fs::write(pilot.path("go"), "").unwrap();
    assert_eq!(pilot.wait_exit(), 0);
}

#[test]
fn events_tell_a_job_s_life_with_what_there_is_to_know() {
    let pilot = start(
        r#"{ name: "crash", exec: ["sh", "-c", "exit 9"], restarts: "unlimited",
          backoff: { free: 0, initial: "1h", max: "1h" } }"#,
    );
    wait_state(&pilot, "crash", "backoff");
    let reply = ask_socket(&pilot.path("s"), "GET", "/v4/events", b"").unwrap();
    let text = reply.text();
    let told: Vec<String> = text
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let detail = word("detail").replace(|c: char| c.is_ascii_digit(), "N");
            format!("{} {} {detail}", word("source"), word("event"))
        })
        .collect();
    assert_eq!(told[0], "global startup ");
    let of_crash: Vec<&str> = told.iter().filter(|line| line.starts_with("crash")).map(String::as_str).collect();
    assert_eq!(of_crash[0], "crash start pid N (at the start)");
    assert!(of_crash[1].starts_with("crash exitFailed exit status N after N"), "{of_crash:?}");
    assert!(of_crash[2..].iter().any(|line| line.starts_with("crash backoff ")), "{of_crash:?}");
    pilot.finish();
}
