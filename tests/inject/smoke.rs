//! One run: a small container at work, in which one system call fails once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::AT_STOP;
use crate::log::Log;
use crate::strace::{Strace, is_at_its_exit, thread};
use crate::support::ports::Ports;
use crate::support::scripted::well;
use crate::support::wait::poll;
use crate::support::{DEADLINE, Launch, Pilot, Scripted, Signal, http, process};

/// A job that says something twenty times a second for ever, and must not notice anything; one that ends and comes again;
/// a periodic one. Health checks, Consul, metrics, the control socket. And services that are only told of, which let Consul be
/// talked to all the time.
const CONFIG: &str = r#"{
    consul: "CONSUL", control: { socket: "{{ .DIR }}/socket" }, stopTimeout: 5,
    logging: { format: "json", level: "DEBUG" },
    telemetry: { port: PORT, interfaces: ["static:127.0.0.1"] },
    jobs: [
        { name: "steady", exec: ["perl", "-e", "$|=1; $SIG{TERM} = sub { open L, '>>', $ENV{LOG}; print L qq(term\n); exit 3 }; \
            for (;;) { print 'tick ', $n++, qq(\n); select undef, undef, undef, 0.05 }"],
          main: true, port: 8080, interfaces: ["static:127.0.0.1"], health: { exec: "true", interval: 1, ttl: 9 } },
        { name: "again", exec: ["sh", "-c", "echo again; exec sleep 0.05"], restarts: "unlimited", backoff: false },
        { name: "period", exec: ["echo", "period"], when: { interval: "250ms" } },
        SERVICES
        JOBS
    ],
}"#;

/// So many of them.
const SERVICES: usize = 12;

fn service(number: usize) -> String {
    let place = format!(r#"port: {}, interfaces: ["static:127.0.0.1"]"#, 8100 + number);
    format!(r#"{{ name: "service{number}", {place}, health: {{ interval: 1, ttl: 9 }} }},"#)
}

/// A run may take so much longer than it should on a machine that has too much to do.
const BOUND: Duration = Duration::from_secs(15);

/// So long a call may take to be made often enough.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is to fail, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Of this thread.
    pub thread: &'static str,
    /// This call,
    pub call: &'static str,
    /// with this error,
    pub errno: &'static str,
    /// at this time, counted from when everything runs.
    pub n: usize,
    /// Counted from the stop instead.
    pub stopping: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, call, errno, n, stopping } = self;
        let since = if *stopping { "the stop began" } else { "everything runs" };
        write!(f, "{call} of thread {thread} gives {errno}, the {n}. time since {since}")
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// Whether the call was made so often.
    pub hit: bool,
    /// The failed call, as strace shows it.
    pub shown: String,
    /// What is not as promised.
    pub wrong: Vec<String>,
    /// Told by PID 1: warnings and errors.
    pub told: Vec<String>,
    /// Requests that were not answered well.
    pub refused: Vec<String>,
    /// Everything that was written.
    pub stdout: String,
    /// Nothing, mostly.
    pub stderr: String,
}

impl Outcome {
    /// Adds a mistake if there was none of these words among what was told, or more than one.
    pub fn must_tell_once(&mut self, words: &str) {
        let times = self.told.iter().filter(|told| told.contains(words)).count();
        if times != 1 {
            self.wrong.push(format!("{times} times told: {words}"));
        }
    }

    /// Whether everything is as promised.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.stderr.is_empty()
    }

    /// Fails the test if anything is wrong, with all that is known about it.
    #[track_caller]
    pub fn check(&self, what: &str) {
        assert!(self.is_good(), "{what}: {}", self.explain());
    }

    /// What is wrong, and all that is known about it.
    pub fn explain(&self) -> String {
        let Self { shown, wrong, told, refused, stdout, stderr, .. } = self;
        let wrong = wrong.join("\n    ");
        format!("{shown}\n    {wrong}\ntold: {told:?}\nrefused: {refused:?}\nstderr: {stderr}\nstdout: {stdout}")
    }
}

/// What the jobs are called that come with the end of `steady`, half of them before and half of them after it.
fn last_jobs() -> impl Iterator<Item = (String, &'static str)> {
    let of = |when| (1..=AT_STOP / 2).map(move |number| (format!("{when}{number}"), when));
    of("stopping").chain(of("stopped"))
}

/// The running container and its surroundings.
pub struct Smoke {
    pub pilot: Pilot,
    /// Whether there are last jobs.
    has_last: bool,
    consul: Scripted,
    ports: Ports,
    /// Requests that were not answered well.
    pub refused: Vec<String>,
    rounds: usize,
}

/// The exit status of the main job, which ends so on TERM.
pub const STATUS: i32 = 3;

/// Runs it once, with all promises looked at.
pub fn run(fault: &Fault) -> Outcome {
    let last = |(name, when)| {
        format!(r#"{{ name: "{name}", exec: ["echo", "{name}"], when: {{ source: "steady", once: "{when}" }} }},"#)
    };
    let last: String = last_jobs().map(last).collect();
    let mut smoke = Smoke::start(if fault.stopping { &last } else { "" }, "");
    smoke.has_last = fault.stopping;
    let target = thread(&smoke.pilot, fault.thread);
    let how = format!("error={}:when={}", fault.errno, fault.n);
    // The exit is held by whoever traces the main thread.
    let hold = (target != smoke.pilot.pid).then(|| Strace::hold_exit(&smoke.pilot));
    let strace = Strace::inject(&smoke.pilot, target, fault.call, &how);
    let mut wrong = Vec::new();
    if !fault.stopping {
        smoke.work_until_hit();
        wrong.extend(smoke.recovers());
    }
    wrong.extend(smoke.stop(STATUS, vec![Some(strace), hold]));
    let mut outcome = smoke.outcome(wrong);
    // What fails once works the next time.
    outcome.wrong.extend(outcome.told.iter().filter(|told| told.starts_with("unable to start")).cloned());
    outcome
}

impl Smoke {
    /// Starts it, with these jobs and this setup as well, and waits until everything has been done once.
    pub fn start(more_jobs: &str, setup: &str) -> Self {
        let (consul, ports) = (Scripted::start(well), Ports::take());
        let services: String = (1..=SERVICES).map(service).collect();
        let text = CONFIG
            .replace("CONSUL", &consul.address().to_string())
            .replace("PORT", &ports.port(0).to_string())
            .replace("SERVICES", &services)
            .replace("JOBS", more_jobs);
        // strace stops PID 1 at each call, and waits for the processor itself before it lets it go on.
        let pilot = Launch::config(&text).setup(setup).untraced().zombie_grace(Duration::from_secs(3)).start();
        let mut smoke = Self { pilot, has_last: false, consul, ports, refused: Vec::new(), rounds: 0 };
        smoke.pilot.wait_stdout("telemetry: serving at");
        smoke.pilot.wait_stdout("tick 1\"");
        smoke.consul.wait_for("PUT /v1/agent/service/register", 1 + SERVICES);
        smoke.work();
        assert_eq!(smoke.refused, [""; 0], "before anything fails");
        smoke.follow();
        smoke
    }

    /// Asks for everything once; for a reload, which keeps it busier than all the rest, now and then.
    pub fn work(&mut self) {
        for target in ["/v3/ping", "/v4/jobs"] {
            self.ask("GET", target);
        }
        if self.rounds.is_multiple_of(4) {
            self.ask("POST", "/v3/reload");
        }
        self.rounds += 1;
        let place = ([127, 0, 0, 1], self.ports.port(0)).into();
        let reply = http::ask(place, "GET", "/metrics", &[], b"");
        self.note("/metrics", &reply);
    }

    /// Asks at the socket, and gives the answer's status, or 0.
    pub fn ask(&mut self, method: &str, target: &str) -> u16 {
        let reply = http::ask_socket(&self.pilot.path("socket"), method, target, b"");
        self.note(target, &reply);
        reply.map_or(0, |reply| reply.status)
    }

    fn note(&mut self, target: &str, reply: &std::io::Result<http::Reply>) {
        match reply {
            Ok(reply) if reply.status == 200 => {}
            Ok(reply) => self.refused.push(format!("{target}: {} {}", reply.status, reply.text())),
            Err(error) => self.refused.push(format!("{target}: {error}")),
        }
    }

    /// Somebody follows all lines, as `containerpilot logs -f` does. His connection may be the one that breaks.
    fn follow(&self) {
        let mut stream = UnixStream::connect(self.pilot.path("socket")).unwrap();
        let head = b"GET /v4/logs?follow HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n";
        stream.write_all(head).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.contains("tick") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "a stream of lines");
        }
        std::thread::spawn(move || reader.lines().map_while(Result::ok).count());
    }

    /// Whether the call has failed.
    pub fn hit(&self) -> bool {
        self.pilot.read("calls").contains("(INJECTED)")
    }

    /// Goes on until the call has failed, or it is plain that there are not so many.
    pub fn work_until_hit(&mut self) {
        let began = Instant::now();
        while !self.hit() && began.elapsed() < PATIENCE && self.pilot.try_exit().is_none() {
            self.work();
        }
    }

    /// What goes on by itself: how often each thing happened so far.
    fn progress(&self) -> BTreeMap<&'static str, usize> {
        let stdout = self.pilot.stdout();
        let job = |name: &str| stdout.matches(&format!(r#"{{"job":"{name}""#)).count();
        [
            ("lines of steady", job("steady")),
            ("runs of again", job("again")),
            ("runs of period", job("period")),
            ("heartbeats", self.consul.matching("PUT /v1/agent/check/update/service:steady").len()),
        ]
        .into()
    }

    /// After the fault everything goes on as before, and nothing of it is left lying.
    pub fn recovers(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let before = self.progress();
        let zombies: BTreeSet<i32> = self.pilot.zombies().iter().map(|zombie| zombie.pid).collect();
        // The one that the fault hit may be among these.
        for _ in 0..2 {
            self.work();
        }
        if self.refused.len() > 1 {
            wrong.push(format!("more than one request was refused: {:?}", self.refused));
        }
        let behind = |now: &BTreeMap<_, usize>| -> Vec<&str> {
            let least = |name: &str| if name == "heartbeats" { 1 } else { 2 };
            before.iter().filter(|(name, count)| now[*name] < **count + least(name)).map(|(name, _)| *name).collect()
        };
        let mut goes_on = || behind(&self.progress()).is_empty() || self.pilot.try_exit().is_some();
        if poll(BOUND, || goes_on().then_some(())).is_none() {
            wrong.push(format!("no more {:?} within {BOUND:?}", behind(&self.progress())));
        }
        if let Some(code) = self.pilot.try_exit() {
            wrong.push(format!("PID 1 died: {code}"));
            return wrong;
        }
        let is_old = |zombie: &process::Process| zombies.contains(&zombie.pid);
        let left = || self.pilot.zombies().into_iter().filter(is_old).collect::<Vec<_>>();
        if poll(BOUND, || left().is_empty().then_some(())).is_none() {
            wrong.push(format!("still zombies: {:?}", left()));
        }
        // Each living child has two pipes.
        let pipes = || self.pilot.descriptors().iter().filter(|fd| fd.target.starts_with("pipe:")).count();
        let most = || 2 * process::children(self.pilot.pid).len();
        if poll(BOUND, || (pipes() <= most()).then_some(())).is_none() {
            wrong.push(format!("{} pipes are open for {} children", pipes(), most() / 2));
        }
        wrong
    }

    /// TERM, and the end: in time, with this status, and with nobody left.
    pub fn stop(&mut self, expected: i32, straces: Vec<Option<Strace>>) -> Vec<String> {
        if self.pilot.try_exit().is_none() {
            self.pilot.signal(Signal::SIGTERM);
        }
        self.ends(expected, straces)
    }

    /// The end: in time, with this status, and with nobody left.
    pub fn ends(&mut self, expected: i32, straces: Vec<Option<Strace>>) -> Vec<String> {
        let mut wrong = Vec::new();
        let at_exit = poll(BOUND, || (is_at_its_exit(self.pilot.pid) || self.pilot.try_exit().is_some()).then_some(()));
        if at_exit.is_none() {
            wrong.push(format!("no end within {BOUND:?}"));
        } else if self.pilot.try_exit().is_none() {
            let left = but_for_the_held(self.pilot.processes());
            if !left.is_empty() {
                wrong.push(format!("left at the exit of PID 1: {left:?}"));
            }
            let leaks = self.pilot.descriptors().into_iter().filter(|fd| fd.target.starts_with("pipe:"));
            wrong.extend(leaks.map(|leak| format!("open at the exit of PID 1: {leak:?}")));
        }
        straces.into_iter().flatten().for_each(Strace::let_go);
        if at_exit.is_none() {
            self.pilot.signal(Signal::SIGKILL);
        }
        match poll(DEADLINE, || self.pilot.try_exit()) {
            Some(code) if code == expected => {}
            code => wrong.push(format!("the exit status is {code:?}, not {expected}")),
        }
        wrong
    }

    /// The end of the run: what the log says about it.
    pub fn outcome(self, mut wrong: Vec<String>) -> Outcome {
        let Self { pilot, has_last, consul, refused, .. } = self;
        let shown = pilot.read("calls").lines().find(|line| line.contains("(INJECTED)")).unwrap_or_default().to_owned();
        let (stdout, stderr) = (pilot.stdout(), pilot.stderr());
        let (_, harness) = pilot.finish_and_tell();
        wrong.extend(harness);
        drop(consul);
        let log = Log::read(&stdout);
        wrong.extend(log.judge());
        if has_last {
            wrong.extend(log.judge_last(last_jobs().map(|(name, _)| name)));
        }
        Outcome { hit: !shown.is_empty(), shown, wrong, told: log.told, refused, stdout, stderr }
    }
}

/// Those of these who are left. Who has got SIGKILL may still be held by the kernel, in state `D`; when it lets go of him he is a
/// zombie, or gone. It would be a wrong promise to wait for that for ever.
pub fn but_for_the_held(left: Vec<process::Process>) -> Vec<process::Process> {
    let ends = |held: &process::Process| {
        let is_over = || process::look(held.pid).is_none_or(|now| now.state == 'Z').then_some(());
        held.state == 'D' && poll(BOUND, is_over).is_some()
    };
    left.into_iter().filter(|process| !ends(process)).collect()
}
