//! Maintenance by SIGUSR1: row 45, and what it does to services, checks and jobs.

use std::fs;
use std::time::Duration;

use crate::setup::{DEREGISTER, REGISTER, UPDATE, WEB, launch, recorder, start};
use crate::support::scripted::well;
use crate::support::wait::holds_for;
use crate::support::{Agent, DEADLINE, Pilot, Scripted, Signal, wait_until};
use crate::told::times;

/// Two services, a job that pauses and one that doesn't, and the two events in the ordered log.
const TWO: &str = r#"{ consul: "{{ .CONSUL }}", logging: { level: "DEBUG" }, stopTimeout: 2, jobs: [
    { name: "web", exec: ["sleep", "1000"], port: 8080, interfaces: "static:192.0.2.7", initial_status: "warning",
      health: { exec: ["sh", "-c", "echo check >> $LOG; test ! -e $DIR/sick"], interval: 1, ttl: 3 } },
    { name: "api", exec: ["sleep", "1001"], port: 8081, interfaces: "static:192.0.2.7", health: { interval: 1, ttl: 3 } },
    { name: "pauses", exec: ["sh", "-c", "echo pauses >> $LOG"], when: { interval: "100ms" }, pauseInMaintenance: true },
    { name: "works", exec: ["sh", "-c", "echo works >> $LOG"], when: { interval: "100ms" } },
    { name: "enter", exec: ["sh", "-c", "echo enter >> $LOG"], when: { source: "global", each: "enterMaintenance" } },
    { name: "exit", exec: ["sh", "-c", "echo exit >> $LOG"], when: { source: "global", each: "exitMaintenance" } },
] }"#;

/// Toggles, and waits until the program has seen it, for signals of one kind merge.
#[track_caller]
pub fn toggle(pilot: &Pilot) {
    let events = || times(pilot, "event: {EnterMaintenance global}") + times(pilot, "event: {ExitMaintenance global}");
    let before = events();
    pilot.signal(Signal::SIGUSR1);
    wait_until(DEADLINE, || events() > before, "it is seen");
}

/// Waits until no run of a job that was under way can still write.
#[track_caller]
fn settle(pilot: &Pilot, word: &str) -> usize {
    wait_until(DEADLINE, || pilot.find(&format!("echo {word} ")).is_empty(), "nobody is about to write");
    let mut last = pilot.logged(word);
    wait_until(
        DEADLINE,
        || {
            let quiet =
                crate::support::wait::poll(Duration::from_millis(500), || (pilot.logged(word) != last).then_some(()));
            last = pilot.logged(word);
            quiet.is_none()
        },
        &format!("no more {word:?}"),
    );
    last
}

#[test]
fn every_service_goes_and_comes_back_with_the_right_status() {
    let agent = Agent::new();
    let pilot = start(TWO, agent.address());
    agent.wait_status("web-left", "passing");
    agent.wait_status("api-left", "passing");
    toggle(&pilot);
    agent.wait_gone("web-left");
    agent.wait_gone("api-left");
    pilot.wait_log("enter");
    assert_eq!(pilot.find("sleep 100").len(), 2, "their processes run on");

    let (checks, pauses) = (settle(&pilot, "check"), settle(&pilot, "pauses"));
    let works = pilot.logged("works");
    let gone = || agent.service("web-left").is_none() && agent.service("api-left").is_none();
    holds_for(Duration::from_secs(3), gone, "they stay away");
    assert_eq!(pilot.logged("check"), checks, "checks are paused");
    assert_eq!(pilot.logged("pauses"), pauses, "and so is who asked for it");
    assert!(pilot.logged("works") > works + 5, "others are not");
    assert_eq!(pilot.logged("exit"), 0);

    toggle(&pilot);
    pilot.wait_log("exit");
    agent.wait_status("web-left", "passing");
    agent.wait_status("api-left", "passing");
    pilot.wait_logged("pauses", pauses + 3);
    pilot.wait_logged("check", checks + 2);
    assert_eq!((pilot.logged("enter"), pilot.logged("exit")), (1, 1));
    pilot.finish();
}

#[test]
fn a_service_that_fell_ill_in_maintenance_does_not_come_back_as_passing() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let pilot = start(WEB, server.address());
    agent.wait_status("web-left", "passing");
    toggle(&pilot);
    agent.wait_gone("web-left");
    fs::write(pilot.path("sick"), "").unwrap();
    server.forget();
    toggle(&pilot);
    pilot.wait_stdout("web is unhealthy");
    holds_for(Duration::from_secs(2), || agent.status("web-left").as_deref() != Some("passing"), "it does not pass");
    assert_eq!(server.matching(UPDATE).len(), 0);
    fs::remove_file(pilot.path("sick")).unwrap();
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

#[test]
fn a_job_that_starts_again_in_maintenance_does_not_leave_it() {
    let agent = Agent::new();
    let config =
        WEB.replace(r#"exec: ["sleep", "1000"]"#, r#"exec: ["sleep", "0.3"], restarts: "unlimited", backoff: false"#);
    let pilot = start(&config, agent.address());
    agent.wait_status("web-left", "passing");
    toggle(&pilot);
    agent.wait_gone("web-left");
    let runs = times(&pilot, " web.Run start");
    holds_for(Duration::from_secs(3), || agent.service("web-left").is_none(), "it stays away");
    assert!(times(&pilot, " web.Run start") > runs + 3, "though it is started again and again");
    pilot.finish();
}

// Seen red with src/core/world.rs:
//- SignalAction::ToggleMaintenance => self.set_maintenance(!self.ledger.maintenance, now, effects),
//+ SignalAction::ToggleMaintenance => self.set_maintenance(true, now, effects),
#[test]
fn f45_rapid_toggles_end_in_what_was_asked_for_last() {
    let agent = Agent::new();
    let pilot = start(TWO, agent.address());
    agent.wait_status("web-left", "passing");
    for rounds in [7, 8, 20, 5] {
        for _ in 0..rounds {
            toggle(&pilot);
        }
        let (on, off) =
            (times(&pilot, "event: {EnterMaintenance global}"), times(&pilot, "event: {ExitMaintenance global}"));
        assert!(on == off || on == off + 1, "one after the other: {on}, {off}");
        if on == off {
            agent.wait_status("web-left", "passing");
            agent.wait_status("api-left", "passing");
        } else {
            agent.wait_gone("web-left");
            agent.wait_gone("api-left");
            let gone = || agent.service("web-left").is_none() && agent.service("api-left").is_none();
            holds_for(Duration::from_secs(2), gone, "they stay away");
        }
    }
    pilot.finish();
}

#[test]
fn f45_maintenance_before_the_start_registers_nothing() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    // The signal is sent before the program is executed, and blocked all the way: it waits for us.
    let prefix =
        ["perl", "-MPOSIX", "-e", "sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1)); kill 'USR1', $$; exec @ARGV"];
    let pilot = launch(TWO, server.address()).prefix(&prefix).start();
    pilot.wait_stdout("event: {EnterMaintenance global}");
    pilot.wait_process("sleep 1000");
    pilot.wait_log("enter");
    holds_for(Duration::from_secs(3), || server.matching(REGISTER).is_empty(), "nothing is registered");
    assert_eq!(pilot.logged("pauses"), 0);
    toggle(&pilot);
    agent.wait_status("web-left", "passing");
    agent.wait_status("api-left", "passing");
    pilot.wait_log("pauses");
    pilot.finish();
}

#[test]
fn f45_maintenance_during_the_stop_brings_nothing_back() {
    let agent = Agent::new();
    let server = recorder(agent.address());
    let config = WEB.replace(
        r#"exec: ["sleep", "1000"]"#,
        r#"exec: ["sh", "-c", "trap 'echo term >> $LOG' TERM; echo up >> $LOG; while [ ! -e $DIR/go ]; do sleep 0.1; done"]"#,
    );
    let mut pilot = start(&config.replace("stopTimeout: 2", "stopTimeout: 30"), server.address());
    agent.wait_status("web-left", "passing");
    pilot.wait_log("up");
    pilot.signal(Signal::SIGTERM);
    pilot.wait_log("term");
    assert_eq!(agent.service("web-left"), None);
    for _ in 0..4 {
        pilot.signal(Signal::SIGUSR1);
        holds_for(Duration::from_millis(200), || agent.service("web-left").is_none(), "it is gone for good");
    }
    std::fs::write(pilot.path("go"), "").unwrap();
    pilot.wait_exit();
    let after: Vec<_> = server.requests().into_iter().skip_while(|it| !it.target.contains("deregister")).collect();
    assert!(after.iter().all(|it| it.target.contains("deregister")), "{after:#?}");
    pilot.finish();
}

#[test]
fn f45_a_stop_in_maintenance_is_as_any_other() {
    let agent = Agent::new();
    let mut pilot = start(TWO, agent.address());
    agent.wait_status("web-left", "passing");
    toggle(&pilot);
    agent.wait_gone("web-left");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(agent.service("web-left"), None);
    pilot.finish();
}

#[test]
fn maintenance_is_entered_though_consul_does_not_answer() {
    let agent = Agent::new();
    let pilot = start(TWO, agent.address());
    agent.wait_status("web-left", "passing");
    agent.freeze();
    toggle(&pilot);
    pilot.wait_log("enter");
    agent.thaw();
    agent.wait_gone("web-left");
    agent.wait_gone("api-left");
    toggle(&pilot);
    agent.wait_status("web-left", "passing");
    pilot.finish();
}

#[test]
fn the_signal_may_mean_something_else() {
    let server = Scripted::start(well);
    let config = WEB.replacen("jobs:", r#"signals: { SIGUSR1: "ignore", SIGUSR2: "toggleMaintenance" }, jobs:"#, 1);
    let pilot = start(&config, server.address());
    server.wait_for(UPDATE, 1);
    pilot.signal(Signal::SIGUSR1);
    holds_for(Duration::from_secs(1), || server.matching(DEREGISTER).is_empty(), "that one is ignored");
    pilot.signal(Signal::SIGUSR2);
    server.wait_for(DEREGISTER, 1);
    pilot.finish();
}
