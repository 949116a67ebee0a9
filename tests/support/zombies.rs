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

/// So many times slower passes the time in which PID 1 is busy.
const BUSY: u32 = 20;

/// Watches the children of PID 1 from its start to its end.
pub struct Watcher {
    found: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins. A child of PID 1 that stays a zombie although PID 1 has nothing to do, for longer than the grace, is found;
    /// one that is there for a moment is what the kernel does. While PID 1 works, or waits for a processor or for the
    /// kernel (in `vfork`), time hardly counts: on a busy machine that can take seconds. A child that its own parent (a
    /// job) does not wait for isn't ours.
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
    // How long each zombie has been there, in time that counts; a pid that comes back alive leaves the table.
    let mut since: BTreeMap<i32, Duration> = BTreeMap::new();
    let (mut before, mut slept) = (Instant::now(), false);
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let zombies: Vec<(i32, String)> = process::children(pid_one)
            .into_iter()
            .filter_map(|pid| {
                let (name, fields) = process::stat(pid)?;
                (fields.first()? == "Z").then_some((pid, name))
            })
            .collect();
        let sleeps = process::stat(pid_one)
            .is_some_and(|(_, fields)| fields.first().is_some_and(|state| state != "R" && state != "D"));
        let passed = begin.duration_since(before) / if slept && sleeps { 1 } else { BUSY };
        (before, slept) = (begin, sleeps);
        since.retain(|pid, _| zombies.iter().any(|(zombie, _)| zombie == pid));
        for (pid, name) in zombies {
            // The time before the first look at it is not its own.
            let there = since.entry(pid).and_modify(|there| *there += passed).or_default();
            let text = format!("{name} (pid {pid}) stayed a zombie for over {grace:?}");
            if *there > grace
                && let Ok(mut list) = found.lock()
                && !list.contains(&text)
            {
                list.push(text);
            }
        }
        std::thread::sleep(PERIOD.max(begin.elapsed() * 9));
    }
}
