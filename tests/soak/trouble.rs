//! What goes wrong: each a thread of its own that goes on until the run is over.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Run;
use crate::plan;
use crate::support::http::{ask, ask_socket};

/// How often each of it has happened.
#[derive(Default)]
pub struct Done {
    consul: AtomicU64,
    kills: AtomicU64,
    reloads: AtomicU64,
    rotations: AtomicU64,
    maintenance: AtomicU64,
    hostile: AtomicU64,
    fair: AtomicU64,
    /// What took longest to be answered, in milliseconds.
    slowest: Mutex<(u128, &'static str)>,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slowest = self.slowest.lock().unwrap();
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} restarts of Consul, {} signals to processes, {} reloads, {} rotations, {} times maintenance, {} hostile \
             clients, {} fair ones (the slowest for {}, {} ms)",
            of(&self.consul),
            of(&self.kills),
            of(&self.reloads),
            of(&self.rotations),
            of(&self.maintenance),
            of(&self.hostile),
            of(&self.fair),
            slowest.1,
            slowest.0
        )
    }
}

impl Done {
    fn answered(&self, target: &'static str, since: Instant) {
        count(&self.fair);
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = (*slowest).max((since.elapsed().as_millis(), target));
    }
}

fn count(of: &AtomicU64) {
    of.fetch_add(1, Ordering::Relaxed);
}

/// Choices that a seed repeats.
pub struct Chance(u64);

impl Chance {
    /// A stream of choices of its own.
    pub fn new(seed: u64, stream: usize) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::try_from(stream).unwrap() + 1) << 32 | 1)
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

    fn millis(&mut self, least: u64, most: usize) -> Duration {
        Duration::from_millis(least + u64::try_from(self.below(most)).unwrap())
    }
}

type Trouble = fn(&Run, Chance);

pub const ALL: [Trouble; 7] = [kills, reloads, rotation, maintenance, hostile_control, hostile_metrics, fair];

/// Consul ends with all that it knows, and comes back. By the thread that has started it: it would not outlive that.
pub fn restart_consul(run: &Run) {
    // It takes a second or two itself; then whoever was told that it is gone tries again within some seconds.
    run.excuse(Duration::from_secs(15));
    run.agent.lock().unwrap().restart();
    run.excuse(Duration::from_secs(12));
    count(&run.done.consul);
}

/// Some process below PID 1 gets some signal.
fn kills(run: &Run, mut chance: Chance) {
    while run.goes_on() {
        run.pause(chance.millis(200, 600));
        let mut processes = run.pilot.processes();
        // A check that is killed has failed, and its service is rightly not well.
        processes.retain(|process| {
            process.pid != run.pilot.pid && process.state != 'Z' && process.command.trim_end() != "true"
        });
        if processes.is_empty() {
            continue;
        }
        let chosen = processes.swap_remove(chance.below(processes.len()));
        let pid = Pid::from_raw(chosen.pid);
        // It may have ended meanwhile. Its pid is nobody else's so soon.
        let send = |signal| {
            let _ = kill(pid, signal);
        };
        match chance.below(6) {
            0..3 => send(Signal::SIGKILL),
            3..5 => send(Signal::SIGTERM),
            _ => {
                send(Signal::SIGSTOP);
                thread::sleep(Duration::from_millis(300));
                send(Signal::SIGCONT);
            }
        }
        count(&run.done.kills);
    }
}

/// The other configuration, and sometimes one that is wrong.
fn reloads(run: &Run, mut chance: Chance) {
    let path = run.pilot.path("containerpilot.json5");
    let mut second = false;
    loop {
        run.pause(Duration::from_secs(20));
        if !run.goes_on() {
            return;
        }
        if chance.below(4) == 0 {
            std::fs::write(&path, "{ jobs: [ { nam").unwrap();
            let reply = ask_socket(&run.pilot.path("s"), "POST", "/v4/reload", b"").unwrap();
            assert_eq!(reply.status, 422, "{}", reply.text());
        }
        second = !second;
        std::fs::write(&path, plan::config(second)).unwrap();
        let reply = ask_socket(&run.pilot.path("s"), "POST", "/v4/reload", b"").unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        count(&run.done.reloads);
    }
}

/// The log file is renamed, as logrotate does it.
fn rotation(run: &Run, _: Chance) {
    for number in 0.. {
        run.pause(Duration::from_secs(7));
        if !run.goes_on() {
            return;
        }
        std::fs::rename(run.pilot.path("log.txt"), run.pilot.path(&format!("log.txt.{number}"))).unwrap();
        crate::support::wait_until(Duration::from_secs(10), || run.pilot.path("log.txt").exists(), "it is followed");
        count(&run.done.rotations);
    }
}

/// On, and off again after a while.
fn maintenance(run: &Run, _: Chance) {
    let set = |on: bool| {
        let body = format!(r#"{{"on": {on}}}"#);
        let reply = ask_socket(&run.pilot.path("s"), "POST", "/v4/maintenance", body.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    loop {
        run.pause(Duration::from_secs(47));
        if !run.goes_on() {
            return;
        }
        run.excuse(Duration::from_secs(20));
        set(true);
        run.pause(Duration::from_secs(3));
        set(false);
        run.excuse(Duration::from_secs(10));
        count(&run.done.maintenance);
    }
}

/// A connection, whatever its kind.
trait Line: Read + Write + Send {}
impl Line for UnixStream {}
impl Line for TcpStream {}

/// What a client does that nobody should do: says something, perhaps more of it slowly, and stays for a while.
fn misbehave(run: &Run, mut chance: Chance, path: &str, connect: &dyn Fn() -> Option<Box<dyn Line>>) {
    // So many at once at most: others must find a place, too.
    let mut held: Vec<(Instant, Box<dyn Line>)> = Vec::new();
    while run.goes_on() {
        run.pause(chance.millis(100, 400));
        held.retain(|(until, _)| *until > Instant::now());
        if held.len() >= 8 {
            continue;
        }
        let Some(mut line) = connect() else { continue };
        let told: Vec<u8> = match chance.below(8) {
            // Silent.
            0 => Vec::new(),
            1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            2 => b"GET / HTTP/1.1\r\nHost:".to_vec(),
            3 => format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(),
            4 => b"POST /v3/environ HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000\r\n\r\n{".to_vec(),
            5 => b"POST /v4/reload HTTP/1.1\r\nHost: c\r\nContent-Length: 7\r\n\r\n{nojson".to_vec(),
            // Reads nothing of what may be a lot.
            6 => format!("GET {path} HTTP/1.1\r\nHost: c\r\n\r\n").into_bytes(),
            _ => b"POST /v3/metric HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: c\r\n\r\nffffffffff\r\n".to_vec(),
        };
        // Whoever is thrown out has what he deserves.
        let _ = line.write_all(&told);
        count(&run.done.hostile);
        if chance.below(3) > 0 {
            held.push((Instant::now() + chance.millis(100, 9000), line));
        }
    }
}

fn hostile_control(run: &Run, chance: Chance) {
    let connect = || -> Option<Box<dyn Line>> {
        let stream = UnixStream::connect(run.pilot.path("s")).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        Some(Box::new(stream))
    };
    misbehave(run, chance, "/v4/logs?follow=1", &connect);
}

fn hostile_metrics(run: &Run, chance: Chance) {
    let connect = || -> Option<Box<dyn Line>> {
        let stream = TcpStream::connect_timeout(&run.metrics, Duration::from_secs(1)).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        Some(Box::new(stream))
    };
    misbehave(run, chance, "/metrics", &connect);
}

/// Who asks what is to be asked is answered, whatever others do.
fn fair(run: &Run, _: Chance) {
    let socket = run.pilot.path("s");
    while run.goes_on() {
        for target in ["/v3/ping", "/v4/jobs", "/v4/jobs/svc10/why", "/v4/logs?lines=20"] {
            let began = Instant::now();
            let reply = ask_socket(&socket, "GET", target, b"").unwrap();
            assert_eq!(reply.status, 200, "{target}: {}", reply.text());
            run.done.answered(target, began);
        }
        for target in ["/metrics", "/status", "/healthz"] {
            let began = Instant::now();
            let reply = ask(run.metrics, "GET", target, &[], b"").unwrap();
            assert_eq!(reply.status, 200, "{target}: {}", reply.text());
            run.done.answered(target, began);
        }
        run.pause(Duration::from_secs(1));
    }
}
