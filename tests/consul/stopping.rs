//! Services at the end: out of Consul before their job gets its first signal, and the agent itself last.

use std::time::Duration;

use crate::setup::{DEREGISTER, WEB, launch, recorder, start};
use crate::support::ports::Ports;
use crate::support::{Agent, Answer, DEADLINE, Scripted, Signal, wait_until};
use crate::told::times;

/// A command of bash that asks the agent whether it knows the service, and writes that with a word to the ordered log.
fn knows(word: &str) -> String {
    let ask = r#"exec 3<>"/dev/tcp/${CONSUL%:*}/${CONSUL#*:}"; printf 'GET /v1/agent/services HTTP/1.0\r\n\r\n' >&3"#;
    format!(r#"{ask}; if grep -q web-left <&3; then echo {word} known; else echo {word} unknown; fi >> "$LOG""#)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn a_service_is_out_of_consul_before_its_job_gets_the_signal() {
    let agent = Agent::new();
    let text =
        format!("stop() {{ {}; exit 0; }}; trap stop TERM; : > $DIR/up; while :; do sleep 0.05; done", knows("term"));
    let config = WEB.replace(r#"["sleep", "1000"]"#, &format!(r#"["bash", "-c", {}]"#, quoted(&text)));
    let mut pilot = start(&config.replace("stopTimeout: 2", "stopTimeout: 20"), agent.address());
    agent.wait_status("web-left", "passing");
    wait_until(DEADLINE, || pilot.path("up").exists(), "the trap");
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.log(), ["term unknown"]);
    assert_eq!(times(&pilot, "deregistering failed"), 0);
    pilot.finish();
}

#[test]
fn the_drain_runs_first_and_the_goodbye_last() {
    let agent = Agent::new();
    let web =
        format!("stop() {{ {}; exit 0; }}; trap stop TERM; : > $DIR/up; while :; do sleep 0.05; done", knows("term"));
    let config = WEB.replacen(
        r#"{ name: "web", exec: ["sleep", "1000"]"#,
        &format!(
            r#"{{ name: "drain", exec: ["bash", "-c", {}], when: {{ source: "web", once: "stopping" }} }},
               {{ name: "goodbye", exec: ["bash", "-c", {}], when: {{ source: "web", once: "stopped" }} }},
               {{ name: "web", exec: ["bash", "-c", {}]"#,
            quoted(&knows("drain")),
            quoted(&knows("goodbye")),
            quoted(&web)
        ),
        1,
    );
    let mut pilot = start(&config.replace("stopTimeout: 2", "stopTimeout: 20"), agent.address());
    agent.wait_status("web-left", "passing");
    wait_until(DEADLINE, || pilot.path("up").exists(), "the trap");
    assert_eq!(pilot.stop().0, 0);
    // As in version 3 the drain still finds it registered; the order of the rest is the point.
    assert_eq!(pilot.log(), ["drain known", "term unknown", "goodbye unknown"]);
    pilot.finish();
}

#[test]
fn many_services_are_taken_out_side_by_side() {
    let agent = Agent::new();
    let to = agent.address();
    let jobs: Vec<String> = (1..=20)
        .map(|n| {
            let health = "health: { interval: 1, ttl: 10 }";
            format!(
                r#"{{ name: "svc{n}", exec: ["sleep", "1000"], port: {n}, interfaces: "static:192.0.2.1", {health} }}"#
            )
        })
        .collect();
    let config = format!(r#"{{ consul: "{{{{ .CONSUL }}}}", stopTimeout: 5, jobs: [ {} ] }}"#, jobs.join(",\n"));
    let server = recorder(to);
    let mut pilot = start(&config, server.address());
    let all = || agent.get("/v1/agent/services").as_object().map_or(0, serde_json::Map::len);
    wait_until(DEADLINE, || all() == 20, "all are registered");
    server.script(move |_| Answer::After(Duration::from_millis(300), Box::new(Answer::Forward(to))));
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    // A heartbeat may be on its way, and comes first.
    assert!(took < Duration::from_millis(2900), "{took:?}");
    wait_until(DEADLINE, || all() == 0, "all are out");
    pilot.finish();
}

#[test]
fn a_job_that_ends_by_itself_is_taken_out_and_the_others_stay() {
    let agent = Agent::new();
    let config = WEB.replacen(
        "jobs: [",
        r#"jobs: [ { name: "api", exec: ["sh", "-c", "while [ ! -e $DIR/over ]; do sleep 0.05; done; exit 3"], port: 1,
             interfaces: "static:192.0.2.1", health: { interval: 1, ttl: 5 } },"#,
        1,
    );
    let pilot = start(&config.replace("ttl: 2", "ttl: 10"), agent.address());
    agent.wait_status("web-left", "passing");
    agent.wait_status("api-left", "passing");
    std::fs::write(pilot.path("over"), "").unwrap();
    agent.wait_gone("api-left");
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    pilot.finish();
}

#[test]
fn a_job_that_is_restarted_stays_registered() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let config = WEB.replace(r#"["sleep", "1000"]"#, r#"["sleep", "1000"], restarts: "unlimited""#);
    let pilot = start(&config, server.address());
    agent.wait_status("web-left", "passing");
    let before = pilot.wait_process("sleep 1000");
    pilot.signal_process(&before, Signal::SIGKILL);
    wait_until(DEADLINE, || pilot.find("sleep 1000").iter().any(|it| it.pid != before.pid), "it is started again");
    assert_eq!(server.matching(DEREGISTER).len(), 0);
    assert!(agent.service("web-left").is_some());
    pilot.finish();
}

#[test]
fn a_second_signal_waits_for_nobody() {
    let server = Scripted::start(crate::support::scripted::well);
    let mut pilot = start(&WEB.replace("stopTimeout: 2", "stopTimeout: 10"), server.address());
    server.wait_for(crate::setup::UPDATE, 1);
    server.script(|_| Answer::Hang);
    pilot.signal(Signal::SIGTERM);
    server.wait_for(DEREGISTER, 1);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_millis(1500), "{took:?}");
    pilot.finish();
}

#[test]
fn the_local_agent_stays_until_the_others_are_out() {
    let ports = Ports::take();
    let (http, server, lan, wan) = (ports.port(0), ports.port(2), ports.port(3), ports.port(4));
    // In front of the file, so that a stop in order of the file would end it first.
    let config = format!(
        r#"{{ consul: "127.0.0.1:{http}", logging: {{ level: "DEBUG" }}, stopTimeout: 5, jobs: [
            {{ name: "consul-agent", restarts: "unlimited", exec: ["consul", "agent", "-dev", "-log-level=warn", "-node=n1",
                "-bind=127.0.0.1", "-http-port={http}", "-server-port={server}", "-serf-lan-port={lan}",
                "-serf-wan-port={wan}", "-dns-port=-1", "-grpc-port=-1"] }},
            {{ name: "web", exec: ["sh", "-c", "trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done"], port: 8080,
                interfaces: "static:192.0.2.7", health: {{ exec: "true", interval: 1, ttl: 5 }} }},
        ] }}"#
    );
    let mut pilot = launch(&config, "").start();
    pilot.wait_stdout("Service registered: web");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let told = pilot.stdout();
    assert!(told.contains("deregistering: web-left"), "{told}");
    assert!(!told.contains("deregistering failed") && !told.contains("may still be registered"), "{told}");
    pilot.finish();
}
