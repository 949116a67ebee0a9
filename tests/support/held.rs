//! A kernel that holds processes: in state `D`, for a disk that stands still, or a lock of its own that somebody else has. No signal
//! ends them there, so it is nobody's fault what such a process does not do, and whoever waits for it waits longer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::process;

/// Looks at the processes below this one, now and then, for those that are held from one look to the next.
#[derive(Debug)]
pub struct Held {
    period: Duration,
    looked: Instant,
    /// Those that were held at the last look.
    who: BTreeSet<i32>,
    total: Duration,
}

impl Held {
    /// Looks so often at most: what takes less time is not seen, and each look reads a file for each process.
    pub fn new(period: Duration) -> Self {
        Self { period, looked: Instant::now(), who: BTreeSet::new(), total: Duration::ZERO }
    }

    /// Looks, if it is time. Gives how long somebody was held in all; to be asked again and again.
    pub fn look(&mut self) -> Duration {
        let since = self.looked.elapsed();
        if since >= self.period {
            self.looked = Instant::now();
            let who = held_below(nix::unistd::getpid().as_raw());
            if !self.who.is_disjoint(&who) {
                self.total += since;
            }
            self.who = who;
        }
        self.total
    }
}

/// The processes below one that are held at this moment. A parent that waits for the exec of its child looks so, too, but not for long.
fn held_below(pid: i32) -> BTreeSet<i32> {
    let mut all = process::children(pid);
    let mut held = BTreeSet::new();
    while let Some(pid) = all.pop() {
        if process::stat(pid).is_some_and(|(_, fields)| fields.first().is_some_and(|state| state == "D")) {
            held.insert(pid);
        }
        all.extend(process::children(pid));
    }
    held
}
