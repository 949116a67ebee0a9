//! A job's health check: when it runs, and what its result means (v3 §11 rules 1, 4 and 5).

use super::exec::{Phase, Run, counts_from};
use super::job::{Job, Stage, Status};
use super::start::next_period;
use super::turn::Turn;
use super::{Event, Slot, Timer};
use crate::plan::{EventCode, HealthSpec, Level};

impl Job {
    /// Checks begin with the first start, in step with the program's start as the original's tickers were.
    pub(super) fn arm_check(&mut self, turn: &mut Turn<'_>) {
        let ticks = |health: &&HealthSpec| health.exec.is_some() || self.is_announced();
        let Some(health) = self.spec.health.as_ref().filter(ticks) else { return };
        if self.next_check.is_some() {
            return;
        }
        let origin = turn.ledger.origin.unwrap_or(turn.now);
        let period = health.interval.as_nanos().max(1);
        let into = turn.now.since(origin).as_nanos() % period;
        let rest = u64::try_from(period - into).unwrap_or(u64::MAX);
        let first = turn.now.after(std::time::Duration::from_nanos(rest));
        self.next_check = Some(first);
        turn.arm(Timer::Heartbeat(self.id), first);
    }

    /// Rule 1: the next check is due.
    pub(super) fn on_heartbeat(&mut self, turn: &mut Turn<'_>) {
        let (Some(health), Some(due)) = (&self.spec.health, self.next_check) else { return };
        if self.stage != Stage::Live {
            return;
        }
        let what = if health.exec.is_some() { "health check" } else { "heartbeat" };
        let next = next_period(due, health.interval, turn, &self.spec.name, what);
        self.next_check = Some(next);
        turn.arm(Timer::Heartbeat(self.id), next);
        if matches!(self.status, Status::Idle | Status::Maintenance) {
            return;
        }
        let Some(command) = &health.exec else {
            // There is nothing to ask: that it is there is enough, and it isn't between a crash and the next start.
            if !self.is_between_starts() {
                self.tell_passing(turn);
            }
            return;
        };
        if let Some(check) = &self.check {
            if check.phase == Phase::Retrying {
                // It does not run: what is due now is its next try (reliability row 24).
                return;
            }
            if self.held_check.is_none() && check.ends_soon(health.interval, turn) {
                self.held_check = Some(turn.now);
                return;
            }
            self.skipped_checks += 1;
            if self.skipped_checks.is_power_of_two() {
                let (name, skipped) = (&command.name, self.skipped_checks);
                let message = format!("{name} still runs when the next check is due: {skipped} skipped so far");
                turn.log(Level::Warn, message);
            }
            return;
        }
        self.start_check(turn);
    }

    fn start_check(&mut self, turn: &mut Turn<'_>) {
        let Some(health) = &self.spec.health else { return };
        let Some(command) = &health.exec else { return };
        let since = counts_from(self.held_check.take(), health.interval, turn.now);
        self.check = Some(Run::start(Slot::Check(self.id), command, since, turn));
    }

    /// Our own check has ended: its result counts, and a tick that was held for its end is carried out.
    pub(super) fn on_check_exit(&mut self, passed: bool, turn: &mut Turn<'_>) {
        // A reload may have taken the check away: its result counts no more.
        if self.status == Status::Maintenance || self.spec.check().is_none() {
            self.held_check = None;
            return;
        }
        self.on_check_result(passed, turn);
        if self.held_check.is_some() && self.check.is_none() {
            self.start_check(turn);
        }
    }

    /// Rules 4 and 5: a check has ended. Every result is an event, not only a change.
    fn on_check_result(&mut self, passed: bool, turn: &mut Turn<'_>) {
        let (status, code) = if passed {
            (Status::Healthy, EventCode::StatusHealthy)
        } else {
            (Status::Unhealthy, EventCode::StatusUnhealthy)
        };
        if self.status != status {
            let (level, word) = if passed { (Level::Info, "healthy") } else { (Level::Warn, "unhealthy") };
            turn.log(level, format!("{} is {word}", self.name()));
        }
        self.set_status(status);
        self.checked = Some(turn.now);
        self.failed_checks = if passed { 0 } else { self.failed_checks.saturating_add(1) };
        turn.publish(Event::new(code, self.name()), None);
        if passed {
            self.tell_passing(turn);
        } else {
            self.tell_failing(turn);
        }
    }
}
