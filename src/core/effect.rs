//! Everything that the world asks its shell to do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ChildId, Event, JobId, Moment, Report, Slot, Timer};
use crate::plan::{Level, Signal};

/// One thing to do, carried out in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    },
    /// Tell Consul about a job's service.
    Report {
        /// Whose service.
        job: JobId,
        /// What.
        report: Report,
    },
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
