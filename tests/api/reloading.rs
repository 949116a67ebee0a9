//! `POST /v4/reload`: judged, tried, done, told.

use std::fs;

use serde_json::json;

use crate::support::{DEADLINE, Pilot, http::ask_socket, wait_until};
use crate::{ask, described, job, post, start, wait_state, with_socket};

fn write(pilot: &Pilot, jobs: &str) {
    let config = with_socket(jobs).replacen('{', r#"{ reload: { quiesce: "50ms" }, "#, 1);
    fs::write(pilot.path("containerpilot.json5"), config).unwrap();
}

const OLD: &str = r#"
    { name: "app", exec: ["sleep", "1000"] }, { name: "web", exec: ["sleep", "2000"], restarts: "never" },
    { name: "gone", exec: ["sleep", "3000"] }, { name: "same", exec: ["sleep", "4000"] }"#;
const NEW: &str = r#"
    { name: "app", exec: ["sleep", "1001"], restarts: 2 }, { name: "web", exec: ["sleep", "2000"], restarts: 3 },
    { name: "same", exec: ["sleep", "4000"] },
    { name: "report", exec: ["sleep", "5000"], when: { source: "app", once: "healthy" } }"#;

#[test]
fn a_trial_says_what_would_be_done_and_does_nothing() {
    let pilot = start(OLD);
    pilot.wait_process("sleep 4000");
    write(&pilot, NEW);
    let expected = json!({
        "dryRun": true, "everything": false, "unchanged": 1,
        "restarted": [{ "job": "app", "fields": ["exec", "restarts"] }],
        "changed": [{ "job": "web", "fields": ["restarts"] }],
        "removed": ["gone"], "added": ["report"],
    });
    assert_eq!(post(&pilot, "/v4/reload", r#"{"dryRun": true}"#), expected);
    assert_eq!((pilot.find("sleep 3000").len(), job(&pilot, "app")["runs"].clone()), (1, json!(1)));

    let mut done = post(&pilot, "/v4/reload", "");
    assert!(done["tookMs"].as_u64().unwrap() >= 50, "{done}");
    done.as_object_mut().unwrap().remove("tookMs");
    let mut expected = expected;
    expected["dryRun"] = json!(false);
    assert_eq!(done, expected);
    assert!(pilot.find("sleep 3000").is_empty(), "when it is answered it is done");
    pilot.wait_process("sleep 1001");
    pilot.finish();
}

#[test]
fn a_bad_file_is_refused_with_every_problem_and_its_place() {
    let pilot = start(OLD);
    pilot.wait_process("sleep 4000");
    fs::write(
        pilot.path("containerpilot.json5"),
        "{ consul: false,\n  jobs: [ { nam: \"a\" }, { name: \"b\", restart: 3 } ] }",
    )
    .unwrap();
    for body in ["", r#"{"dryRun": true}"#] {
        let (status, answer) = ask(&pilot, "POST", "/v4/reload", body);
        assert_eq!((status, &answer["error"]["code"]), (422, &json!("invalid")));
        assert_eq!(answer["error"]["message"], "the configuration is not good: the running one is unchanged");
        let details: Vec<&str> =
            answer["error"]["details"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        assert!(details.iter().any(|line| line.contains(":2:13: ") && line.contains("`nam`")), "{details:?}");
        assert!(details.iter().any(|line| line.contains(":2:38: ") && line.contains("`restart`")), "{details:?}");
    }
    assert_eq!(pilot.find("sleep 3000").len(), 1);
    pilot.finish();
}

#[test]
fn a_slow_reload_is_answered_when_it_is_done() {
    let slow = r#"{ name: "slow", stopTimeout: "20s", exec: ["sleep", "1000"] },
        { name: "before", exec: ["sleep", "3"], when: { source: "slow", once: "stopping" } }"#;
    let pilot = start(slow);
    pilot.wait_process("sleep 1000");
    write(&pilot, &slow.replace("1000", "1001"));
    let reply = ask_socket(&pilot.path("s"), "POST", "/v4/reload", b"").unwrap();
    assert!(reply.text().starts_with('\n'), "white space until it is there: {}", reply.text());
    described::check("POST", "/v4/reload", reply.status, &reply.json());
    assert_eq!(reply.json()["restarted"], json!([{ "job": "slow", "fields": ["exec"] }]));
    assert!(reply.json()["tookMs"].as_u64().unwrap() >= 3000);
    pilot.wait_process("sleep 1001");
    pilot.finish();
}

#[test]
fn a_stop_during_a_slow_reload_is_its_refusal() {
    let slow = r#"{ name: "slow", stopTimeout: "20s", exec: ["sleep", "1000"] },
        { name: "before", exec: ["sleep", "15"], when: { source: "slow", once: "stopping" } }"#;
    let mut pilot = start(slow);
    pilot.wait_process("sleep 1000");
    write(&pilot, &slow.replace("1000", "1001"));
    let socket = pilot.path("s");
    let asker = std::thread::spawn(move || ask_socket(&socket, "POST", "/v4/reload", b"").unwrap());
    pilot.wait_process("sleep 15");
    // When it is too late for a status of its own.
    wait_until(DEADLINE, || job(&pilot, "slow")["sinceMs"].as_u64() > Some(2500), "the stop takes its time");
    post(&pilot, "/v4/shutdown", "");
    let reply = asker.join().unwrap();
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (200, Some("conflict")));
    pilot.wait_exit();
}

#[test]
fn a_job_that_was_stopped_by_hand_stays_so_unless_it_is_touched() {
    let pilot = start(OLD);
    for name in ["same", "web"] {
        post(&pilot, &format!("/v4/jobs/{name}/stop"), "");
        wait_state(&pilot, name, "stopped");
    }
    write(&pilot, NEW);
    post(&pilot, "/v4/reload", "");
    assert_eq!(job(&pilot, "same")["state"], "stopped");
    assert_eq!(wait_state(&pilot, "web", "running")["state"], "running");
    pilot.finish();
}
