//! What waits for the writer thread, if there is one.

use std::collections::VecDeque;
use std::time::Instant;

use nix::errno::Errno;

use super::super::batch::Batch;
use super::super::format::Formatter;
use super::super::output::Output;
use super::super::record::Record;
use super::JOBS_LIMIT;
use crate::block::Block;

/// So many outputs may wait with lines between them.
const SWITCHES: usize = 4;

/// So many outputs wait already.
#[derive(Debug)]
pub(super) struct TooMany;

#[derive(Debug)]
pub(super) struct State {
    pub(super) formatter: Formatter,
    /// The output, until the writer has it.
    pub(super) direct: Option<Output>,
    /// There is a writer. Until then whoever logs writes, as far as that needs no waiting.
    pub(super) has_writer: bool,
    /// When none could be had last.
    pub(super) no_writer: Option<Instant>,
    pub(super) queue: VecDeque<Work>,
    /// Bytes of lines in the queue.
    pub(super) bytes: usize,
    /// An empty batch with memory in it.
    pub(super) spare: Batch,
    /// Our own lines dropped since the queue was taken last.
    pub(super) dropped: u64,
    /// A job's line was refused since the queue was taken last.
    pub(super) refused: bool,
    /// The queue's last output is going to be opened again.
    pub(super) reopens: bool,
    /// The writer sleeps: it must be woken.
    pub(super) idle: bool,
    pub(super) closed: bool,
    /// Pieces of work ever queued, and ever done.
    pub(super) queued: u64,
    pub(super) done: u64,
    /// Threads inside `flush`.
    pub(super) flushing: usize,
    /// What was wrong with the output after the last piece of work.
    pub(super) failing: Option<Errno>,
}

/// One thing for the writer to do, in order.
#[derive(Debug)]
pub(super) enum Work {
    Write(Batch),
    Switch(Output),
    Reopen,
}

impl State {
    /// Nothing yet, for this output.
    pub(super) fn new(formatter: Formatter, output: Output) -> Self {
        Self {
            formatter,
            direct: Some(output),
            has_writer: false,
            no_writer: None,
            queue: VecDeque::new(),
            bytes: 0,
            spare: Batch::default(),
            dropped: 0,
            refused: false,
            reopens: false,
            idle: false,
            closed: false,
            queued: 0,
            done: 0,
            flushing: 0,
            failing: None,
        }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        self.append(|batch, formatter| batch.push(formatter, record));
    }

    /// Appends lines, all of which this record is but for the message, until [`JOBS_LIMIT`] is reached. Says how many bytes of
    /// the block those are.
    pub(super) fn push_block(&mut self, record: &Record<'_>, block: Block<'_>) -> usize {
        let Some(room) = JOBS_LIMIT.checked_sub(self.bytes).filter(|room| *room > 0) else { return 0 };
        self.append(|batch, formatter| batch.push_block(formatter, record, block, room)).unwrap_or_default()
    }

    /// Appends to the batch that lines go to.
    fn append<R>(&mut self, append: impl FnOnce(&mut Batch, &mut Formatter) -> R) -> Option<R> {
        if !matches!(self.queue.back(), Some(Work::Write(_))) {
            let spare = std::mem::take(&mut self.spare);
            self.add(Work::Write(spare));
        }
        let Some(Work::Write(batch)) = self.queue.back_mut() else { return None };
        let before = batch.len();
        let result = append(batch, &mut self.formatter);
        self.bytes += batch.len() - before;
        Some(result)
    }

    pub(super) fn add(&mut self, work: Work) {
        self.queue.push_back(work);
        self.queued += 1;
    }

    /// From the next line on lines go there. What that takes the place of is for the caller to close, without the lock.
    ///
    /// # Errors
    /// So many of them wait already: the writer is stuck, and each holds a descriptor.
    pub(super) fn switch(&mut self, output: Output) -> Result<Option<Work>, TooMany> {
        let is_switch = |work: &Work| matches!(work, Work::Switch(_));
        let lineless = self.queue.iter_mut().rev().take_while(|work| !matches!(work, Work::Write(_)));
        if let Some(waiting) = lineless.into_iter().find(|work| is_switch(work)) {
            // No line is for it.
            return Ok(Some(std::mem::replace(waiting, Work::Switch(output))));
        }
        if self.queue.iter().filter(|work| is_switch(work)).count() >= SWITCHES {
            return Err(TooMany);
        }
        self.add(Work::Switch(output));
        self.reopens = false;
        Ok(None)
    }
}
