//! What a job takes over from a new definition while it lives: everything but what its process is made of
//! (managed-daemons §7.4).

use std::sync::Arc;

use super::job::{Job, Stage, Status, budget, starts};
use super::service::Registration;
use super::turn::Turn;
use super::{Effect, Timer};
use crate::plan::{Consul, JobSpec, Level, When};

impl Job {
    /// Follows this definition from now on. Whether it waits anew for its start, so that its event may have happened.
    pub(super) fn adopt(&mut self, spec: &Arc<JobSpec>, consul: Option<&Consul>, turn: &mut Turn<'_>) -> bool {
        let old = std::mem::replace(&mut self.spec, Arc::clone(spec));
        if old.restarts != spec.restarts {
            let used = budget(old.restarts).saturating_sub(self.restarts_left);
            self.restarts_left = budget(spec.restarts).saturating_sub(used);
        }
        let limit = |spec: &JobSpec| spec.exec.as_ref().and_then(|exec| exec.timeout);
        if let Some(run) = self.run.as_mut().filter(|_| limit(&old) != limit(spec)) {
            run.limit(limit(spec), turn);
        }
        let anew = self.stage == Stage::Live && self.adopt_when(&old, turn);
        self.adopt_service(&old, consul, turn);
        if self.stage == Stage::Live {
            // Maintenance may hold it back no more.
            self.start_what_is_due(turn);
        }
        anew
    }

    /// One that does not run waits for its new event. One that runs goes on; what it then waits for is the new event.
    fn adopt_when(&mut self, old: &JobSpec, turn: &mut Turn<'_>) -> bool {
        if old.when == self.spec.when && old.wait_timeout == self.spec.wait_timeout {
            return false;
        }
        if self.wait_until.take().is_some() {
            turn.disarm(Timer::Wait(self.id));
        }
        if old.when == self.spec.when && self.started {
            return false;
        }
        turn.disarm(Timer::Interval(self.id));
        self.next_tick = None;
        self.held_tick = None;
        let (armed, again) = starts(&self.spec.when);
        self.starts_left = again && !self.keeps;
        if self.is_settled() && !self.restarts_over {
            self.armed = armed;
            self.begin_to_wait(turn);
            // A period has begun already, and now has another length.
            return !(self.started && matches!((&old.when, &self.spec.when), (When::Every(_), When::Every(_))));
        }
        self.armed = again;
        if let When::Every(period) = self.spec.when {
            let next = turn.now.after(period);
            self.next_tick = Some(next);
            turn.arm(Timer::Interval(self.id), next);
        }
        let message = format!("{} runs: its new `when` is for later events", self.name());
        turn.log(Level::Info, message);
        false
    }

    fn adopt_service(&mut self, old: &JobSpec, consul: Option<&Consul>, turn: &mut Turn<'_>) {
        let was_announced = self.is_announced();
        let announced = Registration::is_announced(&self.spec, consul);
        let lives = self.stage == Stage::Live;
        if was_announced && !announced && lives {
            self.withdraw(turn);
        }
        self.registration.change(&self.spec, consul);
        let interval = |spec: &JobSpec| spec.health.as_ref().map(|health| health.interval);
        let changed = announced != was_announced
            || old.service != self.spec.service
            || (announced && interval(old) != interval(&self.spec));
        if changed {
            turn.effects.push(Effect::Service { job: self.id });
        }
        if lives && (old.health != self.spec.health || announced != was_announced) {
            self.adopt_health(turn);
        }
        if changed && lives {
            self.tell_again(turn);
        }
    }

    /// Checks come in step with the program's start as ever. A check that runs goes on, within its own time.
    fn adopt_health(&mut self, turn: &mut Turn<'_>) {
        turn.disarm(Timer::Heartbeat(self.id));
        self.next_check = None;
        if self.started {
            self.arm_check(turn);
        }
        if self.spec.check().is_none() {
            self.held_check = None;
            if matches!(self.status, Status::Healthy | Status::Unhealthy) {
                self.set_status(Status::Unknown);
            }
        }
    }
}
