//! a: from the exec of the init to the first instruction of its job. b: a whole run of a job that exits at once.

use std::time::Duration;

use super::{Figure, Found, Place, Trouble, less, micros};
use crate::job::Jobs;
use crate::systems::{System, Task};

const LIMIT: Duration = Duration::from_secs(15);

const START: Figure = less('a', "start: exec of the init to first instruction of the job", "µs");
const WALL: Figure = less('b', "run of a job that exits, from exec to end", "µs");
const CPU: Figure = less('b', "that run: CPU of the init and all it reaped", "µs");
pub const FIGURES: [Figure; 3] = [START, WALL, CPU];

pub fn start(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let mut init = place.start(system, &Task { jobs: vec![jobs.command()], ..Task::default() }, None)?;
    let started = init.until(LIMIT, "the job did not start", || jobs.starts().first().copied())?;
    let mut found = Found::default();
    found.put(&START, micros(init.began()?, started));
    Ok(found)
}

pub fn run(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let jobs = Jobs::exiting(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command()], ends: true, ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    let end = init.wait(LIMIT)?.ok_or_else(|| init.failed("it did not end after its only job"))?;
    if jobs.count() == 0 {
        return Err(init.failed("the job never ran"));
    }
    let mut found = Found::default();
    found.put(&WALL, micros(init.began()?, end.at));
    found.put(&CPU, end.cpu.as_secs_f64() * 1e6);
    Ok(found)
}
