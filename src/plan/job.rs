//! Jobs: what they run, when, and how often.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EventCode, ServiceSpec, Signal};

/// One job (v3 §8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The name, which is also the source of its events. Need not be unique.
    pub name: String,
    /// What it runs; a job without one only has a life cycle and a service.
    pub exec: Option<Arc<CommandSpec>>,
    /// What starts it.
    pub when: When,
    /// How long it waits for its first start before it gives up (`when.timeout`).
    pub wait_timeout: Option<Duration>,
    /// How often it is started again after an exit.
    pub restarts: Restarts,
    /// The spacing of unlimited restarts; `None` is v3's immediate restart (design §4 row 6).
    pub backoff: Option<Backoff>,
    /// Bound of the wait from `stopping` to the first signal (design §4 row 3).
    pub stop_timeout: Duration,
    /// The health check.
    pub health: Option<HealthSpec>,
    /// What is registered with Consul, for a job with a port.
    pub service: Option<Box<ServiceSpec>>,
    /// Nothing of it is started while maintenance mode is on (design §6, `pauseInMaintenance`).
    pub pause_in_maintenance: bool,
    /// The container's application: its completion stops everything, its exit status is ours (design §5).
    pub main: bool,
    /// The exit status of this job's final run wins over all others (design §5, `exitCode: "override"`).
    pub overrides_exit_code: bool,
}

impl JobSpec {
    /// The telemetry service: never checked, always healthy (v3 §11).
    pub fn is_telemetry(&self) -> bool {
        self.name == TELEMETRY_JOB
    }

    /// Whether it runs a Consul agent: `consul agent …`, or whatever a job called `consul-agent` or `consul` runs.
    pub fn is_consul_agent(&self) -> bool {
        let runs_it = self.exec.as_ref().is_some_and(|exec| {
            let program = exec.program.rsplit('/').next().unwrap_or_default();
            program == "consul" && exec.args.iter().any(|arg| arg == "agent")
        });
        runs_it || matches!(self.name.as_str(), "consul" | "consul-agent")
    }

    /// The command of its health check.
    pub fn check(&self) -> Option<&Arc<CommandSpec>> {
        self.health.as_ref()?.exec.as_ref()
    }
}

/// The name of the job that stands for our own telemetry service (v3 §16).
pub const TELEMETRY_JOB: &str = "containerpilot";

/// One command: a job's or a health check's. Its runs share it with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// The name in events and messages: the job's, or `check.JOB`.
    pub name: String,
    /// The program, looked up on PATH at each start unless it has a `/`. May be empty, and then fails at the start.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long one run may take before its group is killed.
    pub timeout: Option<Duration>,
    /// Whether the output goes to our own descriptors, untouched (`logging.raw`).
    pub raw: bool,
    /// The variable that holds the pid while the command runs (v3 §9).
    pub pid_variable: String,
}

/// What starts a job (v3 §8.1 rule 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Once, when everything is ready: no `when` at all.
    Startup,
    /// The first time the event happens.
    Once(Trigger),
    /// Every time the event happens.
    Each(Trigger),
    /// At startup and then after each period.
    Every(Duration),
    /// Each time we get this signal (`source: "SIGHUP"`), without any accounting of starts.
    Signal(Signal),
    /// Never: `when` says no event (v3 §8.1 quirk 7d). Holds the source, if one was named.
    Never(Option<String>),
}

/// The event that starts a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Who publishes it: a job, `check.JOB`, `watch.NAME`, `global`.
    pub source: String,
    /// Which event.
    pub event: EventCode,
}

/// How often a job is started again after an exit (v3 §8.1 rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restarts {
    /// Not at all.
    Never,
    /// So many times in its whole life, at least 1.
    Times(u64),
    /// For ever.
    Unlimited,
}

/// The spacing of restarts (design §4 row 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// So many restarts in a row are immediate.
    pub free: u32,
    /// The first pause.
    pub initial: Duration,
    /// What a pause is multiplied with to get the next, at least 1.
    pub factor: f64,
    /// The longest pause; after a successful run at most 1 s.
    pub max: Duration,
    /// A run that lasted so long makes the count start again.
    pub healthy_after: Duration,
    /// Up to this share of a pause is added to it, 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            free: 5,
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(10),
            healthy_after: Duration::from_secs(10),
            jitter: 0.0,
        }
    }
}

/// A job's health check (v3 §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// What decides; without one a started job is simply reported alive.
    pub exec: Option<Arc<CommandSpec>>,
    /// The time between checks.
    pub interval: Duration,
    /// How long Consul waits for the next heartbeat.
    pub ttl: Duration,
}
