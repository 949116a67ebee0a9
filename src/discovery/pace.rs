//! Time in the tasks: the clock, pauses between tries, and how often may be asked.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pause after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// So many queries may follow each other at once: a deployment changes many instances, each twice, and then it is quiet.
const BURST: u32 = 100;
/// In the long run, one query in this time.
const SPACING: Duration = Duration::from_millis(100);

/// The clock of the tasks, the same that their timers use.
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The pause after so many failures in a row: 1 s doubling up to the interval, but never under 1 s.
pub(super) fn backoff(failures: u32, interval: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(interval.max(FIRST))
}

/// Lets short bursts through and spaces what comes after.
///
/// The bucket is kept as the moment at which it will be full again, so it needs no arithmetic in fractions.
#[derive(Debug, Default)]
pub(super) struct Pace {
    full: Option<Instant>,
}

impl Pace {
    /// Waits for the next turn.
    pub(super) async fn turn(&mut self) {
        if let Some(at) = self.take(now()) {
            sleep_until(at).await;
        }
    }

    /// Takes a turn, and tells until when to wait for it.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let full = self.full.map_or(now, |full| full.max(now)) + SPACING;
        self.full = Some(full);
        let over = full.saturating_duration_since(now).checked_sub(SPACING * BURST)?;
        (!over.is_zero()).then(|| now + over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_interval() {
        let pauses: Vec<u64> = (1..7).map(|n| backoff(n, Duration::from_secs(10)).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff(5, Duration::from_millis(100)), FIRST);
        assert_eq!(backoff(u32::MAX, Duration::MAX), FIRST * 65_536);
    }

    #[test]
    fn a_burst_is_let_through_and_then_ten_a_second() {
        let mut pace = Pace::default();
        let mut clock = now();
        let begin = clock;
        for _ in 0..BURST {
            assert_eq!(pace.take(clock), None);
        }
        for _ in 0..50 {
            clock = pace.take(clock).unwrap();
        }
        assert_eq!(clock - begin, Duration::from_secs(5));
        clock += Duration::from_secs(1);
        assert_eq!(pace.take(clock), None, "after a quiet second there is room again");
    }
}
