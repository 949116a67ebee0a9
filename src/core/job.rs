//! One job: the rules of v3 §11, one method per row.
//!
//! ```text
//!          when rule / startup          exit, restarts left (after a pause)
//! waiting ───────────────► running ◄──────────────┐
//!    │ when.timeout           │ exit              │
//!    │                        ├───────────────────┘
//!    │ quit                   │ exit, none left / quit
//!    ▼                        ▼
//! Leaving ◄───────────────────┘   published `stopping`; waits for its dependents, at most stopTimeout (`stop`)
//!    ▼
//! Terminating                     TERM, CONT → grace → KILL; waits for the death
//!    ▼
//! Complete                        published `stopped`; absorbs later events
//! ```
//!
//! "waiting" and "running" are one stage, [`Stage::Live`]: a job that waits for the next `each` event is both
//! between runs and alive. A start that is asked for during a run is remembered in `due` and carried out when the
//! run has ended: that is what the original's blocking loop came to, without the blocking.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff::Streak;
use super::exec::{Phase, Run, counts_from};
use super::say::{elapsed, exit_status};
use super::turn::{Queued, Turn};
use super::{Event, ExitStatus, GLOBAL, JobId, Moment, Slot, SpawnFailure, Timer};
use crate::plan::{Backoff, EventCode, JobSpec, Level, Restarts, When};

/// No more starts than this wait for the end of a run (design §4 row 5).
const MOST_DUE: u32 = 1000;

/// How far a job's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It waits or runs.
    Live,
    /// It has published `stopping` and waits for those who act on that.
    Leaving,
    /// It waits for the death of its processes.
    Terminating,
    /// It is over.
    Complete,
}

/// A job's health (v3 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Never started: no checks.
    Idle,
    /// Started, not checked since.
    Unknown,
    /// The last check passed.
    Healthy,
    /// The last check failed.
    Unhealthy,
    /// In maintenance mode.
    Maintenance,
    /// The telemetry service: nothing changes it.
    AlwaysHealthy,
}

/// What a rule wants for the job as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a job that wants to stop must be stopped"]
pub(super) enum Verdict {
    GoOn,
    Stop,
}

/// How the last run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRun {
    /// As a shell would tell it; 126 or 127 if it could not be started.
    pub code: i32,
    /// In the original's words.
    pub text: String,
    /// Whether we had to kill it when it was stopped.
    pub killed: bool,
}

/// One job's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub(super) id: JobId,
    pub(super) spec: Arc<JobSpec>,
    pub(super) stage: Stage,
    pub(super) status: Status,
    /// Whether the event of `when` still starts it.
    pub(super) armed: bool,
    /// Whether a further event may start it once this run is over.
    pub(super) starts_left: bool,
    restarts_left: u64,
    /// Nothing restarts any more: quit or shutdown.
    restarts_over: bool,
    pub(super) run: Option<Run>,
    pub(super) check: Option<Run>,
    /// Starts that wait for the end of the run or of the pause.
    pub(super) due: u32,
    /// The pause before the next start is armed.
    pub(super) pausing: bool,
    /// No restart before this moment.
    not_before: Moment,
    streak: Streak,
    /// Starts by events are spaced like restarts: the job is part of a cycle (reliability row 37).
    pub(super) spaced: bool,
    /// `when.timeout` is armed.
    wait_armed: bool,
    pub(super) started: bool,
    pub(super) runs: u64,
    pub(super) last: Option<LastRun>,
    /// A stop or post-stop job that the shutdown lets live until it has run.
    pub(super) keeps: bool,
    /// Those whose end we wait for before the first signal.
    pub(super) waiting_for: Vec<JobId>,
    /// When the next period begins, once the program has started.
    next_tick: Option<Moment>,
    /// The tick that waits for the end of a run that is being killed.
    held_tick: Option<Moment>,
    skipped_ticks: u64,
    lost_starts: u64,
    /// When the next check is due, once the job has been started.
    pub(super) next_check: Option<Moment>,
    /// Like `held_tick`, for the check.
    pub(super) held_check: Option<Moment>,
    pub(super) skipped_checks: u64,
}

impl Job {
    pub(super) fn new(id: JobId, spec: Arc<JobSpec>) -> Self {
        let (armed, starts_left) = match &spec.when {
            When::Startup | When::Every(_) | When::Once(_) => (true, false),
            When::Each(_) | When::Signal(_) => (true, true),
            When::Never(_) => (false, false),
        };
        let restarts_left = match spec.restarts {
            Restarts::Times(n) => n,
            Restarts::Never | Restarts::Unlimited => 0,
        };
        let status = if spec.is_telemetry() { Status::AlwaysHealthy } else { Status::Idle };
        Self {
            id,
            spec,
            stage: Stage::Live,
            status,
            armed,
            starts_left,
            restarts_left,
            restarts_over: false,
            run: None,
            check: None,
            due: 0,
            pausing: false,
            not_before: Moment::default(),
            streak: Streak::default(),
            spaced: false,
            wait_armed: false,
            started: false,
            runs: 0,
            last: None,
            keeps: false,
            waiting_for: Vec::new(),
            next_tick: None,
            held_tick: None,
            skipped_ticks: 0,
            lost_starts: 0,
            next_check: None,
            held_check: None,
            skipped_checks: 0,
        }
    }

    /// The configuration it follows.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// How far its life is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Its health.
    pub fn status(&self) -> Status {
        self.status
    }

    /// How many runs were begun.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Whose events start it, or stop it with everything else.
    pub(super) fn source(&self) -> Option<String> {
        match &self.spec.when {
            When::Once(trigger) | When::Each(trigger) => Some(trigger.source.clone()),
            When::Signal(signal) => Some(signal.name()),
            // Global events reach every job.
            When::Startup | When::Every(_) | When::Never(_) => None,
        }
    }

    /// The loop of the original begins: timers that do not wait for a start.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        if let When::Every(period) = self.spec.when {
            let first = turn.now.after(period);
            self.next_tick = Some(first);
            turn.arm(Timer::Interval(self.id), first);
        }
        if let Some(timeout) = self.spec.wait_timeout {
            self.wait_armed = true;
            turn.arm(Timer::Wait(self.id), turn.now.after(timeout));
        }
    }

    /// An event of the bus; `own` is the slot if it tells about one of our runs.
    pub(super) fn on_event(&mut self, event: &Event, own: Option<Slot>, turn: &mut Turn<'_>) -> Verdict {
        if self.stage != Stage::Live {
            return Verdict::GoOn;
        }
        let is_exit = matches!(event.code, EventCode::ExitSuccess | EventCode::ExitFailed);
        match own {
            Some(Slot::Check(_)) if is_exit => {
                self.on_check_exit(event.code == EventCode::ExitSuccess, turn);
                return Verdict::GoOn;
            }
            Some(Slot::Exec(_)) if is_exit => return self.on_own_exit(turn),
            _ => {}
        }
        if &*event.source == GLOBAL {
            match event.code {
                EventCode::Shutdown => return self.on_quit(self.keeps, turn),
                EventCode::EnterMaintenance => self.set_status(Status::Maintenance),
                EventCode::ExitMaintenance => {
                    self.set_status(if self.started { Status::Unknown } else { Status::Idle });
                }
                _ => {}
            }
        }
        if self.armed && self.is_start(event) { self.on_start_event(turn) } else { Verdict::GoOn }
    }

    fn is_start(&self, event: &Event) -> bool {
        match &self.spec.when {
            When::Startup | When::Every(_) => event.code == EventCode::Startup && &*event.source == GLOBAL,
            When::Once(trigger) | When::Each(trigger) => event.fires(trigger),
            When::Signal(signal) => event.code == EventCode::Signal && *event.source == signal.name(),
            When::Never(_) => false,
        }
    }

    /// Rule 2: `when.timeout` is over before the first start.
    pub(super) fn on_wait_over(&mut self, turn: &mut Turn<'_>) {
        if self.wait_armed && self.stage == Stage::Live {
            self.wait_armed = false;
            turn.publish(Event::new(EventCode::TimerExpired, self.name()), None);
            turn.ledger.queue.push_back(Queued::Quit(self.id));
        }
    }

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
            self.skipped_ticks += 1;
            if self.skipped_ticks.is_power_of_two() {
                let (name, skipped) = (self.name(), self.skipped_ticks);
                turn.log(
                    Level::Warn,
                    format!("{name} still runs when its next period begins: {skipped} skipped so far"),
                );
            }
        }
        Verdict::GoOn
    }

    /// Rule 6: quit after `when.timeout`, or the shutdown. `keep` lets a stop or post-stop job live until it ran.
    pub(super) fn on_quit(&mut self, keep: bool, turn: &mut Turn<'_>) -> Verdict {
        if self.stage != Stage::Live {
            return Verdict::GoOn;
        }
        self.restarts_over = true;
        if !keep {
            return Verdict::Stop;
        }
        // It acts on one more event. Starts that were asked for before have no place in the stop, and a run that is
        // in the way of that event is bounded like the one that it will bring.
        self.starts_left = false;
        self.due = 0;
        if std::mem::take(&mut self.pausing) {
            turn.disarm(Timer::Restart(self.id));
        }
        if self.keeps && self.run.is_some() {
            turn.arm(Timer::Stop(self.id), turn.now.after(self.spec.stop_timeout));
        }
        Verdict::GoOn
    }

    /// Whether it still waits for another job to stop, with something to run then.
    pub(super) fn waits_for_a_stop(&self) -> Option<(&str, EventCode)> {
        match &self.spec.when {
            When::Once(trigger) | When::Each(trigger) if self.armed && self.spec.exec.is_some() => {
                matches!(trigger.event, EventCode::Stopping | EventCode::Stopped)
                    .then_some((trigger.source.as_str(), trigger.event))
            }
            _ => None,
        }
    }

    /// Rule 9: our own run has ended.
    fn on_own_exit(&mut self, turn: &mut Turn<'_>) -> Verdict {
        if matches!(self.spec.when, When::Every(_)) {
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        if self.restart_permitted() {
            self.use_restart();
            self.due = self.due.saturating_add(1);
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        if self.starts_left || self.due > 0 || self.run.is_some() {
            self.start_what_is_due(turn);
            return Verdict::GoOn;
        }
        turn.log(Level::Debug, format!("job exited but restart not permitted: {}", self.name()));
        self.set_status(Status::Unknown);
        Verdict::Stop
    }

    /// Rules 10 and 11: the event of `when`.
    fn on_start_event(&mut self, turn: &mut Turn<'_>) -> Verdict {
        if !self.starts_left {
            self.armed = false;
        }
        match self.spec.when {
            // One signal that waits stands for all that come meanwhile.
            When::Signal(_) if self.due >= 1 && self.run.is_some() => return Verdict::GoOn,
            _ if self.due >= MOST_DUE => {
                self.lost_starts += 1;
                if self.lost_starts.is_power_of_two() {
                    let (name, lost) = (self.name(), self.lost_starts);
                    let message =
                        format!("{name} has {MOST_DUE} starts waiting for the end of its run: {lost} lost so far");
                    turn.log(Level::Warn, message);
                }
                return Verdict::GoOn;
            }
            _ => {}
        }
        self.request_start(turn);
        Verdict::GoOn
    }

    /// A start for a reason other than an exit: at once, unless a run is in the way. A restart that only waits for
    /// the end of its pause is brought forward.
    fn request_start(&mut self, turn: &mut Turn<'_>) {
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

    fn start_what_is_due(&mut self, turn: &mut Turn<'_>) {
        if self.due == 0 || self.run.is_some() || self.pausing {
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

    /// The pause before a start is over.
    pub(super) fn on_pause_over(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.pausing) && self.stage == Stage::Live {
            self.not_before = turn.now;
            self.start_what_is_due(turn);
        }
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.wait_armed) {
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
            if self.keeps {
                // A post-stop job holds the shutdown up: bound it (design §4 row 3).
                turn.arm(Timer::Stop(self.id), turn.now.after(self.spec.stop_timeout));
            }
        }
    }

    /// The run of the slot has ended: tell it, and note what the next start has to wait for.
    pub(super) fn run_ended(&mut self, slot: Slot, status: ExitStatus, turn: &mut Turn<'_>) {
        let Some((run, command)) = self.take_run(slot) else { return };
        run.ended(turn);
        let text = exit_status(status);
        if status.is_success() {
            turn.log(Level::Debug, format!("{command} exited without error"));
            turn.publish(Event::new(EventCode::ExitSuccess, command), Some(slot));
        } else {
            turn.log(Level::Error, format!("{command} exited with error: {text}"));
            turn.publish(Event::new(EventCode::ExitFailed, command.clone()), Some(slot));
            turn.publish(Event::new(EventCode::Error, format!("{command}: {text}")), None);
        }
        if matches!(slot, Slot::Exec(_)) {
            let killed = run.phase == Phase::Killed && self.stage == Stage::Terminating;
            self.last = Some(LastRun { code: status.shell_code(), text, killed });
            self.note_pause(turn.now.since(run.started), status.is_success(), turn);
        }
    }

    /// The run of the slot could not be started, for good.
    pub(super) fn run_failed(&mut self, slot: Slot, failure: &SpawnFailure, turn: &mut Turn<'_>) {
        let Some((run, command)) = self.take_run(slot) else { return };
        run.ended(turn);
        turn.log(Level::Error, format!("unable to start {command}: {}", failure.reason));
        if matches!(slot, Slot::Check(_)) && failure.temporary {
            // A check that could not run says nothing about the job (reliability row 24).
            self.held_check = None;
            return;
        }
        turn.publish(Event::new(EventCode::ExitFailed, command), Some(slot));
        turn.publish(Event::new(EventCode::Error, failure.reason.as_str()), None);
        if matches!(slot, Slot::Exec(_)) {
            self.last = Some(LastRun { code: failure.exit_code, text: failure.reason.clone(), killed: false });
            self.note_pause(Duration::ZERO, false, turn);
        }
    }

    fn take_run(&mut self, slot: Slot) -> Option<(Run, String)> {
        let (run, command) = match slot {
            Slot::Exec(_) => (self.run.take(), self.spec.exec.as_ref()),
            Slot::Check(_) => (self.check.take(), self.spec.check()),
        };
        Some((run?, command?.name.clone()))
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
                format!("{name} ended quickly {quick} times in a row ({how}): next start in {pause}"),
            );
        }
    }

    pub(super) fn restart_permitted(&self) -> bool {
        !self.restarts_over && (self.spec.restarts == Restarts::Unlimited || self.restarts_left > 0)
    }

    fn use_restart(&mut self) {
        self.restarts_left = self.restarts_left.saturating_sub(1);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        if self.status != Status::AlwaysHealthy {
            self.status = status;
        }
    }

    /// Whether nothing more will run by itself.
    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Complete
            || (self.stage == Stage::Live && self.run.is_none() && self.due == 0 && !self.pausing)
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
