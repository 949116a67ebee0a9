//! When a job starts: by its event, by its period, after an exit, and not too fast (v3 §11 rules 3, 10 and 11; design
//! §4 rows 5 and 6).
//!
//! A start that can't be at once, for a run or a pause that is in the way, is counted in `due` and carried out as soon
//! as nothing is in the way any more.

use std::time::Duration;

use super::exec::{FailedStart, Run, counts_from};
use super::job::{Cause, Job, Stage, Status, Verdict};
use super::say::elapsed;
use super::turn::Turn;
use super::{Moment, Slot, Timer};
use crate::plan::{EventCode, Level, When};

/// No more starts than this wait for the end of a run (design §4 row 5).
const MOST_DUE: u32 = 1000;

impl Job {
    /// Rule 3: a period is over.
    pub(super) fn on_tick(&mut self, turn: &mut Turn<'_>) -> Verdict {
        let When::Every(period) = self.spec.when else { return Verdict::GoOn };
        let Some(tick) = self.next_tick.filter(|_| self.stage == Stage::Live) else { return Verdict::GoOn };
        let next = next_period(tick, period, turn, &self.spec.name, "period");
        self.next_tick = Some(next);
        turn.arm(Timer::Interval(self.id), next);
        if !self.restart_permitted() {
            turn.log(Level::Debug, format!("interval expired but restart not permitted: {}", self.name()));
            return Verdict::Stop;
        }
        if self.is_paused(turn) {
            return Verdict::GoOn;
        }
        let Some(run) = &self.run else {
            self.use_restart();
            self.request_start(turn);
            return Verdict::GoOn;
        };
        if self.due == 0 && run.ends_soon(period, turn) {
            self.use_restart();
            self.due = 1;
            self.held_tick = Some(turn.now);
        } else {
            let what = match run.failed_start() {
                Some(failed) => format!("can't be started yet ({})", failed.reason),
                None => "still runs".to_owned(),
            };
            self.skipped_ticks += 1;
            if self.skipped_ticks.is_power_of_two() {
                let (name, skipped) = (self.name(), self.skipped_ticks);
                turn.log(Level::Warn, format!("{name} {what} when its next period begins: {skipped} skipped so far"));
            }
        }
        Verdict::GoOn
    }

    /// Rules 10 and 11: the event of `when`.
    pub(super) fn on_start_event(&mut self, turn: &mut Turn<'_>) {
        if !self.starts_left {
            self.armed = false;
        }
        // One signal that waits stands for all that come meanwhile; so does whatever comes during maintenance.
        let one_is_enough = matches!(self.spec.when, When::Signal(_)) && self.run.is_some() || self.is_paused(turn);
        if self.due >= 1 && one_is_enough {
            return;
        }
        if self.due >= MOST_DUE {
            self.lost_starts += 1;
            if self.lost_starts.is_power_of_two() {
                let (name, lost) = (self.name(), self.lost_starts);
                let message =
                    format!("{name} has {MOST_DUE} starts waiting for the end of its run: {lost} lost so far");
                turn.log(Level::Warn, message);
            }
            return;
        }
        self.request_start(turn);
    }

    /// A start for a reason other than an exit: at once, unless a run is in the way. A restart that only waits for
    /// the end of its pause is brought forward.
    fn request_start(&mut self, turn: &mut Turn<'_>) {
        self.cause = Cause::Event;
        if self.pausing && !self.spaced {
            self.pausing = false;
            turn.disarm(Timer::Restart(self.id));
        } else {
            self.due = self.due.saturating_add(1);
        }
        if self.run.is_none() && !self.spaced {
            self.not_before = turn.now;
        }
        self.start_what_is_due(turn);
    }

    pub(super) fn start_what_is_due(&mut self, turn: &mut Turn<'_>) {
        if self.due == 0 || self.run.is_some() || self.pausing || self.is_paused(turn) {
            return;
        }
        if self.not_before > turn.now {
            self.pausing = true;
            turn.arm(Timer::Restart(self.id), self.not_before);
            return;
        }
        self.due -= 1;
        self.start(turn);
    }

    /// Maintenance mode holds its starts back (`pauseInMaintenance`), but those that a stop waits for: periods are
    /// skipped, one start of any other kind waits for the end of it.
    fn is_paused(&self, turn: &Turn<'_>) -> bool {
        let pausable = match &self.spec.when {
            When::Once(trigger) | When::Each(trigger) => {
                !matches!(trigger.event, EventCode::Stopping | EventCode::Stopped)
            }
            When::Startup | When::Every(_) | When::Signal(_) | When::Never(_) => true,
        };
        self.spec.pause_in_maintenance && turn.ledger.maintenance && !turn.ledger.stopping && pausable
    }

    /// The pause before a start is over.
    pub(super) fn on_pause_over(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.pausing) && self.stage == Stage::Live {
            self.not_before = turn.now;
            self.start_what_is_due(turn);
        }
    }

    /// Somebody wants it to run now, whatever it waits for.
    pub(super) fn start_by_hand(&mut self, turn: &mut Turn<'_>) {
        if self.is_there() {
            return;
        }
        self.cause = Cause::ByHand;
        if let (Some(run), Some(command)) = (&mut self.run, &self.spec.exec) {
            // It is being started, and has failed so far.
            return run.retry_now(Slot::Exec(self.id), command, turn);
        }
        self.wait_no_longer(turn);
        if self.due == 0 {
            // This is the start that it waited for.
            self.armed &= self.starts_left;
            self.due = 1;
        }
        self.start_what_is_due(turn);
    }

    /// Why its command could not be started, while that is tried again.
    pub fn failing_start(&self) -> Option<&str> {
        self.failed_start().map(|failed| failed.reason.as_str())
    }

    pub(super) fn failed_start(&self) -> Option<&FailedStart> {
        self.run.as_ref().and_then(Run::failed_start)
    }

    /// Whether it is to run and does not yet: it pauses before a restart, or its start is tried again.
    pub(super) fn is_between_starts(&self) -> bool {
        self.pausing || self.failed_start().is_some()
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        if self.wait_until.take().is_some() {
            turn.disarm(Timer::Wait(self.id));
        }
        self.started = true;
        // A start does not leave maintenance (design §4 row 21).
        self.set_status(if turn.ledger.maintenance { Status::Maintenance } else { Status::Unknown });
        self.arm_check(turn);
        if let Some(command) = &self.spec.exec {
            self.runs += 1;
            let since = match self.spec.when {
                When::Every(period) => counts_from(self.held_tick.take(), period, turn.now),
                When::Startup | When::Once(_) | When::Each(_) | When::Signal(_) | When::Never(_) => turn.now,
            };
            self.run = Some(Run::start(Slot::Exec(self.id), command, since, turn));
            self.bound_post_stop(turn);
        }
    }
}

/// The next moment of a ticker. Missed ones don't burst (reliability row 43); a late one is told (row 44).
pub(super) fn next_period(due: Moment, period: Duration, turn: &mut Turn<'_>, name: &str, what: &str) -> Moment {
    let late = turn.now.since(due);
    if late > Duration::from_secs(1) {
        turn.log(
            Level::Warn,
            format!("the {what} of {name} was {} late: the machine or we were held up", elapsed(late)),
        );
    }
    let next = due.after(period);
    if next > turn.now { next } else { turn.now.after(period) }
}
