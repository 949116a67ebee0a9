//! One job: its state, and which of the rules of v3 §11 an event is for.
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
//! Withdrawing                     its service is taken out of Consul, at most 2 s (`service`)
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
use super::exec::Run;
use super::say::elapsed;
use super::service::Registration;
use super::turn::{Queued, Turn};
use super::{ChildId, Event, GLOBAL, JobId, Lack, Moment, Slot, Timer};
use crate::plan::{Consul, EventCode, JobSpec, Level, Restarts, When};

/// How far a job's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It waits or runs.
    Live,
    /// It has published `stopping` and waits for those who act on that.
    Leaving,
    /// It waits for Consul to forget its service.
    Withdrawing,
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
    /// What it could not be started for want of.
    pub lacked: Option<Lack>,
    /// When it ended.
    pub at: Moment,
    /// How long it lasted.
    pub lasted: Duration,
}

/// One job's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub(super) id: JobId,
    pub(super) spec: Arc<JobSpec>,
    /// Its place in the file.
    pub(super) place: usize,
    /// A reload removes it, or puts another in its place: it stops, whatever its rules say.
    pub(super) retired: bool,
    /// Somebody has stopped it by hand: it stays so until somebody starts it or its definition changes (`order`).
    pub(super) halted: bool,
    /// It starts anew once it has stopped.
    pub(super) again: bool,
    /// It has acted on the stop of a job that starts anew: once it is over, another waits in its place.
    pub(super) renew: bool,
    /// … and that job has stopped again meanwhile: the other one acts on it at once.
    pub(super) owed: bool,
    pub(super) stage: Stage,
    /// Since when it is in this stage.
    pub(super) since: Moment,
    pub(super) status: Status,
    /// Whether the event of `when` still starts it.
    pub(super) armed: bool,
    /// Whether a further event may start it once this run is over.
    pub(super) starts_left: bool,
    pub(super) restarts_left: u64,
    /// Nothing restarts any more: quit or shutdown.
    pub(super) restarts_over: bool,
    pub(super) run: Option<Run>,
    pub(super) check: Option<Run>,
    /// Starts that wait for the end of the run or of the pause.
    pub(super) due: u32,
    /// The pause before the next start is armed.
    pub(super) pausing: bool,
    /// No restart before this moment.
    pub(super) not_before: Moment,
    pub(super) streak: Streak,
    /// Starts by events are spaced like restarts: the job is part of a cycle (reliability row 37).
    pub(super) spaced: bool,
    /// When `when.timeout` is over, while it is armed.
    pub(super) wait_until: Option<Moment>,
    pub(super) started: bool,
    pub(super) runs: u64,
    /// Starts because its run had ended.
    pub(super) restarts: u64,
    /// What its last start was for, or the next one is.
    pub(super) cause: Cause,
    pub(super) last: Option<LastRun>,
    /// A stop or post-stop job that the shutdown lets live until it has run.
    pub(super) keeps: bool,
    /// Those whose end we wait for before the first signal.
    pub(super) waiting_for: Vec<JobId>,
    /// When the next period begins, once the program has started.
    pub(super) next_tick: Option<Moment>,
    /// The tick that waits for the end of a run that is being killed.
    pub(super) held_tick: Option<Moment>,
    pub(super) skipped_ticks: u64,
    pub(super) lost_starts: u64,
    /// When the next check is due, once the job has been started.
    pub(super) next_check: Option<Moment>,
    /// Like `held_tick`, for the check.
    pub(super) held_check: Option<Moment>,
    pub(super) skipped_checks: u64,
    /// How the last check failed, in the original's words.
    pub(super) check_failure: String,
    /// How many have failed in a row.
    pub(super) failed_checks: u64,
    /// When the last one ended.
    pub(super) checked: Option<Moment>,
    pub(super) registration: Registration,
}

/// Why a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cause {
    /// What its `when` names has happened.
    Event,
    /// Its run has ended.
    Restart,
    /// Somebody wants it to.
    ByHand,
}

/// Whether the event of a `when` starts its job, and whether it can do so again.
pub(super) fn starts(when: &When) -> (bool, bool) {
    match when {
        When::Startup | When::Every(_) | When::Once(_) => (true, false),
        When::Each(_) | When::Signal(_) => (true, true),
        When::Never(_) => (false, false),
    }
}

/// How many restarts there are to begin with.
pub(super) fn budget(restarts: Restarts) -> u64 {
    match restarts {
        Restarts::Times(n) => n,
        Restarts::Never | Restarts::Unlimited => 0,
    }
}

impl Job {
    pub(super) fn new(id: JobId, spec: Arc<JobSpec>, consul: Option<&Consul>) -> Self {
        let (armed, starts_left) = starts(&spec.when);
        let restarts_left = budget(spec.restarts);
        let status = if spec.is_telemetry() { Status::AlwaysHealthy } else { Status::Idle };
        let registration = Registration::new(&spec, consul);
        Self {
            id,
            spec,
            place: 0,
            retired: false,
            halted: false,
            again: false,
            renew: false,
            owed: false,
            stage: Stage::Live,
            since: Moment::default(),
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
            wait_until: None,
            started: false,
            runs: 0,
            restarts: 0,
            cause: Cause::Event,
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
            check_failure: String::new(),
            failed_checks: 0,
            checked: None,
            registration,
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

    /// How often it was started again because its run had ended.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Whether it waits for the end of the pause before a restart.
    pub fn is_pausing(&self) -> bool {
        self.pausing
    }

    /// Whether its command runs: not while its start is tried again.
    pub fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(Run::has_process)
    }

    /// The process that its command runs in, or is about to.
    pub fn child(&self) -> Option<ChildId> {
        self.run.as_ref().map(|run| run.child)
    }

    /// Whether it was started at all.
    pub fn was_started(&self) -> bool {
        self.started
    }

    /// The exit status of its last run as a shell would tell it; 126 or 127 if it could not be started.
    pub fn last_exit(&self) -> Option<i32> {
        self.last.as_ref().map(|last| last.code)
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
        self.begin_to_wait(turn);
        self.announce(turn);
    }

    pub(super) fn begin_to_wait(&mut self, turn: &mut Turn<'_>) {
        if let When::Every(period) = self.spec.when {
            let first = turn.now.after(period);
            self.next_tick = Some(first);
            turn.arm(Timer::Interval(self.id), first);
        }
        if let Some(timeout) = self.spec.wait_timeout.filter(|_| !self.started) {
            let until = turn.now.after(timeout);
            self.wait_until = Some(until);
            turn.arm(Timer::Wait(self.id), until);
        }
    }

    /// An event of the bus; `own` is the slot if it tells the end of one of our runs.
    pub(super) fn on_event(&mut self, event: &Event, own: Option<Slot>, turn: &mut Turn<'_>) -> Verdict {
        self.owed |= self.renew && own.is_none() && self.is_start(event);
        if self.stage != Stage::Live {
            return Verdict::GoOn;
        }
        match own {
            Some(Slot::Check(_)) => {
                self.on_check_exit(event.code == EventCode::ExitSuccess, turn);
                return Verdict::GoOn;
            }
            Some(Slot::Exec(_)) => return self.on_own_exit(turn),
            None => {}
        }
        let global = |code| event.code == code && &*event.source == GLOBAL;
        if global(EventCode::Shutdown) {
            return self.on_quit(self.keeps, turn);
        } else if global(EventCode::EnterMaintenance) {
            self.set_status(Status::Maintenance);
            self.withdraw(turn);
        } else if global(EventCode::ExitMaintenance) {
            self.set_status(if self.started { Status::Unknown } else { Status::Idle });
            self.announce(turn);
            self.start_what_is_due(turn);
        }
        if self.armed && self.is_start(event) {
            self.on_start_event(turn);
        }
        Verdict::GoOn
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
        if self.stage == Stage::Live && self.wait_until.take().is_some() {
            if let Some(timeout) = self.spec.wait_timeout {
                let outlook = match self.waits_for_a_stop() {
                    Some((source, _)) => format!("it waits on for the stop of {source}"),
                    None => "it will not start".to_owned(),
                };
                let (name, waited) = (self.name(), elapsed(timeout));
                turn.log(Level::Warn, format!("{name} has waited {waited} for its start (`when.timeout`): {outlook}"));
            }
            turn.publish(Event::new(EventCode::TimerExpired, self.name()), None);
            turn.ledger.queue.push_back(Queued::Quit(self.id));
        }
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
        // It acts on one more event. A run that is in the way of that is bounded like the one that it will bring.
        self.starts_left = false;
        self.bound_post_stop(turn);
        // Maintenance holds nothing back any more.
        self.start_what_is_due(turn);
        Verdict::GoOn
    }

    /// A post-stop job that runs holds the shutdown up, so its own `stopTimeout` bounds it. A pre-stop job's run is
    /// bounded by the job that waits for it, and by nothing else (design §4 row 3).
    pub(super) fn bound_post_stop(&self, turn: &mut Turn<'_>) {
        let post_stop = match &self.spec.when {
            When::Once(trigger) | When::Each(trigger) => trigger.event == EventCode::Stopped,
            When::Startup | When::Every(_) | When::Signal(_) | When::Never(_) => false,
        };
        if self.keeps && self.run.is_some() && post_stop {
            turn.arm(Timer::Stop(self.id), turn.now.after(self.spec.stop_timeout));
        }
    }

    /// Whether it still waits for another job to stop, with something to run then.
    pub(super) fn waits_for_a_stop(&self) -> Option<(&str, EventCode)> {
        match &self.spec.when {
            When::Once(trigger) | When::Each(trigger) if self.armed && self.spec.exec.is_some() => {
                matches!(trigger.event, EventCode::Stopping | EventCode::Stopped)
                    .then_some((trigger.source.as_str(), trigger.event))
            }
            When::Startup | When::Once(_) | When::Each(_) | When::Every(_) | When::Signal(_) | When::Never(_) => None,
        }
    }

    pub(super) fn restart_permitted(&self) -> bool {
        !self.restarts_over && (self.spec.restarts == Restarts::Unlimited || self.restarts_left > 0)
    }

    pub(super) fn use_restart(&mut self) {
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
