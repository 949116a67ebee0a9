//! When the output took something last, for who asks while somebody waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Since when the output has taken nothing. Whoever writes sets it, one at a time: that costs a look at the clock and no
/// lock. Whoever looks needs nothing else that this thread did, so that no order is asked of the memory.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    /// Nanoseconds from there; 0 while there is no work.
    since: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: now(), since: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// There is work, or a piece of it was taken.
    pub(super) fn beat(&self) {
        self.since.store(self.passed().max(1), Ordering::Relaxed);
    }

    /// There is work, and nobody does any of it: since when, stays as it is.
    pub(super) fn begin(&self) {
        let _ = self.since.compare_exchange(0, self.passed().max(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// There is none.
    pub(super) fn rest(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// For how long the output has taken nothing, if there is something.
    pub(super) fn waited(&self) -> Option<Duration> {
        let since = Some(self.since.load(Ordering::Relaxed)).filter(|since| *since > 0)?;
        Some(Duration::from_nanos(self.passed().saturating_sub(since)))
    }

    fn passed(&self) -> u64 {
        u64::try_from(now().saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long the output takes is no input of the loop")]
pub(super) fn now() -> Instant {
    Instant::now()
}
