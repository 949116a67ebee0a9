//! Heartbeats go on whatever happens around them: rows 25 and the heartbeats' halves of 24, 34, 43, 44 and 78.

use std::io::Read;
use std::time::Duration;

use crate::cgroup::Group;
use crate::setup::{UPDATE, WEB, assert_on_time, launch, recorder, start};
use crate::support::process::{cpu_time, one_processor};
use crate::support::scripted::well;
use crate::support::wait::{holds_for, let_pass};
use crate::support::{Agent, Metronome, Scripted, wait_until};
use crate::told::wait_times;

/// A service without a check, so that nothing but the heartbeat itself is needed.
const ALIVE: &str = r#"{
    consul: { address: "{{ .CONSUL }}", failingHeartbeat: true }, logging: { level: "DEBUG" }, stopTimeout: 2,
    jobs: [
        { name: "alive", exec: ["sleep", "1000"], port: 1, interfaces: "static:192.0.2.1", health: { interval: 1, ttl: 3 } },
        { name: "checked", exec: ["sleep", "1001"], port: 2, interfaces: "static:192.0.2.2",
          health: { exec: "true", interval: 1, ttl: 3 } },
    ],
}"#;

#[test]
fn f24_a_check_that_cannot_run_is_no_failing_check() {
    let group = Group::new("pids");
    let agent = Agent::new();
    let pilot = launch(ALIVE, agent.address()).setup(&group.enter()).start();
    agent.wait_status("alive-left", "passing");
    agent.wait_status("checked-left", "passing");
    group.limit_processes(Some(1));
    pilot.wait_stdout("unable to start check.checked: ");
    // It lapses, for nobody knows; that it failed is not told, or it would be critical with a reason.
    agent.wait_status("checked-left", "critical");
    let output = agent.get("/v1/agent/checks")["service:checked-left"]["Output"].to_string();
    assert!(output.contains("TTL expired"), "{output}");
    holds_for(Duration::from_secs(3), || agent.status("alive-left").as_deref() == Some("passing"), "heartbeats go on");
    group.limit_processes(None);
    agent.wait_status("checked-left", "passing");
    pilot.finish();
}

// Seen red with src/app.rs:
//- builder.enable_io().enable_time().max_blocking_threads(READERS).thread_keep_alive(Duration::MAX);
//+ builder.enable_io().enable_time().max_blocking_threads(READERS);
#[test]
fn f25_no_thread_can_be_had_when_the_agents_name_is_looked_up() {
    let group = Group::new("pids");
    let mut agent = Agent::new();
    let port = agent.address().port();
    // Not `localhost`, which is known without a look into any file, and so without a thread.
    let hosts = "echo '127.0.0.1 consul.example' > $DIR/hosts && mount --bind $DIR/hosts /etc/hosts";
    let launch = launch(ALIVE, format!("consul.example:{port}")).setup(hosts).setup(&group.enter());
    let pilot = launch.start();
    agent.wait_status("alive-left", "passing");
    group.limit_processes(Some(1));
    // Idle threads of a pool end after ten seconds; the next look-up would need a new one.
    let_pass(Duration::from_secs(11));
    agent.restart();
    wait_until(Duration::from_secs(5), || agent.status("alive-left").as_deref() == Some("passing"), "it is back");
    agent.restart();
    wait_until(Duration::from_secs(5), || agent.status("alive-left").as_deref() == Some("passing"), "and again");
    assert!(!pilot.stdout().contains("panic") && !pilot.stderr().contains("panic"));
    group.limit_processes(None);
    pilot.finish();
}

#[test]
fn f34_a_slow_check_delays_no_heartbeat() {
    let server = Scripted::start(well);
    let pilot = start(
        r#"{ consul: "{{ .CONSUL }}", jobs: [
            { name: "slow", exec: ["sleep", "1000"], port: 1, interfaces: "static:192.0.2.1",
              health: { exec: ["sleep", "25"], interval: 1, ttl: 60, timeout: "30s" } },
            { name: "well", exec: ["sleep", "1000"], port: 2, interfaces: "static:192.0.2.2",
              health: { exec: "true", interval: 1, ttl: 5 } },
            { name: "noise", exec: "true", when: { interval: "20ms" }, timeout: "1s" },
        ] }"#,
        server.address(),
    );
    let machine = Metronome::of_programs(&pilot);
    // The first one is behind the making of everything.
    let beats = server.wait_for("service:well-left", 9);
    assert_on_time(&beats[1..], Duration::from_secs(1), &machine);
    assert_eq!(server.matching("service:slow-left").len(), 0);
    pilot.finish();
}

#[test]
fn f43_after_a_pause_the_service_passes_again_without_a_burst() {
    let group = Group::new("freezer");
    let agent = Agent::new();
    let server = recorder(agent.address());
    let grace = Duration::from_secs(30);
    let pilot = launch(WEB, server.address()).setup(&group.enter()).zombie_grace(grace).start();
    agent.wait_status("web-left", "passing");
    let frozen = group.freeze();
    agent.wait_status("web-left", "critical");
    let_pass(Duration::from_secs(3));
    server.forget();
    drop(frozen);
    agent.wait_status("web-left", "passing");
    server.wait_for(UPDATE, 3);
    let beats = server.matching(UPDATE);
    let begin = beats[0].at;
    let at_once = beats.iter().filter(|beat| beat.at.duration_since(begin) < Duration::from_millis(500)).count();
    assert!(at_once <= 2, "the one that was due and that of the pace: {at_once}");
    pilot.finish();
}

#[test]
fn f43_a_pause_in_which_consul_lost_the_service() {
    let group = Group::new("freezer");
    let mut agent = Agent::new();
    let launch = launch(WEB, agent.address()).setup(&group.enter()).zombie_grace(Duration::from_secs(30));
    let pilot = launch.start();
    agent.wait_status("web-left", "passing");
    let frozen = group.freeze();
    agent.restart();
    drop(frozen);
    wait_until(Duration::from_secs(5), || agent.status("web-left").as_deref() == Some("passing"), "it is back");
    pilot.finish();
}

#[test]
fn f44_heartbeats_come_in_time_when_the_processor_is_scarce() {
    // One processor for all, and a thirtieth of it for us: the spinner takes what there is. Not a quota of a control group: on a
    // machine that is busy with others, the kernel may then give nothing at all for many seconds.
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", jobs: [
        { name: "spin", exec: ["nice", "-n", "-15", "sh", "-c", "while :; do :; done"] },
        { name: "web", exec: ["sleep", "1000"], port: 1, interfaces: "static:192.0.2.1", health: { interval: 1, ttl: 6 } },
    ] }"#;
    let prefix = ["taskset", "-c", &one_processor(), "nice", "-n", "15"];
    let pilot = launch(config, agent.address()).prefix(&prefix).zombie_grace(Duration::from_secs(10)).start();
    agent.wait_status("web-left", "passing");
    let spinner = pilot.wait_process("while :; do :; done").pid;
    let (spun, ours) = (cpu_time(spinner), pilot.cpu_time());
    holds_for(Duration::from_secs(8), || agent.status("web-left").as_deref() == Some("passing"), "it passes");
    let (spun, ours) = (cpu_time(spinner).saturating_sub(spun), pilot.cpu_time().saturating_sub(ours));
    assert!(ours < spun / 4, "it was scarce: {spun:?} for the spinner, {ours:?} for us");
    pilot.finish();
}

#[test]
fn f78_heartbeats_go_on_while_nobody_reads_standard_output() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let agent = Agent::new();
    let config = r#"{ consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 1, jobs: [
        { name: "web", exec: ["sleep", "1000"], port: 1, interfaces: "static:192.0.2.1",
          health: { exec: "true", interval: 1, ttl: 3 } },
        { name: "flood", exec: ["sh", "-c", "yes 0123456789012345678901234567890123456789"] },
    ] }"#;
    let mut pilot = launch(config, agent.address()).stdout(writer).start();
    agent.wait_status("web-left", "passing");
    holds_for(Duration::from_secs(7), || agent.status("web-left").as_deref() == Some("passing"), "it passes");
    // A stop deregisters though nothing can be told any more.
    assert_eq!(pilot.stop().0, 0);
    agent.wait_gone("web-left");
    pilot.finish();
    let mut told = Vec::new();
    reader.read_to_end(&mut told).unwrap();
    assert!(!told.is_empty());
}

#[test]
fn a_check_that_is_slow_but_passes_keeps_its_service() {
    let agent = Agent::new();
    let config = WEB.replace(
        r#"exec: ["test", "!", "-e", "{{ .DIR }}/sick"], interval: 1, ttl: 2, timeout: "9s""#,
        r#"exec: ["sleep", "1.5"], interval: 1, ttl: 4, timeout: "3s""#,
    );
    let pilot = start(&config, agent.address());
    agent.wait_status("web-left", "passing");
    holds_for(Duration::from_secs(6), || agent.status("web-left").as_deref() == Some("passing"), "it passes");
    wait_times(&pilot, "check.web still runs", 1);
    pilot.finish();
}
