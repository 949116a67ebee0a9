//! A job's service in Consul: what there is to tell about it, and when (v3 §13, design §4 rows 7 and 21).
//!
//! The world decides what Consul should know; how and when it gets there, and what to do when Consul does not answer
//! or has forgotten everything, is the business of the service's task in `discovery`, which only keeps the newest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job::{Job, Stage, Status};
use super::say::elapsed;
use super::turn::Turn;
use super::world::World;
use super::{Effect, JobId, Timer};
use crate::plan::{CheckStatus, Consul, JobSpec, Level};

/// How long a stopping job waits for Consul to take its service out (reliability row 58).
const WITHDRAWAL: Duration = Duration::from_secs(2);

/// What Consul is to be told of a service. A newer one replaces one that is not yet told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It is there, with this status until its first heartbeat (`initial_status`).
    Initial(CheckStatus),
    /// A heartbeat: its check passes.
    Passing,
    /// Its check fails, for this reason (`failingHeartbeat`).
    Failing(String),
    /// It is there no more: it stops, or it is in maintenance. Answered by [`Input::Withdrawn`](super::Input).
    Withdraw,
}

/// What the world knows of a job's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    /// There is a service and a Consul to tell about it.
    announced: bool,
    /// A failing check is told, too.
    tells_failures: bool,
    /// So many withdrawals are not yet answered.
    withdrawals: u32,
}

impl Registration {
    pub fn new(spec: &JobSpec, consul: Option<&Consul>) -> Self {
        Self {
            announced: Self::is_announced(spec, consul),
            tells_failures: consul.is_some_and(|consul| consul.failing_heartbeat),
            withdrawals: 0,
        }
    }

    /// Whether there is something to tell, and somebody to tell it to.
    pub fn is_announced(spec: &JobSpec, consul: Option<&Consul>) -> bool {
        spec.service.is_some() && consul.is_some()
    }

    /// For the job that takes the place of one that is over.
    pub fn anew(&self) -> Self {
        Self { withdrawals: 0, ..self.clone() }
    }

    /// A reload has changed what there is to tell. Withdrawals that wait for their answer still do.
    pub fn change(&mut self, spec: &JobSpec, consul: Option<&Consul>) {
        let withdrawals = self.withdrawals;
        *self = Self { withdrawals, ..Self::new(spec, consul) };
    }
}

impl Job {
    /// Whether Consul is told about it.
    pub(super) fn is_announced(&self) -> bool {
        self.registration.announced
    }

    fn report(&mut self, report: Report, turn: &mut Turn<'_>) {
        // In maintenance and once it stops it is gone, and stays so.
        // Telemetry's own stays healthy all the time, and is taken out with the others all the same.
        let away = self.status == Status::Maintenance || turn.ledger.maintenance;
        if self.is_announced() && self.stage == Stage::Live && !away {
            turn.effects.push(Effect::Report { job: self.id, report });
        }
    }

    /// `initial_status`: it is registered before its first check, and before its first start.
    pub(super) fn announce(&mut self, turn: &mut Turn<'_>) {
        let initial = self.spec.service.as_ref().and_then(|service| service.initial_status);
        if let Some(status) = initial.filter(|_| self.is_announced() && !turn.ledger.maintenance) {
            let word = status.word();
            turn.log(Level::Info, format!("Registering service {} with initial status set to {word}", self.name()));
            self.report(Report::Initial(status), turn);
        }
    }

    /// Its check passes, or it has none and is there.
    pub(super) fn tell_passing(&mut self, turn: &mut Turn<'_>) {
        self.report(Report::Passing, turn);
    }

    /// Its check fails. v3 lets the time to live lapse, and so do we unless told otherwise.
    pub(super) fn tell_failing(&mut self, turn: &mut Turn<'_>) {
        if self.registration.tells_failures {
            let reason = self.check_failure.clone();
            self.report(Report::Failing(reason), turn);
        }
    }

    /// Consul has to be told anew what it should know: other data, or another agent.
    pub(super) fn tell_again(&mut self, turn: &mut Turn<'_>) {
        let is_there = self.spec.check().is_none() && self.started && !self.is_between_starts();
        if self.status == Status::Healthy || is_there {
            self.tell_passing(turn);
        } else if self.status == Status::Unhealthy {
            self.tell_failing(turn);
        } else {
            self.announce(turn);
        }
    }

    /// Who told Consul of it has begun anew: what it was asked will not be answered any more.
    pub(super) fn on_consul_changed(&mut self, turn: &mut Turn<'_>) {
        self.registration.withdrawals = 0;
        if self.stage == Stage::Withdrawing {
            self.terminate(turn);
        }
        self.tell_again(turn);
    }

    /// It is to be found no more.
    pub(super) fn withdraw(&mut self, turn: &mut Turn<'_>) {
        if self.is_announced() {
            self.registration.withdrawals = self.registration.withdrawals.saturating_add(1);
            turn.effects.push(Effect::Report { job: self.id, report: Report::Withdraw });
        }
    }

    /// How long the withdrawal may take. It is within the job's `stopTimeout`, which bounds the time to the first signal
    /// (design §4 row 3), and of a short one leaves the larger part to those who act on the stop. It is a part of the `grace`
    /// of the processes, too, and leaves them half of that.
    fn withdrawal_time(&self, grace: Duration) -> Duration {
        WITHDRAWAL.min(self.spec.stop_timeout / 4).min(grace / 2)
    }

    /// How long those who act on its stop may take.
    pub(super) fn patience(&self, grace: Duration) -> Duration {
        let withdrawal = if self.is_announced() { self.withdrawal_time(grace) } else { Duration::ZERO };
        self.spec.stop_timeout.saturating_sub(withdrawal)
    }

    /// The last thing before the first signal: nobody shall be sent here when nobody listens any more.
    pub(super) fn withdraw_and_terminate(&mut self, turn: &mut Turn<'_>) {
        if turn.ledger.origin.is_none() {
            // Never told of.
            self.terminate(turn);
            return;
        }
        self.withdraw(turn);
        let time = self.withdrawal_time(turn.ledger.stop_timeout);
        if !self.is_announced() || turn.ledger.urgent || time.is_zero() {
            self.tell_unanswered("nobody waited for Consul's answer", turn);
            self.terminate(turn);
            return;
        }
        self.stage = Stage::Withdrawing;
        for run in [&mut self.run, &mut self.check].into_iter().flatten() {
            run.begin_grace(turn);
        }
        turn.disarm(Timer::Stop(self.id));
        turn.arm(Timer::Withdraw(self.id), turn.now.after(time));
    }

    /// Consul has answered, or never will.
    pub(super) fn on_withdrawn(&mut self, turn: &mut Turn<'_>) {
        self.registration.withdrawals = self.registration.withdrawals.saturating_sub(1);
        if self.stage == Stage::Withdrawing && self.registration.withdrawals == 0 {
            self.terminate(turn);
        }
    }

    /// Consul takes too long.
    pub(super) fn on_withdrawal_over(&mut self, turn: &mut Turn<'_>) {
        if self.stage == Stage::Withdrawing {
            let bound = elapsed(self.withdrawal_time(turn.ledger.stop_timeout));
            self.tell_unanswered(&format!("Consul did not answer in {bound}"), turn);
            self.terminate(turn);
        }
    }

    /// A second request to stop: nobody waits any longer.
    pub(super) fn withdraw_no_longer(&mut self, turn: &mut Turn<'_>) {
        self.tell_unanswered("nobody waited for Consul's answer", turn);
        self.terminate(turn);
    }

    fn tell_unanswered(&self, why: &str, turn: &mut Turn<'_>) {
        if self.registration.withdrawals > 0 {
            turn.log(Level::Warn, format!("{} stops, but may still be registered: {why}", self.name()));
        }
    }
}

impl World {
    /// When everything stops, a job that is the local Consul agent goes last: whom of the others it waits for.
    pub(super) fn still_announced(&self, agent: JobId) -> Vec<JobId> {
        let is_agent = self.job(agent).is_some_and(|job| job.spec.is_consul_agent());
        let everything_stops = self.ledger.stopping || self.reload.restarts_everything();
        if !is_agent || !everything_stops || self.ledger.urgent {
            return Vec::new();
        }
        let announced = self.jobs().filter(|job| {
            // One that only acts when another has stopped may wait for this very job.
            let there = matches!(job.stage, Stage::Live | Stage::Leaving | Stage::Withdrawing) && !job.keeps;
            there && job.id != agent && job.is_announced() && !job.spec.is_consul_agent()
        });
        announced.map(|job| job.id).collect()
    }
}
