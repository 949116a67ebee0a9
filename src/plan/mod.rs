//! What was decided: the validated configuration, immutable and complete.
//!
//! `config` makes a [`Plan`] or diagnostics, everything behind it only reads one. An illegal plan can't be
//! spelled: every default is filled in, every duration is a [`Duration`], and what a field does not mean is no
//! variant. The plan holds no secrets but [`Consul`]'s, whose token prints as `***`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod event;
mod job;
mod logging;
mod reload;
mod services;
mod signal;

pub use event::EventCode;
pub use job::{Backoff, CommandSpec, HealthSpec, JobSpec, Restarts, TELEMETRY_JOB, Trigger, When};
pub use logging::{Level, LogFormat, LogOutput, Logging};
pub use reload::{Reload, ReloadMode};
pub use services::{
    CheckStatus, Consul, ConsulScheme, ConsulTls, Control, MetricKind, MetricSpec, Secret, ServiceSpec, TaggedAddress,
    Telemetry, WatchSpec, Weights, shown_variable,
};
pub use signal::{Signal, SignalAction, SignalMap};

/// The whole of a validated configuration (v3 §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where and how log records are written.
    pub logging: Logging,
    /// How long a stopping process may take from its first signal to SIGKILL (v3 `stopTimeout`; 0 when the file
    /// says a negative number).
    pub stop_timeout: Duration,
    /// The control socket's place.
    pub control: Control,
    /// The Consul agent, or `None` without a `consul` section or with `consul: false` (design §4 row 17).
    pub consul: Option<Consul>,
    /// All jobs in file order, the telemetry service (a job called `containerpilot`) last.
    pub jobs: Vec<JobSpec>,
    /// All watches in file order.
    pub watches: Vec<WatchSpec>,
    /// Telemetry, if the file has the section.
    pub telemetry: Option<Telemetry>,
    /// What a signal to us means.
    pub signals: SignalMap,
    /// How our own exit status is chosen (design §5).
    pub exit_code: ExitCodeRule,
    /// What a reload does, and how soon (design §4 row 11).
    pub reload: Reload,
}

impl Plan {
    /// The Consul agent, if there is something to tell it or to ask.
    pub fn consul_in_use(&self) -> Option<&Consul> {
        let needed = !self.watches.is_empty() || self.jobs.iter().any(|job| job.service.is_some());
        self.consul.as_ref().filter(|_| needed)
    }
}

/// How our own exit status is chosen (design §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitCodeRule {
    /// By the jobs' final runs.
    #[default]
    Truthful,
    /// Always 0, as v3.
    Zero,
}
