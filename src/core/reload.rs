//! Reload (design §4 row 11; managed-daemons §3.2, §3.3 and §7.4; reliability rows 70 and 71).
//!
//! ```text
//! Input::Reload ─► pending, the newest ── quiet, or asked for long enough ─► what goes or changes stops
//!                     ▲                                                          │ all of it is complete
//!                     └── one more may wait meanwhile                            ▼
//!                                              the new plan is in force: new jobs are put in, and those start that
//!                                              should; the others never noticed
//! ```
//!
//! Everything of the old plan holds until everything of the new one does. A stop that is asked for ends a reload.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::job::{Job, Stage, Status};
use super::reconcile::{Comparison, Fate, Summary, compare};
use super::shutdown::Phase;
use super::watch::Watch;
use super::world::World;
use super::{Effect, Event, GLOBAL, JobId, Moment, Timer, WatchId};
use crate::plan::{EventCode, JobSpec, Level, Plan, ReloadMode, Restarts, Trigger, WatchSpec, When};

/// What is to be reloaded, and how far that is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Reloading {
    /// The newest plan that waits, and since when somebody has wanted one.
    pending: Option<(Box<Plan>, Moment)>,
    under_way: Option<UnderWay>,
}

/// A reload that waits for those who have to stop.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UnderWay {
    plan: Box<Plan>,
    comparison: Comparison,
    /// Whose end it waits for.
    retired: BTreeSet<JobId>,
    /// Unchanged jobs that act on the stop of a job that starts anew, so that the next stop finds them waiting again.
    renewed: BTreeSet<JobId>,
    /// Those whose successors start at once, as they would run if nothing had changed.
    resumed: BTreeSet<JobId>,
    /// Those that somebody had stopped by hand before it began: where it touches them, they start.
    halted: BTreeSet<JobId>,
}

impl Reloading {
    /// Whether a reload waits or is under way.
    pub fn is_busy(&self) -> bool {
        self.pending.is_some() || self.under_way.is_some()
    }

    /// Whether it waits for jobs to stop.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether everything is being stopped to be started anew.
    pub fn restarts_everything(&self) -> bool {
        self.under_way.as_ref().is_some_and(UnderWay::is_restart)
    }
}

impl UnderWay {
    /// Whether this job was stopped by hand before, and is to start for what has changed of it.
    fn touches(&self, job: &Job, fate: &Fate) -> bool {
        job.halted && matches!(fate, Fate::Live(..)) && self.halted.contains(&job.id)
    }

    fn is_restart(&self) -> bool {
        self.plan.reload.mode == ReloadMode::Restart
    }
}

impl World {
    /// Whether a reload would be taken: not when everything stops.
    pub fn takes_reloads(&self) -> bool {
        !self.ledger.stopping && self.phase == Phase::Running
    }

    /// Whether a reload waits for its quiet period or for jobs that have to stop.
    pub fn is_reloading(&self) -> bool {
        self.reload.is_busy()
    }

    /// What a reload of this plan would do now.
    pub fn preview(&self, plan: &Plan) -> Summary {
        self.summary(&self.compare(plan), plan)
    }

    fn compare(&self, plan: &Plan) -> Comparison {
        compare(self.jobs().map(|job| (job.id, job.spec())), &plan.jobs)
    }

    fn summary(&self, comparison: &Comparison, plan: &Plan) -> Summary {
        if plan.reload.mode == ReloadMode::Restart {
            return Summary { everything: true, unchanged: plan.jobs.len(), ..Summary::default() };
        }
        Summary::new(comparison, &plan.jobs, |id| self.job(id).map(Job::name))
    }

    pub(super) fn on_reload(&mut self, plan: &Plan, now: Moment, effects: &mut Vec<Effect>) {
        if !self.takes_reloads() {
            let message = "no reload: everything is stopping".to_owned();
            effects.push(Effect::Log { level: Level::Warn, message });
            return;
        }
        let since = self.reload.pending.take().map_or(now, |(_, since)| since);
        self.reload.pending = Some((Box::new(plan.clone()), since));
        self.expect_reload(now, effects);
    }

    /// Arms the timer for a plan that waits, if its turn may come.
    pub(super) fn expect_reload(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some((plan, since)) = &self.reload.pending else { return };
        if self.ledger.origin.is_some() && self.reload.under_way.is_none() {
            let at = since.after(plan.reload.coalesce).min(now.after(plan.reload.quiesce));
            effects.push(Effect::Arm { timer: Timer::Reload, at });
        }
    }

    /// Everything stops: no reload any more.
    pub(super) fn give_up_reload(&mut self, effects: &mut Vec<Effect>) {
        if self.reload.is_busy() {
            self.reload = Reloading::default();
            effects.push(Effect::Disarm { timer: Timer::Reload });
            let message = "the reload is given up".to_owned();
            effects.push(Effect::Log { level: Level::Info, message });
        }
    }

    /// The quiet period is over: what goes or changes stops.
    pub(super) fn on_reload_timer(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.ledger.origin.is_none() || self.reload.under_way.is_some() {
            return;
        }
        let Some((plan, _)) = self.reload.pending.take() else { return };
        // It may be told by somebody else than the timer.
        effects.push(Effect::Disarm { timer: Timer::Reload });
        let comparison = self.compare(&plan);
        let everything = plan.reload.mode == ReloadMode::Restart;
        let mut retired: BTreeSet<JobId> = comparison.removed.iter().copied().collect();
        let restarted = |fate: &Fate| if let Fate::Restart(id, _) = fate { Some(*id) } else { None };
        retired.extend(comparison.fates.iter().filter_map(restarted));
        let mut renewed = BTreeSet::new();
        if everything {
            retired.extend(self.ids());
        } else {
            renewed = self.renewed(&comparison);
            retired.extend(&renewed);
        }
        let resumed = comparison.fates.iter().zip(&plan.jobs).filter_map(|(fate, spec)| {
            let job = self.job(restarted(fate)?).filter(|job| job.spec.when == spec.when)?;
            job.would_run_on().then_some(job.id)
        });
        let resumed = resumed.collect();
        for id in &retired {
            if let Some(job) = self.jobs.get_mut(id) {
                job.retired = true;
            }
        }
        let keepers = self.keepers(|job| job.retired);
        let in_order: Vec<JobId> = self.ids().filter(|id| retired.contains(id)).collect();
        let halted = self.jobs().filter(|job| job.halted).map(|job| job.id).collect();
        self.reload.under_way = Some(UnderWay { plan, comparison, retired, renewed, resumed, halted });
        for id in &keepers {
            if let Some(job) = self.jobs.get_mut(id) {
                job.keeps = true;
            }
        }
        if everything {
            self.turn(now, effects).publish(Event::global(EventCode::Shutdown), None);
            return;
        }
        for id in in_order {
            let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| job.on_quit(job.keeps, &mut turn));
            if let Some(verdict) = verdict {
                self.carry_out(id, verdict, now, effects);
            }
        }
    }

    /// The unchanged jobs that run once, when a job stops that will start anew: they are spent then, or have been before.
    fn renewed(&self, comparison: &Comparison) -> BTreeSet<JobId> {
        let unchanged: BTreeSet<JobId> = comparison
            .fates
            .iter()
            .filter_map(|fate| match fate {
                Fate::Same(id) | Fate::Live(id, _) => Some(*id),
                Fate::Restart(..) | Fate::Add => None,
            })
            .collect();
        let mut to_stop: Vec<JobId> = comparison
            .fates
            .iter()
            .filter_map(|fate| if let Fate::Restart(id, _) = fate { Some(*id) } else { None })
            .collect();
        let mut renewed = BTreeSet::new();
        while let Some(job) = to_stop.pop().and_then(|id| self.job(id)) {
            for &id in self.followers(job.name()) {
                let Some(follower) = self.job(id).filter(|follower| follower.acts_once_on_a_stop()) else { continue };
                if unchanged.contains(&id) && !follower.halted && follower.id != job.id && renewed.insert(id) {
                    to_stop.push(id);
                }
            }
        }
        renewed
    }

    /// After every step: when all that had to stop has, the new plan is put in force. Says whether that was so.
    pub(super) fn apply_when_ready(&mut self, now: Moment, effects: &mut Vec<Effect>) -> bool {
        let complete = |id: &JobId| self.job(*id).is_none_or(|job| job.stage == Stage::Complete);
        if !self.reload.under_way.as_ref().is_some_and(|reload| reload.retired.iter().all(complete)) {
            return false;
        }
        let Some(reload) = self.reload.under_way.take() else { return false };
        let summary = self.summary(&reload.comparison, &reload.plan);
        let UnderWay { plan, .. } = &reload;
        self.ledger.stop_timeout = plan.stop_timeout;
        self.signals = plan.signals.clone();
        self.exit_code = plan.exit_code;
        effects.push(Effect::Reconfigure(plan.clone()));
        let Placed { fresh, rearmed } = self.place_jobs(&reload, now, effects);
        self.place_watches(plan, reload.is_restart(), effects);
        if reload.is_restart() {
            self.ledger.origin = Some(now);
        }
        for (id, _) in &fresh {
            if let Some((job, mut turn)) = self.job_turn(*id, now, effects) {
                if job.spec.service.is_some() {
                    turn.effects.push(Effect::Service { job: *id });
                }
                if turn.ledger.maintenance {
                    job.set_status(Status::Maintenance);
                }
                job.begin(&mut turn);
            }
        }
        if reload.is_restart() {
            let mut turn = self.turn(now, effects);
            turn.publish(Event::global(EventCode::Startup), None);
            if turn.ledger.maintenance {
                turn.publish(Event::global(EventCode::EnterMaintenance), None);
            }
        } else {
            let candidates = fresh.into_iter().chain(rearmed.into_iter().map(|id| (id, false)));
            let starts: Vec<JobId> =
                candidates.filter_map(|(id, resumes)| self.starts_at_once(id, resumes).then_some(id)).collect();
            for id in starts {
                if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                    job.on_start_event(&mut turn);
                }
            }
        }
        effects.push(Effect::Log { level: Level::Info, message: format!("reloaded: {summary}") });
        effects.push(Effect::Reloaded(summary));
        self.expect_reload(now, effects);
        true
    }

    fn place_jobs(&mut self, reload: &UnderWay, now: Moment, effects: &mut Vec<Effect>) -> Placed {
        let plan = &reload.plan;
        let consul = plan.consul.as_ref();
        let mut placed = Placed::default();
        let mut order = Vec::new();
        for (fate, spec) in reload.comparison.fates.iter().zip(&plan.jobs) {
            let spec = Arc::new(spec.clone());
            let kept = self.kept(fate, &spec, reload);
            if let Some((job, mut turn)) = kept.and_then(|id| self.job_turn(id, now, effects)) {
                if job.adopt(&spec, consul, &mut turn) {
                    placed.rearmed.push(job.id);
                }
                if reload.touches(job, fate) {
                    // It was stopped by hand, is not yet, and is touched.
                    (job.halted, job.again) = (false, true);
                }
                order.push(job.id);
                continue;
            }
            let resumes = match fate {
                Fate::Restart(id, _) => reload.resumed.contains(id),
                // Somebody has ordered its restart meanwhile.
                Fate::Same(id) | Fate::Live(id, _) => self.job(*id).is_some_and(|job| job.again),
                Fate::Add => false,
            };
            let id = self.new_job_id();
            self.jobs.insert(id, Box::new(Job::new(id, spec, consul)));
            placed.fresh.push((id, resumes));
            order.push(id);
        }
        self.ledger.look_again = true;
        let stay: BTreeSet<JobId> = order.iter().copied().collect();
        self.order = order;
        let goes = |id: &JobId, job: &Job| !stay.contains(id) && job.spec.service.is_some();
        let gone = self.jobs.iter().filter(|(id, job)| goes(id, job));
        effects.extend(gone.map(|(&job, _)| Effect::Service { job }));
        self.jobs.retain(|id, _| stay.contains(id));
        self.arrange(plan);
        placed
    }

    /// The job that goes on, if one does.
    fn kept(&self, fate: &Fate, spec: &JobSpec, reload: &UnderWay) -> Option<JobId> {
        let id = match fate {
            Fate::Same(id) | Fate::Live(id, _) => *id,
            Fate::Restart(..) | Fate::Add => return None,
        };
        let anew = reload.is_restart() || reload.renewed.contains(&id);
        // What is over and has got another event to wait for begins anew; so does what was stopped by hand and is touched.
        let touched = |job: &Job| reload.touches(job, fate);
        let over = |job: &&Job| job.stage == Stage::Complete && (job.spec.when != spec.when || touched(job));
        (!anew && !self.job(id).as_ref().is_some_and(over)).then_some(id)
    }

    /// Watches that are the same keep what they have seen.
    fn place_watches(&mut self, plan: &Plan, everything: bool, effects: &mut Vec<Effect>) {
        let mut unclaimed: Vec<&WatchSpec> = plan.watches.iter().collect();
        let goes = |id: &WatchId, watch: &mut Watch| {
            let same = unclaimed.iter().position(|spec| **spec == watch.spec).filter(|_| !everything);
            if let Some(same) = same {
                unclaimed.remove(same);
            } else {
                effects.push(Effect::StopWatch { watch: *id });
            }
            same.is_some()
        };
        self.watches.retain(goes);
        for spec in unclaimed {
            let id = self.new_watch_id();
            self.watches.insert(id, Watch::new(spec));
            effects.push(Effect::StartWatch { watch: id });
        }
    }

    /// Whether a job that has just been put in, or has got another `when`, starts now.
    fn starts_at_once(&self, id: JobId, resumes: bool) -> bool {
        let Some(job) = self.job(id).filter(|job| job.stage == Stage::Live && job.armed) else { return false };
        match &job.spec.when {
            When::Startup | When::Every(_) => true,
            When::Once(trigger) => resumes || self.has_happened(trigger),
            When::Each(_) | When::Signal(_) => resumes,
            When::Never(_) => false,
        }
    }

    /// Whether an event has happened already, by what its source is now.
    fn has_happened(&self, trigger: &Trigger) -> bool {
        let Trigger { source, event } = trigger;
        if source == GLOBAL {
            return *event == EventCode::Startup || (*event == EventCode::EnterMaintenance && self.ledger.maintenance);
        }
        let seen = matches!(event, EventCode::StatusHealthy | EventCode::StatusChanged);
        if seen && self.watches.values().any(|watch| *watch.source == **source && !watch.instances.is_empty()) {
            return true;
        }
        self.jobs().any(|job| job.name() == source && job.has_published(*event))
    }
}

/// What was put in.
#[derive(Default)]
struct Placed {
    /// New jobs, and whether they take up what an earlier one did.
    fresh: Vec<(JobId, bool)>,
    /// Jobs that wait for another event than before.
    rearmed: Vec<JobId>,
}

impl Job {
    /// Whether it would run, or have run, if nothing had changed: one that acts on events does while it runs.
    fn would_run_on(&self) -> bool {
        match &self.spec.when {
            When::Once(trigger) if matches!(trigger.event, EventCode::Stopping | EventCode::Stopped) => {
                self.run.is_some()
            }
            When::Startup | When::Every(_) | When::Once(_) => self.started,
            When::Each(_) | When::Signal(_) => self.run.is_some(),
            When::Never(_) => false,
        }
    }

    /// Whether it runs once on the stop of another job, and waits for it, or is over after it. One that lives on after
    /// that is no stop job.
    fn acts_once_on_a_stop(&self) -> bool {
        self.is_for_one_stop() && (self.stage == Stage::Complete || self.waits_for_a_stop().is_some())
    }

    /// Whether it does so now, or has.
    pub(super) fn has_acted_once_on_a_stop(&self) -> bool {
        self.is_for_one_stop() && !self.armed
    }

    fn is_for_one_stop(&self) -> bool {
        let When::Once(trigger) = &self.spec.when else { return false };
        matches!(trigger.event, EventCode::Stopping | EventCode::Stopped) && self.spec.restarts != Restarts::Unlimited
    }

    /// Whether it is in the state that such an event of it tells.
    fn has_published(&self, event: EventCode) -> bool {
        let ended = |well: bool| self.last.as_ref().is_some_and(|last| (last.code == 0) == well);
        match event {
            EventCode::ExitSuccess => ended(true),
            EventCode::ExitFailed => ended(false),
            EventCode::StatusHealthy => self.status == Status::Healthy,
            EventCode::StatusUnhealthy => self.status == Status::Unhealthy,
            EventCode::Stopping => self.stage != Stage::Live,
            EventCode::Stopped => self.stage == Stage::Complete,
            EventCode::StatusChanged
            | EventCode::TimerExpired
            | EventCode::EnterMaintenance
            | EventCode::ExitMaintenance
            | EventCode::Error
            | EventCode::Quit
            | EventCode::Startup
            | EventCode::Shutdown
            | EventCode::Signal => false,
        }
    }
}
