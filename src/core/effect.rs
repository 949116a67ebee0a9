//! Everything that the world asks its shell to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ChildId, Event, JobId, Moment, Report, Slot, Summary, Timer, WatchId};
use crate::plan::{Level, Plan, Signal};

/// One thing to do, carried out in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Start the slot's command; answered by `SpawnFailed`, or later by `Exited`.
    Spawn {
        /// The run's name from now on.
        child: ChildId,
        /// Whose command.
        slot: Slot,
    },
    /// Signal the run's process group; nothing if its end, or the failure of its spawn, is already under way to us.
    Signal {
        /// Which run.
        child: ChildId,
        /// What it gets.
        signal: Signal,
    },
    /// Answer with [`Input::Timer`](super::Input::Timer) at this moment; replaces an earlier moment of the same timer.
    Arm {
        /// Which timer.
        timer: Timer,
        /// When.
        at: Moment,
    },
    /// Forget a timer; one that is not armed is no error.
    Disarm {
        /// Which timer.
        timer: Timer,
    },
    /// Write a log line of our own.
    Log {
        /// How much somebody must care.
        level: Level,
        /// A whole sentence or the original's words.
        message: String,
    },
    /// An event was published: count it, show it.
    Published {
        /// The event.
        event: Event,
        /// Whom it counts for: its source, but for an error the command that failed, never a text (design §4 row 16).
        of: Arc<str>,
        /// More of it, for people: how a run ended, which instances came and went. Often empty.
        note: String,
    },
    /// Tell Consul about a job's service.
    Report {
        /// Whose service.
        job: JobId,
        /// What.
        report: Report,
    },
    /// A job's service is new, other than before, or gone with its job: reports are about what the job now says.
    Service {
        /// Whose.
        job: JobId,
    },
    /// Ask Consul about a watch, from now on.
    StartWatch {
        /// Which; [`World::watch`](super::World::watch) tells what it looks for.
        watch: WatchId,
    },
    /// Ask no more.
    StopWatch {
        /// Which.
        watch: WatchId,
    },
    /// Read the configuration again; a good one comes back as [`Input::Reload`](super::Input::Reload).
    Reread,
    /// This plan is followed from now on; what of it is not about jobs and watches is for who carries effects out: the log,
    /// the Consul agent, the addresses in the environment.
    Reconfigure(Box<Plan>),
    /// A reload is done.
    Reloaded(Summary),
    /// Signal every process that is left in the namespace, then tell when none is.
    Sweep {
        /// What they get.
        signal: Signal,
    },
    /// Close and open log files again.
    ReopenLogs,
    /// End the program; nothing comes after it.
    Exit {
        /// Our exit status (design §5).
        status: u8,
    },
}
