//! What only the start needed is given back when the start is over, and not before.
//!
//! The pages of our own code and constants come back with a fault each: a job that ends within the first moments, or a stop, would
//! pay for what was given back under it.

use std::time::Duration;

use super::Driver;
use crate::core::Moment;
use crate::process;

/// So long after the first jobs were started, or a configuration was read again, if nothing else stands.
const OVER: Duration = Duration::from_secs(1);

impl Driver {
    /// Something was read and made into jobs. A moment that stands already stays: reloads may come all the time.
    pub(super) fn settle_later(&mut self) {
        let at = self.now().after(OVER);
        self.settles.get_or_insert(at);
    }

    /// Gives back what is not needed any more, if it is time.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.settles.take_if(|at| *at <= now).is_some() {
            process::release_startup_pages();
        }
    }
}
