//! What the end of a run means for its job (v3 §9 and §11 rule 9; design §4 row 6).

use std::time::Duration;

use super::exec::{Phase, Run};
use super::job::{Cause, Job, LastRun, Stage, Status, Verdict};
use super::say::{count, elapsed, exit_status};
use super::turn::Turn;
use super::{Event, ExitStatus, Slot, SpawnFailure};
use crate::plan::{Backoff, EventCode, Level, Restarts, When};

impl Job {
    /// The run of the slot has ended: tell it, and note what the next start has to wait for.
    pub(super) fn run_ended(&mut self, slot: Slot, status: ExitStatus, turn: &mut Turn<'_>) {
        let Some((run, command)) = self.take_run(slot) else { return };
        run.ended(turn);
        let text = exit_status(status);
        let note = format!("{text} after {}", elapsed(turn.now.since(run.started)));
        if status.is_success() {
            turn.log(Level::Debug, format!("{command} exited without error"));
            turn.publish_with(note, Event::new(EventCode::ExitSuccess, command), Some(slot));
        } else {
            turn.log(Level::Error, format!("{command} exited with error: {text}"));
            turn.publish_with(note, Event::new(EventCode::ExitFailed, command.clone()), Some(slot));
            let told = format!("{command}: {text}");
            turn.publish_error(command, told);
        }
        if matches!(slot, Slot::Check(_)) {
            self.check_failure = text;
        } else {
            let killed = run.phase == Phase::Killed && self.stage == Stage::Terminating;
            let lasted = turn.now.since(run.started);
            self.last = Some(LastRun { code: status.shell_code(), text, killed, lacked: None, at: turn.now, lasted });
            self.note_pause(lasted, status.is_success(), turn);
        }
    }

    /// The run of the slot could not be started, for good.
    pub(super) fn run_failed(&mut self, slot: Slot, failure: &SpawnFailure, turn: &mut Turn<'_>) {
        let Some((run, command)) = self.take_run(slot) else { return };
        run.ended(turn);
        turn.log(Level::Error, format!("unable to start {command}: {}", failure.reason));
        if matches!(slot, Slot::Check(_)) && failure.lacks.is_some() {
            // A check that could not run says nothing about the job (reliability row 24).
            self.held_check = None;
            return;
        }
        turn.publish_with(failure.reason.clone(), Event::new(EventCode::ExitFailed, command.as_str()), Some(slot));
        turn.publish_error(command, failure.reason.clone());
        if matches!(slot, Slot::Check(_)) {
            self.check_failure.clone_from(&failure.reason);
        } else {
            self.last = Some(LastRun {
                code: failure.exit_code,
                text: failure.reason.clone(),
                killed: false,
                lacked: failure.lacks,
                at: turn.now,
                lasted: Duration::ZERO,
            });
            self.note_pause(Duration::ZERO, false, turn);
        }
    }

    fn take_run(&mut self, slot: Slot) -> Option<(Run, String)> {
        let run = match slot {
            Slot::Exec(_) => self.run.take(),
            Slot::Check(_) => self.check.take(),
        };
        Some((run?, self.command_name(slot)))
    }

    /// What a slot's command is called. A reload may have taken the check away whose run goes on.
    pub(super) fn command_name(&self, slot: Slot) -> String {
        match slot {
            Slot::Exec(_) => self.name().to_owned(),
            Slot::Check(_) => format!("check.{}", self.name()),
        }
    }

    fn note_pause(&mut self, lasted: Duration, succeeded: bool, turn: &mut Turn<'_>) {
        self.not_before = turn.now;
        let cycle = self.spaced.then(Backoff::default);
        // A period is a pace of its own.
        let unlimited = self.spec.restarts == Restarts::Unlimited && !matches!(self.spec.when, When::Every(_));
        let unlimited = self.spec.backoff.as_ref().filter(|_| unlimited);
        let Some(backoff) = unlimited.or(cycle.as_ref()) else { return };
        let pause = self.streak.after_run(backoff, lasted, succeeded, u64::from(self.id.0));
        if pause.is_zero() || self.restarts_over || self.stage != Stage::Live {
            return;
        }
        self.not_before = turn.now.after(pause);
        let quick = self.streak.length();
        let first = quick == backoff.free.saturating_add(1);
        if first || quick.is_power_of_two() {
            let (name, pause) = (self.name(), elapsed(pause));
            let how = self.last.as_ref().map_or("", |last| last.text.as_str());
            turn.log(
                Level::Warn,
                format!(
                    "{name} ended quickly {} in a row ({how}): next start in {pause}",
                    count(usize::try_from(quick).unwrap_or(usize::MAX), "time")
                ),
            );
        }
    }

    /// Rule 9: our own run has ended.
    pub(super) fn on_own_exit(&mut self, turn: &mut Turn<'_>) -> Verdict {
        if matches!(self.spec.when, When::Every(_)) {
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        if self.restart_permitted() {
            self.use_restart();
            self.restarts = self.restarts.saturating_add(1);
            self.cause = Cause::Restart;
            self.due = self.due.saturating_add(1);
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        let last_event_to_come = self.keeps && self.armed;
        if self.starts_left || last_event_to_come || self.due > 0 || self.run.is_some() {
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        turn.log(Level::Debug, format!("job exited but restart not permitted: {}", self.name()));
        self.set_status(Status::Unknown);
        Verdict::Stop
    }
}
