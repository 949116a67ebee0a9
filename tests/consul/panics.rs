//! Row 22's other half: a task that panics is not the end of anybody else. The failpoint is not in a release.
#![cfg(debug_assertions)]

use crate::setup::{UPDATE, WEB, launch, recorder};
use crate::support::http::{ask_socket, send_socket};
use crate::support::{Agent, Launch, Pilot};
use crate::told::times;

/// What panics once is `what`.
fn panicking(config: &str, consul: &str, what: &str) -> Launch {
    launch(config, consul).env("CONTAINERPILOT_PANIC_ON", what)
}

/// A job without Consul, and a socket.
fn serving(what: &str) -> (Pilot, i32) {
    let config = r#"{ consul: false, control: { socket: "{{ .DIR }}/s" }, stopTimeout: 2, jobs: [
        { name: "web", exec: ["sleep", "1000"] } ] }"#;
    let pilot = panicking(config, "", what).start();
    pilot.wait_stdout("control: serving at ");
    let pid = pilot.wait_process("sleep 1000").pid;
    (pilot, pid)
}

/// It was told, once on each way, and nobody has noticed.
#[track_caller]
fn assert_told_and_survived(mut pilot: Pilot, what: &str, job: i32) {
    let told = format!("internal error, please report it: told to panic in {what}");
    pilot.wait_stdout(&told);
    assert_eq!(times(&pilot, &told), 1);
    let stderr = pilot.stderr();
    assert!(stderr.lines().count() == 1 && stderr.contains(&format!(": told to panic in {what}")), "{stderr}");
    assert_eq!(pilot.wait_process("sleep 1000").pid, job, "the job runs on");
    assert_eq!(pilot.stop().0, 0);
    pilot.finish();
}

// Seen red with src/http/connection.rs:
//- match timeout_at(by, leaf::once(shared.name, answering)).await {
//+ match timeout_at(by, async { Some(answering.await) }).await {
#[test]
fn f22_a_request_whose_answer_panics_gets_a_500_and_the_next_its_answer() {
    let (pilot, job) = serving("/v4/ping");
    let status = || ask_socket(&pilot.path("s"), "GET", "/v4/ping", b"").unwrap().status;
    assert_eq!((status(), status()), (500, 200));
    assert_told_and_survived(pilot, "/v4/ping", job);
}

// Seen red with src/http/serve.rs:
//- leaf::once(shared.name, connection::run(socket, Arc::clone(&shared), stopped)).await
//+ Some(connection::run(socket, Arc::clone(&shared), stopped).await)
#[test]
fn f22_a_connection_whose_task_panics_is_closed_and_the_next_is_served() {
    let (pilot, job) = serving("connection");
    let answer = send_socket(&pilot.path("s"), b"GET /v4/ping HTTP/1.1\r\nHost: control\r\n\r\n");
    assert!(answer.as_ref().is_ok_and(String::is_empty) || answer.is_err(), "closed without an answer: {answer:?}");
    assert_eq!(ask_socket(&pilot.path("s"), "GET", "/v4/ping", b"").unwrap().status, 200);
    assert_told_and_survived(pilot, "connection", job);
}

// Seen red with src/leaf.rs:
//- tokio::time::sleep(PAUSE).await;
//+ return;
#[test]
fn f22_the_heartbeats_of_a_service_whose_task_panics_go_on() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    // A lapse would be for want of heartbeats, not for the second that passes before the task begins anew.
    let config = WEB.replace("ttl: 2", "ttl: 10");
    let pilot = panicking(&config, &server.address().to_string(), "consul").start();
    let job = pilot.wait_process("sleep 1000").pid;
    pilot.wait_stdout("told to panic in consul");
    let before = server.matching(UPDATE).len();
    server.wait_for(UPDATE, before + 3);
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    assert_told_and_survived(pilot, "consul", job);
    agent.wait_gone("web-left");
}
