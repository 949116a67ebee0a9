//! How the log stands, for who asks. Nothing wakes up for it: what is told is what the writer noted last.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Log;
use crate::errno::go_words;

/// Who takes nothing for so long holds the log up; shorter waits are usual.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the output takes lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// For so long it has taken nothing, where that is long.
    pub blocked: Option<Duration>,
    /// … and jobs have more to say than there is room for: they wait.
    pub jobs_wait: bool,
    /// Why it could not be written, or opened again, when that was tried last; empty where it could.
    pub problem: String,
    /// How many lines were lost so far, for whatever reason.
    pub lost: u64,
}

impl Log {
    /// How many lines were lost so far, for whatever reason.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Whether its output takes lines.
    pub fn standing(&self) -> Standing {
        let state = self.0.lock();
        let waited = self.0.pulse.waited();
        let blocked = waited.filter(|waited| *waited >= PATIENCE);
        let problem = state.failing.map(go_words).unwrap_or_default();
        Standing { blocked, jobs_wait: blocked.is_some() && state.refused, problem, lost: self.lost() }
    }
}

/// The line that says so.
pub(super) fn lines_were_lost(lines: u64, why: &str) -> String {
    let were = if lines == 1 { "line was" } else { "lines were" };
    format!("{lines} log {were} lost: {why}")
}
