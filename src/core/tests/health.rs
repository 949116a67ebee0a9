//! Health checks and maintenance (v3 §11 rules 1, 4, 5, 7, 8; reliability rows 34, 40, 45).

use super::build::{daemon, fails, hangs, job, jobs, ms, no_process_slot, passes, secs};
use super::sim::{Happening, Sim};
use crate::core::Input;
use crate::core::job::Status;
use crate::plan::EventCode::{ExitFailed, ExitSuccess, StatusHealthy, StatusUnhealthy};
use crate::plan::{EventCode, Level, Signal};

fn status(sim: &Sim) -> Status {
    sim.job("web").status()
}

#[test]
fn every_result_is_an_event_and_a_change_is_a_word() {
    let web = daemon("web").checked_every(secs(1)).checks([passes(), passes(), fails(1), fails(1), passes()]);
    let sim = jobs([web]).start().until_ms(5500);
    let published: Vec<String> = sim.events().into_iter().filter(|event| event.starts_with("Status")).collect();
    let (good, bad) = ("StatusHealthy web", "StatusUnhealthy web");
    assert_eq!(published, [good, good, bad, bad, good]);
    assert_eq!(sim.runs_of("check.web"), [1000, 2000, 3000, 4000, 5000]);
    let words: Vec<_> = sim.logged(Level::Info).into_iter().filter(|line| line.starts_with("web is")).collect();
    assert_eq!(words, ["web is healthy", "web is unhealthy", "web is healthy"]);
}

#[test]
fn checks_begin_with_the_first_start_in_step_with_the_program() {
    let web = daemon("web").checked_every(secs(1)).once("db", ExitSuccess);
    let sim = jobs([job("db").lasts(ms(1400)), web]).start().until_ms(3600);
    assert_eq!(sim.runs_of("check.web"), [2000, 3000]);
    let never = jobs([job("web").once("db", ExitSuccess).checked_every(secs(1))]).start().until(secs(10));
    assert_eq!((never.runs_of("check.web").len(), status(&never)), (0, Status::Idle));
}

#[test]
fn a_start_makes_the_status_unknown() {
    let web = job("web").unlimited().lasts(ms(1500)).checked_every(secs(1));
    let sim = jobs([web]).start().until_ms(1200);
    assert_eq!(status(&sim), Status::Healthy);
    assert_eq!(status(&sim.until_ms(1600)), Status::Unknown);
}

#[test]
fn checks_go_on_between_the_runs_of_an_each_job() {
    let web = job("web").each("db", ExitSuccess).checked_every(secs(1));
    let sim = jobs([job("db"), web]).start().until_ms(3500);
    assert_eq!(sim.runs_of("check.web").len(), 3);
    assert_eq!(status(&sim), Status::Healthy);
}

#[test]
fn a_complete_job_is_not_checked() {
    let sim = jobs([job("web").checked_every(secs(1)), daemon("db")]).start().until(secs(10));
    assert_eq!(sim.runs_of("check.web"), [0; 0]);
}

#[test]
fn a_job_that_has_ended_is_not_healthy_any_more() {
    let pre = job("pre").once("web", crate::plan::EventCode::Stopping).lasts(secs(1));
    let sim = jobs([job("web").lasts(ms(1500)).checked_every(secs(1)), pre]).start().until_ms(1400);
    assert_eq!(status(&sim), Status::Healthy);
    assert_eq!(status(&sim.until_ms(1600)), Status::Unknown);
}

#[test]
fn a_running_check_is_stopped_with_its_job() {
    let web = job("web").lasts(ms(1500)).checked_every(secs(1)).checks([hangs()]).check_timeout(secs(100));
    let sim = jobs([web]).stop_timeout(secs(2)).start().till_the_end();
    let killed = Happening::Signalled(Signal::KILL, "check.web".to_owned());
    assert_eq!((sim.when(|what| *what == killed), sim.exit_ms(), sim.exit), (vec![3500], 3501, Some(0)));
    assert_eq!(sim.count(ExitFailed, "check.web"), 1);
    assert_eq!(sim.count(StatusUnhealthy, "web"), 0, "nobody listens any more");
}

#[test]
fn the_telemetry_service_is_always_healthy() {
    let sim = jobs([job("containerpilot").without_exec()]).start().signal(Signal::USR1).until_ms(10);
    assert_eq!(sim.job("containerpilot").status(), Status::AlwaysHealthy);
}

#[test]
fn a_slow_check_skips_and_disturbs_nobody() {
    // Reliability row 34.
    let slow = super::build::Script { lasts: Some(secs(25)), ..passes() };
    let web = daemon("web").checked_every(secs(1)).check_timeout(secs(30)).checks([slow]);
    let db = daemon("db").checked_every(secs(1));
    let sim = jobs([web, db]).start().until(secs(1200));
    assert_eq!(sim.runs_of("check.db"), (1..=1200).map(|n| n * 1000).collect::<Vec<u128>>());
    assert_eq!(sim.runs_of("check.web").len(), 48);
    let words = sim.logged(Level::Warn);
    assert_eq!(words[0], "check.web still runs when the next check is due: 1 skipped so far");
    assert_eq!(words.len(), 11, "each power of two");
    assert_eq!(sim.term().till_the_end().exit_ms(), 1_200_001);
}

#[test]
fn a_check_that_must_be_killed_does_not_cost_the_next_one() {
    // Reliability row 40: the limit is the interval, and it ignores SIGTERM.
    let web = daemon("web").checked_every(secs(1)).checks([hangs()]);
    let sim = jobs([web]).start().until_ms(1_000_500);
    let runs = sim.runs_of("check.web");
    assert_eq!(runs.len(), 1000);
    assert!(runs.iter().skip(1).all(|at| at % 1000 == 1));
    assert_eq!(sim.count(StatusUnhealthy, "web"), 999);
    assert!(!sim.logged(Level::Warn).iter().any(|line| line.contains("skipped")));
    assert_eq!(sim.alive(), ["web", "check.web"]);
}

#[test]
fn a_check_that_could_not_run_says_nothing() {
    // Reliability row 24.
    let web = daemon("web").checked_every(secs(2)).checks([
        passes(),
        super::build::Script { failures: vec![no_process_slot(); 6], ..passes() },
        super::build::Script { failures: vec![no_process_slot(); 3], ..passes() },
        super::build::Script { failures: vec![super::build::missing()], ..passes() },
    ]);
    let sim = jobs([web]).start().until_ms(5500);
    assert_eq!(sim.runs_of("check.web"), [2000, 4000, 4200, 4400, 4600, 4800, 5000]);
    assert_eq!(status(&sim), Status::Healthy);
    assert_eq!((sim.count(ExitFailed, "check.web"), sim.count(StatusUnhealthy, "web")), (0, 0));
    let unable = "unable to start check.web: fork: resource temporarily unavailable";
    assert_eq!(sim.logged(Level::Error), [unable]);
    let sim = sim.until_ms(7500);
    assert_eq!((sim.count(ExitSuccess, "check.web"), status(&sim)), (2, Status::Healthy), "it recovers by itself");
    let sim = sim.until_ms(8500);
    assert_eq!(status(&sim), Status::Unhealthy, "a check that is missing fails");
}

#[test]
fn maintenance_pauses_checks_and_keeps_its_status() {
    let web = daemon("web").checked_every(secs(1)).checks([passes()]);
    let sim = jobs([web]).start().until_ms(1500).signal(Signal::USR1).until_ms(3500);
    assert_eq!((status(&sim), sim.runs_of("check.web").len()), (Status::Maintenance, 1));
    let sim = sim.signal(Signal::USR1).until_ms(3600);
    assert_eq!(status(&sim), Status::Unknown);
    assert_eq!(status(&sim.until_ms(4500)), Status::Healthy);
}

#[test]
fn results_that_come_in_maintenance_do_not_count() {
    for script in [passes(), fails(1)] {
        let slow = super::build::Script { lasts: Some(ms(500)), ..script };
        let web = daemon("web").checked_every(secs(1)).checks([slow]);
        let sim = jobs([web]).start().until_ms(1200).signal(Signal::USR1).until_ms(1700);
        assert_eq!(status(&sim), Status::Maintenance);
        assert_eq!(sim.count(StatusHealthy, "web") + sim.count(StatusUnhealthy, "web"), 0);
    }
}

#[test]
fn a_restart_does_not_leave_maintenance() {
    // Design §4 row 21.
    let web = job("web").unlimited().lasts(ms(1500)).checked_every(secs(1));
    let sim = jobs([web]).start().until_ms(500).signal(Signal::USR1).until_ms(4500);
    assert_eq!((status(&sim), sim.runs_of("web").len(), sim.runs_of("check.web").len()), (Status::Maintenance, 4, 0));
}

#[test]
fn the_end_of_maintenance_does_not_begin_checks_of_what_never_started() {
    let web = job("web").once("db", ExitSuccess).checked_every(secs(1));
    let sim = jobs([web]).start().signal(Signal::USR1).signal(Signal::USR1).until(secs(5));
    assert_eq!((status(&sim), sim.runs_of("check.web").len()), (Status::Idle, 0));
}

#[test]
fn each_request_of_maintenance_is_an_event_and_the_last_one_counts() {
    let entered = job("in").each("global", EventCode::EnterMaintenance);
    let left = job("out").each("global", EventCode::ExitMaintenance);
    let mut sim = jobs([daemon("web"), entered, left]).start();
    for _ in 0..101 {
        sim.step(&Input::Signal(Signal::USR1));
    }
    let sim = sim.until(secs(1));
    assert_eq!((status(&sim), sim.runs_of("in").len(), sim.runs_of("out").len()), (Status::Maintenance, 51, 50));
    // In the stop it changes nothing.
    let sim = sim.term().signal(Signal::USR1).till_the_end();
    assert!(sim.world.in_maintenance());
    assert_eq!(sim.count(EventCode::ExitMaintenance, "global"), 50);
}
