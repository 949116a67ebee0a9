//! What monitoring sees of us: `/metrics`, `/status`, `/healthz` and `/readyz` on a port (v3 §16).
//!
//! ```text
//!  loop ── event(), run_ended(), record(), … ──► counts, fed metrics          plain data, no lock
//!  loop ◄── ready(), take() ◄── bounded queue ◄── server: one task per connection (http)
//!  loop ── answer(scrape, snapshot) ────────────► page ──► the connection
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `server` | the socket, its paths |
//! | `page` | the text formats, and which of them a scraper asks for |
//! | `fed` | the metrics that jobs feed |
//! | `quantiles` | what a summary remembers of ten minutes |
//! | `counts`, `own` | what we count of ourselves; `process_*` |
//! | `status` | `/status` and `/readyz` |
//! | `snapshot` | what the loop tells of jobs for one answer |
//! | `number` | what Go takes for a number |
//!
//! The registry is ours and not the `prometheus` crate: that one has no summaries and writes numbers otherwise than the
//! original (`1000000`, not `1e+06`), so none of its formatting could be used, and it is 240 kB.
//!
//! Invariants: everything belongs to the loop, so nothing is locked, and nothing is done while nobody asks. No label's
//! values come from outside without an end (design §4 row 16). A page is made on the loop: `/healthz` is answered
//! exactly if the loop turns.
//!
//! Not here: who publishes events, what the control socket does with a refused value, the service in Consul.

mod counts;
mod fed;
mod number;
mod own;
mod page;
mod quantiles;
mod server;
mod snapshot;
mod status;

#[cfg(test)]
mod tests;

pub use fed::{Recorded, Refused};
pub use page::Format;
pub use snapshot::{JobState, JobView, Snapshot};
pub use status::{readiness, ready_jobs};

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tracing::error;

use self::counts::Counts;
use self::fed::Fed;
use self::page::Family;
use self::server::{Ask, News, Page, Question, Server};
use crate::core::Moment;
use crate::plan::{self, EventCode};

/// So many questions wait for the loop; more wait for room, and then in the socket's queue.
const QUEUE: usize = 32;

/// Metrics, their server, and what waits for an answer.
#[derive(Debug)]
pub struct Telemetry {
    version: String,
    place: (std::net::IpAddr, i64),
    fed: Fed,
    counts: Counts,
    began: SystemTime,
    sender: mpsc::Sender<News>,
    receiver: mpsc::Receiver<News>,
    next: Option<News>,
    server: Option<Server>,
    /// How many servers were started: the number of the last one.
    servers: u64,
    failed: Option<String>,
    /// That the address can't be had ends the program: so at the start, not after a reload.
    must_serve: bool,
}

/// A question that needs to know how things stand. Dropped, it is answered with 503.
#[derive(Debug)]
pub struct Scrape(Question);

impl Scrape {
    /// Whether it only asks for readiness: then the rest of a snapshot is of no use.
    pub fn is_about_readiness(&self) -> bool {
        self.0.ask == Ask::Ready
    }
}

impl Telemetry {
    /// The registry of this section; `version` is ours. Nothing is served yet.
    pub fn new(plan: &plan::Telemetry, version: &str) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut fed = Fed::default();
        fed.configure(&plan.metrics);
        Self {
            version: version.to_owned(),
            place: (plan.address, plan.port),
            fed,
            counts: Counts::default(),
            began: SystemTime::now(),
            sender,
            receiver,
            next: None,
            server: None,
            servers: 0,
            failed: None,
            must_serve: true,
        }
    }

    /// Starts the server: the address is asked for at once and then each second, ten times in all (v3 §16). Within a
    /// runtime.
    pub fn serve(&mut self) {
        let (address, port) = self.place;
        self.failed = None;
        self.servers = self.servers.saturating_add(1);
        self.server = Some(Server::start(self.servers, address, port, self.sender.clone()));
    }

    /// Likewise after a reload: what runs goes on, whether the address can be had or not.
    pub fn serve_if_possible(&mut self) {
        self.must_serve = false;
        self.serve();
    }

    /// Follows a changed section: unchanged metrics keep their values, counts of ourselves stay, the server moves only if
    /// its address did. `jobs` and `watches` say whose names are still in the configuration. Within a runtime.
    pub fn reconfigure(&mut self, plan: &plan::Telemetry, jobs: impl Fn(&str) -> bool, watches: impl Fn(&str) -> bool) {
        self.fed.configure(&plan.metrics);
        self.counts.keep_only(jobs, watches);
        let place = (plan.address, plan.port);
        let gave_up = self.server.is_none() && !self.must_serve;
        if place != self.place || gave_up {
            self.place = place;
            if self.server.take().is_some() || gave_up {
                self.serve_if_possible();
            }
        }
    }

    /// Why the address can't be had, in one line, once it was asked for often enough: the program ends with status 69.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// An event was published. The source of an [`EventCode::Error`] is the name of the job or check, never the error's
    /// text (design §4 row 16).
    pub fn event(&mut self, code: EventCode, source: &str) {
        self.counts.event(code, source);
    }

    /// The control socket has answered so often. The path is that of the route, so that nobody can make new ones up.
    pub fn control_requests(&mut self, code: u16, path: &'static str, times: u64) {
        self.counts.control_requests(code, path, times);
    }

    /// A watch has found so many instances; `service` is its name without `watch.`.
    pub fn watch(&mut self, service: &str, instances: usize) {
        self.counts.watch(service, instances);
    }

    /// A run of a job's command is over; `exit` is its status as a shell would tell it, 126 or 127 if it could not be
    /// started.
    pub fn run_ended(&mut self, job: &str, lasted: Duration, exit: i32) {
        self.counts.run_ended(job, lasted, exit);
    }

    /// A run of a job's health check is over, well or not.
    pub fn check_ended(&mut self, job: &str, took: Duration) {
        self.counts.check_ended(job, took);
    }

    /// A job's health check has passed, or one without a check was found to be there.
    pub fn heartbeat(&mut self, job: &str, now: Moment) {
        self.counts.heartbeat(job, now);
    }

    /// So many processes of nobody's were reaped.
    pub fn orphans_reaped(&mut self, count: usize) {
        self.counts.orphans(count);
    }

    /// A timer was carried out so much later than it was due.
    pub fn timer_late(&mut self, by: Duration) {
        self.counts.late(by);
    }

    /// Whether [`Self::record`] would refuse: to be asked for all pairs of a body before the first is recorded.
    ///
    /// # Errors
    /// A counter would shrink.
    pub fn check(&self, key: &str, value: &str) -> Result<(), Refused> {
        self.fed.check(key, value)
    }

    /// Records a value that was posted to `/v3/metric`. The key is the original's (`namespace_subsystem_name` with empty
    /// parts kept) or the exposed name (design §4 row 15); the value a text as Go prints it. What is no number is told in
    /// the log.
    ///
    /// # Errors
    /// A counter would shrink; nothing is changed then.
    pub fn record(&mut self, key: &str, value: &str, now: Moment) -> Result<Recorded, Refused> {
        let recorded = self.fed.record(key, value, now)?;
        if let Recorded::NotANumber(told) = &recorded {
            error!("{told}");
        }
        Ok(recorded)
    }

    /// Waits until [`Self::take`] may have something or [`Self::failed`] has changed. Cancel safe.
    pub async fn ready(&mut self) {
        if self.next.is_none() {
            // Never the end: there is a sender of our own.
            self.next = self.receiver.recv().await;
        }
    }

    /// The next question that [`Self::answer`] must answer, if there is one. What needs no snapshot is answered on the way.
    pub fn take(&mut self) -> Option<Scrape> {
        while let Some(news) = self.next.take().or_else(|| self.receiver.try_recv().ok()) {
            match news {
                // Of one that a reload has replaced.
                News::Failed { server, .. } if server != self.servers => {}
                News::Failed { why, .. } if self.must_serve => self.failed = Some(why),
                News::Failed { why, .. } => {
                    error!("{why}: nothing is served there, everything else goes on; a reload tries again");
                    self.server = None;
                }
                // Who went away meanwhile costs nothing more.
                News::Asked(question) if question.reply.is_closed() => {}
                News::Asked(Question { ask: Ask::Health, reply }) => {
                    let _ = reply.send(Page::text(true, "ok\n".to_owned()));
                }
                News::Asked(question) => return Some(Scrape(question)),
            }
        }
        None
    }

    /// Answers a question: this is how things stand now.
    pub fn answer(&mut self, scrape: Scrape, snapshot: &Snapshot, now: Moment) {
        let Question { ask, reply } = scrape.0;
        let page = match ask {
            Ask::Metrics(format) => {
                let body = self.metrics(format, snapshot, now);
                Page { is_good: true, content_type: format.content_type(), body }
            }
            Ask::Status => {
                let body = status::json(snapshot, &self.version);
                Page { is_good: true, content_type: "application/json", body }
            }
            Ask::Ready => {
                let (is_good, body) = status::readiness(snapshot);
                Page::text(is_good, body)
            }
            Ask::Health => Page::text(true, "ok\n".to_owned()),
        };
        // Who went away meanwhile gets nothing.
        let _ = reply.send(page);
    }

    /// The page of all metrics.
    pub fn metrics(&mut self, format: Format, snapshot: &Snapshot, now: Moment) -> String {
        let mut families: Vec<Family<'_>> = self.counts.show(snapshot, &self.version, now);
        families.extend(own::families(self.began));
        // A name that the original left free belongs to whom the configuration gives it.
        let fed: Vec<Family<'_>> = self.fed.show(now).collect();
        families.retain(|ours| fed.iter().all(|theirs| !ours.clashes_with(theirs)));
        families.extend(fed);
        page::render(families, format)
    }
}
