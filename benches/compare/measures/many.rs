//! g: a thousand jobs: how long until all of them run, what each costs, how long until all of them are gone.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Figure, Found, Place, Trouble, less, micros, more};
use crate::job::Jobs;
use crate::systems::{Output, System, Task};

const RUNNING: Figure = less('g', "1000 jobs: exec of the init until all run", "ms");
const PASSED: Figure = less('g', "1000 jobs that keep its output: until all run", "ms");
const CPU: Figure = less('g', "1000 jobs: CPU of the init until then", "ms");
const PSS: Figure = less('g', "1000 jobs: memory of each (PSS)", "KiB");
const DIRTY: Figure = less('g', "1000 jobs: memory of each (private dirty)", "KiB");
const GONE: Figure = less('g', "1000 jobs: SIGTERM to gone", "ms");
const TOLD: Figure = more('g', "1000 jobs: got SIGTERM", "%");
pub const FIGURES: [Figure; 7] = [RUNNING, PASSED, CPU, PSS, DIRTY, GONE, TOLD];

pub fn many(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let count = place.loads.many;
    let mut found = Found::default();
    let wrapped = place.within("wrapped")?;
    let jobs = Jobs::staying(&wrapped.job, &wrapped.dir)?;
    let task = Task { jobs: vec![jobs.command(); count], ..Task::default() };
    let mut init = wrapped.start(system, &task, None)?;
    let all = || (jobs.count() == count).then_some(());
    let limit = Duration::from_mins(1);
    init.until(limit, "the jobs did not start", all)?;
    found.put(&RUNNING, micros(init.began()?, jobs.starts().last().copied().unwrap_or(0)) / 1e3);
    std::thread::sleep(Duration::from_secs(1));
    let own = place.own(&init);
    found.put(&CPU, own.cpu() as f64 / 1e6);
    found.put(&PSS, own.memory("Pss:") as f64 / count as f64);
    found.put(&DIRTY, own.memory("Private_Dirty:") as f64 / count as f64);
    let at = init.signal(Signal::SIGTERM)?;
    if let Some(end) = init.wait(Duration::from_secs(30))? {
        found.put(&GONE, micros(at, end.at) / 1e3);
    } else {
        found.missing.push("still there 30 s after SIGTERM".to_owned());
    }
    found.put(&TOLD, 100.0 * jobs.ends().len() as f64 / count as f64);
    drop(init);

    let passed = place.within("passed")?;
    let part = passed_on(system, &passed, count).map(|took| found.put(&PASSED, took));
    found.part("output kept", part)?;
    Ok(found)
}

/// Likewise where nobody reads what they write.
fn passed_on(system: &dyn System, place: &Place, count: usize) -> Result<f64, Trouble> {
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command(); count], output: Output::Passed, ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    let all = || (jobs.count() == count).then_some(());
    init.until(Duration::from_mins(1), "the jobs did not start", all)?;
    Ok(micros(init.began()?, jobs.starts().last().copied().unwrap_or(0)) / 1e3)
}
