//! Services and watches in a real Consul: what changes is told, and no process notices.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::reload;
use crate::support::{Agent, DEADLINE, Launch, Pilot, wait_until};
use crate::told::times;

fn text(consul: impl Display, more: &str) -> String {
    format!(
        r#"{{ consul: "{consul}", signals: {{ SIGHUP: "reload" }}, reload: {{ quiesce: "50ms" }}, stopTimeout: 2, {more} }}"#
    )
}

/// A service that is checked so seldom that only the reload tells of it in time.
fn web(fields: &str) -> String {
    format!(
        r#"jobs: [ {{ name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7", initial_status: "passing",
             health: {{ exec: "true", interval: 60, ttl: 120 }}, {fields} }}, {{ name: "b", exec: ["sleep", "2000"] }} ]"#
    )
}

fn start(text: &str) -> Pilot {
    Launch::config(text).own_hostname("left").start()
}

fn tags(agent: &Agent) -> Option<Value> {
    agent.service("web-left")?.get("Tags").cloned()
}

#[test]
fn changed_tags_and_ports_are_registered_without_a_restart() {
    let agent = Agent::new();
    let pilot = start(&text(agent.address(), &web("tags: [\"one\"]")));
    agent.wait_status("web-left", "passing");
    let pid = pilot.wait_process("sleep 1000").pid;
    let said = reload(&pilot, &text(agent.address(), &web("tags: [\"two\", \"three\"]")));
    assert_eq!(said, "0 changed, 1 changed in place (web: tags), 0 removed, 0 added, 1 unchanged");
    wait_until(DEADLINE, || tags(&agent) == Some(json!(["two", "three"])), "the new tags");
    assert_eq!(agent.status("web-left").as_deref(), Some("passing"));
    assert_eq!(times(&pilot, "Service deregistered"), 0);
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    pilot.finish();
    agent.wait_gone("web-left");
}

#[test]
fn a_service_comes_and_goes_without_a_restart() {
    let agent = Agent::new();
    let without = r#"jobs: [ { name: "web", exec: ["sleep", "1000"] }, { name: "b", exec: ["sleep", "2000"] } ]"#;
    // An agent has half of it for its answer.
    let text = |agent, jobs: &str| text(agent, jobs).replace("stopTimeout: 2", "stopTimeout: 10");
    let pilot = start(&text(agent.address(), without));
    let pid = pilot.wait_process("sleep 1000").pid;
    reload(&pilot, &text(agent.address(), &web("")));
    agent.wait_status("web-left", "passing");
    reload(&pilot, &text(agent.address(), without));
    agent.wait_gone("web-left");
    reload(&pilot, &text(agent.address(), &web("")));
    agent.wait_status("web-left", "passing");
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    let said = reload(&pilot, &text(agent.address(), r#"jobs: [ { name: "b", exec: ["sleep", "2000"] } ]"#));
    assert_eq!(said, "0 changed, 1 removed (web), 0 added, 1 unchanged");
    assert!(agent.service("web-left").is_none(), "it is gone before its process is");
    pilot.finish();
}

#[test]
fn a_restarted_job_is_registered_again() {
    let agent = Agent::new();
    let pilot = start(&text(agent.address(), &web("")));
    agent.wait_status("web-left", "passing");
    let said = reload(&pilot, &text(agent.address(), &web("").replace("1000", "1001")));
    assert_eq!(said, "1 changed (web), 0 removed, 0 added, 1 unchanged");
    agent.wait_status("web-left", "passing");
    pilot.wait_process("sleep 1001");
    assert_eq!(times(&pilot, "Service deregistered: web"), 1);
    pilot.finish();
    agent.wait_gone("web-left");
}

#[test]
fn another_agent_gets_what_the_old_one_had() {
    let (old, new) = (Agent::new(), Agent::new());
    let watch = format!("{}, watches: [ {{ name: \"db\", interval: 1 }} ]", web(""));
    let pilot = start(&text(old.address(), &watch));
    old.wait_status("web-left", "passing");
    let pid = pilot.wait_process("sleep 1000").pid;
    let said = reload(&pilot, &text(new.address(), &watch));
    assert_eq!(said, "0 changed, 0 removed, 0 added, 2 unchanged");
    new.wait_status("web-left", "passing");
    old.wait_gone("web-left");
    assert_eq!(pilot.wait_process("sleep 1000").pid, pid);
    pilot.finish();
    new.wait_gone("web-left");
}

#[test]
fn watches_come_and_go() {
    let agent = Agent::new();
    let db = json!({ "ID": "db-1", "Name": "db", "Address": "192.0.2.9", "Port": 5432 });
    agent.register(&db);
    let jobs = r#"jobs: [
        { name: "b", exec: ["sleep", "2000"] },
        { name: "hook", exec: ["sh", "-c", "echo changed >> \"$LOG\""], when: { source: "watch.db", each: "changed" } },
    ]"#;
    let with = text(agent.address(), &format!("{jobs}, watches: [ {{ name: \"db\", interval: 1 }} ]"));
    let pilot = start(&text(agent.address(), jobs));
    pilot.wait_process("sleep 2000");
    reload(&pilot, &with);
    pilot.wait_log("changed");
    reload(&pilot, &with);
    let more = json!({ "ID": "db-2", "Name": "db", "Address": "192.0.2.10", "Port": 5432 });
    agent.register(&more);
    pilot.wait_logged("changed", 2);
    assert_eq!(pilot.logged("changed"), 2, "the reload in between was no news");
    pilot.finish();
}
