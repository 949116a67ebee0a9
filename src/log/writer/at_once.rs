//! Without a thread: whoever logs writes, as far as that needs no waiting.
//!
//! Mostly it needs none: a pipe has room, and who reads it is faster than we. A thread is memory, and a line that is handed over
//! to it are two switches between threads. It is made when the output first takes less than there is, and then stays.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};

use super::super::output::{AtOnce, Output};
use super::super::pulse::now;
use super::queue::{State, Work};
use super::{JOBS_LIMIT, Log, NO_WRITER};

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
        let others = self.0.others.load(Ordering::Relaxed);
        // Somebody who writes into the same pipe holds it while he copies, and that may be for ever.
        if others && !state.queue.is_empty() && self.try_writer(state) {
            return;
        }
        let Some(mut output) = state.direct.take() else {
            // A panic has taken it along.
            state.closed = true;
            return self.lose_queue(state);
        };
        output.shared = others;
        let mut is_rest = self.write_queue(state, &mut output);
        if !is_rest && state.dropped > 0 {
            self.0.tell_dropped(state);
            is_rest = self.write_queue(state, &mut output);
        }
        let fails = output.is_failing();
        state.direct = Some(output);
        if is_rest && !self.try_writer(state) {
            if fails {
                // What can't be written is lost, whoever tries; nobody shall wait for it.
                self.lose_queue(state);
            }
            self.0.stuck.notify_waiters();
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

    /// Starts a writer, unless that could not be done a moment ago. Whether there is one.
    fn try_writer(&self, state: &mut State) -> bool {
        let now = now();
        if state.no_writer.is_some_and(|last| now.saturating_duration_since(last) < NO_WRITER) {
            return false;
        }
        let started = self.start_writer(state).is_ok();
        state.no_writer = (!started).then_some(now);
        started
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

    /// Counts what is in the queue as lost, as far as it is for this output.
    fn lose_queue(&self, state: &mut State) {
        let mut output = state.direct.take();
        while let Some(work) = state.queue.pop_front() {
            state.done += 1;
            match work {
                Work::Write(batch) => {
                    let lost = output.as_mut().map_or(batch.lines(), |output| output.loses(&batch));
                    self.0.lost.fetch_add(lost, Ordering::Relaxed);
                    state.bytes = state.bytes.saturating_sub(batch.len());
                }
                Work::Switch(new) => {
                    output = Some(new);
                    break;
                }
                Work::Reopen => state.reopens = false,
            }
        }
        state.failing = output.as_ref().and_then(Output::trouble);
        state.direct = output;
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
            let before = state.bytes;
            output.wait_for_room(left.min(A_WHILE));
            self.write_at_once(state);
            if state.bytes == before {
                // It says that there is room, and takes nothing.
                let _ = poll(&mut [], PollTimeout::try_from(left.min(A_WHILE)).unwrap_or(PollTimeout::MAX));
            }
        }
    }
}
