//! A hundred services in one process: on time, whatever one check or Consul does, and in flat memory.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::setup::{UPDATE, assert_on_time, gaps, recorder, start};
use crate::support::scripted::well;
use crate::support::wait::let_pass;
use crate::support::{Agent, Answer, DEADLINE, Metronome, Scripted, count, wait_until};

/// A hundred services, most without a check, one with a check that hangs.
fn hundred() -> String {
    let mut jobs = String::new();
    for n in 1..=100 {
        let check = match n {
            1 => r#"exec: ["sleep", "100"], timeout: "90s", "#,
            2..=5 => r#"exec: "true", "#,
            _ => "",
        };
        let health = format!("health: {{ {check}interval: 2, ttl: 6 }}");
        let rest = format!(r#"exec: ["sleep", "1000"], port: {n}, interfaces: "static:192.0.2.1", {health}"#);
        writeln!(jobs, r#"{{ name: "svc{n}", {rest} }},"#).unwrap();
    }
    format!(r#"{{ consul: "{{{{ .CONSUL }}}}", stopTimeout: 3, jobs: [ {jobs} ] }}"#)
}

/// Asserts that all but the one with the hanging check come each two seconds.
#[track_caller]
fn all_on_time(server: &Scripted, machine: &Metronome) {
    for n in 2..=100 {
        assert_on_time(&server.matching(&format!("{UPDATE}svc{n}-left")), Duration::from_secs(2), machine);
    }
}

/// Lets time pass, more of it in the long lane.
fn wait(everyday: usize, long: usize) {
    let_pass(Duration::from_secs(u64::try_from(count(everyday, long)).unwrap()));
}

#[test]
fn a_hundred_heartbeats_are_on_time_while_a_check_hangs_and_after_nobody_answered() {
    let server = Scripted::start(well);
    let pilot = start(&hundred(), server.address());
    server.wait_for(UPDATE, 2 * 99);
    let before = pilot.anonymous_kib();
    {
        server.forget();
        let machine = Metronome::of_programs(&pilot);
        wait(9, 60);
        all_on_time(&server, &machine);
    }
    server.script(|_| Answer::Hang);
    wait(10, 10);
    server.script(well);
    // What hangs now is given up, and then all is as before.
    wait(7, 7);
    server.forget();
    let machine = Metronome::of_programs(&pilot);
    wait(9, 20);
    all_on_time(&server, &machine);
    assert!(pilot.anonymous_kib() < before + 4 * 1024, "{before} KiB, then {}", pilot.anonymous_kib());
    assert!(server.open().1 <= 220, "{:?}", server.open());
    pilot.finish();
}

#[test]
fn a_hundred_services_pass_again_after_consul_stood_still() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let mut pilot = start(&hundred(), server.address());
    let passing = || {
        let checks = agent.get("/v1/agent/checks");
        let is_passing = |check: &serde_json::Value| check["Status"] == "passing";
        checks.as_object().map_or(0, |all| all.values().filter(|check| is_passing(check)).count())
    };
    wait_until(DEADLINE, || passing() == 99, "all but the one with the hanging check");
    agent.freeze();
    wait(10, 30);
    server.forget();
    agent.thaw();
    let thawed = Instant::now();
    wait_until(DEADLINE, || passing() == 99, "all are back");
    wait(5, 5);
    let most = usize::try_from(thawed.elapsed().as_secs()).unwrap() / 2 + 4;
    for n in 2..=100 {
        let beats = server.matching(&format!("{UPDATE}svc{n}-left"));
        assert!((2..=most).contains(&beats.len()), "svc{n}: no burst, no hole: {:?}", gaps(&beats));
    }
    assert_eq!(passing(), 99);
    pilot.stop();
    let told = pilot.stdout();
    let said = |id: &String| {
        told.lines().any(|line| {
            line.contains(&**id) && (line.contains("may still be") || line.contains("deregistering failed"))
        })
    };
    let left = || agent.get("/v1/agent/services").as_object().cloned().unwrap_or_default();
    wait_until(DEADLINE, || left().keys().all(said), "all are out, but for those of whom it is told");
    pilot.finish();
}
