//! One job, as `/v4/jobs` shows it.

use serde::{Deserialize, Serialize};

/// A job and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name, which need not be unique.
    pub name: String,
    /// What it does.
    pub state: JobState,
    /// Since when it runs, stops, pauses, or is over. Nothing before its first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How long ago that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Of the process that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The signal that has stopped that process, until it is continued: it is there and does nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stopped_by: String,
    /// How many runs were begun.
    pub runs: u64,
    /// How often it was started again because its run had ended.
    pub restarts: u64,
    /// How its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<Exit>,
    /// Its health check, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What Consul is told of it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// When it starts next, if the clock decides that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// What it waits for, as half a sentence: `for app to be healthy`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waits_for: String,
    /// Why it could not be started, while that is tried again in a moment: there was no process, memory or descriptor for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub start_failure: String,
    /// When it starts, in the words of the configuration: `once app is healthy`, `every 5s`.
    pub when: String,
    /// How it is started again: `never`, `3 times`, `unlimited, backoff 100ms → 10s, reset after 10s`.
    pub restarts_policy: String,
    /// Its command and arguments; empty for a job without one.
    pub command: Vec<String>,
    /// The container's application: everything stops when it ends by itself for good, but not when it is stopped by hand or
    /// by a reload.
    #[serde(default)]
    pub main: bool,
    /// It stands for our own telemetry.
    #[serde(default)]
    pub telemetry: bool,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "String")]
pub enum JobState {
    /// It waits for its first start, or for the next one that an event or the clock brings.
    Waiting,
    /// Its command runs; without one, it is there.
    Running,
    /// It pauses before a restart, or before a start is tried again.
    Backoff,
    /// It stops.
    Stopping,
    /// Somebody has stopped it: it stays so until somebody starts it or its configuration changes.
    Stopped,
    /// It is over.
    Done,
    /// A word of another version. Only read, never said.
    #[serde(skip_serializing)]
    Other(String),
}

impl JobState {
    /// The word for people.
    pub fn word(&self) -> &str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for JobState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "waiting" => Self::Waiting,
            "running" => Self::Running,
            "backoff" => Self::Backoff,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "done" => Self::Done,
            _ => Self::Other(word),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// As a shell would tell it: the status, 128 and a signal's number, 126 or 127 when it could not be started.
    pub code: i32,
    /// In words: `exit status 1`, `signal: killed`, or why it could not be started.
    pub text: String,
    /// When.
    pub at: String,
    /// How long ago that is.
    pub ago_ms: u64,
    /// How long the run lasted.
    pub lasted_ms: u64,
}

/// A job's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// What it is.
    pub state: HealthState,
    /// How long ago the last check ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_ms: Option<u64>,
    /// How the last check failed, while it does: `exit status 1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
    /// How many checks have failed in a row.
    pub failures: u64,
    /// The check's command and arguments.
    pub command: Vec<String>,
    /// The time between checks.
    pub interval_ms: u64,
    /// How long a check may take, if that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The states of a job's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "String")]
pub enum HealthState {
    /// Not checked since it was started, or never started.
    Unknown,
    /// The last check passed.
    Healthy,
    /// The last check failed.
    Unhealthy,
    /// Maintenance mode is on: it is not checked.
    Maintenance,
    /// A word of another version. Only read, never said.
    #[serde(skip_serializing)]
    Other(String),
}

impl HealthState {
    /// The word for people.
    pub fn word(&self) -> &str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Maintenance => "maintenance",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for HealthState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "unknown" => Self::Unknown,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            "maintenance" => Self::Maintenance,
            _ => Self::Other(word),
        }
    }
}

/// A job's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its id in Consul.
    pub id: String,
    /// Where it is advertised.
    pub address: String,
    /// And behind which port.
    pub port: i64,
    /// What Consul was told last, as Consul says it: `passing`, `warning`, `critical`; nothing while it is not registered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// How long ago Consul was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_ms: Option<u64>,
    /// Why it is not registered though its job was started, if that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
}

/// The next start that the clock brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// When.
    pub at: String,
    /// How long that is from now.
    pub in_ms: u64,
    /// Why then: `every 5s`, `exit 1, 7th time in a row`.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HealthState, JobState};

    /// The words that the description has for a state.
    fn described(at: &str) -> Vec<String> {
        let all: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
        serde_json::from_value(all.pointer(&format!("/components/schemas/{at}/enum")).unwrap().clone()).unwrap()
    }

    #[test]
    fn words_that_are_described_are_known_and_others_are_kept_and_never_said() {
        let of_jobs = described("JobState").into_iter().map(|word| (JobState::from(word.clone()), word));
        for (state, word) in of_jobs {
            assert_eq!((state.word(), serde_json::to_value(&state).unwrap()), (word.as_str(), json!(word)));
        }
        let of_health =
            described("Health/properties/state").into_iter().map(|word| (HealthState::from(word.clone()), word));
        for (state, word) in of_health {
            assert_eq!((state.word(), serde_json::to_value(&state).unwrap()), (word.as_str(), json!(word)));
        }
        let state: JobState = serde_json::from_str("\"frozen\"").unwrap();
        let health: HealthState = serde_json::from_str("\"drowsy\"").unwrap();
        assert_eq!((state.word(), health.word()), ("frozen", "drowsy"));
        assert!(serde_json::to_string(&state).is_err() && serde_json::to_string(&health).is_err());
    }
}
