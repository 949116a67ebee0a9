//! Reload: the configuration is read again, judged, and handed to the world, which follows it when it is quiet.
//!
//! ```text
//! signal, control ─► ask_reload ─► a thread reads, renders and judges ─┬─ bad: told, nothing changes (reliability row 70)
//! file ─► if its text is another ──┘                                   └─ good ─► Input::Reload ─► … ─► Reconfigure,
//!                                                                                                       Reloaded
//! ```
//!
//! A thread of its own, so that a slow disk or a long template holds up no job. It is a plain one: where none can be made
//! that is an error to tell, while the pool of the runtime would panic (row 25). There is one at a time; whoever asks
//! meanwhile is served by the next reading, since the file may have changed.

mod file;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use super::Driver;
use crate::core::{GLOBAL, Input, Summary};
use crate::discovery::Discovery;
use crate::env::Environment;
use crate::plan::{Consul, Control, Logging, Plan};
use crate::process::FaultStack;

/// What reads the configuration again.
#[derive(Clone)]
pub struct Reloader {
    /// The file, which `reload.watch` watches.
    pub path: PathBuf,
    /// Which text of it is in force.
    pub fingerprint: u64,
    /// Reads it again, with this environment for its template. With a fingerprint it does not look further when that is
    /// the text's.
    pub read: Arc<dyn Fn(Environment, Option<u64>) -> Reading + Send + Sync>,
}

/// What a reading came to.
#[derive(Debug)]
pub struct Reading {
    /// The same for the same text; where there is none, for the same reason.
    pub fingerprint: u64,
    /// What it means, or everything that is wrong with it, a line each, with its place. `None` where nobody looked.
    pub judged: Option<Result<Reread, Vec<String>>>,
}

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

/// What the thread gives: a reading, and which places of the file can't be watched.
type Given = Box<(Reading, Result<(), String>)>;

/// Nothing where the thread died.
pub(super) type Read = Option<Given>;

/// What wakes the loop.
pub(super) enum News {
    /// The reading is done.
    Read(Read),
    /// The file may have changed.
    File,
}

/// Whether what is read is to be followed, and not only judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    #[default]
    No,
    /// If the text is another than that of the last reading that was to be followed.
    IfChanged,
    Yes,
}

/// What is read again, and what of the plan in force is compared with the next one here.
pub(super) struct Reloads {
    reloader: Reloader,
    reading: Option<oneshot::Receiver<Given>>,
    /// Of this reading.
    wanted: Wanted,
    /// Of the one after it.
    wanted_since: Wanted,
    /// What the plan says of the file, and what watches it.
    file: file::File,
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
    /// Those that some agents need were made, and are kept.
    has_threads: bool,
    /// The variables that hold advertised addresses.
    pub(super) addresses: BTreeSet<String>,
}

impl Reloads {
    pub(super) fn new(plan: &Plan, reloader: Reloader, has_threads: bool) -> Self {
        Self {
            reloader,
            reading: None,
            wanted: Wanted::No,
            wanted_since: Wanted::No,
            file: file::File::new(plan.reload.watch),
            asked: Vec::new(),
            asked_since: Vec::new(),
            waiting: Vec::new(),
            warnings: Vec::new(),
            prepared: None,
            logging: plan.logging.clone(),
            control: plan.control.clone(),
            consul: plan.consul.clone(),
            has_threads,
            addresses: BTreeSet::new(),
        }
    }

    /// The address of the Consul agent that the plan in force names.
    pub(super) fn consul_address(&self) -> Option<String> {
        self.consul.as_ref().map(Consul::shown_address)
    }

    /// Has the threads made that this needs, if it is the first that needs any.
    pub(super) fn find_threads(&mut self, discovery: &Discovery) -> Result<(), String> {
        if !self.has_threads {
            discovery.find_threads()?;
            self.has_threads = discovery.needs_threads();
        }
        Ok(())
    }

    /// Waits for the end of the reading, or for a change of the file; for ever if nothing can come. Cancel safe.
    pub(super) async fn news(&mut self) -> News {
        let Self { reading, file, .. } = self;
        let read = async {
            match reading {
                Some(reading) => reading.await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            read = read => News::Read(read),
            () = file.changed() => News::File,
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
        let judged = request.as_ref().is_some_and(|request| request.until == Until::Judged);
        self.ask_reading(if judged { Wanted::No } else { Wanted::Yes }, request);
    }

    fn ask_reading(&mut self, wanted: Wanted, request: Option<Request>) {
        let reloads = &mut self.reloads;
        if reloads.reading.is_some() {
            reloads.wanted_since = reloads.wanted_since.max(wanted);
            // A file system may hold the reading for ever, and who asks gives up before that: there are no more of them
            // than connections.
            reloads.asked_since.retain(|request| !request.answer.is_closed());
            reloads.asked_since.extend(request);
            return;
        }
        reloads.wanted = wanted;
        reloads.asked.extend(request);
        self.begin_reading();
    }

    fn begin_reading(&mut self) {
        let (sender, receiver) = oneshot::channel();
        let reloads = &self.reloads;
        let (read, env) = (Arc::clone(&reloads.reloader.read), self.env.clone());
        // Nobody else wants to know.
        let only_another = reloads.wanted == Wanted::IfChanged && reloads.asked.is_empty();
        let known = only_another.then_some(reloads.reloader.fingerprint);
        let watched = reloads.file.watched();
        // As much stack as the first reading had.
        let thread = std::thread::Builder::new().name("reload".to_owned()).stack_size(8 << 20);
        let reading = move || {
            // Without one, a text that is too deep is the end without a word.
            let _stack = FaultStack::of_this_thread();
            #[cfg(debug_assertions)]
            super::on_purpose::overrun_on(&env, "reload");
            // Before the reading, so that nothing is missed after it.
            let seen = watched.map_or(Ok(()), |watched| watched.renew());
            drop(sender.send(Box::new((read(env, known), seen))));
        };
        match thread.spawn(reading) {
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
        if self.reloads.file.take() {
            self.file_changed();
        }
        let Some(reading) = &mut self.reloads.reading else { return };
        match reading.try_recv() {
            Ok(read) => self.on_read(Some(read)),
            Err(oneshot::error::TryRecvError::Empty) => {}
            Err(oneshot::error::TryRecvError::Closed) => self.on_read(None),
        }
    }

    pub(super) fn on_news(&mut self, news: News) {
        match news {
            News::Read(read) => self.on_read(read),
            News::File => self.file_changed(),
        }
    }

    pub(super) fn on_read(&mut self, read: Read) {
        self.reloads.reading = None;
        match read {
            Some(read) => {
                let (reading, seen) = *read;
                self.reloads.file.seen(seen);
                self.judged(reading);
            }
            None => self.refuse(&["internal error while the configuration was read".to_owned()]),
        }
        let reloads = &mut self.reloads;
        reloads.wanted = std::mem::take(&mut reloads.wanted_since);
        reloads.asked = std::mem::take(&mut reloads.asked_since);
        if reloads.wanted != Wanted::No || !reloads.asked.is_empty() {
            self.begin_reading();
        }
    }

    fn judged(&mut self, Reading { fingerprint, judged }: Reading) {
        let reloads = &mut self.reloads;
        let follow = match reloads.wanted {
            Wanted::No => false,
            Wanted::IfChanged => reloads.reloader.fingerprint != fingerprint,
            Wanted::Yes => true,
        };
        let mut before = None;
        if follow {
            // Also of one that is wrong: it is not told again before it is another.
            before = Some(std::mem::replace(&mut reloads.reloader.fingerprint, fingerprint));
        }
        match judged {
            Some(Ok(reread)) => {
                let accepted = self.accept(reread, follow);
                // A good one that was refused for a lack is followed when it is looked at again.
                if let Some(before) = before.filter(|_| !accepted) {
                    self.reloads.reloader.fingerprint = before;
                }
            }
            Some(Err(errors)) => self.refuse(&errors),
            None => debug!("the configuration file has the text that it had: nothing to reload"),
        }
    }

    /// Whether what is good can be followed, too, if it is to be.
    fn accept(&mut self, reread: Reread, follow: bool) -> bool {
        self.refuse_when_stopping();
        let follow = follow && self.world.takes_reloads();
        // Now, when it can be refused: after the quiet period jobs have stopped for it.
        let new = reread.discovery.as_ref().filter(|_| follow);
        if let Err(error) = new.map_or(Ok(()), |new| self.reloads.find_threads(new)) {
            self.refuse(&[format!("failed to use Consul: {error}")]);
            return false;
        }
        let summary = self.world.preview(&reread.plan);
        for request in std::mem::take(&mut self.reloads.asked) {
            match request.until {
                Until::Judged | Until::Accepted => drop(request.answer.send(Ok(summary.clone()))),
                Until::Done => self.reloads.waiting.push(request),
            }
        }
        if follow {
            debug!("the configuration is read again and good: it is followed after the quiet period");
            self.reload(reread);
        }
        true
    }

    /// Follows a configuration after the quiet period.
    pub fn reload(&mut self, reread: Reread) {
        let Reread { plan, warnings, discovery } = reread;
        self.reloads.warnings = warnings;
        self.reloads.prepared = plan.consul.clone().zip(discovery);
        self.inbox.push_back(Input::Reload(Box::new(plan)));
    }

    fn refuse(&mut self, errors: &[String]) {
        // Whoever only tries it out reads that in the answer.
        let trial = self.reloads.asked.iter().all(|request| request.until == Until::Judged);
        for line in errors.iter().filter(|_| self.reloads.wanted != Wanted::No || !trial) {
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
        self.runs.set_jobs(plan.jobs.iter().map(|job| job.name.as_str()));
        self.export_addresses(plan);
        self.share_output(plan);
        self.change_consul(plan);
        self.change_telemetry(plan);
        self.reloads.file.wanted = plan.reload.watch;
        self.watch_file();
    }

    /// A reload is done: those who waited for that are told, when no other one is on its way.
    pub(super) fn on_reloaded(&mut self, summary: &Summary) {
        self.tell_event(GLOBAL, "reload", &summary.to_string());
        self.settle_later();
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
