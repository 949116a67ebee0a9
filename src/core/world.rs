//! All jobs, the event queue, and the function that everything is about.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::job::{Job, Verdict};
use super::shutdown::Phase;
use super::turn::{Ledger, Queued, Turn};
use super::{ChildId, Effect, Event, ExitStatus, Input, JobId, Moment, Slot, SpawnFailure, Timer};
use crate::plan::{CommandSpec, EventCode, ExitCodeRule, JobSpec, Level, Plan, Signal, SignalAction, SignalMap, When};

/// One step publishes no more events than this; a configuration that wants more is a cycle (design §1).
const MOST_EVENTS: usize = 10_000;

/// Everything that is true of the supervised world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    jobs: Vec<Job>,
    signals: SignalMap,
    pub(super) ledger: Ledger,
    pub(super) phase: Phase,
    pub(super) exit_code: ExitCodeRule,
    /// The stop was asked for, rather than caused by the end of the main job.
    pub(super) requested: bool,
    /// Something did not die of SIGKILL.
    pub(super) stuck: bool,
}

impl World {
    /// The world of a plan, before anything has happened.
    pub fn new(plan: &Plan) -> Self {
        let ids = (0..u32::MAX).map(JobId);
        let mut jobs: Vec<Job> = ids.zip(&plan.jobs).map(|(id, spec)| Job::new(id, Arc::new(spec.clone()))).collect();
        for (job, spaced) in jobs.iter_mut().zip(in_cycle(&plan.jobs)) {
            job.spaced = spaced;
        }
        Self {
            jobs,
            signals: plan.signals.clone(),
            ledger: Ledger {
                queue: VecDeque::new(),
                slots: std::collections::BTreeMap::new(),
                next_child: 1,
                stop_timeout: plan.stop_timeout,
                origin: None,
                maintenance: false,
                stopping: false,
                urgent: false,
            },
            phase: Phase::Running,
            exit_code: plan.exit_code,
            requested: false,
            stuck: false,
        }
    }

    /// Takes one input and appends what is to be done. Total: any input is fine at any time.
    pub fn step(&mut self, now: Moment, input: &Input, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Start => self.on_start(now, effects),
            Input::Signal(signal) => self.on_signal(*signal, now, effects),
            Input::Exited { child, status } => self.on_exited(*child, *status, now, effects),
            Input::SpawnFailed { child, failure } => self.on_spawn_failed(*child, failure, now, effects),
            Input::Timer(timer) => self.on_timer(*timer, now, effects),
            Input::NothingLeft => self.on_nothing_left(effects),
        }
        self.settle(now, effects);
        self.check_completion(now, effects);
    }

    /// The command of a slot, for who carries a spawn out.
    pub fn command(&self, slot: Slot) -> Option<&CommandSpec> {
        let spec = &self.job(slot.job())?.spec;
        match slot {
            Slot::Exec(_) => spec.exec.as_ref(),
            Slot::Check(_) => spec.check(),
        }
    }

    /// The slot of a live run.
    pub fn slot(&self, child: ChildId) -> Option<Slot> {
        self.ledger.slots.get(&child).copied()
    }

    /// All jobs in file order.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter()
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(usize::try_from(id.0).ok()?)
    }

    /// Whether everything is stopping.
    pub fn is_stopping(&self) -> bool {
        self.ledger.stopping
    }

    /// Whether maintenance mode is on.
    pub fn in_maintenance(&self) -> bool {
        self.ledger.maintenance
    }

    pub(super) fn ids(&self) -> Vec<JobId> {
        self.jobs.iter().map(|job| job.id).collect()
    }

    pub(super) fn turn<'a>(&'a mut self, now: Moment, effects: &'a mut Vec<Effect>) -> Turn<'a> {
        Turn { now, effects, ledger: &mut self.ledger }
    }

    pub(super) fn job_turn<'a>(
        &'a mut self,
        id: JobId,
        now: Moment,
        effects: &'a mut Vec<Effect>,
    ) -> Option<(&'a mut Job, Turn<'a>)> {
        let job = self.jobs.get_mut(usize::try_from(id.0).ok()?)?;
        Some((job, Turn { now, effects, ledger: &mut self.ledger }))
    }

    fn on_start(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.ledger.origin.is_some() || self.ledger.stopping {
            return;
        }
        let mut turn = Turn { now, effects, ledger: &mut self.ledger };
        turn.ledger.origin = Some(now);
        for job in &mut self.jobs {
            job.begin(&mut turn);
        }
        turn.publish(Event::global(EventCode::Startup), None);
    }

    fn on_signal(&mut self, signal: Signal, now: Moment, effects: &mut Vec<Effect>) {
        match self.signals.action(signal).clone() {
            SignalAction::Terminate => self.shut_down(&signal.name(), true, now, effects),
            SignalAction::ToggleMaintenance => self.set_maintenance(!self.ledger.maintenance, now, effects),
            SignalAction::ReopenLogs => effects.push(Effect::ReopenLogs),
            SignalAction::Event => self.turn(now, effects).publish(Event::new(EventCode::Signal, signal.name()), None),
            SignalAction::Pass { job, signal } => {
                let running = self.jobs.iter().filter(|other| other.name() == job).filter_map(|job| job.run.as_ref());
                effects.extend(running.map(|run| Effect::Signal { child: run.child, signal }));
            }
            SignalAction::Ignore => {}
        }
    }

    fn set_maintenance(&mut self, on: bool, now: Moment, effects: &mut Vec<Effect>) {
        if self.ledger.stopping {
            return;
        }
        self.ledger.maintenance = on;
        let (code, message) = if on {
            (EventCode::EnterMaintenance, "maintenance on: checks are paused")
        } else {
            (EventCode::ExitMaintenance, "maintenance off")
        };
        let mut turn = self.turn(now, effects);
        turn.log(Level::Info, message.to_owned());
        turn.publish(Event::global(code), None);
    }

    fn on_exited(&mut self, child: ChildId, status: ExitStatus, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slot(child) else { return };
        if let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) {
            job.run_ended(slot, status, &mut turn);
            job.finish(&mut turn);
        }
    }

    fn on_spawn_failed(&mut self, child: ChildId, failure: &SpawnFailure, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slot(child) else { return };
        let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) else { return };
        let run = match slot {
            Slot::Exec(_) => job.run.as_mut(),
            Slot::Check(_) => job.check.as_mut(),
        };
        if run.is_some_and(|run| run.retry_later(failure, &mut turn)) {
            return;
        }
        job.run_failed(slot, failure, &mut turn);
        job.finish(&mut turn);
    }

    fn on_timer(&mut self, timer: Timer, now: Moment, effects: &mut Vec<Effect>) {
        match timer {
            Timer::Interval(id) => {
                let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| job.on_tick(&mut turn));
                self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
            }
            Timer::Heartbeat(id) => {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_heartbeat(&mut turn);
                }
            }
            Timer::Wait(id) => {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_wait_over(&mut turn);
                }
            }
            Timer::Restart(id) => {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_pause_over(&mut turn);
                }
            }
            Timer::Stop(id) => self.on_stop_timeout(id, now, effects),
            Timer::Timeout(child) | Timer::Retry(child) | Timer::Grace(child) | Timer::GiveUp(child) => {
                self.on_run_timer(timer, child, now, effects);
            }
            Timer::Sweep => self.on_sweep_timer(now, effects),
        }
    }

    /// A timer of a run. One that outlived its run finds no slot and means nothing (reliability row 39).
    fn on_run_timer(&mut self, timer: Timer, child: ChildId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slot(child) else { return };
        let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) else { return };
        let spec = Arc::clone(&job.spec);
        let (run, command) = match slot {
            Slot::Exec(_) => (job.run.as_mut(), spec.exec.as_ref()),
            Slot::Check(_) => (job.check.as_mut(), spec.check()),
        };
        let (Some(run), Some(command)) = (run, command) else { return };
        match timer {
            Timer::Timeout(_) => run.timed_out(command, &mut turn),
            Timer::Retry(_) => run.retry(slot, command, &mut turn),
            Timer::Grace(_) => run.grace_over(&command.name, &mut turn),
            _ => {
                if job.give_up(&mut turn) {
                    self.stuck = true;
                }
            }
        }
    }

    /// Hands out what is queued, and lets stopping jobs move, until nothing is left to do.
    fn settle(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let most = MOST_EVENTS.max(self.jobs.len().saturating_mul(16));
        let mut handed_out = 0_usize;
        loop {
            while let Some(queued) = self.ledger.queue.pop_front() {
                handed_out += 1;
                if handed_out > most {
                    handed_out = 0;
                    self.cut_cycle(&queued, now, effects);
                    break;
                }
                match queued {
                    Queued::Event { event, from } => self.deliver(&event, from, now, effects),
                    Queued::Quit(id) => {
                        let verdict = self.job_turn(id, now, effects).map(|(job, _)| {
                            let keep = job.waits_for_a_stop().is_some();
                            job.on_quit(keep)
                        });
                        self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
                    }
                }
            }
            if !self.release(now, effects) && self.ledger.queue.is_empty() {
                return;
            }
        }
    }

    fn deliver(&mut self, event: &Event, from: Option<Slot>, now: Moment, effects: &mut Vec<Effect>) {
        for id in self.ids() {
            let own = from.filter(|slot| slot.job() == id);
            let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| job.on_event(event, own, &mut turn));
            self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
        }
    }

    fn carry_out(&mut self, id: JobId, verdict: Verdict, now: Moment, effects: &mut Vec<Effect>) {
        match verdict {
            Verdict::GoOn => {}
            Verdict::Stop => {
                // The container's application has ended: so does everything else, itself included.
                let main = self.job(id).filter(|job| job.spec.main && !self.ledger.stopping);
                if let Some(reason) = main.map(|main| format!("the end of {}", main.name())) {
                    self.shut_down(&reason, false, now, effects);
                } else {
                    self.stop_job(id, now, effects);
                }
            }
        }
    }

    /// Too many events in one step: the rest is dropped and the job that acts on them is stopped.
    fn cut_cycle(&mut self, last: &Queued, now: Moment, effects: &mut Vec<Effect>) {
        self.ledger.queue.clear();
        let Queued::Event { event, .. } = last else { return };
        let source = event.source.to_string();
        let message = format!("more than {MOST_EVENTS} events at once, the last is {event}: stopping {source}");
        effects.push(Effect::Log { level: Level::Error, message });
        let at_fault: Vec<JobId> = self.jobs.iter().filter(|job| job.name() == source).map(|job| job.id).collect();
        for id in at_fault {
            self.stop_job(id, now, effects);
        }
    }
}

/// Which jobs are part of a cycle of `each` triggers: their starts are spaced (reliability row 37).
fn in_cycle(jobs: &[JobSpec]) -> Vec<bool> {
    let wakes = |by: &JobSpec, woken: &JobSpec| match &woken.when {
        When::Each(trigger) => trigger.source == by.name,
        _ => false,
    };
    let mut spaced = vec![false; jobs.len()];
    if !jobs.iter().any(|job| matches!(job.when, When::Each(_))) {
        return spaced;
    }
    for (start, flag) in spaced.iter_mut().enumerate() {
        let mut seen = vec![false; jobs.len()];
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            let Some(by) = jobs.get(at) else { continue };
            for (to, woken) in jobs.iter().enumerate() {
                if !wakes(by, woken) {
                    continue;
                }
                if to == start && at != start {
                    *flag = true;
                }
                if let Some(first @ false) = seen.get_mut(to) {
                    *first = true;
                    next.push(to);
                }
            }
        }
    }
    spaced
}
