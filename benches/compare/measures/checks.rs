//! k: a thousand jobs, each with a health check a second: whether they keep their beat, and what that costs.

use std::time::Duration;

use super::{Figure, Found, Place, Trouble, less};
use crate::job::Jobs;
use crate::systems::{System, Task};

/// From one check to the next.
const BEAT: u64 = 1_000_000_000;

const JITTER: Figure = less('k', "1000 checks each second: 99 of 100 off their beat by at most", "ms");
const CPU: Figure = less('k', "1000 checks each second: CPU of the init for each", "µs");
const WHOLE: Figure = less('k', "1000 checks each second: CPU of init and checks for each", "µs");
pub const FIGURES: [Figure; 3] = [JITTER, CPU, WHOLE];

pub fn checks(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let count = place.loads.checks;
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let stamped = |number: usize| Jobs::exiting_at(&place.job, place.dir.join(format!("check{number}")));
    let checks = (0..count).map(stamped).collect::<Result<Vec<_>, _>>()?;
    let task = Task {
        jobs: vec![jobs.command(); count],
        checks: checks.iter().map(Jobs::command).collect(),
        ..Task::default()
    };
    let mut init = place.start(system, &task, None)?;
    init.until(Duration::from_mins(1), "the jobs did not start", || (jobs.count() == count).then_some(()))?;
    let all = || checks.iter().all(|check| check.count() > 1).then_some(());
    init.until(Duration::from_secs(30), "not all were checked twice", all)?;
    let total = || checks.iter().map(Jobs::count).sum::<usize>();
    let own = place.own(&init);
    let before = (own.cpu(), own.cpu_of_reaped(), total());
    std::thread::sleep(place.loads.checked);
    let after = (own.cpu(), own.cpu_of_reaped(), total());
    let done = after.2.saturating_sub(before.2).max(1) as f64;
    let (init_cpu, checks_cpu) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    let off_beat = |check: &Jobs| -> Vec<u64> {
        let starts = check.starts();
        let each = starts.iter().zip(starts.iter().skip(1)).skip(1);
        each.map(|(one, next)| next.saturating_sub(*one).abs_diff(BEAT)).collect()
    };
    let mut off_beat: Vec<u64> = checks.iter().flat_map(off_beat).collect();
    off_beat.sort_unstable();
    let late = off_beat.get(off_beat.len() * 99 / 100).ok_or_else(|| init.failed("no check was done twice"))?;
    let mut found = Found::default();
    found.put(&JITTER, *late as f64 / 1e6);
    found.put(&CPU, init_cpu as f64 / 1e3 / done);
    found.put(&WHOLE, (init_cpu + checks_cpu) as f64 / 1e3 / done);
    Ok(found)
}
