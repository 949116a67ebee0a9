//! How late this machine is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Pilot;
use super::process::processor_wait;

/// Knows how late this machine lets anything be, so that a test blames the program only for the rest.
pub struct Metronome {
    pid: i32,
    waited: Duration,
    worst: Arc<Worst>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The worst so far, in milliseconds.
#[derive(Default)]
struct Worst {
    /// That a thread of ours was woken up too late.
    late: AtomicU64,
    /// That PID 1 waited for a processor within [`MOMENT`].
    waited: AtomicU64,
}

const PERIOD: Duration = Duration::from_millis(5);

/// What makes one thing late happens within this time before it.
const MOMENT: Duration = Duration::from_millis(250);

impl Metronome {
    /// Begins to measure.
    pub fn start(pilot: &Pilot) -> Self {
        let (pid, worst, over) = (pilot.pid, Arc::new(Worst::default()), Arc::new(AtomicBool::new(false)));
        let measure = {
            let (worst, over) = (Arc::clone(&worst), Arc::clone(&over));
            move || {
                let mut waits: VecDeque<(Instant, Duration)> = VecDeque::new();
                while !over.load(Ordering::SeqCst) {
                    let before = Instant::now();
                    std::thread::sleep(PERIOD);
                    note(&worst.late, before.elapsed().saturating_sub(PERIOD));
                    let waited = processor_wait(pid);
                    waits.push_back((before, waited));
                    // One older than the moment stays, so that nothing is missed where we are late ourselves.
                    while waits.get(1).is_some_and(|(at, _)| at.elapsed() > MOMENT) {
                        waits.pop_front();
                    }
                    note(
                        &worst.waited,
                        waits.front().map_or(Duration::ZERO, |(_, first)| waited.saturating_sub(*first)),
                    );
                }
            }
        };
        Self { pid, waited: processor_wait(pid), worst, over, thread: Some(std::thread::spawn(measure)) }
    }

    /// A tenth of a second, and what the machine takes: how late it wakes a thread of ours up, with three of them one behind
    /// the other, and how long PID 1 waited for a processor since this began.
    pub fn allowed(&self) -> Duration {
        self.allowed_at_rest() + processor_wait(self.pid).saturating_sub(self.waited)
    }

    /// Likewise, but of the waiting of PID 1 the worst of a moment: for a program that has much to do, and so waits much in all.
    pub fn allowed_in_a_moment(&self) -> Duration {
        self.allowed_at_rest() + Duration::from_millis(self.worst.waited.load(Ordering::SeqCst))
    }

    fn allowed_at_rest(&self) -> Duration {
        Duration::from_millis(100) + 3 * Duration::from_millis(self.worst.late.load(Ordering::SeqCst))
    }
}

fn note(worst: &AtomicU64, it: Duration) {
    worst.fetch_max(u64::try_from(it.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
