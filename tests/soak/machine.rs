//! How much this machine has to do beside us, and what can be expected of PID 1 then.
//!
//! PID 1 starts its children one after the other and waits for each until it executes its program (row 31). Where twenty
//! others want two processors a start takes 50 ms instead of one or two, and fifty checks can't be started within a second
//! by anybody. So a thread of the test starts something now and then, too, and the time between two heartbeats is judged
//! by how long that took.

use std::collections::VecDeque;
use std::fmt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::trouble::Chance;
use crate::{Run, plan};

/// What a heartbeat may be late on an idle machine: an interval, and two checks that are killed in a row.
const LATE: Duration = Duration::from_secs(4);
/// So many starts in a row are looked at together.
const ROW: usize = 10;

/// What has been measured.
#[derive(Default)]
pub struct Machine {
    /// The mean of the worst row of starts, in microseconds.
    worst: AtomicU64,
}

/// Starts something five times a second.
pub fn measure(run: &Run, _: Chance) {
    let mut row = VecDeque::new();
    while run.pause(Duration::from_millis(200)) {
        let began = Instant::now();
        assert!(Command::new("true").status().unwrap().success());
        row.push_back(began.elapsed());
        if row.len() > ROW {
            row.pop_front();
            let mean = row.iter().sum::<Duration>() / u32::try_from(ROW).unwrap();
            run.machine.worst.fetch_max(u64::try_from(mean.as_micros()).unwrap(), Ordering::Relaxed);
        }
    }
}

impl Machine {
    /// The longest time between two heartbeats of a service that is no fault of ours: all jobs and checks may be due at the
    /// same time, once before and once after.
    pub fn allowed(&self) -> Duration {
        let starts = u32::try_from(4 * plan::JOBS).unwrap();
        LATE + Duration::from_micros(self.worst.load(Ordering::Relaxed)) * starts
    }

    /// Whether it is so busy that heartbeats may come too late for Consul.
    pub fn is_too_slow(&self) -> bool {
        self.allowed() >= Duration::from_secs(plan::TTL)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.worst.load(Ordering::Relaxed) / 1000;
        write!(f, "this machine needed up to {worst} ms for a start: ")?;
        write!(f, "heartbeats may be {:.1} s apart", self.allowed().as_secs_f64())
    }
}
