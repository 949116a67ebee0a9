use std::sync::Arc;
use std::time::Duration;

use super::super::TURN;
use super::super::reload::{Reading, Reloader};
use super::*;
use crate::config::{Context, Source, compile};
use crate::core::{ChildId, Effect, SpawnFailure};
use crate::env::Environment;
use crate::kept::Kept;
use crate::log::{Log, LogGuard};
use crate::plan::{LogOutput, Logging};

/// A loop whose jobs run as far as it knows, and what must live as long.
fn running(jobs: usize) -> (Driver, LogGuard, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let output = LogOutput::File(dir.path().join("log"));
    let (log, guard) = Log::start(&Logging { output, ..Logging::default() }, Kept::new()).unwrap();
    let job = |n| format!("{{ name: \"j{n}\", exec: \"x\", main: {} }}", n == 0);
    let jobs: Vec<String> = (0..jobs).map(job).collect();
    let text = format!("{{ consul: false, jobs: [ {} ] }}", jobs.join(","));
    let compiled = compile(&Source { origin: "f".to_owned(), text }, &Context::default(), false);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let read = |_, _| Reading { fingerprint: 0, judged: None };
    let reloader = Reloader { path: dir.path().join("none"), fingerprint: 0, read: Arc::new(read) };
    let mut driver = Driver::new(&plan, Environment::default(), log, None, None, reloader).unwrap();
    let mut effects = Vec::new();
    driver.world.step(Moment::default(), &Input::Start, &mut effects);
    let mut pid = 0;
    for effect in effects {
        if let Effect::Spawn { child, slot } = effect {
            let command = driver.world.command(slot).cloned().unwrap();
            let since = Moment(Duration::from_secs(command.name.trim_start_matches('j').parse().unwrap()));
            pid += 1;
            driver.runs.add(child, command.clone(), pid, since, false);
        }
    }
    (driver, guard, dir)
}

#[tokio::test]
async fn each_job_is_told_with_the_beginning_of_its_own_run() {
    let (driver, _guard, _dir) = running(20);
    let snapshot = driver.snapshot();
    assert_eq!(snapshot.jobs.len(), 20);
    for job in &snapshot.jobs {
        let since = job.running_since.unwrap().0.as_secs();
        assert_eq!(format!("j{since}"), job.name);
    }
    let readiness = driver.readiness();
    assert_eq!(readiness.jobs.len(), 1, "those that are not asked are left out");
    assert_eq!(crate::telemetry::readiness(&readiness), crate::telemetry::readiness(&snapshot));
    assert_eq!(crate::telemetry::ready_jobs(&readiness), crate::telemetry::ready_jobs(&snapshot));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "work that takes longer than a turn")]
async fn a_turn_ends_with_its_count_with_its_work_and_with_its_time() {
    let (mut driver, _guard, _dir) = running(1);
    let mut times = 0;
    let mut count = |driver: &mut Driver, each: Duration, work: u32| {
        times = 0;
        driver.a_turn_of(4, |_| {
            std::thread::sleep(each);
            times += 1;
            times < work
        });
        times
    };
    // A machine that stands still makes a turn of its own out of a moment, but not each time.
    assert!((0..10).any(|_| count(&mut driver, Duration::ZERO, 2) == 2));
    assert_eq!(count(&mut driver, TURN * 2, 9), 1);
    driver.a_turn_of(0, |_| panic!("there is nothing to do"));
}

/// So many starts of jobs that nobody knows any more have failed, behind so many other inputs.
fn fail_starts(driver: &mut Driver, failed: usize, before: usize) {
    let failure = SpawnFailure { reason: "no such file".to_owned(), exit_code: 127, lacks: None };
    driver.inbox.extend(std::iter::repeat_n(Input::NothingLeft, before));
    driver.inbox.extend(std::iter::repeat_n(Input::SpawnFailed { child: ChildId(1_000_000), failure }, failed));
}

#[tokio::test]
async fn who_asks_hears_of_so_many_failed_starts_as_a_turn_has_time_for() {
    let (mut driver, _guard, _dir) = running(1);
    fail_starts(&mut driver, 100, 2);
    driver.hear_of_failed_starts();
    assert!((3..=102).contains(&driver.inbox.len()), "{}", driver.inbox.len());
    driver.inbox.clear();
    // To find each of them behind so many takes a while: all that one question may hear of take far longer than a turn.
    fail_starts(&mut driver, 50, 2_000_000);
    driver.hear_of_failed_starts();
    let heard = 2_000_050 - driver.inbox.len();
    assert!((1..50).contains(&heard), "{heard}");
}

// Seen red with src/driver/running.rs:
//- if driver.exit.is_some() {
//+ if false {
#[tokio::test]
async fn nobody_hears_of_failed_starts_after_the_end() {
    let (mut driver, _guard, _dir) = running(1);
    fail_starts(&mut driver, 3, 0);
    driver.exit = Some(0);
    driver.hear_of_failed_starts();
    assert_eq!(driver.inbox.len(), 3);
}
