//! Consul forgets, goes away, comes back or was never there: rows 47 to 50, 57 and 59 of the fault catalogue.

use std::time::Duration;

use serde_json::json;

use crate::setup::{REGISTER, UPDATE, WEB, launch, recorder, start};
use crate::support::consul::Options;
use crate::support::wait::{holds_for, let_pass};
use crate::support::{Agent, DEADLINE, Scripted, Signal, wait_until};
use crate::told::times;

/// One interval of [`WEB`], and what a machine that has much to do may add to it. That it is the next heartbeat, and not one after
/// it, is counted in `discovery::agent`.
const SOON: Duration = Duration::from_secs(10);

// Seen red with src/discovery/agent.rs:
//- if told.as_ref().is_err_and(CallError::is_forgotten) {
//+ if false {
#[test]
fn f47_a_consul_that_lost_its_state_knows_the_service_again_within_a_heartbeat() {
    let mut agent = Agent::new();
    let pilot = start(&WEB.replace("ttl: 2", "ttl: 5"), agent.address());
    agent.wait_status("web-left", "passing");
    for _ in 0..2 {
        agent.restart();
        let back = || agent.status("web-left").as_deref() == Some("passing");
        wait_until(SOON, back, "the service is back within one heartbeat");
    }
    agent.wait_healthy("web", &["web-left"]);
    holds_for(Duration::from_secs(7), || agent.healthy("web").len() == 1, "it stays");
    pilot.finish();
}

#[test]
fn f47_a_service_that_somebody_took_out_comes_back_with_what_it_was() {
    let agent = Agent::new();
    let config = WEB.replacen("port:", r#"tags: ["blue"], port:"#, 1);
    let pilot = start(&config, agent.address());
    agent.wait_status("web-left", "passing");
    agent.deregister("web-left");
    wait_until(SOON, || agent.status("web-left").as_deref() == Some("passing"), "it is back");
    assert_eq!(agent.service("web-left").unwrap()["Tags"], json!(["blue"]));
    pilot.finish();
}

#[test]
fn f47_only_the_check_was_taken_out() {
    let agent = Agent::new();
    let pilot = start(WEB, agent.address());
    agent.wait_status("web-left", "passing");
    agent.put("/v1/agent/check/deregister/service:web-left", "");
    // The first heartbeat follows the registration at once, so it may be the one that finds the check gone.
    let is_back = || {
        times(&pilot, "Service registered again: web") >= 1 && agent.status("web-left").as_deref() == Some("passing")
    };
    wait_until(SOON, is_back, "the check is back");
    pilot.finish();
}

// Seen red with src/discovery/consul/error.rs:
//- ["does not have associated ttl", "unknown check", "unknown service"].iter().any(|t| body.contains(t))
//+ ["does not have associated ttl"].iter().any(|t| body.contains(t))
#[test]
fn f48_the_same_with_access_control() {
    let agent = Options::default().acl().start();
    let token = agent.new_token(r#"service "web" { policy = "write" } node_prefix "" { policy = "read" }"#);
    let pilot = launch(WEB, agent.address()).env("CONSUL_HTTP_TOKEN", &token.secret).start();
    agent.wait_status("web-left", "passing");
    agent.deregister("web-left");
    wait_until(SOON, || agent.status("web-left").as_deref() == Some("passing"), "it is back");
    pilot.finish();
}

// Seen red with src/discovery/agent.rs:
//- (failed.again && in_time).then_some((letter, at))
//+ None
#[test]
fn f49_a_consul_that_comes_late_knows_the_service_soon() {
    let mut agent = Options::default().prepare();
    // One without an initial status, so that its first news is that of its first check, and one whose second news is far
    // off, so that only a repetition can tell the first in time.
    let config = WEB.replace("ttl: 2", "ttl: 9").replace("interval: 1", "interval: 3").replace(
        "jobs: [",
        r#"jobs: [ { name: "seldom", exec: ["sleep", "1001"], port: 81, interfaces: "static:192.0.2.7",
            initial_status: "passing", health: { interval: 60, ttl: 180 } },"#,
    );
    let pilot = start(&config, agent.address());
    pilot.wait_process("sleep 1000");
    pilot.wait_stdout("web is healthy");
    let failures = || {
        let told = |line: &&str| line.contains("service registration failed: ") && line.contains("(service web");
        pilot.stdout().lines().filter(told).count()
    };
    wait_until(DEADLINE, || failures() > 0, "it is told");
    let_pass(Duration::from_secs(4));
    // One line, and then only each 2ⁿ-th.
    let told = failures();
    assert!((1..=4).contains(&told), "{told} lines");
    agent.start();
    agent.wait_status("web-left", "passing");
    pilot.wait_stdout("Service registered: web");
    assert_eq!(times(&pilot, "Service registered: web"), 1);
    // By now it is tried after pauses of 8 and 16 s.
    agent.wait_status("seldom-left", "passing");
    pilot.finish();
}

#[test]
fn f50_a_stale_connection_costs_no_heartbeat() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let pilot = start(WEB, server.address());
    server.wait_for(UPDATE, 2);
    for _ in 0..3 {
        // Between two heartbeats, like an agent that restarted or a balancer that tidied up: the one that came is answered.
        let_pass(Duration::from_millis(300));
        server.cut();
        let before = server.matching(UPDATE).len();
        server.wait_for(UPDATE, before + 1);
    }
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    assert_eq!(times(&pilot, "failed"), 0, "nothing failed that could be told");
    pilot.finish();
}

// Seen red with src/discovery/consul/client.rs:
//- Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
//+ Err(error) if error.is_request() && error.is_connect() && error.is_timeout() => {
#[test]
fn f50_a_connection_that_ends_without_an_answer_is_tried_again_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let agent = Agent::new();
    let to = agent.address();
    let server = recorder(to);
    let pilot = start(WEB, server.address());
    server.wait_for(UPDATE, 2);
    // The next request is not answered, the one after it is.
    let left = AtomicUsize::new(1);
    server.script(move |_| {
        let first = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if first { crate::support::Answer::Close } else { crate::support::Answer::Forward(to) }
    });
    let before = server.matching(UPDATE).len();
    server.wait_for(UPDATE, before + 2);
    // One that is not tried again at once is a failure, and told.
    assert_eq!(times(&pilot, "service update TTL failed"), 0);
    pilot.finish();
}

#[test]
fn f50_an_agent_that_refuses_for_a_while_is_no_harm() {
    let mut agent = Agent::new();
    let pilot = start(WEB, agent.address());
    // Consul knows of the service before we know that it does.
    pilot.wait_stdout("Service registered: web");
    agent.stop();
    pilot.wait_stdout("service update TTL failed: ");
    wait_until(DEADLINE, || times(&pilot, "web is healthy") >= 1, "the job is no worse for it");
    assert_eq!(pilot.find("sleep 1000").len(), 1);
    agent.start();
    wait_until(SOON, || agent.status("web-left").as_deref() == Some("passing"), "it is back");
    pilot.finish();
}

// Seen red with src/discovery/agent.rs:
//- let lapsed = self.alive.map(|alive| alive + ttl).filter(|lapsed| *lapsed < now);
//+ let lapsed = None;
#[test]
fn f57_a_lapse_is_told_when_it_is_over() {
    let agent = Agent::new();
    let pilot = launch(WEB, agent.address()).zombie_grace(Duration::from_secs(20)).start();
    // A lapse begins where we know that it was alive.
    pilot.wait_stdout("Service registered: web");
    agent.wait_status("web-left", "passing");
    pilot.signal(Signal::SIGSTOP);
    agent.wait_status("web-left", "critical");
    let_pass(Duration::from_secs(2));
    pilot.signal(Signal::SIGCONT);
    agent.wait_status("web-left", "passing");
    let told = |line: &str| line.contains("web was critical") && line.contains("for ") && line.ends_with(" s");
    wait_until(DEADLINE, || pilot.stdout().lines().any(told), "how long it was critical is told");
    assert_eq!(times(&pilot, "Service registered: web"), 1);
    pilot.finish();
}

#[test]
fn f57_a_service_that_consul_removed_after_its_lapse_comes_back() {
    // Consul's own reaper takes a minute at least, so it is done by hand.
    let agent = Agent::new();
    let pilot = launch(WEB, agent.address()).zombie_grace(Duration::from_secs(20)).start();
    agent.wait_status("web-left", "passing");
    pilot.signal(Signal::SIGSTOP);
    agent.wait_status("web-left", "critical");
    agent.deregister("web-left");
    pilot.signal(Signal::SIGCONT);
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

// Seen red with src/discovery/agent.rs:
//- if !self.registered {
//+ if false {
#[test]
fn f59_what_a_crashed_predecessor_left_is_replaced() {
    let agent = Agent::new();
    let check = json!({ "TTL": "60s", "Status": "passing" });
    agent.register(&json!({ "ID": "web-left", "Name": "web", "Address": "192.0.2.99", "Port": 1, "Tags": ["old"], "Check": check }));
    let server: Scripted = recorder(agent.address());
    let pilot = start(WEB, server.address());
    server.wait_for(UPDATE, 1);
    assert!(server.requests()[0].target.ends_with("/register"), "the first word is what it is now");
    assert_eq!(server.matching(REGISTER).len(), 1);
    let service = agent.service("web-left").unwrap();
    assert_eq!(
        (&service["Address"], &service["Port"], &service["Tags"]),
        (&json!("192.0.2.7"), &json!(8080), &json!([]))
    );
    pilot.finish();
}
