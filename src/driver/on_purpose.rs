//! What goes wrong only because a test wants it to. In no release.

use super::Driver;
use crate::plan::Signal;

impl Driver {
    /// For the test of row 22, where a loop that breaks is needed. Not in a release.
    pub(super) fn panic_on_purpose(&self, signal: Signal) {
        let name = signal.name();
        assert!(
            self.env.get("CONTAINERPILOT_PANIC_ON").is_none_or(|on| on != name.as_str()),
            "told to panic\non {name}"
        );
    }
}
