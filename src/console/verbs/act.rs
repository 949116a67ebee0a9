//! `start`, `stop`, `restart` and `signal`.

use std::time::{Duration, Instant};

use super::super::Failed;
use super::super::client::{Given, Instance};
use super::super::output::Output;
use super::super::render;
use super::look::path_of;
use super::{ENDED, pause};
use crate::api::{Done, Job, JobState, Jobs, SignalRequest};
use crate::cli::Act;
use crate::duration::elapsed;

/// Between two looks at a job.
const TICK: Duration = Duration::from_millis(100);

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
        Act::Restart if wait.is_some() => instance.get::<Jobs>(&path)?.value.jobs,
        _ => Vec::new(),
    };
    let Done { said, mut jobs } = instance.post(&format!("{path}/{}", act.word()))?.value;
    let Some(patience) = wait else { return output.print(&format!("{}\n", render::visible(&said))) };
    let began = now();
    loop {
        let Some(waiting) = unfinished(act, &jobs, &before) else {
            let look = output.look();
            let lines: Vec<String> = jobs.iter().map(|job| render::head(job, &look) + "\n").collect();
            return output.print(&lines.concat());
        };
        if now().saturating_duration_since(began) >= patience {
            let (look, verb) = (output.look(), act.word());
            let head = render::head(waiting, &render::Look { colour: false, ..look });
            let hint = format!("the {verb} goes on; containerpilot why {name} tells more");
            return Err(Failed::Other(format!("{head}: not done within {}\n  {hint}", elapsed(patience))));
        }
        pause(TICK);
        jobs = match instance.get::<Jobs>(&path) {
            Ok(Given { value: Jobs { jobs }, .. }) => jobs,
            // Its end was the end of everything.
            Err(Failed::Nobody(_)) if act == Act::Stop => return output.print(&format!("{ENDED}\n")),
            Err(Failed::Nobody(_)) => return Err(Failed::Other(ENDED.to_owned())),
            Err(failed) => return Err(failed),
        };
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that asks it, and may not hang")]
    Instant::now()
}

/// The first of the jobs with which it isn't done.
fn unfinished<'a>(act: Act, jobs: &'a [Job], before: &[Job]) -> Option<&'a Job> {
    let done = |(index, job): (usize, &Job)| match act {
        Act::Stop => matches!(job.state, JobState::Stopped | JobState::Done),
        Act::Start => matches!(job.state, JobState::Running | JobState::Done | JobState::Backoff),
        // One that pauses has failed again, and one that is over or waits for its next event has had its run.
        Act::Restart => {
            let is_new = job.runs > before.get(index).map_or(0, |job| job.runs);
            is_new && !matches!(job.state, JobState::Backoff | JobState::Stopping)
        }
    };
    jobs.iter().enumerate().find(|pair| !done(*pair)).map(|(_, job)| job)
}

pub(super) fn signal(
    name: &str,
    signal: String,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let done: Given<Done> = instance.send(&format!("{}/signal", path_of(name)), &SignalRequest { signal })?;
    output.print(&format!("{}\n", render::visible(&done.value.said)))
}
