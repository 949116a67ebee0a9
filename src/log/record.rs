//! One log record, before it has a shape.

use std::time::SystemTime;

use crate::kept::LogStream;
use crate::plan::Level;

/// What one log line says. Cheap to make: everything is borrowed.
///
/// The message is bytes because a job's output is: only the `json` format replaces what is no UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When it happened, or when the line was read.
    pub time: SystemTime,
    /// How severe it is.
    pub level: Level,
    /// Who speaks.
    pub origin: Origin<'a>,
    /// The process that wrote it.
    pub pid: Option<i32>,
    /// Where it was written, if that is known. No format shows it.
    pub stream: Option<LogStream>,
    /// What is said, without a newline at its end.
    pub message: &'a [u8],
    /// More keys and values, of our own newer messages, in any order. The `default` format does not show them.
    pub fields: &'a [(&'a str, Value<'a>)],
}

impl<'a> Record<'a> {
    /// A message of our own without any field.
    pub fn own(time: SystemTime, level: Level, message: &'a str) -> Self {
        Self { time, level, origin: Origin::Own, pid: None, stream: None, message: message.as_bytes(), fields: &[] }
    }

    /// A line that a job or a health check has written: always at level info (v3 §9).
    pub fn line(time: SystemTime, origin: Origin<'a>, pid: Option<i32>, line: &'a [u8]) -> Self {
        Self { time, level: Level::Info, origin, pid, stream: None, message: line, fields: &[] }
    }
}

/// Whose words a block of lines is.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The job or the health check.
    pub origin: Origin<'a>,
    /// Its process.
    pub pid: Option<i32>,
    /// Where that wrote them, if that is known.
    pub stream: Option<LogStream>,
}

/// Who speaks in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// This program.
    Own,
    /// The job of that name.
    Job(&'a str),
    /// The health check of that name (`check.JOB`). The `default` format does not show it (v3 §17).
    Check(&'a str),
}

impl<'a> Origin<'a> {
    /// The field that names it: `job` or `check`, and the name.
    pub(super) fn field(self) -> Option<(&'static str, &'a str)> {
        match self {
            Self::Own => None,
            Self::Job(name) => Some(("job", name)),
            Self::Check(name) => Some(("check", name)),
        }
    }
}

/// The value of an extra field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A number with a fraction. What JSON can't spell (NaN, infinity) is a string there.
    Float(f64),
    /// A switch.
    Bool(bool),
}
