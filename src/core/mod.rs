//! The pure heart: all state, and what every input does to it.
//!
//! [`World::step`] is a function from state and input to state and effects. Nothing here reads a clock, starts a
//! process, writes a log or is random: time is a [`Moment`] that is passed in, and everything else is an
//! [`Effect`] that the driver carries out. That makes the rules testable in microseconds and replayable.
//!
//! | file | subject |
//! |---|---|
//! | `world` | all jobs, `step` |
//! | `bus` | the event queue |
//! | `job` | one job's rules (v3 §11) |
//! | `start`, `end` | when it starts; what the end of a run means |
//! | `health` | its check |
//! | `stop` | how one job stops (v3 §12.1) |
//! | `shutdown` | how everything stops, and the exit status (design §5) |
//! | `service` | what Consul is told of a job |
//! | `watch` | what changed about a service of others |
//! | `exec` | one run of one command: time limit, escalation |
//! | `backoff`, `cycle` | the pause before a restart; which jobs wake each other for ever |
//! | `reconcile`, `reload`, `adopt` | what a new plan changes; when and in which order; what a job takes over while it lives |
//! | `order` | what somebody orders a job by hand |
//! | `look`, `why` | how a job stands, and why, for people |
//! | `event`, `input`, `effect` | the vocabulary |
//!
//! The event bus is a queue inside the world: an event is handed to every job in file order before the next one
//! is, so all jobs see the same events in the same order, and nothing can be full, lost or deadlocked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod adopt;
mod backoff;
mod bus;
mod cycle;
mod effect;
mod end;
mod event;
mod exec;
mod health;
mod input;
mod job;
mod look;
mod order;
mod reconcile;
mod reload;
mod say;
mod service;
mod shutdown;
mod start;
mod stop;
mod turn;
mod watch;
mod why;
mod world;

#[cfg(test)]
mod tests;

pub use effect::Effect;
pub use event::{Event, GLOBAL};
pub use input::{Input, Lack, SpawnFailure, Timer};
pub use job::{Job, Stage, Status};
pub use look::{LastExit, Look, NextStart, State};
pub use order::Order;
pub use reconcile::Summary;
pub use say::{count, elapsed, exit_status, some_names};
pub use service::Report;
pub use watch::{Instance, WatchId};
pub use why::{Explanation, Reason};
pub use world::World;

/// One run of one command. Never a pid, never used twice in the life of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChildId(pub u64);

/// A job, by a number that is never used again: a reload gives a new one to a job that starts anew. Names need not be
/// unique, so they don't identify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u32);

/// What a run belongs to: at most one live run per slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// The job's command.
    Exec(JobId),
    /// The job's health check.
    Check(JobId),
}

impl Slot {
    /// Whose it is.
    pub fn job(self) -> JobId {
        match self {
            Self::Exec(job) | Self::Check(job) => job,
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It ended by itself with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal(crate::plan::Signal),
}

impl ExitStatus {
    /// Whether it ended with status 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// As a shell would tell it: the status, or 128 and the signal's number.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_i32.saturating_add(signal.number()),
        }
    }
}

/// A moment of the monotonic clock, as the time since the program's epoch. It survives a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub Duration);

impl Moment {
    /// The moment so much later; the end of time at the latest.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time since an earlier moment, zero if it is a later one.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
