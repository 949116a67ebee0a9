//! The queue between everybody and the output: emptied by whoever logs (`at_once`), or by the writer thread (`thread`).
//!
//! It holds formatted bytes, so that all of it is written in few calls. A record is accepted as long as the queue is below a limit;
//! jobs' lines have a lower one, so that there is room for our own words while a job floods us.

mod at_once;
mod queue;
mod standing;
mod thread;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use self::queue::{State, TooMany, Work};
pub use self::standing::Standing;
use super::error::{LogError, open};
use super::format::Formatter;
use super::lines::Lines;
use super::pulse::Pulse;
use super::record::{Origin, Record};
use super::time::Zone;
use crate::block::Block;
use crate::kept::{Kept, Line};
use crate::plan::{Level, Logging};

/// Jobs' lines are refused when so many bytes wait. One line may go beyond it: 64 KiB, up to six times that in JSON.
const JOBS_LIMIT: usize = 512 * 1024;
/// Our own lines are dropped when so many bytes wait.
const OWN_LIMIT: usize = 1024 * 1024;
/// So much memory an idle queue keeps.
const IDLE_MEMORY: usize = 16 * 1024;
/// The writer thread's stack is never deep.
const STACK: usize = 128 * 1024;
/// How often it is tried again to write where no thread can be had for it.
const NO_WRITER: Duration = Duration::from_secs(1);
/// How long the last lines may take to leave when the program ends.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// The way into the log. Clones lead to the same place.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

/// Keeps the log open. When it is dropped, what was accepted gets one more second to be written; afterwards
/// every line is lost and counted.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct LogGuard(Log);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// For the writer: there is work.
    work: Condvar,
    /// For `flush`: something was done.
    progress: Condvar,
    /// For those whose line was refused.
    room: Notify,
    /// For who tries again where there is no writer.
    stuck: Notify,
    lost: AtomicU64,
    /// The configured level, so that records below it cost next to nothing.
    level: AtomicU8,
    /// Terminals count seconds from here.
    start: SystemTime,
    /// Whether jobs write there, too.
    others: AtomicBool,
    /// Whether the output takes what the writer is at.
    pulse: Pulse,
    /// For who asks later.
    kept: Kept,
}

impl Log {
    /// Opens the output. What is logged is kept there too.
    ///
    /// # Errors
    /// The output can't be opened, or needs a writer thread that can't be had.
    pub fn start(logging: &Logging, kept: Kept) -> Result<(Self, LogGuard), LogError> {
        let start = SystemTime::now();
        let output = open(&logging.output)?;
        let zone = Zone::of_this_process();
        let doubt = zone.doubt().map(str::to_owned);
        let formatter = Formatter::new(logging.format, output.colours_since(start), zone);
        let needs_writer = !output.takes_at_once();
        let log = Self(Arc::new(Shared {
            state: Mutex::new(State::new(formatter, output)),
            work: Condvar::new(),
            progress: Condvar::new(),
            room: Notify::new(),
            stuck: Notify::new(),
            lost: AtomicU64::new(0),
            level: AtomicU8::new(logging.level as u8),
            start,
            others: AtomicBool::new(false),
            pulse: Pulse::default(),
            kept,
        }));
        if needs_writer {
            log.start_writer(&mut log.0.lock()).map_err(LogError::Thread)?;
        }
        let guard = LogGuard(log.clone());
        if let Some(doubt) = doubt {
            log.own(&Record::own(SystemTime::now(), Level::Warn, &doubt));
        }
        Ok((log, guard))
    }

    /// Whether a record of this level would be written.
    pub fn enabled(&self, level: Level) -> bool {
        level as u8 >= self.0.level.load(Ordering::Relaxed)
    }

    /// What was logged last.
    pub fn kept(&self) -> &Kept {
        &self.0.kept
    }

    /// Logs a line of our own. Never waits: when the queue is full the line is dropped and counted, and the log says
    /// later how many those were. It is kept all the same: who asks may want to know what the output could not take.
    pub fn own(&self, record: &Record<'_>) {
        if !self.enabled(record.level) {
            return;
        }
        self.0.keep_own(record);
        let mut state = self.0.lock();
        if state.bytes >= OWN_LIMIT && !state.has_writer {
            self.write_at_once(&mut state);
        }
        if state.closed || state.bytes >= OWN_LIMIT {
            state.dropped += 1;
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.0.tell_dropped_before(&mut state);
        state.push(record);
        self.wake(state);
    }

    /// Takes lines that were read at this moment.
    pub fn lines(&self, time: SystemTime) -> Lines<'_> {
        Lines::new(self, time)
    }

    /// Queues and keeps lines of a job, all of which this record is but for the message; nobody is told. Says how many bytes of
    /// them there was room for.
    pub(super) fn queue_block(&self, record: &Record<'_>, block: Block<'_>) -> usize {
        let mut taken = block;
        if self.enabled(record.level) {
            let mut state = self.0.lock();
            if state.closed {
                self.0.lost.fetch_add(block.lines().count() as u64, Ordering::Relaxed);
            } else {
                if state.bytes < JOBS_LIMIT {
                    self.0.tell_dropped_before(&mut state);
                }
                taken = block.up_to(state.push_block(record, block));
                state.refused |= taken.bytes().len() < block.bytes().len();
            }
        }
        if !taken.bytes().is_empty() {
            self.0.keep_block(record, taken);
        }
        taken.bytes().len()
    }

    /// Lets the writer run, and those who follow the lines.
    pub(super) fn tell_of_lines(&self) {
        self.wake(self.0.lock());
        self.0.kept.tell_of_lines();
    }

    /// Waits until a refused line may be tried again. It may be refused again: others waited too.
    pub async fn room(&self) {
        let mut notified = std::pin::pin!(self.0.room.notified());
        // Listen before looking, or the writer's word could fall between the two.
        notified.as_mut().enable();
        {
            let mut state = self.0.lock();
            if state.closed || state.bytes < JOBS_LIMIT {
                return;
            }
            state.refused = true;
        }
        notified.await;
    }

    /// Where no thread could be had for what the output did not take: tries again now, and comes back when it is time for the
    /// next try. Else it never comes back. To be waited for wherever the loop waits; needs a runtime with time.
    pub async fn retry(&self) {
        let mut stuck = std::pin::pin!(self.0.stuck.notified());
        // Listen before looking: others log, too.
        stuck.as_mut().enable();
        let waits = |state: &State| !state.has_writer && !state.queue.is_empty();
        let is_left = {
            let mut state = self.0.lock();
            if waits(&state) {
                self.write_at_once(&mut state);
            }
            waits(&state)
        };
        if !is_left {
            stuck.await;
        }
        sleep(NO_WRITER).await;
    }

    /// Closes a log file and opens it again, after the lines that came before this call, or before one whose turn
    /// hasn't come yet. Does nothing to a standard descriptor. If it fails it is tried again as for a file that was
    /// moved away.
    pub fn reopen(&self) {
        let mut state = self.0.lock();
        // The one that waits will open what the path means then: a storm of them would only take memory.
        if !std::mem::replace(&mut state.reopens, true) {
            state.add(Work::Reopen);
        }
        self.wake(state);
    }

    /// From the next line on logs as this says. The lines before go where they were to go.
    ///
    /// # Errors
    ///
    /// If the file can't be opened, there is no thread for it, or the output before is stuck; then nothing changes.
    pub fn reconfigure(&self, logging: &Logging) -> Result<(), LogError> {
        let output = open(&logging.output)?;
        let terminal = output.colours_since(self.0.start);
        let mut state = self.0.lock();
        if !state.has_writer && !output.takes_at_once() {
            self.start_writer(&mut state).map_err(LogError::Thread)?;
        }
        let replaced = state.switch(output).map_err(|TooMany| LogError::Stuck)?;
        state.formatter.change(logging.format, terminal);
        self.0.level.store(logging.level as u8, Ordering::Relaxed);
        self.wake(state);
        drop(replaced);
        // What callsites know of the level is remembered by tracing.
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// From now on others write to the same descriptors: into a pipe go whole lines, in pieces that the kernel does not mix
    /// with theirs. That costs sixteen times the calls, and is not taken back: whoever had a descriptor may still have it.
    pub fn share(&self) {
        self.0.others.store(true, Ordering::Relaxed);
    }

    /// Waits until all lines that were accepted have been written, or lost by an error, at most so long. Blocks the
    /// calling thread: this is for the end of the program. Tells whether it is done.
    pub fn flush(&self, at_most: Duration) -> bool {
        let mut state = self.0.lock();
        if !state.has_writer {
            self.write_within(&mut state, at_most);
        }
        if !state.has_writer {
            return state.queue.is_empty();
        }
        let goal = state.queued;
        state.flushing += 1;
        let waited = self.0.progress.wait_timeout_while(state, at_most, |state| state.done < goal);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.flushing -= 1;
        state.done >= goal
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.flush(LAST_FLUSH);
        let mut state = self.0.0.lock();
        state.closed = true;
        self.0.wake(state);
        self.0.0.room.notify_waiters();
        // The thread is not waited for: it may be inside a `write` that never ends.
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves half a line, or loses the output, which is the end of the log.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line of our own, whatever it is about.
    fn keep_own(&self, record: &Record<'_>) {
        self.kept.line(&line(record, "", false));
        self.kept.tell_of_lines();
    }

    /// Keeps lines of a job; those of its health check are the job's too.
    fn keep_block(&self, record: &Record<'_>, block: Block<'_>) {
        let (job, check) = match record.origin {
            Origin::Own => ("", false),
            Origin::Job(job) => (job, false),
            Origin::Check(check) => (check.strip_prefix("check.").unwrap_or(check), true),
        };
        self.kept.block(&line(record, job, check), block);
    }
}

/// A record as it is kept.
fn line<'r>(record: &Record<'r>, job: &'r str, check: bool) -> Line<'r> {
    let &Record { time, level, pid, stream, message: text, .. } = record;
    Line { job, check, stream, pid, level, time, text }
}

#[cfg(test)]
mod tests;
