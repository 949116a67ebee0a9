//! What goes wrong only because a test wants it to. In no release.

use super::Driver;
use crate::env::Environment;
use crate::plan::Signal;

impl Driver {
    /// For the tests of row 22, on this signal if the environment says so.
    pub(super) fn break_on_purpose(&self, signal: Signal) {
        self.panic_on_purpose(signal);
        self.overrun_on_purpose(signal);
    }

    /// For the test of row 22, where a loop that breaks is needed. Not in a release.
    fn panic_on_purpose(&self, signal: Signal) {
        let name = signal.name();
        assert!(
            self.env.get("CONTAINERPILOT_PANIC_ON").is_none_or(|on| on != name.as_str()),
            "told to panic\non {name}"
        );
    }

    /// Likewise, with a stack that runs over.
    fn overrun_on_purpose(&self, signal: Signal) {
        overrun_on(&self.env, &signal.name());
    }
}

/// Lets this thread's stack run over, if the environment names this.
pub(super) fn overrun_on(env: &Environment, what: &str) {
    if env.get("CONTAINERPILOT_OVERRUN_ON").is_some_and(|on| on == what) {
        std::hint::black_box(deeper(1));
    }
}

/// Never comes back, and the compiler must not know.
fn deeper(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    let below = if std::hint::black_box(depth) > 0 { deeper(depth.wrapping_add(1).max(1)) } else { 0 };
    room.iter().fold(below, |sum, one| sum.wrapping_add(*one))
}
