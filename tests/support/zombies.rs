//! A thread that looks for zombies that PID 1 leaves lying.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::process;

/// The shortest time between two looks. Many children make the pauses longer, so that looking takes a tenth of one
/// core at most.
const PERIOD: Duration = Duration::from_millis(20);

/// Watches the children of PID 1 from its start to its end.
pub struct Watcher {
    found: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins. A child of PID 1 that is a zombie for longer than the grace is found; one that is there for a moment is
    /// what the kernel does. A child that its own parent (a job) does not wait for isn't ours.
    pub fn start(pid_one: i32, grace: Duration) -> Self {
        let found = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (list, flag) = (Arc::clone(&found), Arc::clone(&over));
        let thread = std::thread::spawn(move || watch(pid_one, grace, &list, &flag));
        Self { found, over, thread: Some(thread) }
    }

    /// Ends and tells what was found.
    pub fn finish(&mut self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        self.found.lock().map(|list| list.clone()).unwrap_or_default()
    }
}

fn watch(pid_one: i32, grace: Duration, found: &Mutex<Vec<String>>, over: &AtomicBool) {
    // When each zombie was first seen, on PID 1's clock; a pid that comes back alive leaves the table.
    let mut since: BTreeMap<i32, Duration> = BTreeMap::new();
    let mut clock = Clock::default();
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let now = clock.look(pid_one, begin);
        let zombies: Vec<(i32, String)> = process::children(pid_one)
            .into_iter()
            .filter_map(|pid| {
                let (name, fields) = process::stat(pid)?;
                (fields.first()? == "Z").then_some((pid, name))
            })
            .collect();
        since.retain(|pid, _| zombies.iter().any(|(zombie, _)| zombie == pid));
        for (pid, name) in zombies {
            let first = *since.entry(pid).or_insert(now);
            let text = format!("{name} (pid {pid}) stayed a zombie for over {grace:?}");
            if now.saturating_sub(first) > grace
                && let Ok(mut list) = found.lock()
                && !list.contains(&text)
            {
                list.push(text);
            }
        }
        std::thread::sleep(PERIOD.max(begin.elapsed() * 9));
    }
}

/// The time in which PID 1 could have done something. On a machine with too much to do it may wait for a processor, or
/// inside `vfork` for a child that does, or for a tracer, for longer than any grace: not its fault.
#[derive(Default)]
struct Clock {
    now: Duration,
    last: Option<(Instant, [u64; 2])>,
}

impl Clock {
    fn look(&mut self, pid_one: i32, at: Instant) -> Duration {
        // Of its main thread, in nanoseconds: time on a processor, time waiting for one.
        let text = std::fs::read_to_string(format!("/proc/{pid_one}/schedstat")).unwrap_or_default();
        let mut numbers = text.split_ascii_whitespace().map(|number| number.parse().unwrap_or(0));
        let [ran, waited] = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
        let state = process::stat(pid_one).and_then(|(_, fields)| fields.first()?.chars().next());
        if let Some((before, [ran_before, waited_before])) = self.last {
            let held_up = matches!(state, Some('D' | 't')) || (state == Some('R') && ran == ran_before);
            if !held_up {
                let waited = Duration::from_nanos(waited.saturating_sub(waited_before));
                self.now += at.duration_since(before).saturating_sub(waited);
            }
        }
        self.last = Some((at, [ran, waited]));
        self.now
    }
}
