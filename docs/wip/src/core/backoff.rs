//! The pause before a restart (design §4 row 6): pure arithmetic over how the last runs went.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::Backoff;

/// A run that lasted less than this counts as quick.
const QUICK: Duration = Duration::from_secs(1);
/// No pause is longer after a run that succeeded.
const MAX_AFTER_SUCCESS: Duration = Duration::from_secs(1);

/// How many quick runs there were in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak(u32);

impl Streak {
    /// Takes note of a run that has ended and gives the pause before the next.
    ///
    /// A quick run makes the streak longer, one of at least `healthy_after` ends it, one between leaves it.
    /// `seed` chooses the jitter; the same seed gives the same pause.
    pub fn after_run(&mut self, backoff: &Backoff, lasted: Duration, succeeded: bool, seed: u64) -> Duration {
        if lasted >= backoff.healthy_after {
            self.0 = 0;
        } else if lasted < QUICK {
            self.0 = self.0.saturating_add(1);
        }
        self.pause(backoff, succeeded, seed)
    }

    /// How many quick runs in a row there were.
    pub fn length(self) -> u32 {
        self.0
    }

    fn pause(self, backoff: &Backoff, succeeded: bool, seed: u64) -> Duration {
        let Some(step) = self.0.checked_sub(backoff.free.saturating_add(1)) else { return Duration::ZERO };
        let max = if succeeded { backoff.max.min(MAX_AFTER_SUCCESS) } else { backoff.max };
        // 64 doublings are more than any maximum; the bound keeps the loop short for a factor near 1 too.
        let exponent = i32::try_from(step.min(1_000_000)).unwrap_or(i32::MAX);
        let grown = backoff.initial.as_secs_f64() * backoff.factor.max(1.0).powi(exponent);
        let plain = Duration::try_from_secs_f64(grown).unwrap_or(max).min(max);
        plain.saturating_add(jitter(plain, backoff.jitter, seed.wrapping_add(u64::from(self.0))))
    }
}

fn jitter(pause: Duration, share: f64, seed: u64) -> Duration {
    if share <= 0.0 {
        return Duration::ZERO;
    }
    // SplitMix64: enough to keep the instances of one image from restarting in step.
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let unit = f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    Duration::try_from_secs_f64(pause.as_secs_f64() * share.min(1.0) * unit).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(backoff: &Backoff, lasted: Duration, succeeded: bool, runs: usize) -> Vec<u128> {
        let mut streak = Streak::default();
        (0..runs).map(|_| streak.after_run(backoff, lasted, succeeded, 7).as_millis()).collect()
    }

    #[test]
    fn five_restarts_are_free_then_the_pause_doubles_to_ten_seconds() {
        let got = pauses(&Backoff::default(), Duration::from_millis(3), false, 15);
        assert_eq!(got, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
    }

    #[test]
    fn after_successes_the_pause_is_at_most_one_second() {
        let got = pauses(&Backoff::default(), Duration::from_millis(3), true, 12);
        assert_eq!(got, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn a_long_run_resets_and_a_middling_one_does_not() {
        let backoff = Backoff::default();
        let mut streak = Streak::default();
        for _ in 0..7 {
            streak.after_run(&backoff, Duration::ZERO, false, 0);
        }
        assert_eq!(streak.after_run(&backoff, Duration::from_secs(5), false, 0), Duration::from_millis(200));
        assert_eq!(streak.length(), 7);
        assert_eq!(streak.after_run(&backoff, Duration::from_secs(10), false, 0), Duration::ZERO);
        assert_eq!(streak.length(), 0);
    }

    #[test]
    fn runs_of_a_second_and_more_never_start_a_streak() {
        assert_eq!(pauses(&Backoff::default(), Duration::from_secs(1), false, 8), [0; 8]);
    }

    #[test]
    fn jitter_stays_within_its_share_and_is_repeatable() {
        let backoff = Backoff { free: 0, jitter: 0.5, ..Backoff::default() };
        let got = pauses(&backoff, Duration::ZERO, false, 6);
        for (plain, jittered) in [100, 200, 400, 800, 1600, 3200].into_iter().zip(&got) {
            assert!((plain..=plain + plain / 2).contains(jittered), "{plain} {jittered}");
        }
        assert_eq!(got, pauses(&backoff, Duration::ZERO, false, 6));
        assert_ne!(got, [100, 200, 400, 800, 1600, 3200]);
    }

    #[test]
    fn absurd_settings_do_not_overflow() {
        let backoff = Backoff { free: u32::MAX, factor: f64::MAX, ..Backoff::default() };
        assert_eq!(pauses(&backoff, Duration::ZERO, false, 3), [0, 0, 0]);
        let backoff = Backoff { free: 0, factor: f64::MAX, ..Backoff::default() };
        assert_eq!(pauses(&backoff, Duration::ZERO, false, 3), [100, 10_000, 10_000]);
    }
}
