//! What Consul is told of our services, and what it tells of others' (v3 §13, §14; design §4 rows 7 to 9).
//!
//! ```text
//!  loop ── report() ──► mailbox of one ──► agent: one task per service ──┐
//!                                                                        ├──► consul::Client ──► the local agent
//!          start_watch() ────────────────► watch: one task per watch ────┘
//!  loop ◄── ready(), take() ◄── Withdrawn, Seen ── bounded queue ◄── tasks, which wait for room
//! ```
//!
//! Invariants: the loop never waits for Consul; a service that Consul does not answer for delays no other; the newest
//! report wins and nothing piles up; every withdrawal is answered once, within 2 s; a failure to ask is never told as an
//! empty list; the token is in one header and nowhere else. A task that panics is said and begins anew. Two tasks never
//! tell of one service id: the later one ends the earlier.
//!
//! Not here: what to tell and when, and which differences between two lists are events (`core`).

mod agent;
mod consul;
mod mailbox;
mod pace;
mod suppress;
mod threads;
mod watch;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};

use self::consul::Client;
pub use self::consul::DiscoveryError;
#[cfg(any(test, fuzzing))]
pub use self::consul::fuzz;
pub use self::threads::{ASKER, READERS};
use crate::core::{Input, JobId, Report, WatchId};
use crate::errno::{go_words_of, remedy};
use crate::leaf;
use crate::plan::{CheckStatus, Consul, ServiceSpec, WatchSpec};

/// So many inputs wait for the loop; the tasks of more wait for room.
const QUEUE: usize = 64;

/// How long the services of an agent that is exchanged for another may take to be taken out.
const RETIREMENT: Duration = Duration::from_secs(3);

/// All tasks that speak to Consul. They end when it is dropped.
pub struct Discovery {
    client: Arc<Client>,
    services: BTreeMap<JobId, Registered>,
    /// Tasks of services that are gone and still have to tell that, by the service's id.
    leaving: Vec<(String, AbortHandle)>,
    watches: BTreeMap<WatchId, AbortHandle>,
    tasks: JoinSet<()>,
    sender: Sender<Input>,
    receiver: Receiver<Input>,
    /// Received, and not yet taken.
    next: Option<Input>,
    /// See [`Self::stopping`].
    stopping: Arc<AtomicBool>,
}

/// A service that was made known, and whether its task runs.
struct Registered {
    service: Arc<agent::Service>,
    task: Option<AbortHandle>,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<&str> = self.services.values().map(|known| known.service.name.as_str()).collect();
        f.debug_struct("Discovery").field("client", &self.client).field("services", &services).finish_non_exhaustive()
    }
}

impl Discovery {
    /// Prepares to speak to the agent that the `consul` section names. Reads the files of TLS if it is spoken to over TLS;
    /// sends nothing and starts nothing.
    ///
    /// # Errors
    /// A file of the TLS settings can't be read or used, or the expected name is no name (v3 §13.1). An address that is
    /// none fails each request instead, as in the original.
    pub fn new(consul: &Consul) -> Result<Self, DiscoveryError> {
        let client = Arc::new(Client::new(consul)?);
        let (sender, receiver) = channel(QUEUE);
        Ok(Self {
            client,
            services: BTreeMap::new(),
            leaving: Vec::new(),
            watches: BTreeMap::new(),
            tasks: JoinSet::new(),
            sender,
            receiver,
            next: None,
            stopping: Arc::default(),
        })
    }

    /// Whether requests will need a thread of tokio's blocking pool: to read the token's file, or those that tell where a
    /// host is.
    pub fn needs_threads(&self) -> bool {
        self.client.needs_threads()
    }

    /// What is wrong with the proxy between us and the agent, as the environment names it; every request fails of it.
    pub fn proxy_problem(&self) -> Option<String> {
        self.client.proxy_problem()
    }

    /// Has these threads made, if it needs any: while they can be had, they are kept (reliability row 25). Within a runtime.
    ///
    /// # Errors
    /// Not even one can be had: the cause and what helps, for people.
    pub fn find_threads(&self) -> Result<(), String> {
        if !self.needs_threads() {
            return Ok(());
        }
        threads::find().map_err(|error| {
            let (words, remedy) = (go_words_of(&error), remedy(&error));
            format!("no thread to read files on, which Consul's address or token needs: {words}{remedy}")
        })
    }

    /// Whether the agent's last answer was a good one, and what was wrong if not; nothing before the first.
    pub fn agent(&self) -> Option<Result<(), String>> {
        self.client.standing()
    }

    /// What Consul believes of a job's service, and how long ago it was told; nothing while it is not registered.
    pub fn standing(&self, job: JobId) -> Option<(CheckStatus, Duration)> {
        self.services.get(&job)?.service.standing()
    }

    /// Makes a job's service known, or what it now is; `interval` is that of its heartbeats. Sends nothing and starts no
    /// task: it is registered, or registered anew, with the next report.
    pub fn set_service(&mut self, job: JobId, spec: &ServiceSpec, interval: Duration) {
        // A reload may have given the id to another job.
        self.leaving.retain(|(id, task)| {
            let same = *id == spec.id;
            if same {
                task.abort();
            }
            !same && !task.is_finished()
        });
        self.tidy();
        if let Some(known) = self.services.get(&job) {
            known.service.set_data(spec.clone(), interval);
            return;
        }
        let service = Arc::new(agent::Service::new(job, spec.clone(), interval));
        self.services.insert(job, Registered { service, task: None });
    }

    /// Forgets a job's service once what was reported of it is told. Nothing can be reported any more. One that is not
    /// known is no error.
    pub fn remove_service(&mut self, job: JobId) {
        let Some(Registered { service, task }) = self.services.remove(&job) else { return };
        service.mailbox.close();
        self.leaving.extend(task.map(|task| (service.data().spec.id.clone(), task)));
    }

    /// Takes all services out, where that is known, and ends: at most 3 s later nothing is left of it. For an agent that is
    /// exchanged for another. Within a runtime.
    pub fn retire(mut self) {
        self.watches.values().for_each(AbortHandle::abort);
        let told: Vec<JobId> =
            self.services.iter().filter(|(_, known)| known.task.is_some()).map(|(&job, _)| job).collect();
        for job in told {
            self.report(job, Report::Withdraw);
            self.remove_service(job);
        }
        tokio::spawn(async move {
            // Its tasks wait for room in a queue that nobody else reads any more, and end with their mailboxes.
            let Self { tasks, receiver, .. } = &mut self;
            let all_told = async {
                loop {
                    tokio::select! {
                        done = tasks.join_next() => if done.is_none() { break },
                        _ = receiver.recv() => {}
                    }
                }
            };
            let _ = tokio::time::timeout(RETIREMENT, all_told).await;
        });
    }

    /// Starts a watch, anew if it runs: its first query goes out at once. Within a runtime.
    pub fn start_watch(&mut self, watch: WatchId, spec: &WatchSpec) {
        let (client, sender, stopping) = (Arc::clone(&self.client), self.sender.clone(), Arc::clone(&self.stopping));
        let spec = Arc::new(spec.clone());
        self.stop_watch(watch);
        self.tidy();
        let task = self.tasks.spawn(async move {
            let task = || {
                let (spec, client, stopping) = (Arc::clone(&spec), Arc::clone(&client), Arc::clone(&stopping));
                watch::Task::new(watch, spec, client, sender.clone(), stopping).run()
            };
            leaf::for_ever(&spec.name, task).await;
        });
        self.watches.insert(watch, task);
    }

    /// Ends a watch. What it has seen may still be on its way. One that does not run is no error.
    pub fn stop_watch(&mut self, watch: WatchId) {
        if let Some(task) = self.watches.remove(&watch) {
            task.abort();
        }
    }

    /// Forgets tasks that have ended.
    fn tidy(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    /// Everything stops from now on. That watches fail then is no news: an agent in the same container is about to end or
    /// has ended. They go on all the same, and tell their failures at level debug only.
    pub fn stopping(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Hands a service's newest report to its task, which replaces one that is not yet told. Never waits. Within a
    /// runtime. A job without a service has nothing to report.
    pub fn report(&mut self, job: JobId, report: Report) {
        let Some(known) = self.services.get_mut(&job) else { return };
        known.service.mailbox.put(report);
        if known.task.is_some() {
            return;
        }
        let (client, sender, service) = (Arc::clone(&self.client), self.sender.clone(), Arc::clone(&known.service));
        known.task = Some(self.tasks.spawn(async move {
            let task = || agent::Task::new(Arc::clone(&service), Arc::clone(&client), sender.clone()).run();
            leaf::for_ever(&service.name, task).await;
        }));
    }

    /// Waits until [`Self::take`] has something; for ever if nothing can come. Cancel safe.
    pub async fn ready(&mut self) {
        if self.next.is_none() {
            self.next = self.receiver.recv().await;
        }
        if self.next.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// The next [`Input::Withdrawn`] or [`Input::Seen`], if there is one.
    pub fn take(&mut self) -> Option<Input> {
        self.next.take().or_else(|| self.receiver.try_recv().ok())
    }
}
