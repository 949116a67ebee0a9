//! A kernel that holds processes: in state `D`, for a disk that stands still, or a lock of its own that somebody else has. No signal
//! ends them there, so it is nobody's fault what such a process does not do, and whoever waits for it waits longer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::process;

/// Looks at the processes below this one, now and then, for those that are held from one look to the next.
#[derive(Debug)]
pub struct Held {
    period: Duration,
    looked: Instant,
    /// Those that were held at the last look, and how often each had been given a processor, or taken it.
    who: BTreeMap<i32, u64>,
    total: Duration,
}

impl Held {
    /// Looks so often at most: what takes less time is not seen, and each look reads a file for each process.
    pub fn new(period: Duration) -> Self {
        Self { period, looked: Instant::now(), who: BTreeMap::new(), total: Duration::ZERO }
    }

    /// Looks, if it is time. Gives how long somebody was held in all; to be asked again and again.
    pub fn look(&mut self) -> Duration {
        let since = self.looked.elapsed();
        if since >= self.period {
            self.looked = Instant::now();
            let who = held_below(nix::unistd::getpid().as_raw());
            if who.iter().any(|(pid, switches)| self.who.get(pid) == Some(switches)) {
                self.total += since;
            }
            self.who = who;
        }
        self.total
    }
}

/// The processes below one that are held at this moment. Who waits for the exec of its child looks so, too: but it does not stay
/// there from one look to the next without having run meanwhile, unless the child is held.
fn held_below(pid: i32) -> BTreeMap<i32, u64> {
    let mut all = process::children(pid);
    let mut held = BTreeMap::new();
    while let Some(pid) = all.pop() {
        let is_held = process::stat(pid).is_some_and(|(_, fields)| fields.first().is_some_and(|state| state == "D"));
        let switches = |field| process::status_field(pid, field)?.parse::<u64>().ok();
        if is_held
            && let (Some(by_itself), Some(taken)) =
                (switches("voluntary_ctxt_switches"), switches("nonvoluntary_ctxt_switches"))
        {
            held.insert(pid, by_itself + taken);
        }
        all.extend(process::children(pid));
    }
    held
}
