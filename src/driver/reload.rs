//! Reload: the configuration is read again, judged, and handed to the world, which follows it when it is quiet.
//!
//! ```text
//! signal, control ─► ask_reload ─► a thread reads, renders and judges ─┬─ bad: told, nothing changes (reliability row 70)
//!                                                                      └─ good ─► Input::Reload ─► … ─► Reconfigure,
//!                                                                                                       Reloaded
//! ```
//!
//! A thread of its own, so that a slow disk or a long template holds up no job. It is a plain one: where none can be made
//! that is an error to tell, while the pool of the runtime would panic (row 25). There is one at a time; whoever asks
//! meanwhile is served by the next reading, since the file may have changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use super::Driver;
use crate::core::{GLOBAL, Input, Summary};
use crate::discovery::Discovery;
use crate::env::Environment;
use crate::plan::{Consul, Control, Logging, Plan};
use crate::process;

/// Reads the configuration again, with this environment for its template.
///
/// # Errors
/// Everything that is wrong with it, a line each, with its place.
pub type Reloader = Arc<dyn Fn(Environment) -> Result<Reread, Vec<String>> + Send + Sync>;

/// A configuration that was read again and is good.
#[derive(Debug)]
pub struct Reread {
    /// What it means.
    pub plan: Plan,
    /// What is odd about it, a line each.
    pub warnings: Vec<String>,
    /// What would speak to its Consul agent: made where files may be waited for, and needed when the agent is another.
    pub discovery: Option<Discovery>,
}

/// Why a reload is not done. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Everything is stopping (reliability row 71).
    Stopping,
    /// The configuration can't be read or is wrong: a line for each error, with its place.
    Invalid(Vec<String>),
}

/// What to wait for before an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The configuration is judged; nothing is changed.
    Judged,
    /// The configuration is judged, and will be followed.
    Accepted,
    /// It is followed: what had to stop has stopped. The answer is about the last of the reloads that came together.
    Done,
}

/// Somebody who wants a reload and an answer. The sender is dropped without one when the program ends before.
#[derive(Debug)]
pub struct Request {
    /// When to answer.
    pub until: Until,
    /// Where to: what is or would be done.
    pub answer: oneshot::Sender<Result<Summary, Refused>>,
}

/// What a reading came to; nothing where the thread died.
pub(super) type Read = Option<Result<Reread, Vec<String>>>;

/// What is read again, and what of the plan in force is compared with the next one here.
pub(super) struct Reloads {
    reloader: Reloader,
    reading: Option<oneshot::Receiver<Result<Reread, Vec<String>>>>,
    /// What is read is to be followed, not only judged.
    wanted: bool,
    /// Likewise of the reading after this one.
    wanted_since: bool,
    /// Those whom this reading answers, or whose waiting for the end begins with it.
    asked: Vec<Request>,
    /// Those who asked since it began.
    asked_since: Vec<Request>,
    waiting: Vec<Request>,
    /// Of the configuration that was read last, said when it is followed.
    warnings: Vec<String>,
    /// Likewise, and of which agent it is.
    pub(super) prepared: Option<(Consul, Discovery)>,
    logging: Logging,
    control: Control,
    pub(super) consul: Option<Consul>,
    /// The variables that hold advertised addresses.
    pub(super) addresses: BTreeSet<String>,
}

impl Reloads {
    pub(super) fn new(plan: &Plan, reloader: Reloader) -> Self {
        Self {
            reloader,
            reading: None,
            wanted: false,
            wanted_since: false,
            asked: Vec::new(),
            asked_since: Vec::new(),
            waiting: Vec::new(),
            warnings: Vec::new(),
            prepared: None,
            logging: plan.logging.clone(),
            control: plan.control.clone(),
            consul: plan.consul.clone(),
            addresses: BTreeSet::new(),
        }
    }

    /// The address of the Consul agent of the plan in force.
    pub(super) fn consul_in_use(&self) -> Option<&str> {
        self.consul.as_ref().map(|consul| consul.address.as_str())
    }

    /// Waits for the end of the reading; for ever if there is none. Cancel safe.
    pub(super) async fn read(&mut self) -> Read {
        match &mut self.reading {
            Some(reading) => reading.await.ok(),
            None => std::future::pending().await,
        }
    }
}

impl Driver {
    /// Reads the configuration again and follows it, if it is good. Never waits; whoever has a [`Request`] is answered.
    pub fn ask_reload(&mut self, request: Option<Request>) {
        if !self.world.takes_reloads() {
            warn!("not reloaded: everything is stopping");
            self.reloads.waiting.extend(request);
            self.refuse_when_stopping();
            return;
        }
        let reloads = &mut self.reloads;
        let wanted = request.as_ref().is_none_or(|request| request.until != Until::Judged);
        if reloads.reading.is_some() {
            reloads.wanted_since |= wanted;
            reloads.asked_since.extend(request);
            return;
        }
        reloads.wanted = wanted;
        reloads.asked.extend(request);
        self.begin_reading();
    }

    fn begin_reading(&mut self) {
        let (sender, receiver) = oneshot::channel();
        let (reloader, env) = (Arc::clone(&self.reloads.reloader), self.env.clone());
        // As much stack as the first reading had.
        let thread = std::thread::Builder::new().name("reload".to_owned()).stack_size(8 << 20);
        match thread.spawn(move || drop(sender.send(reloader(env)))) {
            Ok(_) => self.reloads.reading = Some(receiver),
            Err(error) => self.refuse(&[format!("no thread to read the configuration on: {error}")]),
        }
    }

    /// Nobody waits for a reload that will not be.
    fn refuse_when_stopping(&mut self) {
        if self.world.takes_reloads() {
            return;
        }
        let Reloads { asked, asked_since, waiting, .. } = &mut self.reloads;
        for request in asked.drain(..).chain(asked_since.drain(..)).chain(waiting.drain(..)) {
            // Whoever has gone away needs no answer.
            drop(request.answer.send(Err(Refused::Stopping)));
        }
    }

    /// Whether a reading is done, when something else has woken the loop.
    pub(super) fn hear_of_reading(&mut self) {
        self.refuse_when_stopping();
        let Some(reading) = &mut self.reloads.reading else { return };
        match reading.try_recv() {
            Ok(read) => self.on_read(Some(read)),
            Err(oneshot::error::TryRecvError::Empty) => {}
            Err(oneshot::error::TryRecvError::Closed) => self.on_read(None),
        }
    }

    pub(super) fn on_read(&mut self, read: Read) {
        self.reloads.reading = None;
        match read {
            Some(Ok(reread)) => self.accept(reread),
            Some(Err(errors)) => self.refuse(&errors),
            None => self.refuse(&["internal error while the configuration was read".to_owned()]),
        }
        let reloads = &mut self.reloads;
        reloads.wanted = std::mem::take(&mut reloads.wanted_since);
        reloads.asked = std::mem::take(&mut reloads.asked_since);
        if reloads.wanted || !reloads.asked.is_empty() {
            self.begin_reading();
        }
    }

    fn accept(&mut self, reread: Reread) {
        self.refuse_when_stopping();
        let summary = self.world.preview(&reread.plan);
        for request in std::mem::take(&mut self.reloads.asked) {
            match request.until {
                Until::Judged | Until::Accepted => drop(request.answer.send(Ok(summary.clone()))),
                Until::Done => self.reloads.waiting.push(request),
            }
        }
        if self.reloads.wanted && self.world.takes_reloads() {
            debug!("the configuration is read again and good: it is followed after the quiet period");
            self.reload(reread);
        }
    }

    /// Follows a configuration after the quiet period.
    pub fn reload(&mut self, reread: Reread) {
        let Reread { plan, warnings, discovery } = reread;
        self.reloads.warnings = warnings;
        self.reloads.prepared = plan.consul.clone().zip(discovery);
        self.inbox.push_back(Input::Reload(Box::new(plan)));
    }

    fn refuse(&mut self, errors: &[String]) {
        for line in errors {
            error!("not reloaded, everything goes on as it was: {line}");
        }
        for request in std::mem::take(&mut self.reloads.asked) {
            drop(request.answer.send(Err(Refused::Invalid(errors.to_vec()))));
        }
    }

    /// The plan is in force: what of it is not the world's business.
    pub(super) fn reconfigure(&mut self, plan: &Plan) {
        for warning in std::mem::take(&mut self.reloads.warnings) {
            warn!("{warning}");
        }
        if plan.logging != self.reloads.logging {
            match self.log.reconfigure(&plan.logging) {
                Ok(()) => self.reloads.logging = plan.logging.clone(),
                Err(error) => error!("the log stays as it was: {error}"),
            }
        }
        if plan.control != self.reloads.control {
            warn!("control.socket is another now: that takes effect with the next start of this program");
        }
        self.log.kept().set_jobs(plan.jobs.iter().map(|job| job.name.as_str()));
        self.export_addresses(plan);
        self.change_consul(plan);
        self.change_telemetry(plan);
    }

    /// A reload is done: those who waited for that are told, when no other one is on its way.
    pub(super) fn on_reloaded(&mut self, summary: &Summary) {
        self.tell_event(GLOBAL, "reload", &summary.to_string());
        // As after the start: what made a plan out of a text is not needed any more.
        process::release_startup_pages();
        if self.world.is_reloading() {
            return;
        }
        for request in std::mem::take(&mut self.reloads.waiting) {
            drop(request.answer.send(Ok(summary.clone())));
        }
    }
}

#[cfg(test)]
mod tests;
