//! Where and how log records are written.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The `logging` section (v3 §17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Records below this level are dropped.
    pub level: Level,
    /// The shape of a line.
    pub format: LogFormat,
    /// Where lines go.
    pub output: LogOutput,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Default, output: LogOutput::Stdout }
    }
}

/// A log level, least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every event and effect.
    Debug,
    /// Life-cycle changes that one would tell a colleague, and the lines of jobs.
    Info,
    /// We coped, but it isn't right.
    Warn,
    /// Somebody must act.
    Error,
    /// The last word before an unsuccessful end.
    Fatal,
    /// Accepted as a configured level because the original did; nothing logs at it.
    Panic,
}

/// The shape of a log line (v3 §17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `<time>[ job][ pid] message`.
    Default,
    /// `time="…" level=info msg="…" job=web pid=42`.
    Text,
    /// One JSON object with sorted keys.
    Json,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogOutput {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
    /// A file, appended to; rotation is followed (design §4 row 12).
    File(PathBuf),
}
