//! e: from SIGTERM to the init until it is gone, and whether its jobs got theirs.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Figure, Found, Place, Trouble, less, micros, more};
use crate::job::Jobs;
use crate::systems::{System, Task};

const ONE: Figure = less('e', "SIGTERM to gone, 1 job", "µs");
const ONE_TOLD: Figure = more('e', "jobs that got SIGTERM, of 1", "%");
const TEN: Figure = less('e', "SIGTERM to gone, 10 jobs", "µs");
const TEN_TOLD: Figure = more('e', "jobs that got SIGTERM, of 10", "%");
const HUNDRED: Figure = less('e', "SIGTERM to gone, 100 jobs", "µs");
const HUNDRED_TOLD: Figure = more('e', "jobs that got SIGTERM, of 100", "%");
pub const FIGURES: [Figure; 6] = [ONE, ONE_TOLD, TEN, TEN_TOLD, HUNDRED, HUNDRED_TOLD];

pub fn stop(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let mut found = Found::default();
    for (jobs, gone, told) in [(1, ONE, ONE_TOLD), (10, TEN, TEN_TOLD), (100, HUNDRED, HUNDRED_TOLD)] {
        let stopped = stopped(system, &place.within(&jobs.to_string())?, jobs);
        let part = stopped.map(|(took, percent)| {
            found.put(&gone, took);
            found.put(&told, percent);
        });
        if !found.part(&format!("{jobs} jobs"), part)? {
            break;
        }
    }
    Ok(found)
}

fn stopped(system: &dyn System, place: &Place, count: usize) -> Result<(f64, f64), Trouble> {
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command(); count], ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    init.until(Duration::from_secs(30), "the jobs did not start", || (jobs.count() == count).then_some(()))?;
    std::thread::sleep(Duration::from_secs(1));
    let at = init.signal(Signal::SIGTERM)?;
    let end = init.wait(Duration::from_secs(30))?.ok_or_else(|| init.failed("still there 30 s after SIGTERM"))?;
    Ok((micros(at, end.at), 100.0 * jobs.ends().len() as f64 / count as f64))
}
