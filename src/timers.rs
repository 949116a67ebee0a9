//! The timers that the world has armed: at most one moment each, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::{Moment, Timer};

/// Armed timers.
#[derive(Debug, Default)]
pub struct Timers {
    moments: BTreeMap<Timer, Moment>,
    order: BTreeSet<(Moment, Timer)>,
}

impl Timers {
    /// Arms a timer; an earlier moment of the same timer is forgotten.
    pub fn arm(&mut self, timer: Timer, at: Moment) {
        self.disarm(timer);
        self.moments.insert(timer, at);
        self.order.insert((at, timer));
    }

    /// Forgets a timer.
    pub fn disarm(&mut self, timer: Timer) {
        if let Some(at) = self.moments.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// The earliest moment.
    pub fn next(&self) -> Option<Moment> {
        self.order.first().map(|&(at, _)| at)
    }

    /// Takes one timer that is due, the earliest first.
    pub fn take_due(&mut self, now: Moment) -> Option<Timer> {
        let &(at, timer) = self.order.first()?;
        if at > now {
            return None;
        }
        self.disarm(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::JobId;

    #[test]
    fn a_timer_has_one_moment_and_the_earliest_comes_first() {
        let at = |millis| Moment(Duration::from_millis(millis));
        let (a, b) = (Timer::Interval(JobId(0)), Timer::Heartbeat(JobId(1)));
        let mut timers = Timers::default();
        timers.arm(a, at(5));
        timers.arm(b, at(3));
        timers.arm(a, at(9));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.take_due(at(2)), None);
        assert_eq!(timers.take_due(at(20)), Some(b));
        assert_eq!(timers.next(), Some(at(9)));
        timers.disarm(a);
        timers.disarm(a);
        assert_eq!(timers.next(), None);
        assert_eq!(timers.take_due(at(20)), None);
    }
}
