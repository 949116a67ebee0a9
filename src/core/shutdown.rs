//! How everything stops, and with which exit status (v3 §12.3 and §12.4, design §5).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::exec::PATIENCE;
use super::job::{Job, Stage};
use super::say::{count, elapsed};
use super::world::World;
use super::{Effect, Event, JobId, Moment, Timer};
use crate::plan::{EventCode, ExitCodeRule, Level, Signal};

/// The exit status when a process could not even be killed.
const STUCK: u8 = 70;

/// How far the program's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Jobs live.
    Running,
    /// All jobs are complete; what no job owns was asked to end.
    Sweeping,
    /// … and was killed.
    Killing,
    /// [`Effect::Exit`] was given.
    Over,
}

impl World {
    /// Begins the stop of everything, or, when it has begun, cuts its grace.
    pub(super) fn shut_down(&mut self, reason: &str, requested: bool, now: Moment, effects: &mut Vec<Effect>) {
        if requested && std::mem::replace(&mut self.asked, true) {
            self.hurry(reason, now, effects);
            return;
        }
        if self.ledger.stopping || self.phase != Phase::Running {
            // We were ending by ourselves. That one request comes meanwhile is usual and no reason to hurry.
            let message = format!("{reason}: already stopping; once more kills what is left");
            effects.push(Effect::Log { level: Level::Info, message });
            return;
        }
        let jobs = count(self.jobs().filter(|job| job.stage != Stage::Complete).count(), "job");
        let grace = elapsed(self.ledger.stop_timeout);
        let message = format!("stopping on {reason}: {jobs}, SIGKILL {grace} after each one's SIGTERM");
        effects.push(Effect::Log { level: Level::Info, message });
        self.requested = requested;
        self.give_up_reload(effects);
        let keepers = self.keepers(|_| true);
        let mut turn = self.turn(now, effects);
        turn.ledger.stopping = true;
        turn.publish(Event::global(EventCode::Shutdown), None);
        for id in keepers {
            if let Some((job, _)) = self.job_turn(id, now, effects) {
                job.keeps = true;
            }
        }
    }

    /// Somebody else than a signal wants the stop. Asked twice it is one, and the first signal after it hurries nobody: both
    /// may come from the same hand.
    pub(super) fn stop_on_request(&mut self, reason: &str, now: Moment, effects: &mut Vec<Effect>) {
        if !self.ledger.stopping {
            self.shut_down(reason, true, now, effects);
            self.asked = false;
        }
    }

    /// A second request: nobody gets any grace.
    fn hurry(&mut self, reason: &str, now: Moment, effects: &mut Vec<Effect>) {
        if self.ledger.urgent || self.phase == Phase::Over {
            return;
        }
        self.ledger.urgent = true;
        let message = format!("{reason} again: killing what is left");
        effects.push(Effect::Log { level: Level::Warn, message });
        self.cut_all_grace(now, effects);
        if self.phase == Phase::Sweeping {
            self.sweep_hard(now, effects);
        }
    }

    /// The stop and post-stop jobs whose turn will come when these jobs stop: those whose source is going to stop,
    /// directly or because it is such a job itself. All others would wait for ever (v3 §20.1 item 3).
    pub(super) fn keepers(&self, stops: impl Fn(&Job) -> bool) -> BTreeSet<JobId> {
        if self.ledger.origin.is_none() {
            // Nothing was started, so nothing stops and nobody has to act on it (reliability row 1).
            return BTreeSet::new();
        }
        let waiting = |job: &Job| stops(job) && job.stage == Stage::Live && job.waits_for_a_stop().is_some();
        let mut will_stop: Vec<&Job> = self.jobs().filter(|job| stops(job) && !waiting(job)).collect();
        let mut keepers = BTreeSet::new();
        while let Some(job) = will_stop.pop() {
            let followers = self.followers(job.name()).iter().filter_map(|&id| self.job(id));
            for follower in followers.filter(|follower| waiting(follower)) {
                let still_to_come = match follower.waits_for_a_stop() {
                    Some((_, EventCode::Stopping)) => job.stage == Stage::Live,
                    Some(_) => job.stage != Stage::Complete,
                    None => false,
                };
                if still_to_come && keepers.insert(follower.id) {
                    will_stop.push(follower);
                }
            }
        }
        keepers
    }

    /// After every step: when the last job is complete, what no job owns is next, and then we are.
    pub(super) fn check_completion(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.phase != Phase::Running || self.reload.is_busy() {
            return;
        }
        let all_complete = self.all_complete();
        let nothing_to_do = self.jobs().next().is_none() && !self.ledger.stopping;
        if !all_complete || nothing_to_do {
            return;
        }
        self.phase = Phase::Sweeping;
        if self.ledger.urgent {
            self.sweep_hard(now, effects);
            return;
        }
        let grace = self.ledger.stop_timeout;
        effects.push(Effect::Sweep { signal: Signal::TERM });
        effects.push(Effect::Arm { timer: Timer::Sweep, at: now.after(grace) });
    }

    fn sweep_hard(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.phase = Phase::Killing;
        effects.push(Effect::Sweep { signal: Signal::KILL });
        effects.push(Effect::Arm { timer: Timer::Sweep, at: now.after(PATIENCE) });
    }

    pub(super) fn on_sweep_timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Sweeping => {
                let grace = elapsed(self.ledger.stop_timeout);
                let message = format!("killing what no job owns: it is still there {grace} after SIGTERM");
                effects.push(Effect::Log { level: Level::Warn, message });
                self.sweep_hard(now, effects);
            }
            Phase::Killing => {
                let message = "leaving although processes are left that SIGKILL does not end".to_owned();
                effects.push(Effect::Log { level: Level::Error, message });
                self.stuck = true;
                self.exit(effects);
            }
            Phase::Running | Phase::Over => {}
        }
    }

    pub(super) fn on_nothing_left(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Sweeping | Phase::Killing) {
            self.exit(effects);
        }
    }

    fn exit(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Over;
        effects.push(Effect::Disarm { timer: Timer::Sweep });
        let status = self.exit_status();
        effects.push(Effect::Log { level: Level::Info, message: self.last_words(status) });
        effects.push(Effect::Exit { status });
    }

    /// Design §5.
    fn exit_status(&self) -> u8 {
        let code_of = |job: &Job| job.last.as_ref().map(|last| last.code);
        let overriding = self.jobs().filter(|job| job.spec.overrides_exit_code).find_map(code_of);
        let main = self.jobs().filter(|job| job.spec.main).find_map(code_of);
        let first_failed = || self.jobs().filter_map(code_of).find(|&code| code != 0);
        let by_rule = || match self.exit_code {
            ExitCodeRule::Zero => 0,
            ExitCodeRule::Truthful if self.requested => main.unwrap_or(0),
            ExitCodeRule::Truthful => main.or_else(first_failed).unwrap_or(0),
        };
        let code = overriding.unwrap_or_else(by_rule);
        match u8::try_from(code).unwrap_or(u8::MAX) {
            0 if self.stuck => STUCK,
            status => status,
        }
    }

    fn last_words(&self, status: u8) -> String {
        const MOST: usize = 10;
        let ran: Vec<&Job> = self.jobs().filter(|job| job.last.is_some()).collect();
        let mut words: Vec<String> = ran
            .iter()
            .take(MOST)
            .map(|job| {
                let last = job.last.as_ref();
                let killed = last.is_some_and(|last| last.killed);
                let code = last.map_or(0, |last| last.code);
                if killed && self.ledger.urgent {
                    format!("{} (killed)", job.name())
                } else if killed {
                    format!("{} (killed: it did not end on SIGTERM)", job.name())
                } else {
                    format!("{} ({code})", job.name())
                }
            })
            .collect();
        if ran.len() > MOST {
            words.push(format!("{} more", ran.len() - MOST));
        }
        let what = if words.is_empty() { "nothing ran".to_owned() } else { words.join(", ") };
        let verb = if self.ledger.stopping { "stopped" } else { "all jobs are complete" };
        format!("{verb}: {what}; exit {status}")
    }
}
