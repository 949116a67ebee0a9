//! What the rules of one job may touch besides the job: the moment, the effects, and the ledger of the world.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ChildId, Effect, Event, JobId, Moment, Slot, Timer};
use crate::plan::{EventCode, Level};

/// Something that waits for its turn in the queue of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Queued {
    /// For those who wait for it. `from` is the slot whose run has ended with it, so that a job knows its own exits.
    Event { event: Event, from: Option<Slot> },
    /// For one job: its `when.timeout` is over.
    Quit(JobId),
}

/// What is true of the world as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub queue: VecDeque<Queued>,
    /// Which slot each live run belongs to.
    pub slots: BTreeMap<ChildId, Slot>,
    pub next_child: u64,
    /// The grace between SIGTERM and SIGKILL.
    pub stop_timeout: Duration,
    /// When jobs were allowed to start; checks tick in step with it. `None` before.
    pub origin: Option<Moment>,
    pub maintenance: bool,
    /// Everything is to stop.
    pub stopping: bool,
    /// Without any grace: the second TERM.
    pub urgent: bool,
    /// A job may have to start again: one is over, or is wanted again. Looking costs as much as there are jobs.
    pub look_again: bool,
}

/// One step's view.
pub(super) struct Turn<'a> {
    pub now: Moment,
    pub effects: &'a mut Vec<Effect>,
    pub ledger: &'a mut Ledger,
}

impl Turn<'_> {
    pub fn publish(&mut self, event: Event, from: Option<Slot>) {
        self.publish_with(String::new(), event, from);
    }

    /// An event about which there is more to tell.
    pub fn publish_with(&mut self, note: String, event: Event, from: Option<Slot>) {
        self.effects.push(Effect::Published { event: event.clone(), of: Arc::clone(&event.source), note });
        self.ledger.queue.push_back(Queued::Event { event, from });
    }

    /// A command has failed: the source of this event is a text, and it counts for the command.
    pub fn publish_error(&mut self, command: String, text: String) {
        let event = Event::new(EventCode::Error, text);
        self.effects.push(Effect::Published { event: event.clone(), of: command.into(), note: String::new() });
        self.ledger.queue.push_back(Queued::Event { event, from: None });
    }

    pub fn arm(&mut self, timer: Timer, at: Moment) {
        self.effects.push(Effect::Arm { timer, at });
    }

    pub fn disarm(&mut self, timer: Timer) {
        self.effects.push(Effect::Disarm { timer });
    }

    pub fn log(&mut self, level: Level, message: String) {
        self.effects.push(Effect::Log { level, message });
    }

    pub fn new_child(&mut self, slot: Slot) -> ChildId {
        let child = ChildId(self.ledger.next_child);
        self.ledger.next_child = self.ledger.next_child.saturating_add(1);
        self.ledger.slots.insert(child, slot);
        child
    }

    /// The grace that a stopping process has now.
    pub fn grace(&self) -> Duration {
        if self.ledger.urgent { Duration::ZERO } else { self.ledger.stop_timeout }
    }
}
