//! The words of `/v4`: what the control socket answers and what the console reads, as types (design §6). A leaf, so that
//! both ends have one shape.
//!
//! Everything is JSON with camelCase keys. A moment is RFC 3339 in UTC with milliseconds (`2026-11-22T12:04:11.201Z`), a
//! duration a number of milliseconds whose key ends in `Ms`. What is not known, or does not apply, is not there. Readers
//! must pass over keys that they don't know: new ones come with new versions. For the same reason a word of state may be one
//! that is not known here, and a boolean that is not there is false; what we say ourselves has only known words, and all of
//! them that `docs/openapi.json` asks for.

mod event;
mod job;
mod stamp;
mod why;

use serde::{Deserialize, Serialize};

pub use self::event::{EventRecord, LogLine, LogStream, Lost};
pub use self::job::{Exit, Health, HealthState, Job, JobState, Next, Service};
pub use self::stamp::stamp;
pub use self::why::{Fact, Why};

/// `GET /v4/jobs`: how everything stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Of this program.
    pub version: String,
    /// The supervisor's own pid, 1 in a container.
    pub pid: i32,
    /// When it started.
    pub since: String,
    /// How long ago that is.
    pub up_ms: u64,
    /// Everything is stopping.
    #[serde(default)]
    pub stopping: bool,
    /// Maintenance mode is on.
    #[serde(default)]
    pub maintenance: bool,
    /// As `/readyz` says it.
    pub ready: Readiness,
    /// Where Consul is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consul: Option<Consul>,
    /// What is wrong with the log's output, while something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// In file order.
    pub jobs: Vec<Job>,
}

/// What is wrong with the log's output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// For so long it has taken nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_ms: Option<u64>,
    /// … and jobs that write wait for it.
    #[serde(default)]
    pub jobs_wait: bool,
    /// Why it could not be written, or opened again, when that was tried last.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// How many lines were lost so far.
    #[serde(default)]
    pub lost: u64,
}

/// Whether the container does what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The answer.
    #[serde(default)]
    pub ready: bool,
    /// How many of those that count are.
    #[serde(default)]
    pub count: usize,
    /// How many count: `main` jobs, without any those with a health check.
    #[serde(default)]
    pub of: usize,
    /// Why not, when it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What is known of the Consul agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consul {
    /// As configured.
    pub address: String,
    /// Whether its last answer was a good one; nothing before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// What was wrong last, while something is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
}

/// `GET /v4/watches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watches {
    /// In file order.
    pub watches: Vec<Watch>,
}

/// One watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    /// The service that it looks for; its events come from `watch.NAME`.
    pub name: String,
    /// The tag that is wanted, if one is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The data centre, if one is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dc: String,
    /// How old an answer may be at most.
    pub interval_ms: u64,
    /// The healthy instances that were seen last.
    pub instances: Vec<Instance>,
    /// Whether Consul has answered at all; before that nothing is known of the instances.
    #[serde(default)]
    pub known: bool,
    /// When that list changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

/// A healthy instance of a watched service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its id in Consul.
    pub id: String,
    /// Where it is.
    pub address: String,
    /// And behind which port.
    pub port: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its node.
    pub node: String,
}

/// The body of `POST /v4/reload`; none is as good as the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReloadRequest {
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a reload did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// It would do so: nothing was done.
    #[serde(default)]
    pub dry_run: bool,
    /// How long it took, from the request to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Everything stopped and started anew (`reload: "restart"`).
    #[serde(default)]
    pub everything: bool,
    /// Their process had to be another.
    pub restarted: Vec<Changed>,
    /// Changed while they run.
    pub changed: Vec<Changed>,
    /// Names of jobs that are gone.
    pub removed: Vec<String>,
    /// Names of jobs that are new.
    pub added: Vec<String>,
    /// How many jobs go on as they were.
    pub unchanged: usize,
}

/// A job that a reload changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Its name.
    pub job: String,
    /// What is another, as the configuration spells it: `exec`, `health.interval`.
    pub fields: Vec<String>,
}

/// The body of `POST /v4/maintenance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceRequest {
    /// Whether it is to be on.
    pub on: bool,
}

/// What `/v4/maintenance` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// Whether it is on.
    pub on: bool,
    /// How many services are registered with Consul otherwise; in the answer to a request that changes it, how many that
    /// takes out or lets register again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<usize>,
    /// Whether this request has changed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub toggled: bool,
}

/// The body of `POST /v4/jobs/{name}/signal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalRequest {
    /// A name, with or without `SIG`, or a number as a text.
    pub signal: String,
}

/// `GET /v4/jobs/{name}`: all jobs of that name, which mostly is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jobs {
    /// In file order.
    pub jobs: Vec<Job>,
}

/// The answer to a request that has no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// What was done, as a sentence without a full stop.
    pub said: String,
}

/// What became of `start`, `stop`, `restart` and `signal`: all jobs of that name, which mostly is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// What was done or was so already, as a sentence without a full stop.
    pub said: String,
    /// How they stand now.
    pub jobs: Vec<Job>,
}

/// `GET /v4/env`: the variables that a job would be started with now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Env {
    /// Names and values in the order of the names. What is no UTF-8 is shown with replacement characters; Consul's token, and
    /// a password in its address, as `***`.
    pub env: Vec<(String, String)>,
}

/// The one shape of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is wrong.
    pub error: Error,
}

/// What is wrong with a request, or keeps it from being done. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// A word for programs: `badRequest`, `notFound`, `methodNotAllowed`, `conflict`, `invalid`, `unavailable`.
    pub code: String,
    /// A line for people.
    pub message: String,
    /// More lines, such as the problems of a configuration.
    #[serde(default)]
    pub details: Vec<String>,
}

impl Error {
    /// A refusal without details.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), details: Vec::new() }
    }
}
