//! How a job stands, for people: a state and half sentences, made of what the rules know. Nothing decides by these.

use serde::{Deserialize, Serialize};

use super::job::{Cause, Job, Stage};
use super::say::{count, elapsed};
use super::world::World;
use super::{ChildId, Moment};
use crate::plan::{EventCode, Restarts, Trigger, When};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// It waits for its first start, or for the next one that an event or the clock brings.
    Waiting,
    /// Its command runs; without one, it is there.
    Running,
    /// It pauses before a restart, or before a start is tried again.
    Backoff,
    /// It stops.
    Stopping,
    /// Somebody has stopped it by hand.
    Stopped,
    /// It is over.
    Done,
}

impl State {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Running, Self::Backoff, Self::Stopping, Self::Stopped, Self::Done];

    /// The word for people and labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }
}

/// How the last run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastExit {
    /// As a shell would tell it; 126 or 127 if it could not be started.
    pub code: i32,
    /// In the original's words, or why it could not be started.
    pub text: String,
    /// When.
    pub at: Moment,
    /// How long it lasted.
    pub lasted: std::time::Duration,
}

/// The next start, where the clock decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStart {
    /// When.
    pub at: Moment,
    /// Why then: `every 5s`, `exit 1, 7th time in a row`.
    pub why: String,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What it does.
    pub state: State,
    /// Since when, but for one that waits.
    pub since: Option<Moment>,
    /// The run that goes on.
    pub child: Option<ChildId>,
    /// How the last one ended.
    pub last: Option<LastExit>,
    /// When the last check ended.
    pub checked: Option<Moment>,
    /// How many checks have failed in a row.
    pub failed_checks: u64,
    /// How the last one failed, while it does.
    pub check_failure: String,
    /// The next start that the clock brings.
    pub next: Option<NextStart>,
    /// `for app to be healthy`; empty where it waits for nothing but the clock.
    pub waits_for: String,
}

impl Job {
    /// What it does.
    pub fn state(&self) -> State {
        match self.stage {
            Stage::Complete if self.again => State::Stopping,
            Stage::Complete if self.halted => State::Stopped,
            Stage::Complete => State::Done,
            Stage::Leaving | Stage::Withdrawing | Stage::Terminating => State::Stopping,
            Stage::Live if self.is_there() => State::Running,
            Stage::Live if self.is_between_starts() => State::Backoff,
            Stage::Live => State::Waiting,
        }
    }

    /// Since when, but for one that waits or has no process.
    pub(super) fn since(&self) -> Option<Moment> {
        match self.state() {
            State::Waiting => None,
            State::Running => self.run.as_ref().map(|run| run.started),
            State::Backoff => match self.failed_start() {
                Some(failed) => Some(failed.since),
                None => self.last.as_ref().map(|last| last.at),
            },
            State::Stopping | State::Stopped | State::Done => Some(self.since),
        }
    }

    pub(super) fn next_start(&self) -> Option<NextStart> {
        if let Some(failed) = self.failed_start().filter(|_| self.stage == Stage::Live) {
            return Some(NextStart { at: failed.next, why: failed.reason.clone() });
        }
        if self.state() == State::Backoff {
            let how = self.last.as_ref().map_or_else(|| "ended".to_owned(), |last| format!("exit {}", last.code));
            let times = ordinal(self.streak.length());
            let why = if self.streak.length() > 1 { format!("{how}, {times} time in a row") } else { how };
            return Some(NextStart { at: self.not_before, why });
        }
        let at = self.next_tick.filter(|_| self.stage == Stage::Live)?;
        Some(NextStart { at, why: self.when_in_words() })
    }

    /// When it starts: `once app is healthy`.
    pub fn when_in_words(&self) -> String {
        match &self.spec.when {
            When::Startup => "at the start".to_owned(),
            When::Once(trigger) => format!("once {}", happens(trigger)),
            When::Each(trigger) => format!("each time {}", happens(trigger)),
            When::Every(period) => format!("every {}", elapsed(*period)),
            When::Signal(signal) => format!("on each {}", signal.name()),
            When::Never(_) => "never: its `when` names no event".to_owned(),
        }
    }

    /// Why it was started: `once app is healthy`, `restart 7`, `asked for`.
    pub fn start_in_words(&self) -> String {
        match self.cause {
            Cause::Event => self.when_in_words(),
            Cause::Restart => format!("restart {}", self.restarts),
            Cause::ByHand => "asked for".to_owned(),
        }
    }

    /// How it is started again.
    pub fn restarts_in_words(&self) -> String {
        match (self.spec.restarts, &self.spec.backoff) {
            (Restarts::Never, _) => "never".to_owned(),
            (Restarts::Times(n), _) => count(usize::try_from(n).unwrap_or(usize::MAX), "time"),
            (Restarts::Unlimited, None) => "unlimited, without a pause".to_owned(),
            (Restarts::Unlimited, Some(backoff)) => {
                let [initial, max, after] = [backoff.initial, backoff.max, backoff.healthy_after].map(elapsed);
                let free = match backoff.free {
                    0 => String::new(),
                    1 => " after 1 quick end".to_owned(),
                    free => format!(" after {free} quick ends"),
                };
                format!("unlimited, backoff {initial} → {max}{free}, reset after {after}")
            }
        }
    }
}

impl World {
    /// How a job stands.
    pub fn look(&self, job: &Job) -> Look {
        Look {
            state: job.state(),
            since: job.since(),
            child: job.run.as_ref().map(|run| run.child),
            last: job.last.as_ref().map(|last| LastExit {
                code: last.code,
                text: last.text.clone(),
                at: last.at,
                lasted: last.lasted,
            }),
            checked: job.checked,
            failed_checks: job.failed_checks,
            check_failure: if job.failed_checks > 0 { job.check_failure.clone() } else { String::new() },
            next: job.next_start(),
            waits_for: self.waits_for(job),
        }
    }

    /// What it waits for, as half a sentence; empty for nothing but the clock.
    pub(super) fn waits_for(&self, job: &Job) -> String {
        match job.state() {
            State::Waiting if job.due > 0 => "for the end of maintenance".to_owned(),
            State::Waiting => match &job.spec.when {
                When::Once(trigger) | When::Each(trigger) if job.armed => format!("for {}", to_happen(trigger)),
                When::Signal(signal) => format!("for {}", signal.name()),
                When::Never(_) => "for nothing: its `when` names no event".to_owned(),
                When::Startup | When::Every(_) | When::Once(_) | When::Each(_) => String::new(),
            },
            State::Stopping => self.stop_waits_for(job),
            State::Running | State::Backoff | State::Stopped | State::Done => String::new(),
        }
    }

    fn stop_waits_for(&self, job: &Job) -> String {
        match job.stage {
            Stage::Leaving => {
                let names: Vec<&str> =
                    self.awaited(job.id).into_iter().filter_map(|id| self.job(id)).map(Job::name).collect();
                format!("for {} to end", names.join(", "))
            }
            Stage::Withdrawing => "for Consul to take its service out".to_owned(),
            Stage::Terminating if job.run.is_none() => "for its health check to end".to_owned(),
            // It starts anew when that is done.
            Stage::Complete => "for the reload to be done".to_owned(),
            Stage::Live | Stage::Terminating => "for its process to end".to_owned(),
        }
    }
}

/// `app is healthy`
pub(super) fn happens(trigger: &Trigger) -> String {
    let source = &trigger.source;
    let watch = source.starts_with("watch.");
    match trigger.event {
        EventCode::ExitSuccess => format!("{source} has ended well"),
        EventCode::ExitFailed => format!("{source} has failed"),
        EventCode::Stopping => format!("{source} begins to stop"),
        EventCode::Stopped => format!("{source} has stopped"),
        EventCode::StatusHealthy if watch => format!("{source} has instances"),
        EventCode::StatusUnhealthy if watch => format!("{source} has no instance"),
        EventCode::StatusHealthy => format!("{source} is healthy"),
        EventCode::StatusUnhealthy => format!("{source} is unhealthy"),
        EventCode::StatusChanged => format!("{source} has changed"),
        EventCode::TimerExpired => format!("{source} has waited too long"),
        EventCode::EnterMaintenance => "maintenance begins".to_owned(),
        EventCode::ExitMaintenance => "maintenance ends".to_owned(),
        EventCode::Startup => "everything is ready".to_owned(),
        EventCode::Shutdown => "everything stops".to_owned(),
        EventCode::Signal => format!("{source} comes"),
        EventCode::Error | EventCode::Quit => format!("{source} tells `{}`", trigger.event.log_name()),
    }
}

/// `app to be healthy`
pub(super) fn to_happen(trigger: &Trigger) -> String {
    let source = &trigger.source;
    let watch = source.starts_with("watch.");
    match trigger.event {
        EventCode::ExitSuccess => format!("{source} to end well"),
        EventCode::ExitFailed => format!("{source} to fail"),
        EventCode::Stopping => format!("{source} to begin to stop"),
        EventCode::Stopped => format!("{source} to stop"),
        EventCode::StatusHealthy if watch => format!("{source} to have instances"),
        EventCode::StatusUnhealthy if watch => format!("{source} to have no instance"),
        EventCode::StatusHealthy => format!("{source} to be healthy"),
        EventCode::StatusUnhealthy => format!("{source} to be unhealthy"),
        EventCode::StatusChanged => format!("{source} to change"),
        EventCode::TimerExpired => format!("{source} to wait too long"),
        EventCode::EnterMaintenance => "maintenance".to_owned(),
        EventCode::ExitMaintenance => "the end of maintenance".to_owned(),
        EventCode::Startup => "everything to be ready".to_owned(),
        EventCode::Shutdown => "everything to stop".to_owned(),
        EventCode::Signal => source.clone(),
        EventCode::Error | EventCode::Quit => format!("{source} to tell `{}`", trigger.event.log_name()),
    }
}

/// `1st`, `2nd`, `7th`
pub(super) fn ordinal(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn numbers_have_their_endings() {
        let said = [1, 2, 3, 4, 11, 12, 13, 21, 101, 111].map(ordinal);
        assert_eq!(said, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"]);
    }
}
