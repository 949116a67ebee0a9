//! What a scrape shows of the jobs and watches, as the loop gives it.

use std::net::IpAddr;
use std::time::Duration;

/// What a job does.
pub use crate::core::State as JobState;
use crate::core::{Moment, Status};

/// How things stand at one moment, in file order.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// All jobs, the one that stands for telemetry too.
    pub jobs: Vec<JobView>,
    /// The names of all watches, without `watch.`.
    pub watches: Vec<String>,
    /// Everything is stopping.
    pub stopping: bool,
    /// Maintenance mode is on.
    pub maintenance: bool,
    /// Lines of the log that were lost since the start.
    pub lost_log_lines: u64,
    /// How long the log's output has taken nothing, where that is long.
    pub log_blocked: Duration,
}

/// One job.
#[derive(Debug, Clone)]
pub struct JobView {
    /// Its name, which need not be unique.
    pub name: String,
    /// What it does.
    pub state: JobState,
    /// Its health.
    pub health: Status,
    /// Whether a command checks its health.
    pub is_checked: bool,
    /// Whether the container is not ready without it: `main` or `required` (design §6).
    pub is_needed: bool,
    /// It stands for our own telemetry.
    pub is_telemetry: bool,
    /// Where it is advertised, if it is.
    pub service: Option<(IpAddr, i64)>,
    /// How often it was started again.
    pub restarts: u64,
    /// The exit status of its last run, as a shell would tell it.
    pub last_exit: Option<i32>,
    /// When the run that goes on was started.
    pub running_since: Option<Moment>,
}
