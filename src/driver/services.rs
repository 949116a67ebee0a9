//! The loop and Consul: reports go out, answers come in.

use super::Driver;
use crate::core::{Input, JobId, Report, WatchId};
use crate::discovery::Discovery;
use crate::plan::Plan;

/// The last tag of our own service (v3 §16).
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// So many answers of Consul are taken before everything else gets its turn.
const ANSWERS: usize = 64;

/// Waits for news of Consul; for ever if there is none to come.
pub(super) async fn news(discovery: Option<&mut Discovery>) {
    match discovery {
        Some(discovery) => discovery.ready().await,
        None => std::future::pending().await,
    }
}

impl Driver {
    /// What Consul has said.
    pub(super) fn hear_of_services(&mut self) {
        let Some(discovery) = &mut self.discovery else { return };
        for _ in 0..ANSWERS {
            let Some(input) = discovery.take() else { return };
            if let (Some(telemetry), Input::Seen { watch, instances }) = (&mut self.telemetry, &input)
                && let Some(name) = self.world.watch_name(*watch)
            {
                telemetry.watch(name, instances.len());
            }
            self.inbox.push_back(input);
        }
    }

    pub(super) fn report(&mut self, job: JobId, report: Report) {
        if report == Report::Passing {
            self.observe_heartbeat(job);
        }
        match &mut self.discovery {
            Some(discovery) => discovery.report(job, report),
            // Nobody waits for an answer that can't come.
            None if report == Report::Withdraw => self.inbox.push_back(Input::Withdrawn { job }),
            None => {}
        }
    }

    /// Once everything stops, an agent that is gone is no news: it may have been one of the jobs.
    pub(super) fn tell_stop(&mut self) {
        if let Some(discovery) = self.discovery.as_mut().filter(|_| self.world.is_stopping()) {
            discovery.stopping();
        }
    }

    pub(super) fn know_services(&mut self, plan: &Plan) {
        let Some(discovery) = &mut self.discovery else { return };
        for (job, id) in plan.jobs.iter().zip((0..).map(JobId)) {
            if let (Some(service), Some(health)) = (&job.service, &job.health) {
                let mut service = service.clone();
                if job.is_telemetry() {
                    service.tags.push(VERSION.to_owned());
                }
                discovery.add_service(id, &service, health.interval);
            }
        }
    }

    /// With the first query at once (design §4 row 9).
    pub(super) fn start_watches(&mut self) {
        let Some(discovery) = self.discovery.as_mut().filter(|_| !self.world.is_stopping()) else { return };
        for (watch, id) in std::mem::take(&mut self.watches).iter().zip((0..).map(WatchId)) {
            discovery.start_watch(id, watch);
        }
    }

    /// The advertised addresses, for every child (v3 §9).
    pub(super) fn export_addresses(&mut self, plan: &Plan) {
        for service in plan.jobs.iter().filter_map(|job| job.service.as_ref()) {
            self.env.set(service.ip_variable.as_str(), service.address.to_string());
        }
    }
}
