//! The loop and telemetry: what happens is counted, who asks is answered.

use std::time::SystemTime;

use tracing::{debug, error};

use super::Driver;
use super::running::Run;
use crate::core::{Event, ExitStatus, Input, Job, JobId, Moment, Timer, elapsed};
use crate::plan::Plan;
use crate::telemetry::{JobView, Snapshot, Telemetry};

/// So many questions are answered before everything else gets its turn.
const ANSWERS: usize = 4;

/// What we are: in `/status`, and as the last tag of our own service (v3 §16).
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Our exit status when the port can't be had (design §5).
const UNAVAILABLE: u8 = 69;

/// Waits for somebody who asks; for ever if nobody can.
pub(super) async fn asked(telemetry: Option<&mut Telemetry>) {
    match telemetry {
        Some(telemetry) => telemetry.ready().await,
        None => std::future::pending().await,
    }
}

impl Driver {
    /// Counts something, where anything is counted.
    pub(super) fn observe(&mut self, count: impl FnOnce(&mut Telemetry)) {
        if let Some(telemetry) = &mut self.telemetry {
            count(telemetry);
        }
    }

    /// An event was published: it is kept and counted.
    pub(super) fn published(&mut self, event: &Event, of: &str, note: &str) {
        debug!("event: {event}");
        // The source of an error is its text.
        let detail = if *event.source == *of { note } else { &event.source };
        self.tell_event(of, event.code.word(), detail);
        self.observe(|telemetry| telemetry.event(event.code, of));
    }

    /// What happened, for who asks later.
    pub(super) fn tell_event(&self, source: &str, event: &str, detail: &str) {
        self.log.kept().event(SystemTime::now(), source, event, detail);
    }

    /// A timer is set; a pause before a restart is told.
    pub(super) fn arm(&mut self, timer: Timer, at: Moment) {
        if let Timer::Restart(id) = timer
            && let Some(job) = self.world.job(id)
        {
            self.tell_event(&job.spec().name, "backoff", &elapsed(at.since(self.now())));
        }
        self.timers.arm(timer, at);
    }

    /// A run is over.
    pub(super) fn observe_end(&mut self, run: &Run, status: ExitStatus) {
        let now = self.now();
        let lasted = now.since(run.since);
        self.observe(|telemetry| match run.name().strip_prefix("check.").filter(|_| run.is_check) {
            Some(job) => {
                telemetry.check_ended(job, lasted);
                if status.is_success() {
                    telemetry.heartbeat(job, now);
                }
            }
            None => telemetry.run_ended(run.name(), lasted, status.shell_code()),
        });
    }

    /// Consul is told that a job's service passes.
    pub(super) fn observe_heartbeat(&mut self, job: JobId) {
        let now = self.now();
        if let (Some(telemetry), Some(job)) = (&mut self.telemetry, self.world.job(job)) {
            telemetry.heartbeat(&job.spec().name, now);
        }
    }

    /// Answers who has asked, and ends everything when nobody ever can.
    pub(super) fn answer_scrapes(&mut self) {
        self.a_turn_of(ANSWERS, |driver| {
            let Some(scrape) = driver.telemetry.as_mut().and_then(Telemetry::take) else { return false };
            driver.hear_of_failed_starts();
            driver.count_requests();
            let snapshot = if scrape.is_about_readiness() { driver.readiness() } else { driver.snapshot() };
            let now = driver.now();
            driver.observe(|telemetry| telemetry.answer(scrape, &snapshot, now));
            true
        });
        // Once: a second request would be one to hurry.
        let asked = self.world.is_stopping() || self.inbox.iter().any(|input| matches!(input, Input::Stop { .. }));
        if let Some(why) = self.telemetry.as_ref().and_then(Telemetry::failed).filter(|_| !asked) {
            error!("{why}");
            self.inbox.push_back(Input::Stop { reason: "the want of a port".to_owned() });
        }
    }

    /// What the control socket has answered since the last time.
    fn count_requests(&mut self) {
        if let (Some(control), Some(telemetry)) = (&mut self.control, &mut self.telemetry) {
            for (code, path, times) in control.requests() {
                telemetry.control_requests(code, path, times);
            }
        }
    }

    /// A reload is followed: what is measured and where, as the new configuration says. Values of metrics that are still
    /// there stay.
    pub(super) fn change_telemetry(&mut self, plan: &Plan) {
        match (&mut self.telemetry, &plan.telemetry) {
            (Some(telemetry), Some(new)) => {
                let is_job = |name: &str| plan.jobs.iter().any(|job| job.name == name);
                let is_watch = |name: &str| plan.watches.iter().any(|watch| watch.name == name);
                telemetry.reconfigure(new, is_job, is_watch);
            }
            (None, Some(new)) => {
                let mut telemetry = Telemetry::new(new, VERSION);
                telemetry.serve_if_possible();
                self.telemetry = Some(telemetry);
            }
            (_, None) => self.telemetry = None,
        }
    }

    /// The exit status when it is not for the jobs to decide.
    pub(super) fn ends_otherwise(&self) -> Option<u8> {
        self.telemetry.as_ref().and_then(Telemetry::failed).map(|_| UNAVAILABLE)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let standing = self.log.standing();
        Snapshot {
            jobs: self.world.jobs().map(|job| self.view(job)).collect(),
            watches: self.world.watch_names().map(str::to_owned).collect(),
            stopping: self.world.is_stopping(),
            maintenance: self.world.in_maintenance(),
            lost_log_lines: standing.lost,
            log_blocked: standing.blocked.unwrap_or_default(),
        }
    }

    /// As much of it as readiness depends on: probes come often.
    pub(super) fn readiness(&self) -> Snapshot {
        let may_be_asked = |job: &&Job| job.spec().main || job.spec().check().is_some();
        Snapshot {
            jobs: self.world.jobs().filter(may_be_asked).map(|job| self.view(job)).collect(),
            stopping: self.world.is_stopping(),
            maintenance: self.world.in_maintenance(),
            ..Snapshot::default()
        }
    }

    fn view(&self, job: &Job) -> JobView {
        let spec = job.spec();
        JobView {
            name: spec.name.clone(),
            state: job.state(),
            health: job.status(),
            is_checked: spec.check().is_some(),
            is_needed: spec.main,
            is_telemetry: spec.is_telemetry(),
            service: spec.service.as_ref().map(|service| (service.address, service.port)),
            restarts: job.restarts(),
            last_exit: job.last_exit(),
            running_since: job.child().and_then(|child| self.runs.get(child)).map(|run| run.since),
        }
    }
}

#[cfg(test)]
mod tests;
