//! What PID 1 told on standard output, with the moments that it gave its lines: it stamps them itself, so how late a
//! test or a child gets the processor does not matter.

use std::time::Duration;

use crate::support::{DEADLINE, Pilot, long_lane, wait_until};

/// How often a text was told.
pub fn times(pilot: &Pilot, text: &str) -> usize {
    pilot.stdout().matches(text).count()
}

/// Waits until a text was told so many times at least.
#[track_caller]
pub fn wait_times(pilot: &Pilot, text: &str, count: usize) {
    let patience = if long_lane() { Duration::from_mins(10) } else { DEADLINE };
    wait_until(patience, || times(pilot, text) >= count, &format!("{count} × {text:?} on standard output"));
}

/// The moments of all lines that end like this, since midnight.
pub fn moments(pilot: &Pilot, end: &str) -> Vec<Duration> {
    let stamp = |line: &str| {
        let (_, clock) = line.strip_suffix(end)?.split_once('T')?;
        let mut parts = clock.split_once('Z')?.0.split(':');
        let mut next = || parts.next()?.parse::<f64>().ok();
        Some(Duration::from_secs_f64(next()? * 3600.0 + next()? * 60.0 + next()?))
    };
    pilot.stdout().lines().filter_map(stamp).collect()
}

/// How long it took from the first line that ends like this to the first one that ends like that, by its own clock.
#[track_caller]
pub fn between(pilot: &Pilot, from: &str, to: &str) -> Duration {
    let both: Vec<Duration> = [from, to].iter().filter_map(|end| moments(pilot, end).first().copied()).collect();
    assert_eq!(both.len(), 2, "{from:?} and {to:?}");
    gaps(&both).into_iter().sum()
}

/// The times from each to the next, midnight or not.
pub fn gaps(moments: &[Duration]) -> Vec<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    let gap = |(before, after): (&Duration, &Duration)| {
        after.checked_sub(*before).unwrap_or_else(|| (*after + DAY).saturating_sub(*before))
    };
    moments.iter().zip(moments.iter().skip(1)).map(gap).collect()
}
