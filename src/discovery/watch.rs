//! One watch's task: it asks for the healthy instances of a service, and tells when they are others (v3 §14).
//!
//! Where the agent can wait for a change it is asked to ([Consul's blocking queries][1]), at most for the watch's
//! interval; else it is asked once each interval. So it is by all watches but those that have a
//! [place](Client::place): each that waits holds a connection, and an agent takes 200 of one address. A failure tells nothing: what is not known has not changed.
//!
//! [1]: https://developer.hashicorp.com/consul/api-docs/features/blocking

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, sleep_until};
use tracing::{debug, info, warn};

use super::consul::{CallError, Client, HealthQuery, Wait};
use super::pace::{Pace, backoff, now};
use super::suppress::{Say, Suppress, whose};
use crate::core::{Input, Instance, WatchId, count};
use crate::plan::WatchSpec;

/// Consul waits no longer.
const LONGEST: Duration = Duration::from_mins(10);
const SHORTEST: Duration = Duration::from_secs(1);
/// So many characters are said of what others registered.
const SAID: usize = 100;

/// What a task asks for, and what it knows.
pub(super) struct Task {
    watch: WatchId,
    spec: Arc<WatchSpec>,
    client: Arc<Client>,
    inbox: Sender<Input>,
    /// Everything stops: what fails now is no news.
    stopping: Arc<AtomicBool>,
    /// After which index to wait for a change; 0 asks at once.
    index: u64,
    /// What was told last.
    told: Option<Vec<Instance>>,
    pace: Pace,
    failures: u32,
    suppress: Suppress,
    odd: Suppress,
}

/// What follows from an answer's index.
#[derive(Debug, PartialEq, Eq)]
struct Next {
    index: u64,
    /// The agent did not wait, so we do.
    poll: bool,
}

impl Next {
    /// Consul's rules: an index that goes back starts anew, and so does one that is none. Beside them: an agent that
    /// answers the same index too early does not wait for changes, or somebody between us and it does not.
    fn after(asked: u64, got: Option<u64>, waited: Duration, wait: Duration) -> Self {
        match got.unwrap_or(0) {
            0 => Self { index: 0, poll: true },
            got if got < asked => Self { index: 0, poll: false },
            got if got == asked => Self { index: got, poll: waited < wait / 10 * 9 },
            got => Self { index: got, poll: false },
        }
    }
}

impl Task {
    pub(super) fn new(
        watch: WatchId,
        spec: Arc<WatchSpec>,
        client: Arc<Client>,
        inbox: Sender<Input>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let (pace, suppress, odd) = (Pace::default(), Suppress::default(), Suppress::default());
        Self { watch, spec, client, inbox, stopping, index: 0, told: None, pace, failures: 0, suppress, odd }
    }

    /// Runs for ever.
    pub(super) async fn run(mut self) {
        let spec = Arc::clone(&self.spec);
        let interval = spec.interval.clamp(SHORTEST, LONGEST);
        let mut place = None;
        loop {
            self.pace.turn().await;
            let began = now();
            place = place.or_else(|| self.client.place());
            let asked = self.index;
            let wait = (asked > 0 && place.is_some()).then_some(Wait { index: asked, seconds: interval.as_secs() });
            match self.client.health(&HealthQuery(&spec), wait).await {
                Ok(healthy) => {
                    let next = Next::after(asked, healthy.index, now().saturating_duration_since(began), interval);
                    self.index = next.index;
                    self.works();
                    self.leave_out(&healthy.odd);
                    self.tell(healthy.instances).await;
                    if next.poll || place.is_none() {
                        sleep_until(began + spec.interval.max(SHORTEST)).await;
                    }
                }
                Err(error) => {
                    // Who answers next may be another agent, or one that has lost its state: ask it at once.
                    self.index = 0;
                    self.failures = self.failures.saturating_add(1);
                    self.say_failed(&error);
                    sleep(backoff(self.failures, spec.interval)).await;
                }
            }
        }
    }

    /// The original's words, and behind them whose they are: several watches may look at one service.
    fn say_failed(&mut self, error: &CallError) {
        let WatchSpec { name, filter, .. } = self.spec.as_ref();
        let doubt = if !filter.is_empty() && error.may_be_the_filter() {
            format!("; the filter may be wrong: {filter:?}")
        } else {
            String::new()
        };
        if self.stopping.load(Ordering::Relaxed) {
            debug!(service = name, "failed to query {name}: {error} [<nil>]{doubt} {}", whose("watch", name, 1));
        } else if let Some(Say { attempt, suppressed }) = self.suppress.failed() {
            let whose = whose("watch", name, attempt);
            warn!(service = name, attempt, suppressed, "failed to query {name}: {error} [<nil>]{doubt} {whose}");
        }
    }

    fn works(&mut self) {
        self.failures = 0;
        if let Some(attempt) = self.suppress.recovered() {
            let name = &self.spec.name;
            info!(service = name, attempt, "queries of {name} are answered again");
        }
    }

    /// Says that there are instances of which nobody is told.
    fn leave_out(&mut self, odd: &[Instance]) {
        let Some(first) = odd.first() else {
            self.odd = Suppress::default();
            return;
        };
        if let Some(Say { attempt, suppressed }) = self.odd.failed() {
            let (name, count) = (&self.spec.name, count(odd.len(), "instance"));
            // Each may be as long as an answer, and hold anything.
            let short = |text: &str| format!("{:?}", text.chars().take(SAID).collect::<String>());
            let (id, address) = (short(&first.id), short(&first.address));
            warn!(
                service = name,
                attempt,
                suppressed,
                "{count} of {name} left out: the address of {id} is {address}, neither an IP address nor a host name"
            );
        }
    }

    /// Tells what is not what was told last.
    async fn tell(&mut self, instances: Vec<Instance>) {
        if self.told.as_ref() == Some(&instances) {
            return;
        }
        self.told = Some(instances.clone());
        // Without a receiver there is no loop any more that could want it.
        let _ = self.inbox.send(Input::Seen { watch: self.watch, instances }).await;
    }
}

#[cfg(test)]
mod tests;
