//! One service's task: it tells Consul the newest report, and keeps at it while that is worth it (v3 §13).
//!
//! ```text
//!  report() ─► mailbox, the newest wins ─► tell ─┬─ done: wait for the next
//!                      ▲                         └─ failed: again after 1 s, 2 s, … up to the interval,
//!                      └── a newer one comes first      while the report is not too old to be true
//! ```
//!
//! One request is in flight at a time, so a heartbeat never overtakes a withdrawal or the other way round. Whenever
//! Consul turns out not to know the service or its check, it is registered again within the same heartbeat: nobody has
//! to remember what Consul forgot. A withdrawal waits for a request in flight, but not long: it is bounded as a whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use super::consul::{CallError, Client, Limit, registration, update};
use super::mailbox::{Letter, Mailbox};
use super::pace::{backoff, now};
use super::suppress::{Say, Suppress, whose};
use crate::core::{Input, JobId, Report, elapsed};
use crate::plan::{CheckStatus, ServiceSpec};

/// The time for a withdrawal, from its report to its answer (reliability row 58).
const WITHDRAWAL: Duration = Duration::from_secs(2);
/// How much of it a request in flight may still take. The rest is for the withdrawal itself.
const IN_FLIGHT: Duration = Duration::from_secs(1);

/// What a task needs to know of its service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) job: JobId,
    /// The job's, for messages.
    pub(super) name: String,
    /// Replaced by a reload; the task looks at it before each report.
    data: Mutex<Arc<Data>>,
    /// What Consul has taken last, and when; nothing while it is not registered.
    taken: Mutex<Option<(CheckStatus, Instant)>>,
    pub(super) mailbox: Mailbox,
}

/// What Consul is told of a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) spec: ServiceSpec,
    /// Of its heartbeats.
    pub(super) interval: Duration,
}

impl Service {
    pub(super) fn new(job: JobId, spec: ServiceSpec, interval: Duration) -> Self {
        let (name, mailbox) = (spec.name.clone(), Mailbox::default());
        let data = Mutex::new(Arc::new(Data { spec, interval }));
        Self { job, name, data, taken: Mutex::new(None), mailbox }
    }

    /// What is to be told now.
    pub(super) fn data(&self) -> Arc<Data> {
        Arc::clone(&self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What Consul believes of it, and how long ago it was told. A time to live that has lapsed counts.
    pub(super) fn standing(&self) -> Option<(CheckStatus, Duration)> {
        let (status, at) = (*self.taken.lock().unwrap_or_else(PoisonError::into_inner))?;
        let ago = now().saturating_duration_since(at);
        Some((if ago > self.data().spec.ttl { CheckStatus::Critical } else { status }, ago))
    }

    fn was_taken(&self, status: Option<CheckStatus>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = status.map(|status| (status, now()));
    }

    /// From the next report on.
    pub(super) fn set_data(&self, spec: ServiceSpec, interval: Duration) {
        *self.data.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Data { spec, interval });
    }
}

/// A try did not succeed.
#[derive(Debug, PartialEq, Eq)]
struct Failed {
    /// Whether the same again can succeed.
    again: bool,
}

impl Failed {
    fn of(error: &CallError) -> Self {
        Self { again: !error.is_final() }
    }
}

/// What the task knows of Consul's knowledge, and what it has said about it.
pub(super) struct Task {
    service: Arc<Service>,
    data: Arc<Data>,
    client: Arc<Client>,
    inbox: Sender<Input>,
    /// Consul has taken the registration, and nothing was sent since that may have undone it.
    registered: bool,
    /// Consul has taken it, and has not said since that it is out again.
    there: bool,
    /// It was said that it is registered.
    was_registered: bool,
    /// A registration may still come true behind our back: we stopped waiting for its answer.
    uncertain: bool,
    /// When Consul last heard that all is well.
    alive: Option<Instant>,
    /// Since when it has known that something is not.
    critical: Option<Instant>,
    failures: u32,
    registration: Suppress,
    heartbeat: Suppress,
    refused: Suppress,
    deregistration: Suppress,
    slow: Suppress,
}

impl Task {
    /// A task that takes nothing for granted.
    pub(super) fn new(service: Arc<Service>, client: Arc<Client>, inbox: Sender<Input>) -> Self {
        Self {
            data: service.data(),
            service,
            client,
            inbox,
            registered: false,
            there: false,
            was_registered: false,
            uncertain: false,
            alive: None,
            critical: None,
            failures: 0,
            registration: Suppress::default(),
            heartbeat: Suppress::default(),
            refused: Suppress::default(),
            deregistration: Suppress::default(),
            slow: Suppress::default(),
        }
    }

    /// Runs until its mailbox is closed and what it had to tell is told.
    pub(super) async fn run(mut self) {
        let service = Arc::clone(&self.service);
        // Those whose withdrawal an earlier task panicked over have waited long enough.
        self.answer().await;
        let mut again: Option<(Letter, Instant)> = None;
        loop {
            let news = service.mailbox.next(again.as_ref().map(|(_, at)| *at)).await;
            let repeated = news.is_none();
            let Some(letter) = news.or_else(|| again.take().map(|(letter, _)| letter)) else {
                if service.mailbox.is_closed() {
                    return;
                }
                continue;
            };
            #[cfg(debug_assertions)]
            if service.standing().is_some() {
                crate::leaf::panic_on_purpose("consul");
            }
            self.take_new_data().await;
            let told = if letter.report == Report::Withdraw {
                let told = self.withdraw(if repeated { now() } else { letter.came }).await;
                self.answer().await;
                told
            } else {
                // A withdrawal that this one replaced is no longer wanted.
                self.answer().await;
                self.tell_unless_withdrawn(&letter.report).await
            };
            again = self.again(letter, told);
        }
    }

    /// A reload has changed what is to be told: it is registered anew with the next report.
    async fn take_new_data(&mut self) {
        let newest = self.service.data();
        if Arc::ptr_eq(&newest, &self.data) {
            return;
        }
        if newest.spec.id != self.data.spec.id && (self.there || self.uncertain) {
            // Under the old id nobody will tell anything any more.
            let _ = self.withdraw(now()).await;
        }
        if newest.spec != self.data.spec {
            self.registered = false;
        }
        self.data = newest;
    }

    /// When to tell the same again, if it failed and is still worth it.
    fn again(&mut self, letter: Letter, told: Result<(), Failed>) -> Option<(Letter, Instant)> {
        let Err(failed) = told else {
            self.failures = 0;
            return None;
        };
        self.failures = self.failures.saturating_add(1);
        let at = now() + backoff(self.failures, self.data.interval);
        let in_time = match letter.report {
            // These claim nothing that could grow old, and nothing else may come for long.
            Report::Withdraw | Report::Initial(_) => true,
            // Never claim with an old result that all is well.
            Report::Passing | Report::Failing(_) => {
                let worth = self.data.spec.ttl.max(self.data.interval);
                at.saturating_duration_since(letter.came) < worth
            }
        };
        (failed.again && in_time).then_some((letter, at))
    }

    /// Answers all withdrawals that are in hand.
    async fn answer(&mut self) {
        while self.service.mailbox.answer_one() {
            // Without a receiver there is no loop any more that could wait for it.
            let _ = self.inbox.send(Input::Withdrawn { job: self.service.job }).await;
        }
    }

    async fn tell_unless_withdrawn(&mut self, report: &Report) -> Result<(), Failed> {
        let service = Arc::clone(&self.service);
        let withdrawn = async {
            service.mailbox.withdrawal().await;
            sleep(IN_FLIGHT).await;
        };
        tokio::select! {
            biased;
            told = self.tell(report) => told,
            () = withdrawn => Ok(()),
        }
    }

    async fn tell(&mut self, report: &Report) -> Result<(), Failed> {
        match report {
            Report::Initial(_) if self.registered => Ok(()),
            Report::Initial(status) => self.register(*status).await,
            Report::Passing => {
                let began = now();
                let registered = self.update(CheckStatus::Passing, "ok").await?;
                self.passed(began, registered);
                Ok(())
            }
            Report::Failing(reason) => {
                self.update(CheckStatus::Critical, reason).await?;
                self.critical.get_or_insert_with(now);
                Ok(())
            }
            Report::Withdraw => self.withdraw(now()).await,
        }
    }

    /// Registers if need be, then updates the check; tells whether it had to register.
    ///
    /// The original updates even when it could not register. Then there is nothing to update, or something that an
    /// earlier container left under the same id with another address (reliability row 59), so we don't.
    async fn update(&mut self, status: CheckStatus, output: &str) -> Result<bool, Failed> {
        let data = Arc::clone(&self.data);
        let id = &data.spec.id;
        let mut registered = false;
        if !self.registered {
            self.register(status).await?;
            registered = true;
        }
        let mut told = self.client.update(id, update(status, output), Limit::AGENT_CALL).await;
        if told.as_ref().is_err_and(CallError::is_forgotten) {
            debug!(service = data.spec.name, "Consul does not know the service {id}");
            self.registered = false;
            if self.service.mailbox.is_withdrawal() {
                // Nobody wants it back.
                return Err(Failed { again: false });
            }
            self.register(status).await?;
            registered = true;
            told = self.client.update(id, update(status, output), Limit::AGENT_CALL).await;
        }
        match told {
            Ok(()) => {
                self.service.was_taken(Some(status));
                let failures = self.heartbeat.recovered().max(self.refused.recovered());
                if let Some(attempt) = failures.filter(|_| !registered) {
                    let name = &self.data.spec.name;
                    info!(service = name, attempt, "service update TTL works again: {name}");
                }
                Ok(registered)
            }
            Err(error) => {
                self.say_failed("service update TTL failed", &error, |task| &mut task.heartbeat);
                Err(Failed::of(&error))
            }
        }
    }

    async fn register(&mut self, status: CheckStatus) -> Result<(), Failed> {
        self.uncertain = true;
        let told = self.client.register(registration(&self.data.spec, status), Limit::AGENT_CALL).await;
        self.uncertain = matches!(told, Err(CallError::TimedOut { .. }));
        match told {
            Ok(()) => {
                self.registered = true;
                self.there = true;
                self.service.was_taken(Some(status));
                // From now on its time to live runs.
                self.alive = (status == CheckStatus::Passing).then(now);
                self.critical = None;
                self.registration = Suppress::default();
                self.refused = Suppress::default();
                let name = &self.data.spec.name;
                // The first in the original's words.
                if std::mem::replace(&mut self.was_registered, true) {
                    info!(service = name, "Service registered again: {name}");
                } else {
                    info!(service = name, "Service registered: {name}");
                }
                Ok(())
            }
            Err(error) => {
                self.say_failed("service registration failed", &error, |task| &mut task.registration);
                Err(Failed::of(&error))
            }
        }
    }

    /// Takes the service out, within the time that is left since then.
    async fn withdraw(&mut self, since: Instant) -> Result<(), Failed> {
        let name = &self.data.spec.name;
        let id = &self.data.spec.id;
        debug!(service = name, "deregistering: {id}");
        // From here on it may be out, also when no answer says so.
        self.registered = false;
        self.service.was_taken(None);
        let left = WITHDRAWAL.saturating_sub(now().saturating_duration_since(since));
        let told = self.client.deregister(id, Limit(left.max(WITHDRAWAL.saturating_sub(IN_FLIGHT)))).await;
        match told {
            Err(error) if !error.is_forgotten() => {
                if let Some(Say { attempt, suppressed }) = self.deregistration.failed() {
                    let stays = if self.there || self.uncertain {
                        format!("; it may stay there, critical when its TTL of {} is over", elapsed(self.data.spec.ttl))
                    } else {
                        String::new()
                    };
                    info!(
                        service = name,
                        attempt,
                        suppressed,
                        "deregistering failed: {error}{stays} {}",
                        whose("service", name, attempt)
                    );
                }
                Err(Failed::of(&error))
            }
            Ok(()) | Err(_) => {
                self.deregistration = Suppress::default();
                self.alive = None;
                self.critical = None;
                if std::mem::take(&mut self.there) {
                    info!(service = name, "Service deregistered: {name}");
                }
                // Once more later, if a registration that nobody waited for may have come after it.
                if std::mem::take(&mut self.uncertain) { Err(Failed { again: true }) } else { Ok(()) }
            }
        }
    }

    /// Consul has heard that all is well: is there something to say about the time before?
    fn passed(&mut self, began: Instant, registered: bool) {
        let name = &self.data.spec.name;
        let ttl = self.data.spec.ttl;
        let now = now();
        let lapsed = self.alive.map(|alive| alive + ttl).filter(|lapsed| *lapsed < now);
        if let Some(since) = self.critical.take().or(lapsed) {
            let seconds = now.saturating_duration_since(since).as_secs_f64().round();
            if seconds >= 1.0 {
                info!(service = name, "{name} was critical in Consul for about {seconds} s");
            }
        }
        self.alive = Some(now);
        let took = now.saturating_duration_since(began);
        if took <= ttl / 2 {
            self.slow = Suppress::default();
        } else if let Some(Say { attempt, suppressed }) = self.slow.failed() {
            let elapsed = elapsed(took);
            let what = if registered { "registration and heartbeat" } else { "heartbeat" };
            warn!(service = name, attempt, suppressed, elapsed, "{what} of {name} took more than half of its TTL");
        }
    }

    /// A refusal is an error the first time: somebody has to give us the permission that Consul names.
    fn say_failed(&mut self, what: &str, error: &CallError, count: impl FnOnce(&mut Self) -> &mut Suppress) {
        let refused = error.is_denied() || error.is_final();
        let said = if refused { self.refused.failed() } else { count(self).failed() };
        let Some(Say { attempt, suppressed }) = said else { return };
        let service = &self.data.spec.name;
        let whose = whose("service", service, attempt);
        if refused && attempt == 1 {
            error!(service, attempt, suppressed, "{what}: {error} {whose}");
        } else {
            warn!(service, attempt, suppressed, "{what}: {error} {whose}");
        }
    }
}

#[cfg(test)]
mod tests;
