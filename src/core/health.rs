//! A job's health check: when it runs, and what its result means (v3 §11 rules 1, 4 and 5).

use super::exec::Run;
use super::job::{Job, Stage, Status, next_period};
use super::turn::Turn;
use super::{Event, Moment, Slot, Timer};
use crate::plan::{EventCode, Level};

impl Job {
    /// Checks begin with the first start, in step with the program's start as the original's tickers were.
    pub(super) fn arm_check(&mut self, turn: &mut Turn<'_>) {
        let Some(health) = self.spec.health.as_ref().filter(|health| health.exec.is_some()) else { return };
        if self.next_check != Moment::default() {
            return;
        }
        let origin = turn.ledger.origin.unwrap_or(turn.now);
        let period = health.interval.as_nanos().max(1);
        let into = turn.now.since(origin).as_nanos() % period;
        let rest = u64::try_from(period - into).unwrap_or(u64::MAX);
        self.next_check = turn.now.after(std::time::Duration::from_nanos(rest));
        turn.arm(Timer::Heartbeat(self.id), self.next_check);
    }

    /// Rule 1: the next check is due.
    pub(super) fn on_heartbeat(&mut self, turn: &mut Turn<'_>) {
        let Some(health) = &self.spec.health else { return };
        if self.stage != Stage::Live {
            return;
        }
        self.next_check = next_period(self.next_check, health.interval, turn, &self.spec.name, "health check");
        turn.arm(Timer::Heartbeat(self.id), self.next_check);
        if matches!(self.status, Status::Idle | Status::Maintenance) {
            return;
        }
        let Some(command) = &health.exec else { return };
        if self.check.is_some() {
            self.skipped_checks += 1;
            if self.skipped_checks.is_power_of_two() {
                let (name, skipped) = (&command.name, self.skipped_checks);
                let message = format!("{name} still runs when the next check is due: {skipped} skipped");
                turn.log(Level::Warn, message);
            }
            return;
        }
        self.check = Some(Run::start(Slot::Check(self.id), command, turn));
    }

    /// Rules 4 and 5: a check has ended. Every result is an event, not only a change.
    pub(super) fn on_check_result(&mut self, passed: bool, turn: &mut Turn<'_>) {
        if self.status == Status::Maintenance {
            return;
        }
        let (status, code) = if passed {
            (Status::Healthy, EventCode::StatusHealthy)
        } else {
            (Status::Unhealthy, EventCode::StatusUnhealthy)
        };
        if self.status != status {
            match (self.status, passed) {
                (_, true) => turn.log(Level::Info, format!("{} is healthy", self.name())),
                (_, false) => turn.log(Level::Warn, format!("{} is unhealthy", self.name())),
            }
        }
        self.set_status(status);
        turn.publish(Event::new(code, self.name()), None);
    }
}
