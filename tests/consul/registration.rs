//! What Consul is told of a service, and when (v3 §13.2 and §13.3).

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::setup::{DEREGISTER, REGISTER, UPDATE, WEB, launch, start};
use crate::support::scripted::well;
use crate::support::wait::holds_for;
use crate::support::{Agent, DEADLINE, Scripted, run_with, wait_until};
use crate::told::times;

#[test]
fn what_is_sent_is_what_version_3_sent() {
    let server = Scripted::start(well);
    let config = r#"{ consul: "{{ .CONSUL }}", jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7", tags: ["t1", "t2"],
          initial_status: "warning",
          consul: { enableTagOverride: true, deregisterCriticalServiceAfter: "10m" },
          health: { exec: "true", interval: 1, ttl: 3 } },
    ] }"#;
    let mut pilot = start(config, server.address());
    server.wait_for(UPDATE, 2);
    assert_eq!(pilot.stop().0, 0);
    pilot.finish();

    let requests = server.requests();
    let lines: Vec<String> = requests.iter().map(|it| format!("{} {}", it.method, it.target)).collect();
    let update = format!("{UPDATE}web-left");
    assert_eq!(lines[..3], [REGISTER.to_owned(), update.clone(), update], "{lines:?}");
    assert_eq!(lines.last().unwrap(), &format!("{DEREGISTER}web-left"));
    assert_eq!(lines.iter().filter(|line| *line == REGISTER).count(), 1, "{lines:?}");

    let registration = concat!(
        r#"{"ID":"web-left","Name":"web","Tags":["t1","t2"],"Port":8080,"Address":"192.0.2.7","EnableTagOverride":true,"#,
        r#""Check":{"TTL":"3s","Status":"warning","Notes":"TTL for web set by containerpilot","#,
        r#""DeregisterCriticalServiceAfter":"10m"},"Checks":null}"#,
    );
    assert_eq!(requests[0].body.trim_end(), registration);
    assert_eq!(requests[1].body.trim_end(), r#"{"Status":"passing","Output":"ok"}"#);
    assert_eq!(requests.last().unwrap().body, "");
    assert!(requests.iter().all(|it| it.header("X-Consul-Token").is_none()), "no token, no header");
}

#[test]
fn without_an_initial_status_the_first_heartbeat_registers_as_passing() {
    let server = Scripted::start(well);
    let pilot = start(WEB, server.address());
    server.wait_for(UPDATE, 1);
    let requests = server.requests();
    assert_eq!(requests[0].target, "/v1/agent/service/register");
    let registration: Value = serde_json::from_str(&requests[0].body).unwrap();
    let check = json!({ "TTL": "2s", "Status": "passing", "Notes": "TTL for web set by containerpilot" });
    let whole = json!({ "ID": "web-left", "Name": "web", "Port": 8080, "Address": "192.0.2.7", "Check": check, "Checks": null });
    assert_eq!(registration, whole);
    // It is done before it is told.
    pilot.wait_stdout("Service registered: web");
    let told = pilot.stdout();
    assert!(told.find("web is healthy").unwrap() < told.find("Service registered: web").unwrap());
    pilot.finish();
}

#[test]
fn a_service_passes_lapses_and_passes_again() {
    let agent = Agent::new();
    let mut pilot = start(&WEB.replace("ttl: 2", "ttl: 5"), agent.address());
    agent.wait_status("web-left", "passing");
    agent.wait_healthy("web", &["web-left"]);
    holds_for(Duration::from_secs(7), || agent.healthy("web").len() == 1, "heartbeats keep it");

    fs::write(pilot.path("sick"), "").unwrap();
    pilot.wait_stdout("web is unhealthy");
    // Nothing is told; the time to live lapses.
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    agent.wait_status("web-left", "critical");
    agent.wait_healthy("web", &[]);
    assert!(agent.service("web-left").is_some());

    fs::remove_file(pilot.path("sick")).unwrap();
    agent.wait_status("web-left", "passing");
    agent.wait_healthy("web", &["web-left"]);
    assert_eq!(times(&pilot, "Service registered: web"), 1);
    assert_eq!(times(&pilot, "service update TTL failed"), 0);

    assert_eq!(pilot.stop().0, 0);
    agent.wait_gone("web-left");
    pilot.wait_stdout("deregistering: web-left");
}

#[test]
fn an_initial_status_is_there_before_the_job_starts() {
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7", initial_status: "critical",
          when: { source: "SIGHUP" }, health: { exec: "true", interval: 1, ttl: 10 } },
    ] }"#;
    let pilot = start(config, agent.address());
    agent.wait_status("web-left", "critical");
    assert!(pilot.find("sleep 1000").is_empty());
    pilot.wait_stdout("Registering service web with initial status set to critical");
    pilot.signal(crate::support::Signal::SIGHUP);
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

#[test]
fn a_service_without_a_check_is_alive_while_its_job_is() {
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", jobs: [
        { name: "web", exec: ["sh", "-c", "while [ ! -e $DIR/over ]; do sleep 0.05; done"],
          port: 8080, interfaces: "static:192.0.2.7", health: { interval: 1, ttl: 5 } },
        { name: "other", exec: ["sleep", "1000"] },
    ] }"#;
    let pilot = start(config, agent.address());
    agent.wait_status("web-left", "passing");
    holds_for(Duration::from_secs(7), || agent.status("web-left").as_deref() == Some("passing"), "it lives");
    fs::write(pilot.path("over"), "").unwrap();
    agent.wait_gone("web-left");
    pilot.finish();
}

#[test]
fn a_failing_heartbeat_is_critical_at_once() {
    let agent = Agent::new();
    let config = r#"{ consul: { address: "{{ .CONSUL }}", failingHeartbeat: true }, jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7",
          health: { exec: ["test", "!", "-e", "{{ .DIR }}/sick"], interval: 1, ttl: 60, timeout: "9s" } },
    ] }"#;
    let pilot = start(config, agent.address());
    agent.wait_status("web-left", "passing");
    fs::write(pilot.path("sick"), "").unwrap();
    agent.wait_status("web-left", "critical");
    let checks = agent.get("/v1/agent/checks");
    let output = checks["service:web-left"]["Output"].as_str().unwrap_or_default().to_owned();
    assert!(output.contains("exit status 1"), "{output:?}");
    fs::remove_file(pilot.path("sick")).unwrap();
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

#[test]
fn what_consul_offers_beside_is_registered() {
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7", tags: ["a", "b"],
          consul: {
            meta: { version: "1.2", with_line: "{{ .CONSUL }}" },
            taggedAddresses: { lan: { address: "192.0.2.8", port: 80 }, wan: { address: "203.0.113.1", port: 443 } },
            weights: { passing: 10, warning: 2 },
          },
          health: { exec: "true", interval: 1, ttl: 5 } },
    ] }"#;
    let pilot = start(config, agent.address());
    wait_until(DEADLINE, || agent.service("web-left").is_some(), "it is registered");
    let service = agent.service("web-left").unwrap();
    assert_eq!(service["Meta"], json!({ "version": "1.2", "with_line": agent.address().to_string() }));
    assert_eq!(service["TaggedAddresses"]["lan"], json!({ "Address": "192.0.2.8", "Port": 80 }));
    assert_eq!(service["TaggedAddresses"]["wan"], json!({ "Address": "203.0.113.1", "Port": 443 }));
    assert_eq!(service["Weights"], json!({ "Passing": 10, "Warning": 2 }));
    assert_eq!(service["Tags"], json!(["a", "b"]));
    assert_eq!((&service["Address"], &service["Port"]), (&json!("192.0.2.7"), &json!(8080)));
    pilot.finish();
}

#[test]
fn enterprise_headers_are_sent_with_every_request_when_they_are_set() {
    let server = Scripted::start(well);
    let config = WEB.replacen("jobs:", r#"watches: [{ name: "db", interval: 1 }], jobs:"#, 1);
    let set =
        launch(&config, server.address()).env("CONSUL_NAMESPACE", "team-a").env("CONSUL_PARTITION", "east").start();
    server.wait_for(UPDATE, 1);
    server.wait_for("GET /v1/health/service/db", 1);
    set.finish();
    for request in server.requests() {
        assert_eq!(request.header("X-Consul-Namespace"), Some("team-a"), "{request:?}");
        assert_eq!(request.header("X-Consul-Partition"), Some("east"), "{request:?}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let agent = Agent::new();
    let config = WEB.replace("\"{{ .CONSUL }}\"", "{}");
    let pilot = launch(&config, "").env("CONSUL_HTTP_ADDR", &agent.address().to_string()).start();
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

#[test]
fn without_consul_everything_else_works() {
    for consul in ["false", "null"] {
        let config = WEB.replace("\"{{ .CONSUL }}\"", consul);
        let mut pilot = start(&config, "");
        pilot.wait_stdout("web is healthy");
        assert_eq!(pilot.stop().0, 0);
        assert_eq!(times(&pilot, "registered: web") + times(&pilot, "service update") + times(&pilot, "deregister"), 0);
        pilot.finish();
    }
    let version = run_with(&["-version"], &[("CONSUL_HTTP_ADDR", "127.0.0.1:1")]);
    assert_eq!(version.status.code(), Some(0));
}
