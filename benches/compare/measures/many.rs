//! g: a thousand jobs: how long until all of them run, what each costs, how long until all of them are gone. And how long
//! fewer take to start, to see whether that grows with their number alone.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Figure, Found, Place, Trouble, less, micros, more};
use crate::job::Jobs;
use crate::namespace::Init;
use crate::systems::{Output, System, Task};

const TEN: Figure = less('g', "10 jobs: exec of the init until all run", "ms");
const HUNDRED: Figure = less('g', "100 jobs: exec of the init until all run", "ms");
const RUNNING: Figure = less('g', "1000 jobs: exec of the init until all run", "ms");
const PASSED: Figure = less('g', "1000 jobs that keep its output: until all run", "ms");
const CPU: Figure = less('g', "1000 jobs: CPU of the init until then", "ms");
const PSS: Figure = less('g', "1000 jobs: memory of each (PSS)", "KiB");
const DIRTY: Figure = less('g', "1000 jobs: memory of each (private dirty)", "KiB");
const GONE: Figure = less('g', "1000 jobs: SIGTERM to gone", "ms");
const TOLD: Figure = more('g', "1000 jobs: got SIGTERM", "%");
pub const FIGURES: [Figure; 9] = [TEN, HUNDRED, RUNNING, PASSED, CPU, PSS, DIRTY, GONE, TOLD];

pub fn many(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let count = place.loads.many;
    let mut found = Found::default();
    for (few, figure) in [(10, TEN), (100, HUNDRED)] {
        let (_, _, took) = running(system, &place.within(&few.to_string())?, few, Output::Any)?;
        found.put(&figure, took);
    }
    let (mut init, jobs, took) = running(system, &place.within("wrapped")?, count, Output::Any)?;
    found.put(&RUNNING, took);
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
    let part = running(system, &passed, count, Output::Passed).map(|(_, _, took)| found.put(&PASSED, took));
    found.part("output kept", part)?;
    Ok(found)
}

/// Starts so many, and tells how many milliseconds passed until all of them ran.
fn running(system: &dyn System, place: &Place, count: usize, output: Output) -> Result<(Init, Jobs, f64), Trouble> {
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command(); count], output, ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    let all = || (jobs.count() == count).then_some(());
    init.until(Duration::from_mins(1), "the jobs did not start", all)?;
    let took = micros(init.began()?, jobs.starts().last().copied().unwrap_or(0)) / 1e3;
    Ok((init, jobs, took))
}
