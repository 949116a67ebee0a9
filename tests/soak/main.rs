//! Reliability row 86: everything at once, for three minutes in the suite, for hours by `scripts/soak`.
//!
//! ```text
//!  plan: 50 jobs, two configurations ──► PID 1 ◄── trouble: Consul restarts, kills, reloads, rotations, maintenance
//!                                          │  ◄── clients: slow, silent, wrong and fair ones on both sockets
//!                  each second             ├──► figures: descriptors, threads, memory, Consul's view
//!                  all of it               └──► books: events and log, starts against ends, numbers against gaps
//! ```
//!
//! The first broken bound ends the run and is its reason. `CONTAINERPILOT_SOAK_MINUTES` says how long it takes, also in parts
//! of one; `CONTAINERPILOT_SOAK_SEED` repeats the choices of a run.

#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: what can't be done makes them fail; it waits between things that go on, and tells how they go"
)]

#[path = "../support/mod.rs"]
mod support;

mod books;
mod clients;
mod figures;
mod machine;
mod plan;
mod trouble;

use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use support::ports::Ports;
use support::{Agent, DEADLINE, Launch, Pilot, Signal, wait_until};

use books::Books;
use figures::Figures;
use trouble::{Chance, Trouble};

/// What all threads of a run share.
pub struct Run {
    pilot: Pilot,
    namespace: String,
    metrics: SocketAddr,
    length: Duration,
    /// Who holds it disturbs what Consul knows, so that nobody judges that meanwhile.
    agent: Mutex<Agent>,
    books: Mutex<Books>,
    done: trouble::Done,
    machine: machine::Machine,
    /// Nothing new goes wrong any more.
    over: AtomicBool,
    /// So many troubles are still at it: what they have begun they finish.
    busy: AtomicUsize,
    failed: AtomicBool,
    /// A thread has panicked.
    abandoned: AtomicBool,
    /// PID 1 has ended.
    gone: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Run {
    /// Waits, but not beyond the end of all trouble; whether it goes on.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.over.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        false
    }

    /// A bound is broken: the run ends soon.
    fn fail(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
        self.failed.store(true, Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Waits for the end of PID 1: Consul is ended by the kernel together with the thread that started it.
    fn outlive(&self) {
        while !self.is_abandoned() && !self.gone.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Ends the run when its thread panics, or the others would go on.
struct Bell<'r>(&'r Run);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandoned.store(true, Ordering::Relaxed);
            self.0.failed.store(true, Ordering::Relaxed);
            self.0.over.store(true, Ordering::Relaxed);
        }
    }
}

fn number<N: FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Whoever looks for the reason of a failure finds the last logs in the target directory.
fn keep(pilot: &Pilot, consul: &str) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak");
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["log.txt", "log.txt.1", "log.txt.2", "stdout", "stderr"] {
        // A short run has fewer of them.
        let _ = std::fs::copy(pilot.path(name), dir.join(name));
    }
    std::fs::write(dir.join("consul"), consul).unwrap();
}

/// A service that nobody keeps alive: its lapse shows that Consul tells of lapses.
const CANARY: &str = r#"{"Name": "canary", "Check": {"TTL": "1s", "Status": "passing"}}"#;

/// What Consul tells of those that did not keep their time to live.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lapses {
    canary: usize,
    /// Of services, at a time at which the machine was no reason.
    wrong: Vec<String>,
    /// … at which it was, with the reason.
    excused: Vec<String>,
}

impl Lapses {
    /// Reads Consul's log, up to a moment if need be.
    fn read(log: &str, machine: &machine::Machine, until: Option<SystemTime>) -> Self {
        let mut lapses = Self::default();
        for line in log.lines().map(str::trim).filter(|line| line.contains("Check missed TTL")) {
            // A line without a time that can be read has no excuse.
            let at = line.split(' ').next().and_then(|time| humantime::parse_rfc3339_weak(time).ok());
            if line.contains("canary") {
                lapses.canary += 1;
            } else if at.zip(until).is_some_and(|(at, until)| at > until) {
            } else if let Some(why) = at.and_then(|at| machine.excuse(at)) {
                lapses.excused.push(format!("{why}: {line}"));
            } else {
                lapses.wrong.push(line.to_owned());
            }
        }
        lapses
    }
}

// Seen red with src/process/output.rs:
//- pipe.fd = None;
//+ if let Some(fd) = pipe.fd.take() { std::mem::forget(fd) }
#[test]
fn f86_all_of_it_at_once_leaves_nothing_behind() {
    let minutes = number("CONTAINERPILOT_SOAK_MINUTES").unwrap_or(if support::long_lane() { 10.0 } else { 3.0 });
    let seed = number("CONTAINERPILOT_SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let ports = Ports::take();
    let agent = Agent::new();
    let pilot = Launch::config(&plan::config(false))
        .env("CONSUL", &agent.address().to_string())
        .env("PORT", &ports.port(0).to_string())
        .start();
    let ready = || support::http::ask_socket(&pilot.path("s"), "GET", "/v4/ping", b"").is_ok();
    wait_until(DEADLINE, ready, "the control socket answers");
    let run = Run {
        namespace: support::process::namespace(pilot.pid).unwrap(),
        pilot,
        metrics: (std::net::Ipv4Addr::LOCALHOST, ports.port(0)).into(),
        length: Duration::from_secs_f64(60.0 * minutes),
        agent: Mutex::new(agent),
        books: Mutex::default(),
        done: trouble::Done::default(),
        machine: machine::Machine::default(),
        over: AtomicBool::new(false),
        busy: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        abandoned: AtomicBool::new(false),
        gone: AtomicBool::new(false),
        wrong: Mutex::default(),
    };
    eprintln!("{minutes} minutes with CONTAINERPILOT_SOAK_SEED={seed}");

    let (figures, events, stop) = thread::scope(|scope| {
        let _bell = Bell(&run);
        let run = &run;
        let events = scope.spawn(move || {
            let _bell = Bell(run);
            books::follow(run)
        });
        // With telemetry's own service, which is the last.
        let all_are_there = || {
            let agent = run.agent.lock().unwrap();
            figures::passing(&agent).is_some_and(|passing| passing.contains("containerpilot"))
                && figures::missing(&agent, plan::SERVICES).is_some_and(|missing| missing.is_empty())
        };
        wait_until(DEADLINE, all_are_there, "all services are passing");
        run.agent.lock().unwrap().put("/v1/agent/service/register", CANARY);
        let mut figures = Figures::begin(run);
        let began = Instant::now();
        for (number, trouble) in
            trouble::ALL.into_iter().chain(clients::ALL).chain([machine::measure as Trouble]).enumerate()
        {
            let chance = Chance::new(seed, number);
            run.busy.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move || {
                let _bell = Bell(run);
                trouble(run, chance);
                run.busy.fetch_sub(1, Ordering::Relaxed);
                run.outlive();
            });
        }
        let mut minute = 1;
        while began.elapsed() < run.length && run.pause(Duration::from_secs(1)) {
            figures.sample(run);
            if began.elapsed() >= Duration::from_mins(minute) {
                eprintln!("{minute:>3} min: {}", figures.now(run));
                minute += 1;
            }
        }
        run.over.store(true, Ordering::Relaxed);
        figures.calm_down(run);
        let began = Instant::now();
        run.pilot.signal(Signal::SIGTERM);
        let events = events.join().unwrap();
        run.gone.store(true, Ordering::Relaxed);
        (figures, events, began)
    });

    let Run { mut pilot, agent, books, done, machine, wrong, .. } = run;
    let code = pilot.wait_exit();
    let stop = stop.elapsed();
    let mut books = books.into_inner().unwrap();
    books.read(&pilot.path("log.txt"));
    let log = agent.into_inner().unwrap().log();
    keep(&pilot, &log);
    let (_, after) = pilot.finish_and_tell();

    let mut wrong = wrong.into_inner().unwrap();
    wrong.extend(after);
    wrong.extend(figures.judge(&events));
    wrong.extend(books.judge());
    wrong.extend(events.judge(&books));
    let lapses = Lapses::read(&log, &machine, None);
    if lapses.canary == 0 {
        wrong.push("Consul does not tell of lapses".to_owned());
    }
    wrong.extend(lapses.wrong.iter().map(|line| format!("a heartbeat was missed: {line}")));
    let (late, excused) = events.long(&machine);
    wrong.extend(late);
    // After SIGKILL nobody is waited for longer than five seconds (row 20).
    let bound = Duration::from_secs(plan::STOP_SECONDS + 5);
    if stop > bound {
        wrong.push(format!("it took {stop:?} to stop, more than {bound:?}"));
    }
    if code != plan::EXIT {
        wrong.push(format!("the exit status is {code}, that of the main job {}", plan::EXIT));
    }
    eprintln!("{figures}\n{done}\n{events}; {machine}\n{books}");
    eprintln!(
        "{} heartbeats missed while Consul was up; stopped within {stop:.1?}, exit status {code}",
        lapses.wrong.len()
    );
    eprintln!("not judged: {} lapses, {} long times between heartbeats", lapses.excused.len(), excused.len());
    lapses.excused.iter().chain(&excused).for_each(|one| eprintln!("    {one}"));
    let dir = concat!(env!("CARGO_TARGET_TMPDIR"), "/soak");
    assert!(wrong.is_empty(), "with CONTAINERPILOT_SOAK_SEED={seed}, logs in {dir}:\n{}", wrong.join("\n"));
}
