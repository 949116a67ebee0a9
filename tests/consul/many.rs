//! A hundred services in one process: on time, whatever one check or Consul does, and in flat memory.

use std::fmt::Write as _;
use std::time::Duration;

use crate::setup::{Metronome, UPDATE, assert_on_time, gaps, recorder, start};
use crate::support::wait::poll;
use crate::support::{Agent, DEADLINE, count, wait_until};

/// A hundred services, most without a check, one with a check that hangs.
fn hundred() -> String {
    let mut jobs = String::new();
    for n in 1..=100 {
        let check = match n {
            1 => r#"exec: ["sleep", "100"], timeout: "90s", "#,
            2..=10 => r#"exec: "true", "#,
            _ => "",
        };
        writeln!(
            jobs,
            r#"{{ name: "svc{n}", exec: ["sleep", "1000"], port: {n}, interfaces: "static:192.0.2.1", health: {{ {check}interval: 2, ttl: 6 }} }},"#
        )
        .unwrap();
    }
    format!(r#"{{ consul: "{{{{ .CONSUL }}}}", stopTimeout: 3, jobs: [ {jobs} ] }}"#)
}

#[test]
fn a_hundred_services_are_on_time_while_a_check_hangs_and_consul_freezes() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let pilot = start(&hundred(), server.address());
    let passing = || {
        let checks = agent.get("/v1/agent/checks");
        let is_passing = |check: &serde_json::Value| check["Status"] == "passing";
        checks.as_object().map_or(0, |all| all.values().filter(|check| is_passing(check)).count())
    };
    wait_until(DEADLINE, || passing() == 99, "all but the one with the hanging check");

    // The first heartbeat of all of them is a registration, too.
    let _ = poll(Duration::from_secs(3), || None::<()>);
    server.forget();
    let machine = Metronome::start();
    let before = pilot.anonymous_kib();
    let _ = poll(Duration::from_secs(u64::try_from(count(9, 60)).unwrap()), || None::<()>);
    for n in 2..=100 {
        assert_on_time(&server.matching(&format!("{UPDATE}svc{n}-left")), Duration::from_secs(2), &machine);
    }
    assert_eq!(passing(), 99);

    agent.freeze();
    let _ = poll(Duration::from_secs(10), || None::<()>);
    server.forget();
    agent.thaw();
    wait_until(DEADLINE, || passing() == 99, "all are back");
    let _ = poll(Duration::from_secs(5), || None::<()>);
    for n in 2..=100 {
        let beats = server.matching(&format!("{UPDATE}svc{n}-left"));
        assert!((2..=6).contains(&beats.len()), "svc{n}: no burst, no hole: {:?}", gaps(&beats));
    }
    assert!(pilot.anonymous_kib() < before + 4 * 1024, "{before} KiB, then {}", pilot.anonymous_kib());
    assert!(server.open().1 <= 220, "{:?}", server.open());
    pilot.finish();
    let left = agent.get("/v1/agent/services");
    assert_eq!(left.as_object().map(serde_json::Map::len), Some(0), "{left}");
}
