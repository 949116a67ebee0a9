//! All jobs, the event queue, and the function that everything is about.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cycle::in_cycle;
use super::exec;
use super::job::{Job, Verdict};
use super::shutdown::Phase;
use super::turn::{Ledger, Queued, Turn};
use super::watch::{Instance, Watch, WatchId};
use super::{ChildId, Effect, Event, ExitStatus, GLOBAL, Input, JobId, Moment, Slot, SpawnFailure, Timer};
use crate::plan::{CommandSpec, EventCode, ExitCodeRule, JobSpec, Level, Plan, Signal, SignalAction, SignalMap};

/// One step publishes no more events than this; a configuration that wants more is a cycle (design §1).
const MOST_EVENTS: usize = 10_000;

/// Everything that is true of the supervised world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    jobs: Vec<Job>,
    pub(super) watches: Vec<Watch>,
    /// Which jobs wait for events of a source, in file order: an event costs as much as it has listeners.
    followers: BTreeMap<String, Vec<JobId>>,
    /// The jobs that wait for their dependents before their first signal.
    pub(super) leaving: Vec<JobId>,
    signals: SignalMap,
    pub(super) ledger: Ledger,
    pub(super) phase: Phase,
    pub(super) exit_code: ExitCodeRule,
    /// The stop was asked for, rather than caused by the end of the main job.
    pub(super) requested: bool,
    /// Somebody has asked for a stop; the second time is urgent.
    pub(super) asked: bool,
    /// Something did not die of SIGKILL.
    pub(super) stuck: bool,
}

impl World {
    /// The world of a plan, before anything has happened.
    pub fn new(plan: &Plan) -> Self {
        let ids = (0..u32::MAX).map(JobId);
        let consul = plan.consul.as_ref();
        let job = |(id, spec): (JobId, &JobSpec)| Job::new(id, Arc::new(spec.clone()), consul);
        let mut jobs: Vec<Job> = ids.zip(&plan.jobs).map(job).collect();
        for (job, spaced) in jobs.iter_mut().zip(in_cycle(&plan.jobs)) {
            job.spaced = spaced;
        }
        let mut followers: BTreeMap<String, Vec<JobId>> = BTreeMap::new();
        for job in &jobs {
            if let Some(source) = job.source() {
                followers.entry(source).or_default().push(job.id);
            }
        }
        Self {
            jobs,
            watches: plan.watches.iter().map(Watch::new).collect(),
            followers,
            leaving: Vec::new(),
            signals: plan.signals.clone(),
            ledger: Ledger {
                queue: VecDeque::new(),
                slots: BTreeMap::new(),
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
            asked: false,
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
            Input::Withdrawn { job } => {
                if let Some((job, mut turn)) = self.job_turn(*job, now, effects) {
                    job.on_withdrawn(&mut turn);
                }
            }
            Input::Seen { watch, instances } => self.on_seen(*watch, instances, now, effects),
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

    /// All jobs' ids in file order, without a hold on the jobs.
    pub(super) fn ids(&self) -> impl Iterator<Item = JobId> + use<> {
        (0..self.jobs.len()).filter_map(|index| u32::try_from(index).ok()).map(JobId)
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
        if turn.ledger.maintenance {
            turn.publish(Event::global(EventCode::EnterMaintenance), None);
        }
    }

    fn on_signal(&mut self, signal: Signal, now: Moment, effects: &mut Vec<Effect>) {
        match self.signals.action(signal).clone() {
            SignalAction::Terminate => self.shut_down(&signal.name(), true, now, effects),
            SignalAction::ToggleMaintenance => self.set_maintenance(!self.ledger.maintenance, now, effects),
            SignalAction::ReopenLogs => effects.push(Effect::ReopenLogs),
            // Before the start nobody listens yet.
            SignalAction::Event if self.ledger.origin.is_none() => {}
            SignalAction::Event => self.turn(now, effects).publish(Event::new(EventCode::Signal, signal.name()), None),
            SignalAction::Pass { job, signal } => {
                let runs = self.jobs.iter().filter(|other| other.name() == job).filter_map(|job| job.run.as_ref());
                let running = runs.filter(|run| run.phase != exec::Phase::Retrying);
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
        let watch = usize::try_from(watch.0).ok().and_then(|index| self.watches.get_mut(index));
        let Some(watch) = watch.filter(|_| self.ledger.origin.is_some()) else { return };
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
        run.filter(|run| run.phase != exec::Phase::Retrying).map(|_| slot)
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
            Timer::Withdraw(id) => {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_withdrawal_over(&mut turn);
                }
            }
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
            | Timer::Sweep => {}
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
                    self.cut_cycle(queued, now, effects);
                    break;
                }
                match queued {
                    Queued::Event { event, from } => self.deliver(&event, from, now, effects),
                    Queued::Quit(id) => {
                        let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| {
                            let keep = job.waits_for_a_stop().is_some();
                            job.on_quit(keep, &mut turn)
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

    /// Hands an event to all whom it may concern, in file order: what is global to everybody, the rest to those who
    /// wait for that source and to the job whose run it tells about.
    fn deliver(&mut self, event: &Event, from: Option<Slot>, now: Moment, effects: &mut Vec<Effect>) {
        let concerned = if &*event.source == GLOBAL {
            self.ids().collect()
        } else {
            let mut followers = self.followers(&event.source).to_vec();
            let own = from.map(Slot::job);
            if let Some((own, Err(place))) = own.map(|own| (own, followers.binary_search(&own))) {
                followers.insert(place, own);
            }
            followers
        };
        for id in concerned {
            let own = from.filter(|slot| slot.job() == id);
            let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| job.on_event(event, own, &mut turn));
            self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
        }
    }

    fn carry_out(&mut self, id: JobId, verdict: Verdict, now: Moment, effects: &mut Vec<Effect>) {
        match verdict {
            Verdict::GoOn => {}
            Verdict::Stop => self.stop_job(id, now, effects),
        }
    }

    /// Too many events in one step: news that can repeat are dropped, and the job that they are of is stopped. The
    /// ends of runs and of jobs can't repeat without a process that runs between, and must not be lost.
    fn cut_cycle(&mut self, last: Queued, now: Moment, effects: &mut Vec<Effect>) {
        let source = match &last {
            Queued::Event { event, .. } => {
                let source = event.source.to_string();
                let message = format!(
                    "more than {MOST_EVENTS} events at once, the last is {event}: dropping the rest, stopping {source}"
                );
                effects.push(Effect::Log { level: Level::Error, message });
                Some(source)
            }
            Queued::Quit(_) => None,
        };
        self.ledger.queue.push_front(last);
        self.ledger.queue.retain(|queued| match queued {
            Queued::Quit(_) => true,
            Queued::Event { event, from } => {
                from.is_some() || matches!(event.code, EventCode::Stopping | EventCode::Stopped | EventCode::Shutdown)
            }
        });
        let at_fault: Vec<JobId> =
            self.jobs.iter().filter(|job| source.as_deref() == Some(job.name())).map(|job| job.id).collect();
        for id in at_fault {
            self.stop_job(id, now, effects);
        }
    }
}
