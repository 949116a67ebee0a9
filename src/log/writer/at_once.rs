//! Without a thread: whoever logs writes, as far as that needs no waiting.
//!
//! Mostly it needs none: a pipe has room, and who reads it is faster than we. A thread is memory, and a line that is handed over
//! to it are two switches between threads. It is made when the output first takes less than there is, and then stays.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::output::{AtOnce, Output};
use super::super::pulse::now;
use super::queue::{State, Work};
use super::{JOBS_LIMIT, Log};

/// So much memory is kept between two writes: what a flood has in each.
const MEMORY: usize = 128 * 1024;
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
    pub(super) fn write_at_once(&self, state: &mut State) {
        let Some(mut output) = state.direct.take() else { return };
        output.shared = self.0.others.load(Ordering::Relaxed);
        let mut is_rest = self.write_queue(state, &mut output);
        if !is_rest && state.dropped > 0 {
            self.0.tell_dropped(state);
            is_rest = self.write_queue(state, &mut output);
        }
        let fails = output.is_failing();
        state.direct = Some(output);
        if is_rest && self.start_writer(state).is_err() && fails {
            // What can't be written is lost, whoever tries; nobody shall wait for it.
            self.lose_queue(state);
        }
        if state.queue.is_empty() {
            self.0.pulse.rest();
        } else if !state.has_writer {
            self.0.pulse.begin();
        }
        if state.bytes < JOBS_LIMIT && !state.has_writer && std::mem::take(&mut state.refused) {
            self.0.room.notify_waiters();
        }
    }

    /// Works through the queue. Whether something is left that has to wait.
    fn write_queue(&self, state: &mut State, output: &mut Output) -> bool {
        while let Some(work) = state.queue.pop_front() {
            match work {
                Work::Write(mut batch) => match output.write_at_once(&batch) {
                    AtOnce::Done(lost) => {
                        self.0.lost.fetch_add(lost, Ordering::Relaxed);
                        state.bytes = state.bytes.saturating_sub(batch.len());
                        batch.clear(MEMORY);
                        state.spare = batch;
                    }
                    AtOnce::Rest(written) => {
                        if written > 0 {
                            self.0.pulse.beat();
                        }
                        batch.skip(written);
                        state.bytes = state.bytes.saturating_sub(written);
                        state.queue.push_front(Work::Write(batch));
                        return true;
                    }
                },
                Work::Switch(new) => *output = new,
                Work::Reopen => {
                    state.reopens = false;
                    output.reopen(now());
                }
            }
            state.done += 1;
            state.failing = output.trouble();
        }
        false
    }

    /// Counts what is in the queue as lost.
    fn lose_queue(&self, state: &mut State) {
        let Some(mut output) = state.direct.take() else { return };
        for work in std::mem::take(&mut state.queue) {
            match work {
                Work::Write(batch) => {
                    self.0.lost.fetch_add(output.loses(&batch), Ordering::Relaxed);
                }
                Work::Switch(new) => output = new,
                Work::Reopen => {}
            }
            state.done += 1;
        }
        (state.bytes, state.reopens) = (0, false);
        state.direct = Some(output);
    }

    /// Likewise, and waits for room where there is no writer, at most so long.
    pub(super) fn write_within(&self, state: &mut State, at_most: Duration) {
        let begin = now();
        loop {
            self.write_at_once(state);
            let left = at_most.saturating_sub(now().saturating_duration_since(begin));
            let Some(output) = &state.direct else { return };
            if state.has_writer || state.queue.is_empty() || left.is_zero() {
                return;
            }
            output.wait_for_room(left.min(A_WHILE));
        }
    }
}
