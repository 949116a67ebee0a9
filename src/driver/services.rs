//! The loop and Consul: reports go out, answers come in.

use std::collections::BTreeSet;

use tracing::error;

use super::Driver;
use super::observed::VERSION;
use crate::core::{Input, JobId, Report, WatchId};
use crate::discovery::Discovery;
use crate::plan::{JobSpec, Plan};

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

    /// A job's service is new, other than before, or gone.
    pub(super) fn serve(&mut self, job: JobId) {
        let Some(discovery) = &mut self.discovery else { return };
        match self.world.job(job).map(crate::core::Job::spec) {
            Some(spec @ JobSpec { service: Some(service), health: Some(health), .. }) => {
                let mut service = service.clone();
                if spec.is_telemetry() {
                    service.tags.push(VERSION.to_owned());
                }
                discovery.set_service(job, &service, health.interval);
            }
            Some(_) | None => discovery.remove_service(job),
        }
    }

    pub(super) fn know_services(&mut self) {
        let jobs: Vec<JobId> = self.world.ids().collect();
        for job in jobs {
            self.serve(job);
        }
    }

    /// With the first query at once (design §4 row 9).
    pub(super) fn start_watch(&mut self, watch: WatchId) {
        if let (Some(discovery), Some(spec)) = (&mut self.discovery, self.world.watch(watch)) {
            discovery.start_watch(watch, spec);
        }
    }

    pub(super) fn stop_watch(&mut self, watch: WatchId) {
        if let Some(discovery) = &mut self.discovery {
            discovery.stop_watch(watch);
        }
    }

    /// The advertised addresses, for every child (v3 §9); those that are no more are forgotten.
    pub(super) fn export_addresses(&mut self, plan: &Plan) {
        let services = || plan.jobs.iter().filter_map(|job| job.service.as_ref());
        let names: BTreeSet<String> = services().map(|service| service.ip_variable.clone()).collect();
        for gone in self.reloads.addresses.difference(&names) {
            self.env.remove(gone);
        }
        for service in services() {
            self.env.set(service.ip_variable.as_str(), service.address.to_string());
        }
        self.reloads.addresses = names;
    }

    /// Another agent, another token, or the first service at all: who speaks to Consul is another then, and is told anew
    /// what there is. What the old agent knows is taken out of it; the same agent simply gets it from another hand.
    pub(super) fn change_consul(&mut self, plan: &Plan) {
        let old = std::mem::replace(&mut self.reloads.consul, plan.consul.clone());
        let in_use = plan.consul_in_use().is_some();
        let Some(consul) = &plan.consul else {
            if let Some(discovery) = self.discovery.take() {
                discovery.retire();
                self.inbox.push_back(Input::ConsulChanged);
            }
            return;
        };
        if !in_use || (self.discovery.is_some() && old.as_ref() == Some(consul)) {
            return;
        }
        let prepared = self.reloads.prepared.take().filter(|(of, _)| of == consul);
        let new = prepared.map_or_else(|| Discovery::new(consul), |(_, discovery)| Ok(discovery));
        let new = new.map_err(|error| error.to_string()).and_then(|new| self.reloads.find_threads(&new).map(|()| new));
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                // A later reload has taken the place of what was prepared, and something has happened to the files since.
                error!("Consul is spoken to as before: {error}");
                self.reloads.consul = old;
                return;
            }
        };
        let same_agent = old.is_some_and(|old| old.address == consul.address && old.scheme == consul.scheme);
        if let Some(before) = self.discovery.replace(new).filter(|_| !same_agent) {
            before.retire();
        }
        self.know_services();
        let watches: Vec<WatchId> = self.world.watches().map(|(id, _)| id).collect();
        for watch in watches {
            self.start_watch(watch);
        }
        self.inbox.push_back(Input::ConsulChanged);
    }
}
