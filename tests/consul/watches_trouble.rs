//! Watches when Consul errs or talks nonsense: rows 61 and 62 and the index rules of blocking queries.

use std::time::Duration;

use serde_json::{Value, json};

use crate::setup::start;
use crate::support::scripted::{Request, well};
use crate::support::wait::{holds_for, let_pass};
use crate::support::{Agent, Answer, DEADLINE, Pilot, Scripted, wait_until};
use crate::told::times;

const WATCH: &str = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "web", interval: 1 } ], jobs: [
    { name: "main", exec: ["sleep", "1000"] },
    { name: "changed", exec: ["sh", "-c", "echo changed >> $LOG"], when: { source: "watch.web", each: "changed" } },
    { name: "unhealthy", exec: ["sh", "-c", "echo unhealthy >> $LOG"], when: { source: "watch.web", each: "unhealthy" } },
] }"#;

const QUERY: &str = "GET /v1/health/service/web";

fn entry(id: &str, port: u16) -> Value {
    json!({ "Node": { "Node": "n1", "Address": "192.0.2.9" },
            "Service": { "ID": id, "Service": "web", "Address": "192.0.2.1", "Port": port, "Tags": [] }, "Checks": [] })
}

/// Answers a query for the list at once, and a blocking one for the same index when it is over.
fn lists(index: u64, list: &Value) -> impl Fn(&Request) -> Answer + Send + Sync + use<> {
    let text = list.to_string();
    move |request| {
        if request.method != "GET" {
            return Answer::ok("");
        }
        let answer = Answer::list(index, &text);
        let parked = request.query("index") == Some(&index.to_string());
        if parked { Answer::After(Duration::from_secs(1), Box::new(answer)) } else { answer }
    }
}

fn started(server: &Scripted) -> Pilot {
    let pilot = start(WATCH, server.address());
    pilot.wait_log("changed");
    pilot
}

// Seen red with src/discovery/watch.rs:
//- self.say_failed(&error);
//+ (self.say_failed(&error), self.tell(Vec::new()).await);
#[test]
fn f61_an_unreachable_consul_is_no_empty_service() {
    let two = json!([entry("web-1", 80), entry("web-2", 81)]);
    let server = Scripted::start(lists(10, &two));
    let pilot = started(&server);
    server.script(|_| Answer::Status(500, "No path to datacenter".to_owned()));
    pilot.wait_stdout("failed to query web: ");
    pilot.wait_stdout("No path to datacenter");
    holds_for(Duration::from_secs(6), || pilot.log() == ["changed"], "what is known stays");
    let told = times(&pilot, "failed to query web: ");
    assert!((1..=5).contains(&told), "at first, and then each 2ⁿ-th time: {told}");
    assert!(pilot.stdout().lines().any(|line| line.contains("failed to query web: ") && line.contains("[<nil>]")));
    for answer in [Answer::Hang, Answer::Close, Answer::ok("")] {
        server.script(move |_| answer.clone());
        let before = server.requests().len();
        wait_until(DEADLINE, || server.requests().len() > before, "it asks again");
    }
    // Back with the same list in another order: nothing has changed.
    server.script(lists(20, &json!([entry("web-2", 81), entry("web-1", 80)])));
    let before = server.requests().len();
    wait_until(DEADLINE, || server.requests().len() >= before + 2, "it asks again");
    assert_eq!(pilot.log(), ["changed"]);
    server.script(lists(30, &json!([entry("web-2", 81)])));
    pilot.wait_logged("changed", 2);
    assert_eq!(pilot.logged("unhealthy"), 0);
    pilot.finish();
}

#[test]
fn f61_a_data_centre_without_a_path_is_no_empty_service() {
    let agent = Agent::new();
    let pilot = start(&WATCH.replace("interval: 1", r#"interval: 1, dc: "dc9""#), agent.address());
    pilot.wait_stdout("failed to query web: ");
    pilot.wait_stdout("No path to datacenter");
    holds_for(Duration::from_secs(3), || pilot.log().is_empty(), "nothing is known");
    pilot.finish();
}

#[test]
fn f61_a_consul_that_goes_away_is_no_empty_service() {
    let mut agent = Agent::new();
    let service = json!({ "ID": "web-1", "Name": "web", "Address": "192.0.2.1", "Port": 80 });
    agent.register(&service);
    let pilot = start(WATCH, agent.address());
    pilot.wait_log("changed");
    agent.freeze();
    holds_for(Duration::from_secs(3), || pilot.log() == ["changed"], "a frozen one says nothing");
    agent.thaw();
    agent.stop();
    pilot.wait_stdout("failed to query web: ");
    holds_for(Duration::from_secs(2), || pilot.log() == ["changed"], "nor does one that is gone");
    agent.start();
    agent.register(&json!({ "ID": "web-1", "Name": "web", "Address": "192.0.2.1", "Port": 81 }));
    wait_until(DEADLINE, || pilot.logged("changed") >= 2, "it watches again");
    pilot.finish();
}

// Seen red with src/discovery/consul/types.rs:
//- let entries: Option<Vec<Entry>> = serde_json::from_slice(body).map_err(|error| garbage(&error))?;
//+ let entries: Option<Vec<Entry>> = serde_json::from_slice(body).unwrap_or_default();
#[test]
fn f62_a_list_without_an_end_or_sense_is_no_list() {
    let server = Scripted::start(lists(10, &json!([entry("web-1", 80)])));
    let pilot = started(&server);
    let before = pilot.anonymous_kib();
    let nonsense = [
        Answer::EndlessBody,
        Answer::HugeBody(1 << 40),
        Answer::SlowBody(Duration::from_millis(50)),
        Answer::list(11, "[{"),
        Answer::list(12, r#"{"not": "a list"}"#),
        Answer::list(13, r#"[{"Service": 5}]"#),
        Answer::list(14, "null nonsense"),
        Answer::Garbage(b"\x16\x03\x01\x00\x00"),
        Answer::Http09("[]"),
    ];
    for answer in nonsense {
        let told = format!("{answer:?}");
        server.script(move |_| answer.clone());
        let seen = server.requests().len();
        let mut most = 0;
        let asks_again = || {
            most = most.max(pilot.anonymous_kib());
            server.requests().len() >= seen + 2
        };
        wait_until(DEADLINE, asks_again, &format!("it asks again after {told}"));
        assert_eq!(pilot.log(), ["changed"], "{told}");
        assert!(most < before + 20 * 1024, "{told}: {before} KiB before, {most} KiB at most");
    }
    server.script(lists(20, &json!([entry("web-1", 81)])));
    pilot.wait_logged("changed", 2);
    assert!(!pilot.stdout().contains("panic"));
    pilot.finish();
}

#[test]
fn an_index_that_goes_backwards_is_forgotten() {
    let server = Scripted::start(lists(100, &json!([entry("web-1", 80)])));
    let pilot = started(&server);
    server.wait_for("index=100", 1);
    server.forget();
    // A Consul that was restored from a backup, say.
    server.script(lists(5, &json!([entry("web-1", 80)])));
    server.wait_for(QUERY, 3);
    let requests = server.matching(QUERY);
    let after = requests.iter().find(|it| it.query("index") != Some("100")).unwrap();
    assert!(matches!(after.query("index"), None | Some("0")), "{after:?}");
    server.wait_for("index=5", 1);
    assert_eq!(pilot.log(), ["changed"]);
    pilot.finish();
}

#[test]
fn an_index_of_nothing_never_blocks() {
    // Consul's documentation: the index is greater than zero, and who gets less asks without one.
    let server = Scripted::start(lists(0, &json!([entry("web-1", 80)])));
    let pilot = started(&server);
    let_pass(Duration::from_secs(4));
    let requests = server.matching(QUERY);
    assert!(requests.len() <= 8, "{} requests in four seconds", requests.len());
    assert!(
        requests.iter().all(|it| !it.query("index").is_some_and(|index| index == "0" && it.query("wait").is_some()))
    );
    pilot.finish();
}

#[test]
fn an_agent_that_does_not_park_queries_is_asked_once_an_interval() {
    let list = json!([entry("web-1", 80)]).to_string();
    let server =
        Scripted::start(move |request| if request.method == "GET" { Answer::ok(&list) } else { well(request) });
    let pilot = started(&server);
    server.forget();
    let_pass(Duration::from_secs(5));
    let requests = server.matching(QUERY).len();
    assert!((2..=7).contains(&requests), "{requests} requests in five seconds");
    pilot.finish();
}

#[test]
fn an_index_that_runs_is_not_chased() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let index = AtomicU64::new(1);
    let list = json!([entry("web-1", 80)]).to_string();
    let server = Scripted::start(move |_| Answer::list(index.fetch_add(1, Ordering::SeqCst), &list));
    let pilot = started(&server);
    let before = server.requests().len();
    let_pass(Duration::from_secs(4));
    let more = server.requests().len() - before;
    // A burst is let through, and then some each second.
    assert!(more <= 160, "{more} requests in four seconds");
    assert_eq!(pilot.log(), ["changed"]);
    pilot.finish();
}
