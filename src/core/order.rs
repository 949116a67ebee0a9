//! What somebody orders a job by hand (managed-daemons §7.3): each order can be given at any time, and twice.
//!
//! A job that was stopped stays stopped until somebody starts it or a reload changes it; the program does not end
//! meanwhile, even if everything else is done, and even if it is the main job. A job that starts after its stop is a new one
//! of the same definition, as after a reload: its restarts are counted anew, and jobs that acted once on its stop wait for
//! the next one.

use serde::{Deserialize, Serialize};

use super::job::{Job, Stage, Status};
use super::turn::Turn;
use super::world::World;
use super::{Effect, JobId, Moment, Timer};
use crate::plan::Signal;

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Run, whatever its `when` says; one that waits for a restart, or for the next try of a start, does not wait any
    /// longer.
    Start,
    /// Stop as at the end of the program, and stay so.
    Stop,
    /// Stop, then start.
    Restart,
    /// The process group gets this signal.
    Signal(Signal),
}

impl World {
    /// Whether there is a job of this name.
    pub fn has_job(&self, name: &str) -> bool {
        self.jobs().any(|job| job.name() == name)
    }

    /// Why nothing can be ordered of these jobs now, if so.
    pub fn refuses_orders(&self, name: &str) -> Option<&'static str> {
        // Nothing begins any more once all jobs are done.
        if !self.takes_reloads() || self.ledger.origin.is_none() {
            return Some(if self.takes_reloads() { "nothing has started yet" } else { "everything is stopping" });
        }
        if self.jobs().any(|job| job.name() == name && job.spec.is_telemetry()) {
            return Some("it stands for our own telemetry, not for a process; `shutdown` stops everything");
        }
        let retired = self.jobs().any(|job| job.name() == name && job.retired);
        retired.then_some("a reload is stopping it: try again when that is done")
    }

    pub(super) fn on_order(&mut self, name: &str, order: Order, now: Moment, effects: &mut Vec<Effect>) {
        if self.refuses_orders(name).is_some() {
            return;
        }
        self.ledger.look_again = true;
        let named = |id: &JobId| self.job(*id).is_some_and(|job| job.name() == name);
        let ids: Vec<JobId> = self.ids().filter(named).collect();
        for id in ids {
            match order {
                Order::Start => self.start_by_hand(id, now, effects),
                Order::Stop => self.stop_by_hand(id, now, effects),
                Order::Restart => self.restart_by_hand(id, now, effects),
                Order::Signal(signal) => {
                    let run = self.job(id).and_then(|job| job.run.as_ref());
                    let run = run.filter(|run| run.has_process());
                    effects.extend(run.map(|run| Effect::Signal { child: run.child, signal }));
                }
            }
        }
    }

    fn stop_by_hand(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let was_to_start = std::mem::take(&mut job.again);
        // One that ends by itself, or has, is stopped already and no reason for the program to go on.
        if job.stage == Stage::Live || was_to_start {
            job.halted = true;
            self.stop_job(id, now, effects);
        }
    }

    fn restart_by_hand(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.stage != Stage::Live || !job.is_there() {
            return self.start_by_hand(id, now, effects);
        }
        job.again = true;
        self.stop_job(id, now, effects);
    }

    fn start_by_hand(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let Some((job, mut turn)) = self.job_turn(id, now, effects) else { return };
        if job.stage == Stage::Live {
            job.start_by_hand(&mut turn);
        } else {
            job.halted = false;
            job.again = true;
        }
    }

    /// After every step: jobs that have stopped and are to run again do. Says whether there was one.
    pub(super) fn start_again(&mut self, now: Moment, effects: &mut Vec<Effect>) -> bool {
        // What a reload under way has compared must be there when it is done.
        if !self.takes_reloads() || self.reload.is_under_way() || !std::mem::take(&mut self.ledger.look_again) {
            return false;
        }
        let ready = self.jobs().filter(|job| job.comes_again());
        let ready: Vec<(JobId, bool)> = ready.map(|job| (job.id, job.again || job.owed)).collect();
        for (id, starts) in &ready {
            let Some(new) = self.put_in_again(*id, now, effects) else { continue };
            self.renew_those_who_act_on(new);
            if let Some((job, mut turn)) = self.job_turn(new, now, effects).filter(|_| *starts) {
                job.start_by_hand(&mut turn);
            }
        }
        !ready.is_empty()
    }

    /// Whether everybody who was to start again after a step did: what [`Ledger::look_again`](super::turn::Ledger) is for.
    #[cfg(test)]
    pub(super) fn nobody_was_forgotten(&self) -> bool {
        !self.takes_reloads() || self.reload.is_under_way() || !self.jobs().any(Job::comes_again)
    }

    /// In the place of a job that is over, a new one of the same definition, which waits.
    fn put_in_again(&mut self, old: JobId, now: Moment, effects: &mut Vec<Effect>) -> Option<JobId> {
        let over = self.jobs.remove(&old)?;
        let id = self.new_job_id();
        let places = self.followers.values_mut().flatten().chain(&mut self.order).filter(|place| **place == old);
        for place in places {
            *place = id;
        }
        let has_service = over.spec.service.is_some();
        self.jobs.insert(id, Box::new(over.anew(id)));
        if has_service {
            effects.extend([old, id].map(|job| Effect::Service { job }));
        }
        let (job, mut turn) = self.job_turn(id, now, effects)?;
        if turn.ledger.maintenance {
            job.set_status(Status::Maintenance);
        }
        job.begin(&mut turn);
        Some(id)
    }

    /// Jobs that have acted once on its stop are over or soon will be: the next stop shall find them waiting again.
    fn renew_those_who_act_on(&mut self, id: JobId) {
        let Some(name) = self.job(id).map(|job| job.name().to_owned()) else { return };
        for id in self.followers(&name).to_vec() {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.renew |= job.has_acted_once_on_a_stop() && !job.halted && !job.again;
            }
        }
        self.ledger.look_again = true;
    }
}

impl Job {
    /// Whether it is over, and another one is wanted in its place.
    fn comes_again(&self) -> bool {
        (self.again || self.renew) && !self.retired && self.stage == Stage::Complete
    }

    /// Whether it does its work: its command runs, or it has none and was started.
    pub(super) fn is_there(&self) -> bool {
        self.is_running() || (self.spec.exec.is_none() && self.started)
    }

    /// A new job of the same definition, in its place.
    fn anew(self, id: JobId) -> Self {
        let registration = self.registration.anew();
        Self {
            place: self.place,
            spaced: self.spaced,
            runs: self.runs,
            restarts: self.restarts,
            last: self.last,
            registration,
            ..Self::new(id, self.spec, None)
        }
    }

    /// The pause before a restart is over for whoever asks.
    pub(super) fn wait_no_longer(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.pausing) {
            turn.disarm(Timer::Restart(self.id));
        }
        self.not_before = turn.now;
    }
}
