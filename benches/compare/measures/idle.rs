//! c: what an init takes that has nothing to do: memory, threads, and how often it comes to a CPU.

use std::time::{Duration, Instant};

use super::{Figure, Found, Place, Trouble, less};
use crate::job::Jobs;
use crate::namespace::Init;
use crate::observe::Own;
use crate::systems::{System, Task};

/// Until nothing of the start goes on any more.
const SETTLED: Duration = Duration::from_secs(2);

const PSS: Figure = less('c', "idle, 1 job: memory (PSS)", "KiB");
const DIRTY: Figure = less('c', "idle, 1 job: memory of its own (private dirty)", "KiB");
const SWITCHES: Figure = less('c', "idle, 1 job: context switches", "/s");
const CPU: Figure = less('c', "idle, 1 job: CPU", "µs/s");
const PROCESSES: Figure = less('c', "idle, 1 job: own processes", "");
const THREADS: Figure = less('c', "idle, 1 job: own threads", "");
const PSS_100: Figure = less('c', "idle, 100 jobs: memory (PSS)", "KiB");
const DIRTY_100: Figure = less('c', "idle, 100 jobs: memory of its own (private dirty)", "KiB");
pub const FIGURES: [Figure; 8] = [PSS, DIRTY, SWITCHES, CPU, PROCESSES, THREADS, PSS_100, DIRTY_100];

/// A system with its idle jobs.
struct Idle {
    init: Init,
    own: Own,
}

/// With one job, all systems beside each other; then with a hundred. Not both at once: two of one system would share
/// the pages of its program.
pub fn idle(systems: &[&dyn System], place: &Place) -> Vec<Result<Found, Trouble>> {
    let one: Vec<Result<Idle, Trouble>> = systems.iter().map(|system| begin(*system, place, 1)).collect();
    settle(&one);
    let own = one.into_iter().map(|idle| idle.map(|idle| Idle { own: place.own(&idle.init), ..idle }));
    let one: Vec<Result<Idle, Trouble>> = own.collect();
    let look =
        |idle: &Result<Idle, Trouble>| idle.as_ref().map_or((0, 0), |idle| (idle.own.switches(), idle.own.cpu()));
    let before: Vec<(u64, u64)> = one.iter().map(look).collect();
    let begin_of_window = Instant::now();
    if one.iter().any(Result::is_ok) {
        std::thread::sleep(place.loads.idle);
    }
    let after: Vec<(u64, u64)> = one.iter().map(look).collect();
    let window = begin_of_window.elapsed().as_secs_f64();
    let figures = one.into_iter().zip(before.into_iter().zip(after)).map(|(idle, (before, after))| {
        let Idle { init: _init, own } = idle?;
        let mut found = Found::default();
        found.put(&PSS, own.memory("Pss:") as f64);
        found.put(&DIRTY, own.memory("Private_Dirty:") as f64);
        found.put(&SWITCHES, after.0.saturating_sub(before.0) as f64 / window);
        found.put(&CPU, after.1.saturating_sub(before.1) as f64 / 1e3 / window);
        found.put(&PROCESSES, own.processes() as f64);
        found.put(&THREADS, own.threads() as f64);
        Ok(found)
    });
    let mut figures: Vec<Result<Found, Trouble>> = figures.collect();

    let hundred: Vec<Result<Idle, Trouble>> = systems.iter().map(|system| begin(*system, place, 100)).collect();
    settle(&hundred);
    for (found, hundred) in figures.iter_mut().zip(hundred) {
        let Ok(found) = found else { continue };
        let part = hundred.map(|idle| {
            let own = place.own(&idle.init);
            found.put(&PSS_100, own.memory("Pss:") as f64);
            found.put(&DIRTY_100, own.memory("Private_Dirty:") as f64);
        });
        if let Err(trouble) = part {
            found.missing.push(format!("100 jobs: {trouble}"));
        }
    }
    figures
}

impl Place {
    /// The processes of an init itself.
    pub fn own(&self, init: &Init) -> Own {
        Own::of(init.pid(), &self.jobs)
    }
}

fn begin(system: &dyn System, place: &Place, jobs: usize) -> Result<Idle, Trouble> {
    let place = place.within(&format!("{}-{jobs}", system.name()))?;
    let staying = Jobs::staying(&place.job, &place.dir)?;
    let task = Task { jobs: vec![staying.command(); jobs], ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    init.until(Duration::from_secs(30), "the jobs did not start", || (staying.count() == jobs).then_some(()))?;
    let own = place.own(&init);
    Ok(Idle { init, own })
}

fn settle(idle: &[Result<Idle, Trouble>]) {
    if idle.iter().any(Result::is_ok) {
        std::thread::sleep(SETTLED);
    }
}
