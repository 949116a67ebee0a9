//! Many lines of jobs in one go.
//!
//! The writer thread and whoever follows the log are told once, when all lines are in. Told of each line, the writer would
//! wake up for it, write it alone and take the lock from under the next one: a flood would cost several times as much.

use std::time::SystemTime;

use super::record::Record;
use super::writer::{Full, Log};

/// The way of a batch of lines into the log; dropped, it lets the writer run.
#[derive(Debug)]
#[must_use = "dropping it wakes the writer"]
pub struct Lines<'l> {
    log: &'l Log,
    time: SystemTime,
    /// There are some.
    any: bool,
}

impl<'l> Lines<'l> {
    pub(super) fn new(log: &'l Log, time: SystemTime) -> Self {
        Self { log, time, any: false }
    }

    /// When they were read.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// Logs a line that a job or health check has written. Never waits and never drops. Where the level is too high for
    /// them they are only kept.
    ///
    /// # Errors
    ///
    /// [`Full`] if it was not taken: try again after [`Log::room`].
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), Full> {
        self.any = true;
        self.log.queue_line(record)
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        if self.any {
            self.log.tell_of_lines();
        }
    }
}
