//! Watches of other services over a real Consul (v3 §14; design §4 row 9).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::setup::{WEB, launch_on, recorder, start};
use crate::support::scripted::well;
use crate::support::wait::{holds_for, let_pass, poll};
use crate::support::{Agent, DEADLINE, Metronome, Pilot, Scripted, count, wait_until};

/// A watch of `web` whose events stand in the ordered log.
const WATCH: &str = r#"{
    consul: "{{ .CONSUL }}",
    watches: [ { name: "web", interval: 1 } ],
    jobs: [
        { name: "main", exec: ["sleep", "1000"] },
        { name: "a-changed", exec: ["sh", "-c", "echo changed $(echo $CONTAINERPILOT_WATCH_WEB_ADDRS) >> $LOG"],
          when: { source: "watch.web", each: "changed" } },
        { name: "b-healthy", exec: ["sh", "-c", "echo healthy >> $LOG"], when: { source: "watch.web", each: "healthy" } },
        { name: "c-unhealthy", exec: ["sh", "-c", "echo unhealthy >> $LOG"],
          when: { source: "watch.web", each: "unhealthy" } },
    ],
}"#;

fn instance(id: &str, address: &str, port: u16, tags: &[&str]) -> Value {
    json!({ "ID": id, "Name": "web", "Address": address, "Port": port, "Tags": tags,
            "Check": { "TTL": "60s", "Status": "passing" } })
}

/// The lines of the ordered log, sorted between two changes: which of several jobs writes first is nobody's promise.
fn seen(pilot: &Pilot, word: &str) -> usize {
    pilot.log().iter().filter(|line| line.split(' ').next() == Some(word)).count()
}

#[test]
fn two_supervisors_of_one_service_are_seen_coming_and_going() {
    let agent = Agent::new();
    let watcher = launch_on("watcher", WATCH, agent.address()).start();
    watcher.wait_process("sleep 1000");
    let web = WEB.replace("ttl: 2", "ttl: 5");
    let left = launch_on("left", &web, agent.address()).start();
    watcher.wait_log("changed 192.0.2.7:8080");
    let right = launch_on("right", &web.replace("192.0.2.7", "192.0.2.8"), agent.address()).start();
    watcher.wait_log("changed 192.0.2.7:8080 192.0.2.8:8080");
    agent.wait_healthy("web", &["web-left", "web-right"]);

    // One falls ill: it is among the healthy no more.
    std::fs::write(left.path("sick"), "").unwrap();
    watcher.wait_log("changed 192.0.2.8:8080");
    std::fs::remove_file(left.path("sick")).unwrap();
    watcher.wait_logged("changed 192.0.2.7:8080 192.0.2.8:8080", 2);

    assert_eq!(left.finish(), 0);
    watcher.wait_logged("changed 192.0.2.8:8080", 2);
    wait_until(DEADLINE, || seen(&watcher, "healthy") == 5, "healthy after each change");
    assert_eq!(seen(&watcher, "unhealthy"), 0);
    assert_eq!(right.finish(), 0);
    watcher.wait_log("unhealthy");
    watcher.wait_log("changed");
    assert_eq!((seen(&watcher, "changed"), seen(&watcher, "healthy"), seen(&watcher, "unhealthy")), (6, 5, 1));
    watcher.finish();
}

#[test]
fn an_empty_first_answer_is_no_event() {
    let agent = Agent::new();
    let pilot = start(WATCH, agent.address());
    pilot.wait_process("sleep 1000");
    holds_for(Duration::from_secs(3), || pilot.log().is_empty(), "nothing has changed");
    pilot.finish();
}

#[test]
fn what_is_there_at_the_start_is_seen_at_once() {
    let server = Scripted::start(well);
    let agent = Agent::new();
    agent.register(&instance("web-1", "192.0.2.1", 80, &[]));
    // Not one interval later as in version 3.
    let config = WATCH.replace("interval: 1", "interval: 20");
    let begin = Instant::now();
    let pilot = start(&config, agent.address());
    pilot.wait_log("changed 192.0.2.1:80");
    assert!(begin.elapsed() < Duration::from_secs(8));
    pilot.finish();
    drop(server);
}

#[test]
fn the_instances_are_in_the_jobs_environment() {
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "my-db", interval: 1 } ], jobs: [
        { name: "main", exec: ["sh", "-c", "env > $DIR/main; exec sleep 1000"] },
        { name: "write", exec: ["sh", "-c", "env > $DIR/new; mv $DIR/new $DIR/env"],
          when: { source: "watch.my-db", each: "changed" } },
    ] }"#;
    let pilot = start(config, agent.address());
    wait_until(DEADLINE, || pilot.read("main").contains("PATH="), "the first job runs");
    let mut first = instance("db-2", "192.0.2.2", 5432, &["master", "blue"]);
    first["Name"] = json!("my-db");
    agent.register(&first);
    let read = |name: &str| {
        let text = pilot.read("env");
        let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned());
        text.lines().find_map(value)
    };
    let list = || read("CONTAINERPILOT_WATCH_MY_DB").and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let one =
        json!({ "id": "db-2", "address": "192.0.2.2", "port": 5432, "tags": ["master", "blue"], "node": "node-dc1" });
    wait_until(DEADLINE, || list() == Some(json!([one])), "the first instance");
    assert_eq!(read("CONTAINERPILOT_WATCH_MY_DB_ADDRS").as_deref(), Some("192.0.2.2:5432"));

    // Without an address of its own it is where its node is; an IPv6 address stands in brackets.
    agent.register(&json!({ "ID": "db-1", "Name": "my-db", "Port": 5433 }));
    let two = json!({ "id": "db-1", "address": "127.0.0.1", "port": 5433, "tags": [], "node": "node-dc1" });
    wait_until(DEADLINE, || list() == Some(json!([two, one])), "both, by id");
    agent.register(&json!({ "ID": "db-3", "Name": "my-db", "Port": 1, "Address": "2001:db8::3" }));
    let lines = || pilot.read("env").lines().any(|line| line == "[2001:db8::3]:1");
    wait_until(DEADLINE, lines, "an IPv6 address");

    for id in ["db-1", "db-2", "db-3"] {
        agent.deregister(id);
    }
    wait_until(DEADLINE, || list() == Some(json!([])), "nobody");
    assert_eq!(read("CONTAINERPILOT_WATCH_MY_DB_ADDRS").as_deref(), Some(""));
    assert!(!pilot.read("main").contains("CONTAINERPILOT_WATCH"), "others are not told");
    pilot.finish();
}

#[test]
fn only_what_the_tag_and_the_filter_want_is_seen() {
    let agent = Agent::new();
    let tagged = WATCH.replace("interval: 1", r#"interval: 1, tag: "blue""#);
    let filter = r#"interval: 1, filter: 'Service.Meta.zone == "a b" and Service.Port != 81'"#;
    let filtered = WATCH.replace("interval: 1", filter);
    let by_tag = start(&tagged, agent.address());
    let by_filter = start(&filtered, agent.address());
    let zone = |mut service: Value| {
        service["Meta"] = json!({ "zone": "a b" });
        service
    };
    agent.register(&instance("web-1", "192.0.2.1", 80, &["red"]));
    agent.register(&zone(instance("web-2", "192.0.2.2", 80, &["blue"])));
    agent.register(&zone(instance("web-3", "192.0.2.3", 81, &["blue"])));
    let last = |pilot: &Pilot| pilot.log().iter().rfind(|line| line.starts_with("changed")).cloned();
    wait_until(DEADLINE, || last(&by_tag).as_deref() == Some("changed 192.0.2.2:80 192.0.2.3:81"), "the tagged ones");
    wait_until(DEADLINE, || last(&by_filter).as_deref() == Some("changed 192.0.2.2:80"), "the filtered one");
    by_tag.finish();
    by_filter.finish();
}

#[test]
fn tags_nodes_and_outputs_are_no_change() {
    let agent = Agent::new();
    agent.register(&instance("web-1", "192.0.2.1", 80, &["red"]));
    let pilot = start(WATCH, agent.address());
    pilot.wait_log("changed 192.0.2.1:80");
    agent.register(&instance("web-1", "192.0.2.1", 80, &["blue"]));
    agent.put("/v1/agent/check/update/service:web-1", r#"{"Status":"passing","Output":"other"}"#);
    agent.register(&json!({ "ID": "other", "Name": "other", "Port": 1 }));
    holds_for(Duration::from_secs(3), || seen(&pilot, "changed") == 1, "nothing that counts has changed");
    agent.register(&instance("web-1", "192.0.2.1", 81, &["blue"]));
    pilot.wait_log("changed 192.0.2.1:81");
    pilot.finish();
}

#[test]
fn an_event_reaches_its_job_within_a_tenth_of_a_second() {
    let agent = Agent::new();
    // The interval is the bound of staleness, not a period: a change is told when it happens.
    let config = WATCH.replace("interval: 1", "interval: 30");
    let pilot = start(&config, agent.address());
    agent.register(&instance("web-1", "192.0.2.1", 1, &[]));
    pilot.wait_log("changed 192.0.2.1:1");
    let machine = Metronome::start(&pilot);
    let mut times: Vec<Duration> = Vec::new();
    for port in 2..=51 {
        let line = format!("changed 192.0.2.1:{port}");
        let begin = Instant::now();
        agent.register(&instance("web-1", "192.0.2.1", port, &[]));
        pilot.wait_log(&line);
        times.push(begin.elapsed());
    }
    times.sort();
    let median = times[times.len() / 2];
    // A tenth of a second, and what the machine adds to anything.
    assert!(median <= machine.allowed_in_a_moment(), "median {median:?}, worst {:?}", times.last());
    pilot.finish();
}

#[test]
fn an_idle_watch_costs_one_parked_request_per_wait() {
    let agent = Agent::new();
    agent.register(&instance("web-1", "192.0.2.1", 80, &[]));
    let server = recorder(agent.address());
    let config = WATCH.replace("interval: 1", "interval: 4");
    let pilot = start(&config, server.address());
    pilot.wait_log("changed 192.0.2.1:80");
    let_pass(Duration::from_secs(10));
    let requests = server.matching("GET /v1/health/service/web");
    // At the start, and then one each four seconds; Consul adds a sixteenth at most.
    assert!((3..=5).contains(&requests.len()), "{requests:#?}");
    assert_eq!(requests[0].query("passing"), Some("1"));
    for parked in &requests[1..] {
        assert!(parked.query("index").is_some_and(|index| index != "0"), "{parked:?}");
        assert!(parked.query("wait").is_some(), "{parked:?}");
    }
    assert!(server.open().1 <= 2, "{:?}", server.open());
    pilot.finish();
}

// Seen red with src/core/watch.rs:
//- if changed {
//+ for _ in 0..2 * usize::from(changed) {
#[test]
fn f63_a_thousand_instances_that_flap_are_one_change_a_look() {
    let agent = Agent::new();
    let all = u16::try_from(count(300, 1000)).unwrap();
    for port in 1..=all {
        agent.register(&instance(&format!("web-{port}"), "192.0.2.1", port, &[]));
    }
    let server = recorder(agent.address());
    let config =
        WATCH.replace("$(echo $CONTAINERPILOT_WATCH_WEB_ADDRS)", "$(echo $CONTAINERPILOT_WATCH_WEB_ADDRS | wc -w)");
    let pilot = start(&config, server.address());
    pilot.wait_log(&format!("changed {all}"));
    let before = pilot.anonymous_kib();
    for round in 0..2_u16 {
        for port in 1..=all {
            agent.register(&instance(&format!("web-{port}"), "192.0.2.2", port + round, &[]));
        }
    }
    let settled = || {
        let looks = server.matching("GET /v1/health/service/web").len();
        poll(Duration::from_secs(3), || (server.matching("GET /v1/health/service/web").len() > looks + 3).then_some(()))
            .is_none()
    };
    wait_until(DEADLINE, settled, "the flapping is over");
    let looks = server.matching("GET /v1/health/service/web").len();
    let changes = seen(&pilot, "changed");
    assert!((2..=looks).contains(&changes), "{changes} changes in {looks} looks");
    assert!(pilot.anonymous_kib() < before + 8 * 1024, "{before} KiB, then {}", pilot.anonymous_kib());
    assert_eq!(seen(&pilot, "unhealthy"), 0);
    pilot.finish();
}
