//! IPv6, unix sockets, and another data centre.

use std::time::Duration;

use serde_json::json;

use crate::setup::{WEB, start};
use crate::support::consul::Options;
use crate::support::wait::holds_for;
use crate::support::{Agent, DEADLINE, wait_until};

#[test]
fn an_agent_on_ipv6_is_spoken_to() {
    let agent = Options::default().ipv6().start();
    let config = WEB.replace("192.0.2.7", "2001:db8::7");
    let pilot = start(&config, agent.address());
    agent.wait_status("web-left", "passing");
    assert_eq!(agent.service("web-left").unwrap()["Address"], json!("2001:db8::7"));
    pilot.finish();
    agent.wait_gone("web-left");
}

#[test]
fn localhost_is_whichever_of_both_addresses_answers() {
    for agent in [Agent::new(), Options::default().ipv6().start()] {
        let hosts = "printf '::1 consul.example\\n127.0.0.1 consul.example\\n' > $DIR/hosts && mount --bind $DIR/hosts /etc/hosts";
        let launch = crate::setup::launch(WEB, format!("consul.example:{}", agent.address().port())).setup(hosts);
        let pilot = launch.start();
        agent.wait_status("web-left", "passing");
        pilot.finish();
    }
}

#[test]
fn an_agent_on_a_socket_is_spoken_to() {
    let agent = Agent::new();
    let config = WEB.replacen("jobs:", r#"watches: [{ name: "db", interval: 1 }], jobs:"#, 1);
    let config = config.replacen(
        "{ name: \"web\"",
        r#"{ name: "db-changed", exec: ["sh", "-c", "echo changed >> $LOG"], when: { source: "watch.db", each: "changed" } }, { name: "web""#,
        1,
    );
    let pilot = start(&config, format!("unix://{}", agent.socket().display()));
    agent.wait_status("web-left", "passing");
    agent.register(&json!({ "ID": "db-1", "Name": "db", "Port": 1 }));
    pilot.wait_log("changed");
    pilot.finish();
    agent.wait_gone("web-left");
}

#[test]
fn a_service_of_another_data_centre_is_watched() {
    let here = Agent::new();
    let there = Options::default().datacentre("dc2").start();
    here.join_wan(&there);
    let config = r#"{ consul: "{{ .CONSUL }}", watches: [ { name: "web", interval: 1, dc: "dc2" } ], jobs: [
        { name: "main", exec: ["sleep", "1000"] },
        { name: "changed", exec: ["sh", "-c", "echo changed $(echo $CONTAINERPILOT_WATCH_WEB_ADDRS) >> $LOG"],
          when: { source: "watch.web", each: "changed" } },
    ] }"#;
    let watcher = start(config, here.address());
    watcher.wait_process("sleep 1000");
    // The same name here is another service.
    here.register(&json!({ "ID": "web-1", "Name": "web", "Address": "192.0.2.1", "Port": 1 }));
    let pilot = start(&WEB.replace("ttl: 2", "ttl: 10"), there.address());
    watcher.wait_log("changed 192.0.2.7:8080");
    holds_for(Duration::from_secs(2), || watcher.log().len() == 1, "only that one is seen");
    assert_eq!(pilot.finish(), 0);
    wait_until(DEADLINE, || watcher.log() == ["changed 192.0.2.7:8080", "changed"], "it has gone");
    watcher.finish();
}
