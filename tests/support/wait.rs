//! Waiting for facts.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Generous: two cores run many tests at once, and a fact that comes is
/// seen within milliseconds all the same.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(5);

/// Looks at a condition until it gives something, at most for the deadline.
pub fn poll<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if start.elapsed() >= deadline {
            return None;
        }
        std::thread::sleep(PERIOD);
    }
}

/// Waits until a condition holds; fails the test, by name of what it waited for, when it doesn't in time.
#[track_caller]
pub fn wait_until(deadline: Duration, mut condition: impl FnMut() -> bool, what: &str) {
    assert!(poll(deadline, || condition().then_some(())).is_some(), "not within {deadline:?}: {what}");
}

/// Asserts that a condition holds all the time for so long. The one place where a test's length is fixed: the absence
/// of something can't be waited for.
#[track_caller]
pub fn holds_for(period: Duration, mut condition: impl FnMut() -> bool, what: &str) {
    assert!(poll(period, || (!condition()).then_some(())).is_none(), "within {period:?} it did not hold: {what}");
}
