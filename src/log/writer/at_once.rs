//! Without a thread: whoever logs writes, as far as that needs no waiting.
//!
//! Mostly it needs none: a pipe has room, and who reads it is faster than we. A thread is memory, and a line that is handed over
//! to it are two switches between threads. It is made when the output first takes less than there is, and then stays.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::output::AtOnce;
use super::super::pulse::now;
use super::queue::{State, Work};
use super::{IDLE_MEMORY, Log};

/// So long the last lines wait for room at a time.
const A_WHILE: Duration = Duration::from_millis(100);

impl Log {
    /// Writes what there is to be written, or lets the writer do it if it sleeps.
    pub(super) fn wake(&self, mut state: MutexGuard<'_, State>) {
        if !state.has_writer {
            return self.write_at_once(&mut state);
        }
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.0.work.notify_one();
        }
    }

    /// Writes what the output takes now, and starts a writer for the rest. If none can be had, the rest waits for the next call.
    fn write_at_once(&self, state: &mut State) {
        let Some(mut output) = state.direct.take() else { return };
        self.0.tell_dropped(state);
        let mut is_rest = false;
        while let Some(work) = state.queue.pop_front() {
            match work {
                Work::Write(mut batch) => {
                    output.shared = self.0.others.load(Ordering::Relaxed);
                    match output.write_at_once(&batch) {
                        AtOnce::Done(lost) => {
                            self.0.lost.fetch_add(lost, Ordering::Relaxed);
                            state.bytes = state.bytes.saturating_sub(batch.len());
                            // A flood is not asked for its memory each time; what comes after it is.
                            batch.clear(if batch.len() > IDLE_MEMORY { usize::MAX } else { IDLE_MEMORY });
                            state.spare = batch;
                        }
                        AtOnce::Rest(written) => {
                            batch.skip(written);
                            state.bytes = state.bytes.saturating_sub(written);
                            state.queue.push_front(Work::Write(batch));
                            is_rest = true;
                            break;
                        }
                    }
                }
                Work::Switch(new) => output = new,
                Work::Reopen => {
                    state.reopens = false;
                    output.reopen(now());
                }
            }
            state.done += 1;
            state.failing = output.trouble();
        }
        state.direct = Some(output);
        if is_rest && self.start_writer(state).is_err() {
            self.0.pulse.begin();
        } else if !is_rest {
            self.0.pulse.rest();
        }
        if state.bytes == 0 && std::mem::take(&mut state.refused) {
            self.0.room.notify_waiters();
        }
    }

    /// Likewise, and waits for room where there is no writer, at most so long.
    pub(super) fn write_within(&self, state: &mut State, at_most: Duration) {
        let begin = now();
        loop {
            self.write_at_once(state);
            let left = at_most.saturating_sub(now().saturating_duration_since(begin));
            if state.has_writer || state.queue.is_empty() || left.is_zero() {
                return;
            }
            if let Some(output) = &state.direct {
                output.wait_for_room(left.min(A_WHILE));
            }
        }
    }
}
