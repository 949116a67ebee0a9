//! Why a job is as it is: what it waits for, what would change that, and so on down to a fact.

use std::time::Duration;

use super::job::{Job, Stage, Status};
use super::look::{State, happens, ordinal, to_happen};
use super::say::{count, elapsed};
use super::world::World;
use super::{GLOBAL, JobId, Moment};
use crate::plan::{EventCode, Restarts, Trigger, When};
use crate::shell::quoted;

/// So deep an explanation goes: who waits for whom is rarely longer, and may be a circle.
const DEEPEST: usize = 8;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What is so, and for what reason, as one sentence.
    pub summary: String,
    /// What that comes from.
    pub facts: Vec<Reason>,
}

/// One step of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// A word for the sentence's subject; empty where it stands for itself.
    pub about: &'static str,
    /// What is so.
    pub says: String,
    /// What this in turn comes from.
    pub because: Vec<Reason>,
}

impl Reason {
    fn new(says: String) -> Self {
        Self { about: "", says, because: Vec::new() }
    }

    fn about(about: &'static str, says: String) -> Self {
        Self { about, says, because: Vec::new() }
    }
}

impl World {
    /// Why a job is as it is.
    pub fn why(&self, id: JobId, now: Moment) -> Option<Explanation> {
        Some(self.explain(self.job(id)?, now, &mut vec![id]))
    }

    fn explain(&self, job: &Job, now: Moment, seen: &mut Vec<JobId>) -> Explanation {
        let name = job.name();
        let for_how_long = job.since().map(|since| elapsed(now.since(since))).unwrap_or_default();
        let mut facts = Vec::new();
        let summary = match job.state() {
            State::Waiting => return self.why_it_waits(job, now, seen),
            State::Running => {
                facts.extend(health(job, now));
                if job.spec.exec.is_none() {
                    format!("{name} is there: it has no command, and was started")
                } else {
                    let health = match job.status {
                        Status::Healthy => ", and is healthy",
                        Status::Unhealthy => ", but its health check fails",
                        Status::Maintenance => ", and is in maintenance",
                        Status::Unknown if job.spec.check().is_some() => ", and was not checked yet",
                        Status::Idle | Status::Unknown | Status::AlwaysHealthy => "",
                    };
                    format!("{name} has been running for {for_how_long}{health}")
                }
            }
            State::Backoff => {
                facts.extend(remedy(job));
                if let Some(failed) = job.failed_start() {
                    let next = elapsed(failed.next.since(now));
                    format!("{name} does not run: its start failed ({}) and is tried again in {next}", failed.reason)
                } else {
                    facts.push(Reason::about("restarts", job.restarts_in_words()));
                    let next = elapsed(job.not_before.since(now));
                    format!("{name} is started again in {next}: its last run {}", ended(job, now))
                }
            }
            State::Stopping => {
                let asked = if job.halted { " by hand" } else { "" };
                let then = if job.again { ", and starts again then" } else { "" };
                let waits_for = self.waits_for(job);
                if let Some(at) = job.run.as_ref().and_then(|run| run.killed_at) {
                    facts.push(Reason::new(format!("its process group gets SIGKILL in {}", elapsed(at.since(now)))));
                }
                format!("{name} has been stopping for {for_how_long}{asked}: it waits {waits_for}{then}")
            }
            State::Stopped => {
                format!(
                    "{name} was stopped by hand {for_how_long} ago: it stays so until somebody starts it or a reload \
                     changes it"
                )
            }
            State::Done if job.last.is_none() && job.started => format!("{name} is over: it was stopped"),
            State::Done if job.last.is_none() => {
                format!("{name} is over and has never run: what it waited for did not come, or everything stops")
            }
            State::Done => {
                let restarts = match job.spec.restarts {
                    Restarts::Never => "it is not started again (`restarts: \"never\"`)".to_owned(),
                    Restarts::Times(n) if job.restarts_left == 0 => format!("its {n} restarts are used up"),
                    Restarts::Times(_) | Restarts::Unlimited => "it was stopped".to_owned(),
                };
                facts.extend(remedy(job));
                format!("{name} is over: its last run {}, and {restarts}", ended(job, now))
            }
        };
        Explanation { summary, facts }
    }

    fn why_it_waits(&self, job: &Job, now: Moment, seen: &mut Vec<JobId>) -> Explanation {
        let name = job.name();
        let began = if job.runs == 0 {
            format!("{name} has not started")
        } else {
            let times = if job.runs == 1 { "once".to_owned() } else { format!("{} times", job.runs) };
            format!("{name} does not run now (it has run {times})")
        };
        let mut facts = Vec::new();
        if job.last.as_ref().is_some_and(|last| last.code != 0) {
            facts.push(Reason::about("last", format!("its last run {}", ended(job, now))));
            facts.extend(remedy(job));
        }
        if job.due > 0 {
            facts.push(Reason::new("maintenance mode is on, and it pauses then (`pauseInMaintenance`)".to_owned()));
            return Explanation { summary: format!("{began}: it waits for the end of maintenance"), facts };
        }
        let waits_for = match &job.spec.when {
            When::Once(trigger) | When::Each(trigger) if job.armed => {
                facts.push(self.outlook(trigger, now, seen));
                let next = if matches!(job.spec.when, When::Each(_)) && job.runs > 0 { "the next time " } else { "" };
                let what = if next.is_empty() { to_happen(trigger) } else { happens(trigger) };
                format!("it waits for {next}{what}")
            }
            When::Every(_) => match job.next_tick {
                Some(at) => format!("its next run begins in {} ({})", elapsed(at.since(now)), job.when_in_words()),
                None => "the program has not started it".to_owned(),
            },
            When::Signal(signal) => format!("it waits for {}", signal.name()),
            When::Never(_) => "its `when` names no event, so nothing starts it".to_owned(),
            When::Startup | When::Once(_) | When::Each(_) => "its event has come and gone".to_owned(),
        };
        if let (Some(until), Some(timeout)) = (job.wait_until, job.spec.wait_timeout) {
            let (left, of) = (elapsed(until.since(now)), elapsed(timeout));
            facts.push(Reason::new(format!("{name} gives up in {left} (`when.timeout` {of})")));
        }
        Explanation { summary: format!("{began}: {waits_for}"), facts }
    }

    /// How things stand with an event that somebody waits for.
    fn outlook(&self, trigger: &Trigger, now: Moment, seen: &mut Vec<JobId>) -> Reason {
        let Trigger { source, event } = trigger;
        if source == GLOBAL {
            let on = if self.ledger.maintenance { "on" } else { "off" };
            return Reason::new(match event {
                EventCode::EnterMaintenance | EventCode::ExitMaintenance => format!("maintenance is {on}"),
                _ => "that is an event of the program as a whole".to_owned(),
            });
        }
        if source.starts_with("watch.") {
            return Reason::new(match self.watches.values().find(|watch| *watch.source == **source) {
                Some(watch) if !watch.known => format!("nothing is known of {source} yet: Consul has not answered"),
                Some(watch) => format!("{source} has {}", count(watch.instances.len(), "healthy instance")),
                None => format!("there is no watch of that name: {source}"),
            });
        }
        let of = source.strip_prefix("check.").unwrap_or(source);
        let Some(job) = self.jobs().find(|job| job.name() == of) else {
            return Reason::new(format!(
                "there is no job, watch or signal that is called {source}: it will never come"
            ));
        };
        if seen.contains(&job.id) || seen.len() >= DEEPEST {
            return Reason::new(format!("see above: {}", job.name()));
        }
        seen.push(job.id);
        let Explanation { summary, facts } = self.explain(job, now, seen);
        let mut reason = Reason { about: "", says: summary, because: facts };
        if job.stage == Stage::Complete && !job.halted && !job.again {
            reason.because.push(Reason::new("it will not happen any more, unless somebody starts it".to_owned()));
        } else if *event == EventCode::StatusHealthy && job.spec.check().is_none() && job.spec.health.is_none() {
            reason.because.push(Reason::new(format!("{of} has no health check, so it is never called healthy")));
        }
        reason
    }
}

/// `ended with exit status 1 after 0.2s, 1.1s ago`
fn ended(job: &Job, now: Moment) -> String {
    let Some(last) = &job.last else { return "has not ended".to_owned() };
    let ago = elapsed(now.since(last.at));
    let quick = job.streak.length();
    let again =
        if quick > 1 && job.pausing { format!(", the {} quick end in a row", ordinal(quick)) } else { String::new() };
    if last.lasted == Duration::ZERO && matches!(last.code, 126 | 127) {
        return format!("could not be started: {}, {ago} ago{again}", last.text);
    }
    format!("ended with {} after {}, {ago} ago{again}", last.text, elapsed(last.lasted))
}

/// What helps a job that could not be started for want of something.
fn remedy(job: &Job) -> Option<Reason> {
    let lacks = match job.failed_start() {
        Some(failed) => Some(failed.lacks),
        None => job.last.as_ref().and_then(|last| last.lacked),
    };
    lacks.map(|lacks| Reason::new(lacks.remedy().to_owned()))
}

/// How its health stands, if that is checked.
fn health(job: &Job, now: Moment) -> Vec<Reason> {
    let Some((health, check)) = job.spec.health.as_ref().and_then(|health| Some((health, health.exec.as_ref()?)))
    else {
        return Vec::new();
    };
    let limit = check.timeout.map(|limit| format!(", at most {}", elapsed(limit))).unwrap_or_default();
    let words: Vec<&String> = std::iter::once(&check.program).chain(&check.args).collect();
    let mut facts =
        vec![Reason::about("check", format!("{}, every {}{limit}", quoted(&words), elapsed(health.interval)))];
    if let Some(at) = job.checked {
        let ago = elapsed(now.since(at));
        let times = usize::try_from(job.failed_checks).unwrap_or(usize::MAX);
        facts.push(Reason::about(
            "last",
            match times {
                0 => format!("passed {ago} ago"),
                1 => format!("{ago} ago: {}", job.check_failure),
                _ => format!("{ago} ago: {}; it has failed {times} times in a row", job.check_failure),
            },
        ));
    }
    facts
}
