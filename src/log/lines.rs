//! Many lines of jobs in one go.
//!
//! They are written, and whoever follows the log is told, once, when all lines are in. Each written alone, a flood would cost
//! several times as much.

use std::time::SystemTime;

use super::record::{Record, Speaker};
use super::writer::Log;
use crate::block::Block;

/// The way of a batch of lines into the log; dropped, it has them written.
#[derive(Debug)]
#[must_use = "dropping it writes them"]
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

    /// Logs lines that a job or health check has written, and says how many bytes of them were taken: never waits and never
    /// drops. Try the rest again after [`Log::room`]. Where the level is too high for them they are only kept.
    #[must_use = "what was not taken must come again"]
    pub fn push(&mut self, speaker: Speaker<'_>, block: Block<'_>) -> usize {
        self.any = true;
        let record = Record::line(self.time, speaker.origin, speaker.pid, b"");
        self.log.queue_block(&Record { stream: speaker.stream, ..record }, block)
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        if self.any {
            self.log.tell_of_lines();
        }
    }
}
