//! How late this machine is.

use std::collections::VecDeque;
use std::process::Command;
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
    threads: Vec<JoinHandle<()>>,
}

/// The worst so far, in milliseconds.
#[derive(Default)]
struct Worst {
    /// That a thread of ours was woken up too late.
    late: AtomicU64,
    /// That PID 1 waited for a processor within [`MOMENT`].
    waited: AtomicU64,
    /// That a program which does nothing took from its start to its end.
    ran: AtomicU64,
}

/// From the end of such a program to the start of the next one.
const PAUSE: Duration = Duration::from_millis(50);

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
        Self { pid, waited: processor_wait(pid), worst, over, threads: vec![std::thread::spawn(measure)] }
    }

    /// Likewise, and how long a program runs that does nothing: for what comes behind a health check, which waits for a processor,
    /// too.
    pub fn of_programs(pilot: &Pilot) -> Self {
        let mut metronome = Self::start(pilot);
        let (worst, over) = (Arc::clone(&metronome.worst), Arc::clone(&metronome.over));
        metronome.threads.push(std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let before = Instant::now();
                assert!(Command::new("true").status().is_ok_and(|ended| ended.success()));
                note(&worst.ran, before.elapsed());
                std::thread::sleep(PAUSE);
            }
        }));
        metronome
    }

    /// A tenth of a second, and what the machine takes: how late it wakes a thread of ours up, with three of them one behind
    /// the other, how long a program ran, if that is measured, and how long PID 1 waited for a processor since this began.
    pub fn allowed(&self) -> Duration {
        self.allowed_at_rest() + processor_wait(self.pid).saturating_sub(self.waited)
    }

    /// Likewise, but of the waiting of PID 1 the worst of a moment: for a program that has much to do, and so waits much in all.
    pub fn allowed_in_a_moment(&self) -> Duration {
        self.allowed_at_rest() + Duration::from_millis(self.worst.waited.load(Ordering::SeqCst))
    }

    fn allowed_at_rest(&self) -> Duration {
        let [late, ran] =
            [&self.worst.late, &self.worst.ran].map(|it| Duration::from_millis(it.load(Ordering::SeqCst)));
        Duration::from_millis(100) + 3 * late + ran
    }
}

fn note(worst: &AtomicU64, it: Duration) {
    worst.fetch_max(u64::try_from(it.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "it measured to the end");
        }
    }
}
