//! The writer thread: it may wait for the output as long as that takes.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use super::super::output::{Notice, Output};
use super::super::pulse::now;
use super::super::record::Record;
use super::queue::{State, Work};
use super::standing::lines_were_lost;
use super::{IDLE_MEMORY, Log, STACK, Shared};
use crate::errno::go_words;
use crate::plan::Level;

/// So long after a flood its memory is given back, if there is a moment without lines.
const KEPT: Duration = Duration::from_secs(1);

impl Log {
    /// From now on a thread writes, with what is in the queue first.
    ///
    /// # Errors
    /// None can be had; then all stays as it is.
    pub(super) fn start_writer(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name("log".to_owned()).stack_size(STACK).spawn(move || shared.write_all())?;
        state.has_writer = true;
        Ok(())
    }
}

impl Shared {
    /// The writer thread.
    fn write_all(&self) {
        let Some(mut output): Option<Output> = self.lock().direct.take() else { return };
        let mut flood = None;
        while let Some(queue) = self.take(&mut flood) {
            for work in queue {
                self.pulse.beat();
                let mut spare = None;
                match work {
                    Work::Write(mut batch) => {
                        output.shared = self.others.load(Ordering::Relaxed);
                        let lost = output.write(&batch, now(), &self.pulse, |notice| self.notice(notice));
                        self.lost.fetch_add(lost, Ordering::Relaxed);
                        if batch.len() > IDLE_MEMORY {
                            flood = Some(now());
                        }
                        batch.clear(usize::MAX);
                        spare = Some(batch);
                    }
                    Work::Switch(new) => output = new,
                    Work::Reopen => output.reopen(now()),
                }
                let mut state = self.lock();
                state.done += 1;
                state.failing = output.trouble();
                if let Some(spare) = spare {
                    state.spare = spare;
                }
                if state.flushing > 0 {
                    drop(state);
                    self.progress.notify_all();
                }
            }
        }
    }

    /// Waits for work and takes all there is. `None` at the end. `flood` is when there was much at once last: what that needs is had
    /// once for all of it, since new memory costs more than all that is done to a line.
    fn take(&self, flood: &mut Option<Instant>) -> Option<VecDeque<Work>> {
        let mut state = self.lock();
        while state.queue.is_empty() {
            if state.closed {
                return None;
            }
            state.idle = true;
            self.pulse.rest();
            let left = flood.map_or(Duration::ZERO, |last| KEPT.saturating_sub(now().saturating_duration_since(last)));
            state = if left.is_zero() {
                *flood = None;
                state.spare.clear(IDLE_MEMORY);
                self.work.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
        state.idle = false;
        self.tell_dropped(&mut state);
        state.bytes = 0;
        state.reopens = false;
        let queue = std::mem::take(&mut state.queue);
        if std::mem::take(&mut state.refused) {
            drop(state);
            self.room.notify_waiters();
        }
        Some(queue)
    }

    /// Prints what the output has to say about itself.
    fn notice(&self, notice: &Notice) -> Vec<u8> {
        let (level, message) = match notice {
            Notice::Lost(lines, why) => {
                (Level::Warn, lines_were_lost(*lines, &format!("writing failed: {}", go_words(*why))))
            }
            Notice::NotReopened(path, why) => {
                let (path, why) = (path.display(), go_words(*why));
                (Level::Error, format!("failed to open log file '{path}' again: {why}; lines still go to the old file"))
            }
        };
        let mut line = Vec::new();
        let record = Record::own(SystemTime::now(), level, &message);
        self.keep_own(&record);
        self.lock().formatter.write(&record, &mut line);
        line
    }

    /// Says so before a line that is accepted again, where there is no writer to say it in time.
    pub(super) fn tell_dropped_before(&self, state: &mut State) {
        if !state.has_writer {
            self.tell_dropped(state);
        }
    }

    /// Says how many of our lines were dropped. Nothing was accepted after the first of them: this is their place.
    pub(super) fn tell_dropped(&self, state: &mut State) {
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            let message = lines_were_lost(dropped, "the log output was blocked");
            let record = Record::own(SystemTime::now(), Level::Warn, &message);
            state.push(&record);
            self.keep_own(&record);
        }
    }
}
