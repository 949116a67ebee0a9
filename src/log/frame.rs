//! What stands around a message, kept for the next line.
//!
//! The lines of one read differ in nothing but their text: time, job and pid are spelled once for all of them.

use std::time::SystemTime;

use super::record::{Origin, Record};
use crate::plan::Level;

/// The bytes before and behind a message, and for which records they are right.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    of: Option<(SystemTime, Level, Option<i32>, Kind)>,
    /// Whom the origin names.
    name: String,
    /// Up to the message.
    pub(super) before: Vec<u8>,
    /// From the message on.
    pub(super) after: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Job,
    Check,
}

fn key<'a>(record: &Record<'a>) -> ((SystemTime, Level, Option<i32>, Kind), &'a str) {
    let (kind, name) = match record.origin {
        Origin::Own => (Kind::Own, ""),
        Origin::Job(name) => (Kind::Job, name),
        Origin::Check(name) => (Kind::Check, name),
    };
    ((record.time, record.level, record.pid, kind), name)
}

impl Frame {
    /// Whether it is right for this record, which has no fields.
    pub(super) fn is_of(&self, record: &Record<'_>) -> bool {
        let (of, name) = key(record);
        self.of == Some(of) && self.name == name
    }

    /// It will be for this one, and is empty.
    pub(super) fn begin(&mut self, record: &Record<'_>) {
        let (of, name) = key(record);
        self.of = Some(of);
        self.name.clear();
        self.name.push_str(name);
        self.before.clear();
        self.after.clear();
    }

    /// It is for nobody.
    pub(super) fn forget(&mut self) {
        self.of = None;
    }
}
