//! What is published on the bus: a code and a source (v3 §10).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::{EventCode, Trigger};

/// The source of startup, shutdown and maintenance events.
pub const GLOBAL: &str = "global";

/// One event. Two events are equal when both fields are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub code: EventCode,
    /// To whom: a job, `check.JOB`, `watch.NAME`, `global`, a signal, or the text of an error.
    pub source: Arc<str>,
}

impl Event {
    /// An event of this source.
    pub fn new(code: EventCode, source: impl Into<Arc<str>>) -> Self {
        Self { code, source: source.into() }
    }

    /// An event of the program as a whole.
    pub fn global(code: EventCode) -> Self {
        Self::new(code, GLOBAL)
    }

    /// Whether this is what a job waits for. Sources are compared literally.
    pub fn fires(&self, trigger: &Trigger) -> bool {
        self.code == trigger.event && *self.source == *trigger.source
    }
}

/// As the original logs it: `{ExitSuccess web}`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{} {}}}", self.code.log_name(), self.source)
    }
}
