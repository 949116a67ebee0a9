//! `/v4` over the real binary as PID 1 and its real socket (design §6, managed-daemons §7.3). Every answer that these tests
//! get is held against `docs/openapi.json`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what can't be done makes them fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod described;
mod looking;
mod orders;
mod reloading;
mod secrets;
mod whole;

use serde_json::Value;

use support::http::ask_socket;
use support::{DEADLINE, Launch, Pilot, wait};

/// A configuration with a socket in the test's directory, and these jobs.
fn with_socket(jobs: &str) -> String {
    format!(r#"{{ control: {{ socket: "{{{{ .DIR }}}}/s" }}, consul: false, stopTimeout: 2, jobs: [{jobs}] }}"#)
}

/// The program with these jobs, serving.
fn start(jobs: &str) -> Pilot {
    serving(&with_socket(jobs))
}

/// The program with this configuration, serving.
fn serving(config: &str) -> Pilot {
    let pilot = Launch::config(config).start();
    pilot.wait_stdout("control: serving at ");
    pilot
}

/// Asks, and holds the answer against the description: status and body.
#[track_caller]
fn ask(pilot: &Pilot, method: &str, path: &str, body: &str) -> (u16, Value) {
    let reply = ask_socket(&pilot.path("s"), method, path, body.as_bytes()).unwrap();
    assert_eq!(reply.header("content-type"), Some("application/json"), "{path}: {}", reply.text());
    let answer = reply.json();
    described::check(method, path, reply.status, &answer);
    (reply.status, answer)
}

/// What is there to be read.
#[track_caller]
fn get(pilot: &Pilot, path: &str) -> Value {
    let (status, answer) = ask(pilot, "GET", path, "");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Something that is done.
#[track_caller]
fn post(pilot: &Pilot, path: &str, body: &str) -> Value {
    let (status, answer) = ask(pilot, "POST", path, body);
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Something that is refused with this status: its word, and what it says.
#[track_caller]
fn refused(pilot: &Pilot, method: &str, path: &str, body: &str, status: u16) -> (String, String) {
    let (found, answer) = ask(pilot, method, path, body);
    assert_eq!(found, status, "{path}: {answer}");
    let text = |key: &str| answer["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

/// How a job stands.
#[track_caller]
fn job(pilot: &Pilot, name: &str) -> Value {
    get(pilot, &format!("/v4/jobs/{name}"))["jobs"][0].clone()
}

/// Waits until a job stands so; gives it.
#[track_caller]
fn wait_job(pilot: &Pilot, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let looked = || Some(job(pilot, name)).filter(|job| is_so(job));
    wait::poll(DEADLINE, looked).unwrap_or_else(|| panic!("{}", job(pilot, name)))
}

#[track_caller]
fn wait_state(pilot: &Pilot, name: &str, state: &str) -> Value {
    wait_job(pilot, name, |job| job["state"] == state)
}
