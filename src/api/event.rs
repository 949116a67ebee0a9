//! What happened, and what was said: the lines of the streams.
//!
//! A stream is one JSON object a line. Each has a number, `seq`, one more than that of the line before it in the same
//! stream: who sees a jump has been told of it by a [`Lost`] line between. (The events of one job have the numbers of all
//! events, and jumps where others were told.) An empty line says only that the stream lives.

use serde::{Deserialize, Deserializer, Serialize};

/// Something that happened: an event of the bus, or a step of a job's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Its number among all events, also in `/v4/jobs/{name}/events`.
    pub seq: u64,
    /// When.
    pub time: String,
    /// To whom: a job, `check.JOB`, `watch.NAME`, `global`, a signal.
    pub source: String,
    /// What, as `when` spells it (`exitFailed`, `healthy`), and `start`, `backoff`, `reload` beside those.
    pub event: String,
    /// More of it: `code 1 after 0.2s`, `pid 57`. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Its number: of all lines in `/v4/logs`, of the job's own ones in `/v4/jobs/{name}/logs`.
    pub seq: u64,
    /// When it was read.
    pub time: String,
    /// The job that wrote it, itself or its health check; nothing for a line of our own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// It comes from the job's health check.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
    /// Where it was written; nothing for a line of our own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub stream: Option<LogStream>,
    /// The process, if it is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How severe it is: `debug`, `info`, `warn`, `error`. A job's lines are `info`.
    pub level: String,
    /// The line, without its end. What is no UTF-8 is shown with replacement characters.
    pub text: String,
}

/// Where a job's line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogStream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// A word of another version is as none: nobody who reads it here needs it.
fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LogStream>, D::Error> {
    let word: Option<String> = Option::deserialize(from)?;
    Ok(match word.as_deref() {
        Some("stdout") => Some(LogStream::Stdout),
        Some("stderr") => Some(LogStream::Stderr),
        _ => None,
    })
}

/// A line that stands for those that were thrown away before this reader could have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// How many.
    pub dropped: u64,
}
