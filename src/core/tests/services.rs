//! What Consul is told of a job, and when (v3 §13, design §4 rows 7, 21 and 22, reliability rows 45, 58 and 60).

use super::build::{daemon, fails, hangs, job, jobs, ms, passes, secs};
use super::sim::{Happening, Sim};
use crate::core::{Input, JobId};
use crate::plan::EventCode::{ExitSuccess, Stopping};
use crate::plan::{CheckStatus, Level, Signal};

#[test]
fn each_passing_check_is_a_heartbeat_and_a_failing_one_is_none() {
    let web = daemon("web").advertised().checked_every(secs(1)).checks([passes(), fails(1), passes()]);
    let sim = jobs([web]).consul().start().until_ms(3500);
    assert_eq!(sim.told(), ["1001 web passing", "3001 web passing"]);
}

#[test]
fn a_failing_check_is_told_when_that_is_asked_for() {
    let web = daemon("web").advertised().checked_every(secs(1)).checks([passes(), fails(3)]);
    let sim = jobs([web]).consul().failing_heartbeat().start().until_ms(2500);
    assert_eq!(sim.told(), ["1001 web passing", "2001 web failing: exit status 3"]);
}

#[test]
fn without_a_check_a_started_job_is_reported_each_interval() {
    let sim = jobs([daemon("web").advertised()]).consul().start().until_ms(4500);
    assert_eq!(sim.told(), ["2000 web passing", "4000 web passing"]);
    let waiting = daemon("web").advertised().once("nobody", ExitSuccess);
    assert_eq!(jobs([waiting]).consul().start().until_ms(4500).told(), [""; 0]);
}

#[test]
fn a_job_that_waits_after_a_crash_is_not_reported() {
    let web = super::build::job("web").unlimited().exits(1).advertised();
    let sim = jobs([web]).consul().start().until(secs(60));
    assert_eq!(sim.told(), [""; 0]);
}

#[test]
fn without_consul_nothing_is_told() {
    let web = daemon("web").advertised().initially(CheckStatus::Passing).checked_every(secs(1));
    let sim = jobs([web]).start().until_ms(3500).term().till_the_end();
    assert_eq!(sim.told(), [""; 0]);
}

#[test]
fn an_initial_status_is_told_before_the_job_starts() {
    let web = daemon("web").once("nobody", ExitSuccess).advertised().initially(CheckStatus::Warning);
    let sim = jobs([web]).consul().start().until_ms(3500);
    assert_eq!(sim.told(), ["0 web initially warning"]);
    assert_eq!(sim.logged(Level::Info), ["Registering service web with initial status set to warning"]);
}

#[test]
fn a_service_is_withdrawn_before_its_job_is_asked_to_end() {
    let sim = jobs([daemon("web").advertised()]).consul().start().until_ms(100).term().till_the_end();
    let course = ["run web", "stopping web", "withdraw web", "TERM web", "end web", "stopped web", "exit 0"];
    assert_eq!(sim.course(), course);
}

#[test]
fn a_pre_stop_job_runs_while_the_service_is_still_found() {
    let drain = super::build::job("drain").once("web", Stopping).lasts(ms(300));
    let sim = jobs([daemon("web").advertised(), drain]).consul().start().until_ms(100).term().till_the_end();
    let course = sim.course();
    let place = |what: &str| course.iter().position(|line| line == what).expect(what);
    assert!(place("run drain") < place("end drain"));
    assert!(place("end drain") < place("withdraw web"));
    assert!(place("withdraw web") < place("TERM web"));
}

#[test]
fn a_consul_that_does_not_answer_holds_a_stop_up_for_two_seconds_and_no_more() {
    let web = |n: u64| daemon(&format!("web{n}")).advertised();
    let sim = jobs((0..5).map(web)).consul().start().until_ms(100).consul_takes(None).term().till_the_end();
    // All at the same time.
    assert_eq!(sim.exit_ms(), 2101);
    let warning = "web0 stops, but may still be registered: Consul did not answer in 2s";
    assert!(sim.logged(Level::Warn).contains(&warning), "{}", sim.story());
}

#[test]
fn nor_any_longer_than_a_quarter_of_the_jobs_own_stop_timeout() {
    for (stop_timeout, exit) in [(2000, 601), (0, 101)] {
        let web = daemon("web").advertised().stop_timeout(ms(stop_timeout));
        let sim = jobs([web]).consul().start().until_ms(100).consul_takes(None).term().till_the_end();
        assert_eq!(sim.exit_ms(), exit);
    }
}

#[test]
fn a_drain_that_takes_too_long_leaves_the_withdrawal_its_time() {
    let drain = || super::build::job("drain").once("web", Stopping).lasts_for_ever();
    let web = || daemon("web").advertised().stop_timeout(secs(4));
    for (consul, first_signal) in [(Some(ms(300)), 3400), (None, 4100)] {
        let sim = jobs([web(), drain()]).consul().start().until_ms(100).consul_takes(consul).term().till_the_end();
        let signals = sim.when(|what| *what == super::sim::Happening::Signalled(Signal::TERM, "web".to_owned()));
        assert_eq!(signals, [first_signal], "{}", sim.story());
        assert_eq!(sim.told(), ["3100 web withdraw"]);
        let told = "web has waited 3s of its stopTimeout of 4s for drain: stopping all of them now";
        assert!(sim.logged(Level::Warn).contains(&told), "{}", sim.story());
    }
}

// Seen red with src/core/exec.rs:
//- self.killed_at = Some(turn.now.after(turn.grace()));
//+ let _ = turn;
#[test]
fn f58_the_wait_for_consul_is_a_part_of_the_grace() {
    let deaf = || job("web").runs([hangs()]).advertised();
    // With a short grace the withdrawal gets half of it: none shall be killed who ends when asked to.
    for (grace, wait, left) in [(6, 2000, "4s"), (5, 2000, "3s"), (2, 1000, "1s"), (0, 0, "0ms")] {
        let sim = jobs([deaf()]).consul().stop_timeout(secs(grace)).start().until_ms(100).consul_takes(None);
        let sim = sim.term().till_the_end();
        let at = |signal| sim.when(|what| *what == Happening::Signalled(signal, "web".to_owned()));
        assert_eq!(at(Signal::TERM), [100 + wait], "{}", sim.story());
        assert_eq!(at(Signal::KILL), [100 + u128::from(grace) * 1000], "{}", sim.story());
        let told = format!("web did not end within {left} of SIGTERM: killing its process group");
        assert!(sim.logged(Level::Warn).contains(&told.as_str()), "{}", sim.story());
    }
    // An answer ends the wait, not the grace.
    let sim = jobs([deaf()]).consul().stop_timeout(secs(6)).start().until_ms(100).consul_takes(Some(ms(500))).term();
    let sim = sim.till_the_end();
    assert_eq!(sim.when(|what| *what == Happening::Signalled(Signal::KILL, "web".to_owned())), [6100]);
    let told = "web did not end within 5.5s of SIGTERM: killing its process group";
    assert!(sim.logged(Level::Warn).contains(&told), "{}", sim.story());
}

// Seen red with src/core/exec.rs:
//- let soonest = turn.now.after(turn.grace() / 2);
//+ let soonest = turn.now;
#[test]
fn f43_f58_a_machine_that_stood_still_while_it_waited_for_consul_leaves_half_of_the_grace() {
    let deaf = || job("web").runs([hangs()]).advertised();
    let at = |sim: &Sim, signal| sim.when(|what| *what == Happening::Signalled(signal, "web".to_owned()));
    // It asks at 100 ms and is paused at 200 ms: until before the end of the wait, shortly after it, and long after the grace.
    for (paused, asked, killed) in
        [(1000, 2100, 6100), (2500, 2700, 6100), (5000, 5200, 8200), (60_000, 60_200, 63_200)]
    {
        let sim = jobs([deaf()]).consul().stop_timeout(secs(6)).start().until_ms(100).consul_takes(None).term();
        let sim = sim.until_ms(200).freeze(ms(paused)).till_the_end();
        assert_eq!((at(&sim, Signal::TERM), at(&sim, Signal::KILL)), (vec![asked], vec![killed]), "{}", sim.story());
    }
    // Who ends when asked to is not killed.
    let web = daemon("web").exits_on_term(0, ms(100)).advertised();
    let sim = jobs([web]).consul().start().until_ms(100).consul_takes(None).term().until_ms(200).freeze(secs(60));
    assert_eq!(at(&sim.till_the_end(), Signal::KILL), [0; 0]);
}

#[test]
fn the_second_term_does_not_wait_for_consul() {
    let sim = jobs([daemon("web").advertised()]).consul().start().until_ms(100).consul_takes(None);
    let sim = sim.term().until_ms(200).term().till_the_end();
    assert_eq!(sim.exit_ms(), 201);
    let told = "web stops, but may still be registered: nobody waited for Consul's answer";
    assert!(sim.logged(Level::Warn).contains(&told), "{}", sim.story());
}

#[test]
fn a_job_that_is_the_local_agent_outlasts_those_it_has_to_tell_of() {
    for agent in [daemon("discovery").runs_program("/usr/bin/consul", &["agent", "-dev"]), daemon("consul-agent")] {
        let name = agent.spec.name.clone();
        let all = [agent, daemon("web").advertised(), daemon("db").advertised()];
        let sim = jobs(all).consul().start().until_ms(100).consul_takes(Some(ms(700))).term().till_the_end();
        let course = sim.course();
        let place = |what: &str| course.iter().position(|line| line == what).expect(what);
        assert!(place("withdraw db") < place(&format!("TERM {name}")), "{}", sim.story());
        assert!(
            sim.when(|what| matches!(what, super::sim::Happening::Signalled(Signal::TERM, n) if *n == name))[0] >= 800
        );
    }
}

#[test]
fn a_job_that_starts_only_after_the_agent_does_not_hold_it_up() {
    let after = super::build::job("after").once("consul-agent", crate::plan::EventCode::Stopped).advertised();
    let sim = jobs([daemon("consul-agent"), after]).consul().start().until_ms(100).term().till_the_end();
    assert!(sim.exit_ms() < 200, "{}", sim.story());
}

#[test]
fn maintenance_withdraws_every_service_and_the_next_check_brings_it_back() {
    let web = daemon("web").advertised().checked_every(secs(1));
    let db = daemon("db").advertised().initially(CheckStatus::Critical);
    let sim = jobs([web, db]).consul().start();
    let sim = sim.signal_at(ms(1500), Signal::USR1).signal_at(ms(4500), Signal::USR1).until_ms(5500);
    let told = [
        "0 db initially critical",
        "1001 web passing",
        "1500 web withdraw",
        "1500 db withdraw",
        "4500 db initially critical",
        "5001 web passing",
    ];
    assert_eq!(sim.told(), told);
}

#[test]
fn the_last_of_many_toggles_counts_and_nothing_is_told_after_the_stop() {
    let web = || daemon("web").advertised().initially(CheckStatus::Passing);
    let mut sim = jobs([web()]).consul().start().until_ms(100);
    for _ in 0..7 {
        sim = sim.signal(Signal::USR1);
    }
    assert_eq!(sim.told().last().map(String::as_str), Some("100 web withdraw"));
    let sim = sim.until(secs(5)).term().signal(Signal::USR1).till_the_end();
    assert_eq!(sim.told().last().map(String::as_str), Some("5000 web withdraw"));
    // Before the start: nothing is registered at all.
    let sim = jobs([web()]).consul().build().signal(Signal::USR1).start().until(secs(5));
    assert_eq!(sim.told(), ["0 web withdraw"]);
}

#[test]
fn the_answer_to_an_older_withdrawal_is_not_that_of_the_stop() {
    let sim = jobs([daemon("web").advertised()]).consul().start().until_ms(100).consul_takes(Some(ms(1000)));
    let sim = sim.signal(Signal::USR1).until_ms(600).term().till_the_end();
    assert_eq!(sim.exit_ms(), 1601);
}

#[test]
fn answers_that_nobody_asked_for_mean_nothing() {
    let mut sim = jobs([daemon("web").advertised()]).consul().start();
    sim.step(&Input::Withdrawn { job: JobId(0) });
    sim.step(&Input::Withdrawn { job: JobId(9) });
    assert_eq!(sim.until_ms(2500).told(), ["2000 web passing"]);
}

#[test]
fn a_job_that_pauses_skips_its_periods_and_keeps_one_event_for_later() {
    let tick = super::build::job("tick").every(secs(1)).paused_in_maintenance();
    let each = super::build::job("each").each("tock", ExitSuccess).paused_in_maintenance();
    let source = super::build::job("tock").every(ms(700));
    let sim = jobs([tick, each, source]).start();
    let sim = sim.signal_at(ms(1500), Signal::USR1).signal_at(ms(4500), Signal::USR1).until_ms(5500);
    assert_eq!(sim.runs_of("tick"), [0, 1000, 5000]);
    assert_eq!(sim.runs_of("each"), [1, 701, 1401, 4500, 4901]);
    assert_eq!(sim.runs_of("tock").len(), 8);
}

#[test]
fn a_daemon_that_pauses_is_started_again_when_maintenance_ends() {
    let web = daemon("web").unlimited().lasts(secs(2)).paused_in_maintenance();
    let sim = jobs([web]).start();
    let sim = sim.signal_at(ms(1500), Signal::USR1).signal_at(ms(4500), Signal::USR1).until_ms(5500);
    assert_eq!(sim.runs_of("web"), [0, 4500]);
    // A stop is not held up by it.
    let web = daemon("web").unlimited().lasts(secs(2)).paused_in_maintenance();
    let sim = jobs([web]).start().signal_at(ms(1500), Signal::USR1).until(secs(3)).term().till_the_end();
    assert_eq!(sim.exit_ms(), 3000);
}
