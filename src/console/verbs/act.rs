//! `start`, `stop`, `restart` and `signal`.

use std::time::Duration;

use super::super::Failed;
use super::super::client::Instance;
use super::super::output::Output;
use super::super::render::{self, never_began};
use super::look::path_of;
use super::{ENDED, now, pause};
use crate::api::{Done, Exit, Job, JobState, Jobs, SignalRequest};
use crate::cli::Act;
use crate::duration::elapsed;

/// Between two looks at a job.
const TICK: Duration = Duration::from_millis(100);

/// Who lasts so long, in milliseconds, is taken to run: what can't work at all has usually ended before.
const SETTLED: u64 = 500;

/// How far a job is with what was asked of it.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    UnderWay,
    /// It has had the run that was asked for, which failed.
    Failed,
}

/// Asks for it, and waits until it is done.
pub(super) fn act(
    act: Act,
    name: &str,
    wait: Option<Duration>,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let path = path_of(name);
    // Which run is the new one is only known from before.
    let before = match act {
        Act::Start | Act::Restart if wait.is_some() => instance.get::<Jobs>(&path)?.jobs,
        _ => Vec::new(),
    };
    let Done { said, mut jobs } = instance.post(&format!("{path}/{}", act.word()))?;
    let Some(patience) = wait else { return output.print(&format!("{}\n", render::visible(&said))) };
    let began = now();
    loop {
        let plain = |job: &Job, look| render::head(job, &render::Look { colour: false, ..look });
        let of_each: Vec<Progress> =
            jobs.iter().enumerate().map(|(index, job)| progress(act, job, before.get(index))).collect();
        let first = |what: Progress| jobs.iter().zip(&of_each).find(|(_, of)| **of == what).map(|(job, _)| job);
        let Some(waiting) = first(Progress::UnderWay) else {
            if let Some(failed) = first(Progress::Failed) {
                let how = failed.last_exit.as_ref().map(ended).unwrap_or_default();
                return Err(Failed::Other(plain(failed, output.look()) + &how));
            }
            let look = output.look();
            let lines: Vec<String> = jobs.iter().map(|job| render::head(job, &look) + "\n").collect();
            return output.print(&lines.concat());
        };
        if now().saturating_duration_since(began) >= patience {
            let (head, verb) = (plain(waiting, output.look()), act.word());
            let hint = format!("the {verb} goes on; containerpilot why {name} tells more");
            return Err(Failed::Other(format!("{head}: not done within {}\n  {hint}", elapsed(patience))));
        }
        pause(TICK);
        jobs = match instance.get::<Jobs>(&path) {
            Ok(Jobs { jobs }) => jobs,
            // Not because of this stop, even of a main job: everything was asked to end meanwhile, this job with it.
            Err(Failed::Nobody(_)) if act == Act::Stop => return output.print(&format!("{ENDED}\n")),
            Err(Failed::Nobody(_)) => return Err(Failed::Other(ENDED.to_owned())),
            Err(failed) => return Err(failed),
        };
    }
}

fn progress(act: Act, job: &Job, before: Option<&Job>) -> Progress {
    let when = |done: bool| if done { Progress::Done } else { Progress::UnderWay };
    if act == Act::Stop {
        return when(matches!(job.state, JobState::Stopped | JobState::Done));
    }
    let being_started = |job: &Job| !job.start_failure.is_empty();
    // One whose start was being tried has not begun the run that was asked for: it may be that.
    let runs_before = before.map_or(0, |job| job.runs.saturating_sub(u64::from(being_started(job))));
    let is_new = job.runs > runs_before;
    let ran_before = before.is_some_and(|job| job.state == JobState::Running);
    match &job.state {
        // The one that was asked for is over, and the next one runs.
        JobState::Running if job.runs > runs_before.saturating_add(1) => judged(job),
        // It has no command: that is all that it can be.
        JobState::Running if job.command.is_empty() => Progress::Done,
        JobState::Running => {
            let wanted = is_new || (act == Act::Start && ran_before);
            when(wanted && job.pid.is_some() && job.since_ms.is_some_and(|millis| millis >= SETTLED))
        }
        // The start is being tried.
        JobState::Backoff if being_started(job) && job.runs <= runs_before.saturating_add(1) => Progress::UnderWay,
        // It is over, pauses or waits for its next event: it has had its run.
        JobState::Done | JobState::Backoff | JobState::Waiting | JobState::Stopped if is_new => judged(job),
        JobState::Done
        | JobState::Backoff
        | JobState::Waiting
        | JobState::Stopped
        | JobState::Stopping
        | JobState::Other(_) => Progress::UnderWay,
    }
}

/// By how its last run has ended.
fn judged(job: &Job) -> Progress {
    match &job.last_exit {
        Some(exit) if exit.code != 0 => Progress::Failed,
        _ => Progress::Done,
    }
}

/// How a run failed that was asked for.
fn ended(exit: &Exit) -> String {
    if never_began(exit) {
        return format!("\n  the run that was asked for could not be started: {}", exit.text);
    }
    let lasted = elapsed(Duration::from_millis(exit.lasted_ms));
    format!("\n  the run that was asked for ended after {lasted}: {}", exit.text)
}

pub(super) fn signal(
    name: &str,
    signal: String,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let done: Done = instance.send(&format!("{}/signal", path_of(name)), &SignalRequest { signal })?;
    output.print(&format!("{}\n", render::visible(&done.said)))
}
