//! One run of one command: how long it may take, and how it is made to end.
//!
//! ```text
//!             timeout                       SIGKILL sent,
//!  Running ───────────────────────────────► Killed ── 5 s ──► told once, still waited for
//!     │  ▲                                    ▲
//!     │  └── Retrying (no process slot: five tries, 200 ms apart)
//!     │ stop: TERM, CONT                      │ grace over, or a second TERM
//!     └────────────────► Terminating ─────────┘
//! ```
//!
//! Every state ends with the exit of the process; the run is then dropped and its timers with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::say::elapsed;
use super::turn::Turn;
use super::{ChildId, Effect, Lack, Moment, Slot, SpawnFailure, Timer};
use crate::duration::GoDuration;
use crate::plan::{CommandSpec, Level, Signal};

/// How often a spawn is tried again that failed for lack of something (reliability row 24).
const RETRIES: u8 = 5;
/// The time between two such tries.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a process may take to die of SIGKILL before we say that it doesn't (reliability row 20).
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a tick of this period may be held.
fn hold(period: Duration) -> Duration {
    period / 10
}

/// From when on the time limit of a start counts: from the tick that was held for it. Otherwise every hold would
/// move the next kill, and the runs of a job whose time is its period would drift until a period is lost.
pub(super) fn counts_from(held: Option<Moment>, period: Duration, now: Moment) -> Moment {
    held.filter(|&tick| now.since(tick) <= hold(period)).unwrap_or(now)
}

/// A live run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub child: ChildId,
    pub started: Moment,
    pub phase: Phase,
    /// When it will be killed for taking too long.
    pub until: Option<Moment>,
    /// When it will be killed because it was asked to end, or will be as soon as Consul has been told.
    pub killed_at: Option<Moment>,
    /// How its start failed last, if it did; rare, so elsewhere.
    failed: Option<Box<FailedStart>>,
    tries: u8,
    /// So many milliseconds it had from SIGTERM on.
    grace: u32,
}

/// A start that could not be for want of something, and is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FailedStart {
    /// In the original's words.
    pub reason: String,
    pub lacks: Lack,
    /// When it failed for the first time.
    pub since: Moment,
    /// When it is tried again.
    pub next: Moment,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// There is a process, for all we know.
    Running,
    /// There is none; the next try comes soon.
    Retrying,
    /// It was asked to end.
    Terminating,
    /// It was killed.
    Killed,
}

impl Run {
    /// Starts it. Its time limit counts from `since`, which is now or, for a start that was held, a moment ago.
    pub fn start(slot: Slot, command: &CommandSpec, since: Moment, turn: &mut Turn<'_>) -> Self {
        let child = turn.new_child(slot);
        let mut run = Self {
            child,
            started: turn.now,
            phase: Phase::Running,
            until: None,
            killed_at: None,
            failed: None,
            tries: 0,
            grace: 0,
        };
        run.spawn(slot, command, since, turn);
        run
    }

    fn spawn(&mut self, slot: Slot, command: &CommandSpec, since: Moment, turn: &mut Turn<'_>) {
        self.phase = Phase::Running;
        self.started = turn.now;
        turn.effects.push(Effect::Spawn { child: self.child, slot });
        if let Some(timeout) = command.timeout {
            let at = since.after(timeout);
            self.until = Some(at);
            turn.arm(Timer::Timeout(self.child), at);
        }
    }

    /// Whether a failed spawn will be tried again.
    pub fn retry_later(&mut self, failure: &SpawnFailure, turn: &mut Turn<'_>) -> bool {
        let Some(lacks) = failure.lacks.filter(|_| self.tries < RETRIES && self.phase == Phase::Running) else {
            return false;
        };
        self.tries += 1;
        self.phase = Phase::Retrying;
        self.until = None;
        let next = turn.now.after(RETRY_PAUSE);
        let since = self.failed.take().map_or(turn.now, |before| before.since);
        self.failed = Some(Box::new(FailedStart { reason: failure.reason.clone(), lacks, since, next }));
        turn.disarm(Timer::Timeout(self.child));
        turn.arm(Timer::Retry(self.child), next);
        true
    }

    /// Why there is no process, while the start is tried again.
    pub fn failed_start(&self) -> Option<&FailedStart> {
        self.failed.as_deref().filter(|_| self.phase == Phase::Retrying)
    }

    /// Whether there is a process, for all we know.
    pub fn has_process(&self) -> bool {
        self.phase != Phase::Retrying
    }

    pub fn retry(&mut self, slot: Slot, command: &CommandSpec, turn: &mut Turn<'_>) {
        if self.phase == Phase::Retrying {
            self.spawn(slot, command, turn.now, turn);
        }
    }

    /// Somebody wants it at once: that is a start like the first one.
    pub fn retry_now(&mut self, slot: Slot, command: &CommandSpec, turn: &mut Turn<'_>) {
        turn.disarm(Timer::Retry(self.child));
        self.tries = 0;
        self.retry(slot, command, turn);
    }

    /// Whether it is being killed for its time, or will be in a moment: then the tick of a period or of a check is
    /// held for it, where one that finds a run that goes on is skipped (design §4 row 5).
    pub fn ends_soon(&self, period: Duration, turn: &Turn<'_>) -> bool {
        match self.phase {
            Phase::Killed => true,
            Phase::Running => self.until.is_some_and(|until| until.since(turn.now) <= hold(period)),
            Phase::Retrying | Phase::Terminating => false,
        }
    }

    pub fn timed_out(&mut self, command: &CommandSpec, turn: &mut Turn<'_>) {
        if self.phase == Phase::Running {
            let timeout = GoDuration::from(command.timeout.unwrap_or_default());
            let args = command.args.join(" ");
            turn.log(Level::Warn, format!("{} timeout after {timeout}: '[{args}]'", command.name));
            self.kill(turn);
        }
    }

    /// A reload has changed how long it may take: that counts from its start.
    pub fn limit(&mut self, timeout: Option<Duration>, turn: &mut Turn<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        self.until = timeout.map(|timeout| self.started.after(timeout).max(turn.now));
        match self.until {
            Some(at) => turn.arm(Timer::Timeout(self.child), at),
            None => turn.disarm(Timer::Timeout(self.child)),
        }
    }

    /// Its grace begins now, whenever it is asked to end: what is waited for before that is a part of it (reliability
    /// row 58).
    pub fn begin_grace(&mut self, turn: &Turn<'_>) {
        if self.phase == Phase::Running {
            self.killed_at = Some(turn.now.after(turn.grace()));
        }
    }

    /// Asks the group to end, and sees to it that it does.
    pub fn terminate(&mut self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Running => {}
            Phase::Killed => {
                // It was killed for its time and we may have run out of patience long ago: start that anew.
                turn.effects.push(Effect::Signal { child: self.child, signal: Signal::KILL });
                turn.arm(Timer::GiveUp(self.child), turn.now.after(PATIENCE));
                return;
            }
            Phase::Retrying | Phase::Terminating => return,
        }
        self.phase = Phase::Terminating;
        self.until = None;
        turn.disarm(Timer::Timeout(self.child));
        turn.effects.push(Effect::Signal { child: self.child, signal: Signal::TERM });
        // A stopped process sees the TERM only once it is continued (reliability row 17).
        turn.effects.push(Effect::Signal { child: self.child, signal: Signal::CONT });
        let latest = turn.now.after(turn.grace());
        // Where we stood still meanwhile its time may be over: who is asked to end has half of the grace all the same.
        let soonest = turn.now.after(turn.grace() / 2);
        let at = self.killed_at.map_or(latest, |at| at.clamp(soonest, latest));
        self.killed_at = Some(at);
        self.grace = u32::try_from(at.since(turn.now).as_millis()).unwrap_or(u32::MAX);
        turn.arm(Timer::Grace(self.child), at);
    }

    pub fn grace_over(&mut self, name: &str, turn: &mut Turn<'_>) {
        if self.phase == Phase::Terminating {
            let grace = u64::from(self.grace);
            // Consul mostly takes a few milliseconds of it.
            let grace = if grace < 1000 { grace } else { grace.saturating_add(50) / 100 * 100 };
            let grace = elapsed(Duration::from_millis(grace));
            turn.log(Level::Warn, format!("{name} did not end within {grace} of SIGTERM: killing its process group"));
            self.kill(turn);
        }
    }

    pub fn kill(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Running | Phase::Terminating) {
            self.phase = Phase::Killed;
            self.killed_at = None;
            turn.disarm(Timer::Timeout(self.child));
            turn.disarm(Timer::Grace(self.child));
            turn.effects.push(Effect::Signal { child: self.child, signal: Signal::KILL });
            turn.arm(Timer::GiveUp(self.child), turn.now.after(PATIENCE));
        }
    }

    /// The process is gone, or never was: nothing of the run remains.
    pub fn ended(&self, turn: &mut Turn<'_>) {
        turn.ledger.slots.remove(&self.child);
        for timer in [Timer::Timeout, Timer::Retry, Timer::Grace, Timer::GiveUp] {
            turn.disarm(timer(self.child));
        }
    }
}
