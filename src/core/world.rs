//! All jobs, the event queue, and the function that everything is about.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cycle::in_cycle;
use super::job::{Job, Stage, Verdict};
use super::reload::Reloading;
use super::shutdown::Phase;
use super::turn::{Ledger, Turn};
use super::watch::{Instance, Watch, WatchId};
use super::{ChildId, Effect, Event, ExitStatus, Input, JobId, Moment, Slot, SpawnFailure, Timer};
use crate::plan::{CommandSpec, EventCode, ExitCodeRule, Level, Plan, Signal, SignalAction, SignalMap};

/// Everything that is true of the supervised world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// By their numbers, which a reload leaves as they are.
    pub(super) jobs: BTreeMap<JobId, Box<Job>>,
    /// In file order.
    pub(super) order: Vec<JobId>,
    pub(super) next_job: u32,
    pub(super) watches: BTreeMap<WatchId, Watch>,
    pub(super) next_watch: u32,
    /// Which jobs wait for events of a source, in file order: an event costs as much as it has listeners.
    pub(super) followers: BTreeMap<String, Vec<JobId>>,
    /// The jobs that wait for their dependents before their first signal.
    pub(super) leaving: Vec<JobId>,
    pub(super) signals: SignalMap,
    pub(super) reload: Reloading,
    pub(super) ledger: Ledger,
    pub(super) phase: Phase,
    pub(super) exit_code: ExitCodeRule,
    /// The stop was asked for, rather than caused by the end of the main job.
    pub(super) requested: bool,
    /// Somebody has asked for a stop; the second time is urgent.
    pub(super) asked: bool,
    /// Something did not die of SIGKILL.
    pub(super) stuck: bool,
    /// Who was not over when somebody last looked: as long as he is not, nobody need look at the others.
    pub(super) witness: Option<JobId>,
}

impl World {
    /// The world of a plan, before anything has happened.
    pub fn new(plan: &Plan) -> Self {
        let mut world = Self {
            jobs: BTreeMap::new(),
            order: Vec::new(),
            next_job: 0,
            watches: BTreeMap::new(),
            next_watch: 0,
            followers: BTreeMap::new(),
            leaving: Vec::new(),
            signals: plan.signals.clone(),
            reload: Reloading::default(),
            ledger: Ledger {
                queue: VecDeque::new(),
                slots: BTreeMap::new(),
                next_child: 1,
                stop_timeout: plan.stop_timeout,
                origin: None,
                maintenance: false,
                stopping: false,
                urgent: false,
                look_again: false,
            },
            phase: Phase::Running,
            exit_code: plan.exit_code,
            requested: false,
            asked: false,
            stuck: false,
            witness: None,
        };
        for spec in &plan.jobs {
            let id = world.new_job_id();
            world.jobs.insert(id, Box::new(Job::new(id, Arc::new(spec.clone()), plan.consul.as_ref())));
            world.order.push(id);
        }
        for spec in &plan.watches {
            let id = world.new_watch_id();
            world.watches.insert(id, Watch::new(spec));
        }
        world.arrange(plan);
        world
    }

    pub(super) fn new_job_id(&mut self) -> JobId {
        let id = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        id
    }

    pub(super) fn new_watch_id(&mut self) -> WatchId {
        let id = WatchId(self.next_watch);
        self.next_watch = self.next_watch.saturating_add(1);
        id
    }

    /// Notes what follows from the jobs of the plan as a whole: places, cycles, who waits for whom.
    pub(super) fn arrange(&mut self, plan: &Plan) {
        self.followers.clear();
        for (place, (id, spaced)) in self.order.iter().zip(in_cycle(&plan.jobs)).enumerate() {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            job.place = place;
            job.spaced = spaced;
            if let Some(source) = job.source() {
                self.followers.entry(source).or_default().push(*id);
            }
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
            Input::Maintenance(on) => self.set_maintenance(*on, now, effects),
            Input::Stop { reason } => self.stop_on_request(reason, now, effects),
            Input::Exited { child, status } => self.on_exited(*child, *status, now, effects),
            Input::SpawnFailed { child, failure } => self.on_spawn_failed(*child, failure, now, effects),
            Input::Timer(timer) => self.on_timer(*timer, now, effects),
            Input::Withdrawn { job } => {
                if let Some((job, mut turn)) = self.job_turn(*job, now, effects) {
                    job.on_withdrawn(&mut turn);
                }
            }
            Input::Seen { watch, instances } => self.on_seen(*watch, instances, now, effects),
            Input::Order { job, order } => self.on_order(job, *order, now, effects),
            Input::NothingLeft => self.on_nothing_left(effects),
            Input::Reload(plan) => self.on_reload(plan, now, effects),
            Input::ConsulChanged => {
                for id in self.ids() {
                    if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                        job.on_consul_changed(&mut turn);
                    }
                }
            }
        }
        self.settle(now, effects);
        while self.start_again(now, effects) || self.apply_when_ready(now, effects) {
            self.settle(now, effects);
        }
        self.check_completion(now, effects);
    }

    /// The command of a slot, for who carries a spawn out.
    pub fn command(&self, slot: Slot) -> Option<&Arc<CommandSpec>> {
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
        self.order.iter().filter_map(|id| self.jobs.get(id).map(Box::as_ref))
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(Box::as_ref)
    }

    pub(super) fn all_complete(&mut self) -> bool {
        let stopping = self.ledger.stopping;
        // One that was stopped by hand is there to be started.
        let comes_back = |job: &Job| (job.halted || job.again || job.renew) && !stopping;
        let is_left = |job: &Job| job.stage != Stage::Complete || comes_back(job);
        if self.witness.and_then(|id| self.job(id)).is_some_and(is_left) {
            return false;
        }
        // The last one first: jobs that stop together mostly do so in their order.
        self.witness = self.jobs.values().rev().find(|job| is_left(job)).map(|job| job.id);
        self.witness.is_none()
    }

    /// Whether everything is stopping.
    pub fn is_stopping(&self) -> bool {
        self.ledger.stopping
    }

    /// Whether maintenance mode is on.
    pub fn in_maintenance(&self) -> bool {
        self.ledger.maintenance
    }

    /// All jobs' ids in file order, without a hold on the jobs.
    pub fn ids(&self) -> impl Iterator<Item = JobId> + use<> {
        self.order.clone().into_iter()
    }

    /// The jobs that wait for events of this source, in file order.
    pub(super) fn followers(&self, source: &str) -> &[JobId] {
        self.followers.get(source).map_or(&[], Vec::as_slice)
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
        let job = self.jobs.get_mut(&id)?;
        Some((job, Turn { now, effects, ledger: &mut self.ledger }))
    }

    fn on_start(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.ledger.origin.is_some() || self.ledger.stopping {
            return;
        }
        self.ledger.origin = Some(now);
        for id in self.ids() {
            if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                job.begin(&mut turn);
            }
        }
        effects.extend(self.watches.keys().map(|&watch| Effect::StartWatch { watch }));
        self.expect_reload(now, effects);
        let mut turn = self.turn(now, effects);
        turn.publish(Event::global(EventCode::Startup), None);
        if turn.ledger.maintenance {
            turn.publish(Event::global(EventCode::EnterMaintenance), None);
        }
    }

    fn on_signal(&mut self, signal: Signal, now: Moment, effects: &mut Vec<Effect>) {
        match self.signals.action(signal).clone() {
            SignalAction::Terminate => self.shut_down(&signal.name(), true, now, effects),
            SignalAction::ToggleMaintenance => self.set_maintenance(!self.ledger.maintenance, now, effects),
            SignalAction::ReopenLogs => effects.push(Effect::ReopenLogs),
            SignalAction::Reload => effects.push(Effect::Reread),
            // Before the start nobody listens yet.
            SignalAction::Event if self.ledger.origin.is_none() => {}
            SignalAction::Event => self.turn(now, effects).publish(Event::new(EventCode::Signal, signal.name()), None),
            SignalAction::Pass { job, signal } => {
                let runs = self.jobs().filter(|other| other.name() == job).filter_map(|job| job.run.as_ref());
                let running = runs.filter(|run| run.has_process());
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
        // Before the start no job may run: what is on by then is told with the start.
        if turn.ledger.origin.is_some() {
            turn.publish(Event::global(code), None);
        }
    }

    fn on_seen(&mut self, watch: WatchId, instances: &[Instance], now: Moment, effects: &mut Vec<Effect>) {
        let Some(watch) = self.watches.get_mut(&watch).filter(|_| self.ledger.origin.is_some()) else { return };
        watch.see(instances.to_vec(), &mut Turn { now, effects, ledger: &mut self.ledger });
    }

    /// The slot of a run that has a process, or may have: news of one that waits for its next try are not about it.
    fn with_process(&self, child: ChildId) -> Option<Slot> {
        let slot = self.slot(child)?;
        let job = self.job(slot.job())?;
        let run = match slot {
            Slot::Exec(_) => job.run.as_ref(),
            Slot::Check(_) => job.check.as_ref(),
        };
        run.filter(|run| run.has_process()).map(|_| slot)
    }

    fn on_exited(&mut self, child: ChildId, status: ExitStatus, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.with_process(child) else { return };
        if let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) {
            job.run_ended(slot, status, &mut turn);
            job.finish(&mut turn);
        }
    }

    fn on_spawn_failed(&mut self, child: ChildId, failure: &SpawnFailure, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.with_process(child) else { return };
        let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) else { return };
        let run = match slot {
            Slot::Exec(_) => job.run.as_mut(),
            Slot::Check(_) => job.check.as_mut(),
        };
        // A job that stops wants no process any more.
        let tried_again = job.stage == Stage::Live;
        if tried_again && run.is_some_and(|run| run.retry_later(failure, &mut turn)) {
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
            Timer::Withdraw(id) => {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_withdrawal_over(&mut turn);
                }
            }
            Timer::Timeout(child) | Timer::Retry(child) | Timer::Grace(child) | Timer::GiveUp(child) => {
                self.on_run_timer(timer, child, now, effects);
            }
            Timer::Sweep => self.on_sweep_timer(now, effects),
            Timer::Reload => self.on_reload_timer(now, effects),
        }
    }

    /// A timer of a run. One that outlived its run finds no slot and means nothing (reliability row 39).
    fn on_run_timer(&mut self, timer: Timer, child: ChildId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(slot) = self.slot(child) else { return };
        let Some((job, mut turn)) = self.job_turn(slot.job(), now, effects) else { return };
        let spec = Arc::clone(&job.spec);
        // A reload may have taken the check away whose run goes on.
        let command = match slot {
            Slot::Exec(_) => spec.exec.as_ref(),
            Slot::Check(_) => spec.check(),
        };
        let name = job.command_name(slot);
        let run = match slot {
            Slot::Exec(_) => job.run.as_mut(),
            Slot::Check(_) => job.check.as_mut(),
        };
        let Some(run) = run else { return };
        match timer {
            Timer::Timeout(_) => match command {
                Some(command) => run.timed_out(command, &mut turn),
                None => run.kill(&mut turn),
            },
            Timer::Retry(_) => {
                if let Some(command) = command {
                    run.retry(slot, command, &mut turn);
                } else {
                    run.ended(&mut turn);
                    job.check = None;
                }
            }
            Timer::Grace(_) => run.grace_over(&name, &mut turn),
            Timer::GiveUp(_) => {
                if job.give_up(slot, &mut turn) {
                    self.stuck = true;
                }
            }
            Timer::Interval(_)
            | Timer::Heartbeat(_)
            | Timer::Wait(_)
            | Timer::Restart(_)
            | Timer::Stop(_)
            | Timer::Withdraw(_)
            | Timer::Sweep
            | Timer::Reload => {}
        }
    }
}
