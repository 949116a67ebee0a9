//! What goes wrong below us: spawns that fail, processes that don't die, things that happen at the same instant
//! (reliability rows 20, 24, 38, 39).

use super::build::{Script, daemon, hangs, job, jobs, missing, ms, no_process_slot, passes, secs};
use super::sim::Happening;
use crate::core::job::Stage;
use crate::core::{ChildId, Effect, ExitStatus, Input, Order, State, Timer};
use crate::plan::EventCode::{Error, ExitFailed, ExitSuccess, Stopped, Stopping};
use crate::plan::{Level, Signal};

#[test]
fn f24_a_spawn_that_lacks_something_is_tried_again_five_times() {
    for (failures, starts, end) in [(1, 2, "ExitSuccess web"), (5, 6, "ExitSuccess web"), (6, 6, "ExitFailed web")] {
        let sim = jobs([job("web").fails_to_start(&no_process_slot(), failures)]).start().till_the_end();
        let expected: Vec<u128> = (0..starts).map(|n| n * 200).collect();
        assert_eq!(sim.runs_of("web"), expected);
        assert_eq!(sim.events()[1], end);
        assert_eq!(sim.exit, Some(if end.starts_with("ExitFailed") { 126 } else { 0 }));
    }
}

#[test]
fn f24_the_time_limit_counts_from_the_start_that_succeeds() {
    let web = job("web").fails_to_start(&no_process_slot(), 3).timeout(ms(500)).lasts(ms(400));
    assert_eq!(jobs([web]).start().till_the_end().exit, Some(0));
}

#[test]
fn f24_a_stop_does_not_wait_for_the_next_try() {
    let sim = jobs([daemon("web").fails_to_start(&no_process_slot(), 3)]).start().until_ms(300).term().till_the_end();
    assert_eq!(sim.exit_ms(), 300);
    assert_eq!(sim.runs_of("web"), [0, 200]);
    assert!(!sim.course().iter().any(|line| line.starts_with("TERM")), "there is no process");
}

// Seen red with src/core/stop.rs:
//- self.drop_retries(turn);
//+
#[test]
fn f24_what_stops_starts_nothing_whatever_it_waits_for() {
    let web = || daemon("web").advertised().checked_every(ms(100)).fails_to_start(&no_process_slot(), 3);
    let drain = || job("drain").once("web", Stopping).lasts(secs(1));
    // A Consul that does not answer, and somebody who acts on the stop and takes as long as he may.
    for (all, end) in [(vec![web()], 2300), (vec![web(), drain()], 3300)] {
        let sim = jobs(all).consul().start().until_ms(300).consul_takes(None).term().till_the_end();
        assert_eq!(sim.runs_of("web"), [0, 200], "{}", sim.story());
        assert_eq!(sim.exit_ms(), end);
        assert!(!sim.course().iter().any(|line| line.starts_with("TERM web")), "there is no process");
    }
    // Nor is a check tried again.
    let mut web = daemon("web").advertised().checked_every(ms(100));
    web.checks[0].failures = vec![no_process_slot(); 3];
    let sim = jobs([web]).consul().start().until_ms(150).consul_takes(None).term().till_the_end();
    assert_eq!(sim.runs_of("check.web"), [100], "{}", sim.story());
}

// Seen red with src/core/world.rs:
//- let tried_again = job.stage == Stage::Live;
//+ let tried_again = true;
#[test]
fn f24_a_start_that_fails_during_the_stop_is_not_tried_again() {
    let web = daemon("web").advertised().fails_to_start(&no_process_slot(), 9);
    let mut sim = jobs([web]).consul().build().consul_takes(None);
    // What TERM finds in its way is as old as the start: its failure is told only after it.
    sim.step(&Input::Start);
    let (mut world, mut effects) = (sim.world, Vec::new());
    world.step(sim.now, &Input::Signal(Signal::TERM), &mut effects);
    assert_eq!(world.jobs().map(crate::core::Job::stage).collect::<Vec<_>>(), [Stage::Withdrawing]);
    effects.clear();
    world.step(sim.now, &Input::SpawnFailed { child: ChildId(1), failure: no_process_slot() }, &mut effects);
    let armed = effects.iter().any(|effect| matches!(effect, Effect::Arm { timer: Timer::Retry(_), .. }));
    assert!(!armed, "{effects:?}");
}

#[test]
fn f24_a_job_whose_start_is_tried_again_does_not_run() {
    let sim = jobs([daemon("web").fails_to_start(&no_process_slot(), 2)]).start().until_ms(50);
    let look = sim.world.look(sim.job("web"));
    assert_eq!((look.state, sim.job("web").is_running()), (State::Backoff, false));
    let next = look.next.unwrap();
    assert_eq!((next.at.0, next.why.as_str()), (ms(200), "fork: resource temporarily unavailable"));
    let why = sim.world.why(sim.job("web").id, sim.now).unwrap();
    assert_eq!(
        why.summary,
        "web does not run: its start failed (fork: resource temporarily unavailable) and is tried again in 150ms"
    );
    assert!(why.facts[0].says.starts_with("the limit on processes is reached"), "{why:?}");
    let sim = sim.until_ms(450);
    assert_eq!((sim.job("web").state(), sim.job("web").is_running()), (State::Running, true));
    assert_eq!(sim.job("web").failing_start(), None);
}

#[test]
fn f24_a_job_that_could_not_be_started_for_a_second_says_what_helps() {
    let web = daemon("web").fails_to_start(&no_process_slot(), 99).unlimited();
    let sim = jobs([web]).start().until_ms(6050);
    let why = sim.world.why(sim.job("web").id, sim.now).unwrap();
    assert!(why.summary.contains("could not be started: fork: resource temporarily unavailable"), "{why:?}");
    assert!(why.facts[0].says.starts_with("the limit on processes is reached"), "{why:?}");
}

#[test]
fn f24_a_start_by_hand_is_tried_at_once_and_five_times_more() {
    for order in [Order::Start, Order::Restart] {
        let web = daemon("web").fails_to_start(&no_process_slot(), 7);
        let sim = jobs([web]).start().until_ms(250).order("web", order).until_ms(2000);
        assert_eq!(sim.runs_of("web"), [0, 200, 250, 450, 650, 850, 1050, 1250]);
        assert_eq!((sim.job("web").state(), sim.job("web").runs()), (State::Running, 1));
    }
}

#[test]
fn f24_a_period_says_that_the_start_is_still_tried() {
    let tick = job("tick").every(ms(300)).restarts(9).fails_to_start(&no_process_slot(), 99);
    let sim = jobs([tick]).start().until_ms(350);
    assert_eq!(
        sim.logged(Level::Warn),
        [
            "tick can't be started yet (fork: resource temporarily unavailable) when its next period begins: 1 skipped so far"
        ]
    );
}

#[test]
fn f24_consul_is_not_told_of_one_that_could_not_be_started() {
    let web = daemon("web").advertised().once("first", ExitSuccess).unlimited();
    let first = job("first").lasts(ms(300));
    let sim = jobs([first, web.fails_to_start(&no_process_slot(), 6)]).consul().start().until_ms(4500);
    assert_eq!((sim.job("web").state(), sim.told()), (State::Backoff, Vec::new()));
}

#[test]
fn a_program_that_is_missing_is_not_tried_again() {
    let sim = jobs([job("web").fails_to_start(&missing(), 1)]).start().till_the_end();
    let reason = "exec: \"nope\": executable file not found in $PATH";
    assert_eq!(sim.logged(Level::Error), [format!("unable to start web: {reason}")]);
    assert_eq!((sim.count(ExitFailed, "web"), sim.count(Error, reason)), (1, 1));
    assert_eq!(sim.exit, Some(127));
}

#[test]
fn the_spawn_of_a_stopping_job_that_fails_completes_it() {
    let mut sim = jobs([daemon("web").fails_to_start(&no_process_slot(), 9)]).build();
    sim.step(&Input::Start);
    // TERM comes between the spawn and its failure.
    let mut world = sim.world.clone();
    let mut effects = Vec::new();
    world.step(sim.now, &Input::Signal(Signal::TERM), &mut effects);
    world.step(sim.now, &Input::SpawnFailed { child: ChildId(1), failure: no_process_slot() }, &mut effects);
    assert_eq!(world.jobs().map(crate::core::Job::stage).collect::<Vec<_>>(), [Stage::Complete]);
}

#[test]
fn signals_are_not_passed_on_to_what_could_not_be_started() {
    let map = crate::plan::SignalAction::Pass { job: "web".to_owned(), signal: Signal::QUIT };
    let web = daemon("web").fails_to_start(&no_process_slot(), 1);
    let sim = jobs([web]).signal(Signal::HUP, map).start().until_ms(100).signal(Signal::HUP).until_ms(300);
    assert_eq!(sim.course(), ["run web", "run web"]);
}

#[test]
fn f20_what_does_not_die_is_given_up_five_seconds_after_sigkill() {
    let sim = jobs([job("web").unkillable(), daemon("db")]).stop_timeout(secs(2)).start().until(secs(1)).term();
    let sim = sim.till_the_end();
    assert_eq!((sim.exit, sim.exit_ms()), (Some(70), 1000 + 2000 + 5000));
    let error = "web is still there 5s after SIGKILL, the kernel holds it: leaving it behind";
    assert_eq!(sim.logged(Level::Error), [error]);
    assert_eq!(sim.count(Stopped, "web"), 1);
}

#[test]
fn f20_one_that_was_killed_for_its_time_long_ago_does_not_hang_the_stop() {
    let sim = jobs([job("web").timeout(secs(1)).unkillable(), daemon("db")]).start().until(secs(100));
    let error = "web is still there 5s after SIGKILL, the kernel holds it: it can't be started again until it ends";
    assert_eq!(sim.logged(Level::Error), [error]);
    let sim = sim.term().till_the_end();
    assert_eq!((sim.exit, sim.exit_ms()), (Some(70), 105_000));
}

#[test]
fn f20_a_check_that_does_not_die_leaves_its_job_its_grace() {
    let web =
        daemon("web").exits_on_term(0, secs(8)).checked_every(secs(1)).checks([Script { dies: false, ..hangs() }]);
    let sim = jobs([web]).stop_timeout(secs(10)).start().until(secs(4)).term().till_the_end();
    // It was killed at 2 s; its patience ends at 9 s, the job at 12 s.
    assert_eq!((sim.exit, sim.exit_ms()), (Some(70), 12_000));
    assert_eq!(sim.count(ExitSuccess, "web"), 1);
}

#[test]
fn f20_one_that_dies_after_all_is_waited_for() {
    let mut sim = jobs([job("web").restarts(1).timeout(secs(1)).unkillable()]).start().until(secs(20));
    sim.step(&Input::Exited { child: ChildId(1), status: ExitStatus::Signal(Signal::KILL) });
    assert_eq!(sim.runs_of("web"), [0, 20_000]);
}

#[test]
fn f38_exit_and_timeout_at_the_same_instant_are_one_exit() {
    for lasts in [999, 1000, 1001] {
        let sim = jobs([job("web").lasts(ms(lasts)).timeout(secs(1))]).start().till_the_end();
        assert_eq!(sim.count(ExitSuccess, "web") + sim.count(ExitFailed, "web"), 1, "{lasts}");
    }
    // Whichever the machine tells first.
    for timer_first in [true, false] {
        let mut sim = jobs([job("web").lasts_for_ever().timeout(secs(1))]).start().until_ms(999);
        let mut inputs = [
            Input::Timer(Timer::Timeout(ChildId(1))),
            Input::Exited { child: ChildId(1), status: ExitStatus::Code(0) },
        ];
        if !timer_first {
            inputs.reverse();
        }
        for input in &inputs {
            sim.step(input);
        }
        let sim = sim.until_ms(5000);
        assert_eq!((sim.count(ExitSuccess, "web"), sim.count(ExitFailed, "web"), sim.exit), (1, 0, Some(0)));
    }
}

// Seen red with src/core/exec.rs:
//- turn.ledger.slots.remove(&self.child);
//+
#[test]
fn f39_a_timer_of_an_older_run_means_nothing() {
    let mut sim = jobs([job("web").restarts(1).lasts(ms(900)).timeout(secs(1))]).start().until_ms(950);
    for timer in [Timer::Timeout, Timer::Retry, Timer::Grace, Timer::GiveUp] {
        sim.step(&Input::Timer(timer(ChildId(1))));
    }
    let sim = sim.till_the_end();
    assert_eq!((sim.exit_ms(), sim.exit), (1800, Some(0)));
    assert!(!sim.course().iter().any(|line| line.starts_with("KILL")));
}

#[test]
fn a_run_is_told_only_once() {
    let mut sim = jobs([daemon("web"), job("db")]).start().until_ms(10);
    let trace = sim.trace.len();
    sim.step(&Input::Exited { child: ChildId(2), status: ExitStatus::Code(1) });
    assert_eq!(sim.trace.len(), trace);
}

#[test]
fn a_time_limit_kills_and_that_is_a_failure() {
    let web = job("web").runs([hangs()]).timeout(ms(100));
    let sim = jobs([web, job("b").once("web", ExitFailed)]).start().till_the_end();
    assert_eq!(sim.course()[..4], ["run web", "KILL web", "end web", "stopping web"]);
    assert_eq!((sim.count(ExitFailed, "web"), sim.count(Error, "web: signal: killed")), (1, 1));
    assert!(sim.logged(Level::Warn)[0].starts_with("web timeout after 100ms: '["));
    assert_eq!(sim.exit, Some(137));
}

#[test]
fn nothing_is_done_after_the_exit() {
    let mut sim = jobs([job("web")]).start().till_the_end();
    for input in [Input::Start, Input::Signal(Signal::TERM), Input::NothingLeft, Input::Timer(Timer::Sweep)] {
        let mut effects = Vec::new();
        sim.world.step(sim.now, &input, &mut effects);
        assert_eq!(effects, []);
    }
}

#[test]
fn a_job_in_its_last_grace_is_not_asked_twice() {
    let main = daemon("main").exits_on_term(0, secs(3)).checked_every(secs(1)).checks([passes()]);
    let sim = jobs([main, job("pre").once("main", Stopping)]).start().until_ms(1500).term().till_the_end();
    let asked = Happening::Signalled(Signal::TERM, "main".to_owned());
    assert_eq!(sim.when(|what| *what == asked), [1501]);
    assert_eq!(sim.runs_of("check.main"), [1000]);
}
