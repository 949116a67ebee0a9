//! Watches: the difference between two lists of instances, as events (v3 §14).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::say::count;
use super::turn::Turn;
use super::world::World;
use super::{Event, JobId, Moment, Slot};
use crate::plan::{EventCode, WatchSpec, When};

/// A watch, by a number that is never used again. Several may look for the same service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WatchId(pub u32);

/// A healthy instance of a watched service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The service's id.
    pub id: String,
    /// Where it is: the service's address, or its node's when it has none of its own.
    pub address: String,
    /// Its port.
    pub port: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// The node's name.
    pub node: String,
}

/// A watch and what it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) spec: WatchSpec,
    /// Of its events.
    pub(super) source: Arc<str>,
    /// By id. Nothing at first, as if everything had been looked at already.
    pub(super) instances: Vec<Instance>,
    /// When that changed last.
    pub(super) changed: Option<Moment>,
    /// Whether Consul has answered at all.
    pub(super) known: bool,
}

impl Watch {
    pub fn new(spec: &WatchSpec) -> Self {
        Self { spec: spec.clone(), source: spec.source().into(), instances: Vec::new(), changed: None, known: false }
    }

    /// A new list. It counts when there are more or fewer, or somebody is elsewhere; tags and nodes don't (v3 §14).
    pub fn see(&mut self, mut instances: Vec<Instance>, turn: &mut Turn<'_>) {
        self.known = true;
        let key = |instance: &Instance| (instance.id.clone(), instance.address.clone(), instance.port);
        instances.sort_by_cached_key(key);
        let same = |(old, new): (&Instance, &Instance)| old.address == new.address && old.port == new.port;
        let changed = self.instances.len() != instances.len() || !self.instances.iter().zip(&instances).all(same);
        let before = std::mem::replace(&mut self.instances, instances);
        if changed {
            self.changed = Some(turn.now);
            let note = difference(&before, &self.instances);
            let state = if self.instances.is_empty() { EventCode::StatusUnhealthy } else { EventCode::StatusHealthy };
            turn.publish_with(note, Event::new(EventCode::StatusChanged, Arc::clone(&self.source)), None);
            turn.publish(Event::new(state, Arc::clone(&self.source)), None);
        }
    }
}

/// `2 → 3 instances (+10.0.3.7:5432)`: what came and went, the first few of each.
fn difference(before: &[Instance], now: &[Instance]) -> String {
    const MOST: usize = 5;
    let keys = |of: &'_ [Instance]| -> BTreeSet<(String, String, i64)> {
        of.iter().map(|instance| (instance.id.clone(), instance.address.clone(), instance.port)).collect()
    };
    let (old, new) = (keys(before), keys(now));
    let place = |sign: char, (_, address, port): &(String, String, i64)| {
        if address.contains(':') { format!("{sign}[{address}]:{port}") } else { format!("{sign}{address}:{port}") }
    };
    let gone: Vec<_> = old.difference(&new).map(|key| ('-', key)).collect();
    let changes: Vec<_> = gone.into_iter().chain(new.difference(&old).map(|key| ('+', key))).collect();
    let more = changes.len().saturating_sub(MOST);
    let mut places: Vec<String> = changes.into_iter().take(MOST).map(|(sign, key)| place(sign, key)).collect();
    if more > 0 {
        places.push(format!("and {more} more"));
    }
    format!("{} → {} ({})", before.len(), count(now.len(), "instance"), places.join(" "))
}

impl World {
    /// The name of a watch, and so of the service that it looks for.
    pub fn watch_name(&self, watch: WatchId) -> Option<&str> {
        Some(&self.watches.get(&watch)?.spec.name)
    }

    /// The names of all watches in file order.
    pub fn watch_names(&self) -> impl Iterator<Item = &str> {
        self.watches.values().map(|watch| watch.spec.name.as_str())
    }

    /// What a watch looks for.
    pub fn watch(&self, id: WatchId) -> Option<&WatchSpec> {
        Some(&self.watches.get(&id)?.spec)
    }

    /// What a watch has seen and when that changed last; nothing before Consul has answered.
    pub fn seen(&self, id: WatchId) -> Option<(&[Instance], Option<Moment>)> {
        self.watches.get(&id).filter(|watch| watch.known).map(|watch| (watch.instances.as_slice(), watch.changed))
    }

    /// Whether a job has not been started yet because a watch has not seen what its `when` names.
    pub fn waits_for_a_watch(&self, id: JobId) -> bool {
        self.job(id).is_some_and(|job| match &job.spec.when {
            When::Once(trigger) | When::Each(trigger) => job.armed && trigger.source.starts_with("watch."),
            When::Startup | When::Every(_) | When::Signal(_) | When::Never(_) => false,
        })
    }

    /// All watches, by id.
    pub fn watches(&self) -> impl Iterator<Item = (WatchId, &WatchSpec)> {
        self.watches.iter().map(|(&id, watch)| (id, &watch.spec))
    }

    /// For a run that a watch starts: the watched service's name and all its healthy instances, by id. Watches of the
    /// same service, with other tags for example, are one.
    pub fn watched_by(&self, slot: Slot) -> Option<(&str, Vec<&Instance>)> {
        let Slot::Exec(job) = slot else { return None };
        let (When::Once(trigger) | When::Each(trigger)) = &self.job(job)?.spec.when else { return None };
        let mut watches = self.watches.values().filter(|watch| *watch.source == *trigger.source).peekable();
        let name = watches.peek()?.spec.name.as_str();
        let mut instances: Vec<&Instance> = watches.flat_map(|watch| &watch.instances).collect();
        instances.sort_by_key(|instance| (&instance.id, &instance.address, instance.port));
        instances.dedup_by_key(|instance| (&instance.id, &instance.address, instance.port));
        Some((name, instances))
    }
}
