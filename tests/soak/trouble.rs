//! What goes wrong: each a thread of its own that goes on until the run is over.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::figures::wait_back;
use crate::support::http::ask_socket;
use crate::support::{DEADLINE, process, wait_until};
use crate::{Run, plan};

/// How often each of it has happened.
#[derive(Default)]
pub struct Done {
    consul: AtomicU64,
    kills: AtomicU64,
    reloads: AtomicU64,
    refused: AtomicU64,
    rotations: AtomicU64,
    maintenance: AtomicU64,
    pub hostile: AtomicU64,
    pub fair: AtomicU64,
    /// The longest that a fair client has waited, and what for.
    pub slowest: Mutex<(Duration, &'static str)>,
    /// In milliseconds, the longest that it took until all services were back after Consul was.
    back: AtomicU64,
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// One more.
pub fn count(of: &AtomicU64) {
    of.fetch_add(1, Ordering::Relaxed);
}

impl Done {
    pub fn in_short(&self) -> String {
        let Self { consul, kills, reloads, rotations, hostile, .. } = self;
        let [consul, kills, reloads, rotations, hostile] = [consul, kills, reloads, rotations, hostile].map(get);
        format!(
            "{consul} × Consul, {kills} signals, {reloads} reloads, {rotations} rotations, {hostile} hostile clients"
        )
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consul, kills, reloads, refused, rotations, maintenance, hostile, fair, slowest, back } = self;
        let [consul, kills, reloads, refused] = [consul, kills, reloads, refused].map(get);
        let [rotations, maintenance, hostile, fair] = [rotations, maintenance, hostile, fair].map(get);
        writeln!(f, "Consul restarted {consul} times, all services back after {} ms at most", get(back))?;
        writeln!(f, "{reloads} reloads and {refused} of broken files; {maintenance} times maintenance")?;
        writeln!(f, "{kills} signals to processes; the log rotated {rotations} times")?;
        let (slowest, target) = *slowest.lock().unwrap();
        write!(f, "{hostile} hostile clients; {fair} fair requests, {} ms at most for {target}", slowest.as_millis())
    }
}

/// Choices that a seed repeats.
pub struct Chance(u64);

impl Chance {
    /// A stream of choices of its own.
    pub fn new(seed: u64, stream: usize) -> Self {
        let mut chance =
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::try_from(stream).unwrap() + 1) << 32 | 1);
        // Seeds that are neighbours begin alike.
        for _ in 0..8 {
            chance.below(2);
        }
        chance
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % end
    }

    /// Milliseconds, between these.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        let range = usize::try_from(most - least).unwrap();
        Duration::from_millis(least + u64::try_from(self.below(range)).unwrap())
    }
}

/// Something that goes wrong again and again.
pub type Trouble = fn(&Run, Chance);

/// All of it but the clients.
pub const ALL: [Trouble; 5] = [consul, kills, reloads, rotation, maintenance];

/// Consul ends with all that it knows, and comes back.
fn consul(run: &Run, _: Chance) {
    while run.pause(Duration::from_secs(30)) {
        let mut agent = run.agent.lock().unwrap();
        agent.restart();
        let back = wait_back(run, &agent, "a restart of Consul").as_millis();
        run.done.back.fetch_max(u64::try_from(back).unwrap(), Ordering::Relaxed);
        count(&run.done.consul);
    }
}

/// On, and off again after a while. Sometimes Consul forgets everything meanwhile.
fn maintenance(run: &Run, mut chance: Chance) {
    let set = |on: bool| {
        let body = format!(r#"{{"on": {on}}}"#);
        let reply = ask_socket(&run.pilot.path("s"), "POST", "/v4/maintenance", body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    while run.pause(Duration::from_secs(40)) {
        let mut agent = run.agent.lock().unwrap();
        set(true);
        run.pause(chance.millis(0, 2000));
        if chance.below(2) == 0 {
            agent.restart();
            count(&run.done.consul);
        }
        set(false);
        wait_back(run, &agent, "maintenance");
        count(&run.done.maintenance);
    }
}

/// Some process below PID 1 gets some signal.
fn kills(run: &Run, mut chance: Chance) {
    while run.pause(chance.millis(100, 700)) {
        let mut processes = run.pilot.processes();
        processes.retain(|process| process.state != 'Z');
        if processes.is_empty() {
            continue;
        }
        let chosen = processes.swap_remove(chance.below(processes.len())).pid;
        let send = |signal| {
            // It may have ended meanwhile, and its pid may be anybody's in a while.
            if process::namespace(chosen).as_ref() == Some(&run.namespace) {
                let _ = kill(Pid::from_raw(chosen), signal);
            }
        };
        match chance.below(6) {
            0..3 => send(Signal::SIGKILL),
            3..5 => send(Signal::SIGTERM),
            _ => {
                send(Signal::SIGSTOP);
                std::thread::sleep(chance.millis(50, 500));
                send(Signal::SIGCONT);
            }
        }
        count(&run.done.kills);
    }
}

/// The other configuration, asked for in one way or another, and sometimes one that is wrong.
fn reloads(run: &Run, mut chance: Chance) {
    let (path, socket) = (run.pilot.path("containerpilot.json5"), run.pilot.path("s"));
    let ask = |target: &str, status: &[u16]| {
        let reply = ask_socket(&socket, "POST", target, b"").unwrap();
        assert!(status.contains(&reply.status), "{target}: {} {}", reply.status, reply.text());
        reply.text()
    };
    let mut second = false;
    // Some times at least, and each minute in a long run.
    while run.pause((run.length / 10).clamp(Duration::from_secs(5), Duration::from_mins(1))) {
        if chance.below(3) == 0 {
            std::fs::write(&path, "{ jobs: [ { nam").unwrap();
            // One that is late has the status of a success, or no place among those that last.
            let told = ask("/v4/reload", &[422, 200, 503]);
            assert!(told.contains("\"error\""), "{told}");
            count(&run.done.refused);
        }
        second = !second;
        std::fs::write(&path, plan::config(second)).unwrap();
        match chance.below(3) {
            // An answer that is late takes a place of the streams, which may all be taken; it is done all the same.
            0 => drop(ask("/v4/reload", &[200, 503])),
            1 => drop(ask("/v3/reload", &[200, 503])),
            _ => run.pilot.signal(Signal::SIGHUP),
        }
        let target = format!("/v4/jobs/{}", plan::only_of(second));
        let done =
            || run.has_failed() || ask_socket(&socket, "GET", &target, b"").is_ok_and(|reply| reply.status == 200);
        wait_until(DEADLINE, done, "the reload is done");
        count(&run.done.reloads);
    }
}

/// The log file is renamed, as logrotate does it, and read when the program has turned to the new one.
fn rotation(run: &Run, _: Chance) {
    while run.pause((run.length / 20).clamp(Duration::from_secs(4), Duration::from_secs(20))) {
        let began = Instant::now();
        let [log, old, older] = ["log.txt", "log.txt.1", "log.txt.2"].map(|name| run.pilot.path(name));
        // What is left of them is for whoever looks for the reason of a failure.
        if old.exists() {
            std::fs::rename(&old, older).unwrap();
        }
        std::fs::rename(&log, &old).unwrap();
        wait_until(DEADLINE, || log.exists(), "the log is followed");
        if began.elapsed() > Duration::from_secs(10) {
            run.fail(format!("a renamed log was followed only after {:?}", began.elapsed()));
        }
        run.books.lock().unwrap().read(&old);
        count(&run.done.rotations);
    }
}
