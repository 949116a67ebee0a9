//! f: how often a job can be started again that exits at once.

use std::time::Duration;

use super::{Figure, Found, Place, Trouble, less, more};
use crate::job::Jobs;
use crate::systems::{System, Task};

const RATE: Figure = more('f', "restarts of one job", "/s");
const CPU: Figure = less('f', "restarts: CPU of the init for each", "µs");
pub const FIGURES: [Figure; 2] = [RATE, CPU];

pub fn restarts(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let jobs = Jobs::exiting(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command()], restarts: true, ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    let first = init.until(Duration::from_secs(15), "the job did not start", || jobs.starts().first().copied())?;
    let before = place.own(&init).cpu();
    let (counted_before, window) = (jobs.count(), place.loads.restarts);
    std::thread::sleep(window);
    let cpu = place.own(&init).cpu().saturating_sub(before);
    let meanwhile = jobs.count().saturating_sub(counted_before).max(1);
    let end = first.saturating_add(u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
    let starts = jobs.starts().partition_point(|start| *start <= end);
    let mut found = Found::default();
    found.put(&RATE, starts.saturating_sub(1) as f64 / window.as_secs_f64());
    found.put(&CPU, cpu as f64 / 1e3 / meanwhile as f64);
    Ok(found)
}
