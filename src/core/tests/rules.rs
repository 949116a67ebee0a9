//! v3 §11, row by row and consequence by consequence, and the state-machine cases of v3 §19.1.

use super::build::{daemon, fails, hangs, job, jobs, ms, passes, secs};
use crate::core::job::{Stage, Status};
use crate::core::{ExitStatus, Input};
use crate::plan::EventCode::{
    EnterMaintenance, Error, ExitFailed, ExitMaintenance, ExitSuccess, Shutdown, Startup, StatusHealthy, Stopped,
    Stopping, TimerExpired,
};
use crate::plan::{EventCode, Level, Signal, SignalAction, When};

#[test]
fn a_job_runs_once_and_is_complete() {
    let sim = jobs([job("web")]).start().till_the_end();
    assert_eq!(sim.events(), ["Startup global", "ExitSuccess web", "Stopping web", "Stopped web"]);
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn cancelling_a_running_job_yields_startup_stopping_stopped() {
    let sim = jobs([daemon("web")]).start().until_ms(100).term().till_the_end();
    assert_eq!(sim.events(), ["Startup global", "Shutdown global", "Stopping web", "ExitSuccess web", "Stopped web"]);
    assert_eq!(sim.course(), ["run web", "stopping web", "TERM web", "end web", "stopped web", "exit 0"]);
}

#[test]
fn a_job_that_gives_up_waiting_says_so() {
    let waits = || job("b").once("a", StatusHealthy).wait_timeout(secs(30));
    let sim = jobs([daemon("a"), waits()]).start().until(secs(60));
    assert_eq!(sim.logged(Level::Warn), ["b has waited 30s for its start (`when.timeout`): it will not start"]);
    let started = jobs([job("a"), job("b").once("a", ExitSuccess).wait_timeout(secs(30))]).start().till_the_end();
    assert_eq!(started.logged(Level::Warn), Vec::<&str>::new());
}

#[test]
fn a_failure_is_told_by_two_events_and_two_words() {
    let sim = jobs([job("web").exits(255)]).start().till_the_end();
    assert_eq!(sim.events()[1..3], ["ExitFailed web", "Error web: exit status 255"]);
    assert_eq!(sim.logged(Level::Error), ["web exited with error: exit status 255"]);
}

#[test]
fn restarts_are_runs_after_the_first() {
    for (restarts, runs) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        for code in [0, 1] {
            let sim = jobs([job("web").restarts(restarts).exits(code)]).start().till_the_end();
            assert_eq!(sim.runs_of("web").len(), runs, "{restarts}");
            // Counted restarts stay immediate (design §4 row 6).
            assert_eq!(sim.exit_ms(), runs as u128, "{restarts}");
        }
    }
}

#[test]
fn once_with_restarts_ignores_further_occurrences() {
    let db = job("db").restarts(3).lasts(ms(20));
    let web = job("web").once("db", ExitSuccess).restarts(2).lasts(ms(30));
    let sim = jobs([db, web]).start().till_the_end();
    assert_eq!(sim.runs_of("web"), [20, 50, 80]);
}

#[test]
fn once_unlimited_goes_on_for_ever() {
    let sim = jobs([job("web").unlimited().backoff(None).lasts(ms(10))]).start().until(secs(10));
    assert_eq!(sim.runs_of("web").len(), 1001);
}

#[test]
fn each_runs_once_per_event_and_stays() {
    let db = job("db").restarts(2).lasts(ms(20));
    let sim = jobs([db, job("web").each("db", ExitSuccess)]).start().until_ms(500);
    assert_eq!(sim.runs_of("web"), [20, 40, 60]);
    assert_eq!(sim.job("web").stage(), Stage::Live);
    assert_eq!(sim.exit, None);
}

#[test]
fn each_during_a_run_waits_its_turn() {
    let db = job("db").restarts(2).lasts(ms(20));
    let sim = jobs([db, job("web").each("db", ExitSuccess).lasts(ms(100))]).start().until_ms(1000);
    assert_eq!(sim.runs_of("web"), [20, 120, 220]);
}

#[test]
fn each_keeps_at_most_a_thousand_starts() {
    let db = job("db").restarts(1100).lasts(ms(1));
    let sim = jobs([db, job("web").each("db", ExitSuccess).runs([hangs()]).timeout(secs(10))]).start().until(secs(5));
    // 1101 exits: one runs, 1000 wait, 100 are lost, said at the 1st, 2nd, 4th … 64th.
    assert_eq!(sim.logged(Level::Warn).len(), 7);
    assert_eq!(sim.logged(Level::Warn)[0], "web has 1000 starts waiting for the end of its run: 1 lost so far");
    let sim = sim.until(secs(20_000));
    assert_eq!(sim.runs_of("web").len(), 1001);
}

#[test]
fn restarts_of_each_are_a_budget_for_the_whole_life() {
    let db = job("db").restarts(2).lasts(ms(50));
    let sim = jobs([db, job("web").each("db", ExitSuccess).restarts(1).lasts(ms(10))]).start().until_ms(500);
    assert_eq!(sim.runs_of("web"), [50, 60, 100, 150]);
}

#[test]
fn a_job_without_exec_never_completes() {
    let sim = jobs([job("idle").without_exec()]).start().until(secs(100));
    assert_eq!((sim.job("idle").stage(), sim.job("idle").status()), (Stage::Live, Status::Unknown));
    let sim = sim.term().till_the_end();
    assert_eq!(sim.course(), ["stopping idle", "stopped idle", "exit 0"]);
}

#[test]
fn a_job_whose_when_says_no_event_never_runs() {
    let never = job("web").when(When::Never(Some("db".to_owned())));
    let sim = jobs([never, job("db")]).start().until(secs(100));
    assert_eq!(sim.runs_of("web"), [0; 0]);
    assert_eq!(sim.job("web").status(), Status::Idle);
    assert_eq!(sim.term().till_the_end().exit, Some(0));
}

/// The table of v3 §8.2: which source and event start `web`, in a world where `db` fails, then is stopped.
#[test]
fn sources_and_events_are_compared_literally() {
    let table: [(&str, EventCode, usize); 12] = [
        ("db", ExitFailed, 1),
        ("db", ExitSuccess, 0),
        ("db: exit status 3", Error, 1),
        ("db", Error, 0),
        ("db", Stopping, 1),
        ("db", Stopped, 1),
        ("global", Startup, 1),
        ("", Startup, 0),
        ("db", Startup, 0),
        ("global", EnterMaintenance, 1),
        ("global", ExitMaintenance, 0),
        ("SIGHUP", EventCode::Signal, 1),
    ];
    for (source, event, runs) in table {
        let sim = jobs([job("db").exits(3), job("web").once(source, event)]).start().until_ms(50);
        let sim = sim.signal(Signal::USR1).signal(Signal::HUP).until_ms(100);
        assert_eq!(sim.runs_of("web").len(), runs, "{source} {event:?}");
    }
}

#[test]
fn shutdown_starts_nothing() {
    let sim = jobs([daemon("keep"), job("web").once("global", Shutdown)]).start().until_ms(10).term().till_the_end();
    assert_eq!(sim.runs_of("web"), [0; 0]);
}

#[test]
fn an_own_exit_is_no_trigger_but_own_health_is() {
    let web = daemon("web").checked_every(secs(1));
    let sim = jobs([job("a").each("a", ExitSuccess), web, job("b").each("web", StatusHealthy)]).start().until_ms(3500);
    assert_eq!(sim.runs_of("a"), [0; 0]);
    assert_eq!(sim.runs_of("b"), [1001, 2001, 3001]);
    let own = job("web").each("web", StatusHealthy).checked_every(secs(1));
    // It is checked only after its first start, which is what it waits for.
    assert_eq!(jobs([own]).start().until(secs(10)).runs_of("web"), [0; 0]);
}

#[test]
fn exits_of_a_check_have_a_source_of_their_own() {
    let web = daemon("web").checked_every(secs(1)).checks([passes(), fails(1), passes()]);
    let good = job("good").each("check.web", ExitSuccess);
    let bad = job("bad").each("check.web", ExitFailed);
    let sim = jobs([web, good, bad]).start().until_ms(3500);
    assert_eq!(sim.runs_of("good"), [1001, 3001]);
    assert_eq!(sim.runs_of("bad"), [2001]);
}

#[test]
fn two_jobs_of_one_name_are_two_jobs() {
    let sim = jobs([job("a"), job("a").lasts(ms(50)), job("b").each("a", ExitSuccess)]).start().until_ms(200);
    assert_eq!(sim.runs_of("b"), [1, 50]);
    assert_eq!(sim.count(Stopped, "a"), 2);
}

#[test]
fn every_job_sees_events_in_the_same_order_and_starts_follow_the_file() {
    let listeners = ["d", "c", "b"].map(|name| job(name).once("a", ExitSuccess));
    let sim = jobs(listeners.into_iter().chain([job("a")])).start().till_the_end();
    assert_eq!(sim.course()[..6], ["run a", "end a", "run d", "run c", "run b", "stopping a"]);
}

#[test]
fn the_wait_for_the_first_start_can_be_bounded() {
    let web = job("web").once("db", StatusHealthy).wait_timeout(ms(100));
    let sim = jobs([web, job("late").once("web", TimerExpired)]).start().till_the_end();
    assert_eq!(sim.events()[..4], ["Startup global", "TimerExpired web", "Stopping web", "Stopped web"]);
    assert_eq!(sim.count(TimerExpired, "web"), 1);
    assert_eq!(sim.runs_of("late"), [100]);
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn a_start_in_time_ends_the_wait_for_good() {
    let web = job("web").once("db", ExitSuccess).wait_timeout(ms(100)).lasts(secs(1));
    let sim = jobs([job("db").lasts(ms(50)), web]).start().till_the_end();
    assert_eq!(sim.count(TimerExpired, "web"), 0);
    assert_eq!(sim.exit_ms(), 1050);
}

#[test]
fn the_event_at_the_very_moment_of_the_timeout_decides_by_order() {
    // The timer was armed before the child was started, so it comes first.
    let web = job("web").once("db", ExitSuccess).wait_timeout(ms(100));
    let sim = jobs([job("db").lasts(ms(100)), web]).start().till_the_end();
    assert_eq!((sim.count(TimerExpired, "web"), sim.runs_of("web").len()), (1, 0));
}

#[test]
fn a_stop_job_outlives_its_wait_timeout() {
    let post = job("post").once("web", Stopped).wait_timeout(ms(100));
    let sim = jobs([daemon("web"), post]).start().until_ms(500);
    assert_eq!((sim.count(TimerExpired, "post"), sim.count(Stopping, "post")), (1, 0));
    let told = "post has waited 100ms for its start (`when.timeout`): it waits on for the stop of web";
    assert_eq!(sim.logged(Level::Warn), [told]);
    let sim = sim.term().till_the_end();
    assert_eq!(sim.runs_of("post"), [501]);
}

#[test]
fn a_periodic_job_runs_at_startup_and_at_each_tick() {
    let sim = jobs([job("web").every(ms(500))]).start().until_ms(1750);
    assert_eq!(sim.runs_of("web"), [0, 500, 1000, 1500]);
    let failing = jobs([job("web").every(ms(500)).exits(1)]).start().until_ms(1750);
    assert_eq!(failing.runs_of("web").len(), 4);
}

#[test]
fn a_counted_periodic_job_completes_at_the_tick_after_its_last_run() {
    for (restarts, runs, end) in [(0, 1, 250), (2, 3, 750)] {
        let sim = jobs([job("web").every(ms(250)).restarts(restarts)]).start().till_the_end();
        assert_eq!((sim.runs_of("web").len(), sim.exit_ms()), (runs, end));
    }
}

#[test]
fn the_last_tick_asks_a_run_in_progress_to_end() {
    let web = daemon("web").every(ms(250)).restarts(0).timeout(secs(10));
    let sim = jobs([web]).start().till_the_end();
    assert_eq!(sim.course(), ["run web", "stopping web", "TERM web", "end web", "stopped web", "exit 0"]);
    assert_eq!(sim.exit_ms(), 251);
}

#[test]
fn a_signal_starts_a_job_each_time() {
    let sim = jobs([daemon("keep"), job("h").on_signal(Signal::HUP), job("u").on_signal(Signal::USR2)]).start();
    let sim = sim.until_ms(10).signal(Signal::HUP).until_ms(20).signal(Signal::USR2).until_ms(30).signal(Signal::HUP);
    let sim = sim.until_ms(100);
    assert_eq!(sim.runs_of("h"), [10, 30]);
    assert_eq!(sim.runs_of("u"), [20]);
    assert_eq!((sim.count(EventCode::Signal, "SIGHUP"), sim.count(EventCode::Signal, "SIGUSR2")), (2, 1));
}

#[test]
fn a_storm_of_signals_leaves_one_start_waiting() {
    let mut sim = jobs([job("h").on_signal(Signal::HUP).lasts(ms(100))]).start();
    for _ in 0..5000 {
        sim.step(&Input::Signal(Signal::HUP));
    }
    let sim = sim.until(secs(10));
    assert_eq!(sim.runs_of("h"), [0, 100]);
    assert_eq!(sim.logged(Level::Warn), [""; 0]);
}

#[test]
fn a_signal_brings_a_pausing_restart_forward() {
    let sim = jobs([job("h").on_signal(Signal::HUP).unlimited().exits(1)]).start();
    let sim = sim.signal(Signal::HUP).until_ms(50);
    assert_eq!(sim.runs_of("h"), [0, 1, 2, 3, 4, 5]);
    let sim = sim.signal(Signal::HUP).until_ms(60);
    assert_eq!(sim.runs_of("h")[6..], [50], "and only once");
}

#[test]
fn signals_are_passed_on_as_the_map_says() {
    let map = SignalAction::Pass { job: "web".to_owned(), signal: Signal::QUIT };
    let sim = jobs([daemon("web"), daemon("web"), daemon("db")]).signal(Signal::HUP, map).start().until_ms(10);
    let sim = sim.signal(Signal::HUP).signal(Signal::QUIT).until_ms(20).term().till_the_end();
    assert_eq!(sim.course()[3..5], ["QUIT web", "QUIT web"]);
    assert_eq!(sim.count(EventCode::Signal, "SIGHUP"), 0);
    assert_eq!(sim.exit, Some(0));
}

#[test]
fn before_the_start_signals_start_nothing() {
    let listening = [job("h").on_signal(Signal::HUP), job("in").once("global", EnterMaintenance), daemon("web")];
    let sim = jobs(listening).build().signal(Signal::HUP).signal(Signal::USR1).until_ms(10);
    assert_eq!(sim.course(), [""; 0]);
    assert!(sim.world.in_maintenance());
    // What is on by then is told with the start.
    let sim = sim.start().until_ms(20);
    assert_eq!(sim.course(), ["run web", "run in", "end in", "stopping in", "stopped in"]);
    assert_eq!(sim.job("web").status(), Status::Maintenance);
    let sim = jobs([daemon("web")]).build().signal(Signal::USR1).signal(Signal::USR1).start();
    assert_eq!((sim.job("web").status(), sim.count(EnterMaintenance, "global")), (Status::Unknown, 0));
}

#[test]
fn a_second_start_does_nothing() {
    let sim = jobs([daemon("web")]).start().start().until_ms(10);
    assert_eq!((sim.runs_of("web").len(), sim.count(Startup, "global")), (1, 1));
}

#[test]
fn what_nobody_knows_changes_nothing() {
    use crate::core::{ChildId, JobId, Timer};
    let mut sim = jobs([daemon("web")]).start().until_ms(10);
    let (before, said) = (serde_json::to_string(&sim.world).unwrap(), sim.trace.len());
    for input in [
        Input::Exited { child: ChildId(77), status: ExitStatus::Code(1) },
        Input::SpawnFailed { child: ChildId(77), failure: super::build::missing() },
        Input::NothingLeft,
        Input::Timer(Timer::Sweep),
        Input::Timer(Timer::GiveUp(ChildId(1))),
        Input::Timer(Timer::Grace(ChildId(1))),
        Input::Timer(Timer::Timeout(ChildId(77))),
        Input::Timer(Timer::Retry(ChildId(1))),
        Input::Timer(Timer::Interval(JobId(0))),
        Input::Timer(Timer::Heartbeat(JobId(0))),
        Input::Timer(Timer::Wait(JobId(0))),
        Input::Timer(Timer::Restart(JobId(0))),
        Input::Timer(Timer::Stop(JobId(0))),
        Input::Timer(Timer::Stop(JobId(99))),
        Input::Signal(Signal::QUIT),
    ] {
        sim.step(&input);
        assert_eq!(serde_json::to_string(&sim.world).unwrap(), before, "{input:?}");
        assert_eq!(sim.trace.len(), said, "{input:?}");
    }
}
