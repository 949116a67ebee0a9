//! Waiting for facts.

use std::time::{Duration, Instant};

use super::held::Held;

/// How long a test waits for what must happen. Generous: two cores run many tests at once, and a fact that comes is
/// seen within milliseconds all the same.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(5);

/// How often it is looked whether the kernel holds somebody.
const LOOK: Duration = Duration::from_secs(1);

/// What the kernel may hold somebody for, without that a test fails.
const HELD: Duration = Duration::from_mins(1);

/// Looks at a condition until it gives something, at most for the deadline. The time in which the kernel holds a process of this
/// test does not count, for a minute.
pub fn poll<T>(deadline: Duration, condition: impl FnMut() -> Option<T>) -> Option<T> {
    let mut held = Held::new(LOOK);
    poll_until(|waited| waited >= deadline + held.look().min(HELD), condition)
}

fn poll_until<T>(mut is_over: impl FnMut(Duration) -> bool, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if is_over(start.elapsed()) {
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

/// Lets so much time pass, whatever happens: where it is the time itself that is tried.
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Asserts that a condition holds all the time for so long. Beside [`let_pass`] the one place where a test's length is fixed: the absence
/// of something can't be waited for.
#[track_caller]
pub fn holds_for(period: Duration, mut condition: impl FnMut() -> bool, what: &str) {
    let broken = poll_until(|waited| waited >= period, || (!condition()).then_some(()));
    assert!(broken.is_none(), "within {period:?} it did not hold: {what}");
}
