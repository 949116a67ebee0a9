//! What must come out even: starts and ends, in the events and in the log; and lines that have numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::machine::{LATE, Machine};
use crate::{Run, plan};

/// By the name of a job or, as `check.NAME`, of its check: how often it began and how often it ended.
type Tally = BTreeMap<String, (u64, u64)>;

fn uneven(tally: &Tally, of: &str) -> Vec<String> {
    let uneven = tally.iter().filter(|(_, (starts, ends))| starts != ends);
    uneven.map(|(name, (starts, ends))| format!("{of}: {name} began {starts} times and ended {ends} times")).collect()
}

fn sums(tally: &Tally) -> (u64, u64) {
    tally.values().fold((0, 0), |(starts, ends), (more_starts, more_ends)| (starts + more_starts, ends + more_ends))
}

/// What the stream of events told, from the first to the last.
#[derive(Default)]
pub struct Events {
    jobs: Tally,
    /// Ends of health checks, whose starts are no events.
    checks: BTreeMap<String, u64>,
    count: u64,
    lost: u64,
    gaps: Vec<String>,
    /// Of those that are registered and stay: how often, when last, and the longest time between two.
    heartbeats: u64,
    last: BTreeMap<String, SystemTime>,
    longest: Duration,
    /// Those that are longer than on an idle machine: whose, from when, to when.
    long: Vec<(String, SystemTime, SystemTime)>,
}

/// Follows the events until the program ends.
pub fn follow(run: &Run) -> Events {
    let mut stream = UnixStream::connect(run.pilot.path("s")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // An answer to HTTP/1.0 has no chunks: lines come as they are.
    stream.write_all(b"GET /v4/events?follow=1 HTTP/1.0\r\nHost: soak\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut head).unwrap() > 0, "no answer: {head}");
    }
    assert!(head.split(' ').nth(1) == Some("200"), "{head}");
    let mut events = Events::default();
    let mut next = 1;
    let mut line = Vec::new();
    while !run.is_abandoned() {
        line.clear();
        if lines.by_ref().take(1 << 20).read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            break;
        }
        if let Ok(event) = serde_json::from_slice(&line) {
            events.add(&event, &mut next);
        }
    }
    events
}

impl Events {
    fn add(&mut self, event: &Value, next: &mut u64) {
        let lost = event["dropped"].as_u64().unwrap_or(0);
        self.lost += lost;
        *next += lost;
        let Some(seq) = event["seq"].as_u64() else { return };
        if seq != *next {
            self.gaps.push(format!("event {seq} came where {next} was next"));
        }
        *next = seq + 1;
        self.count += 1;
        let name = event["source"].as_str().unwrap();
        match event["event"].as_str().unwrap() {
            // Nobody is asked how he is meanwhile.
            "enterMaintenance" | "exitMaintenance" => self.last.clear(),
            "start" => self.jobs.entry(name.to_owned()).or_default().0 += 1,
            "exitSuccess" | "exitFailed" if name.starts_with("check.") => {
                *self.checks.entry(name.to_owned()).or_default() += 1;
            }
            "exitSuccess" | "exitFailed" => self.jobs.entry(name.to_owned()).or_default().1 += 1,
            "healthy" if plan::STEADY.map(plan::service).any(|service| service == name) => {
                self.heartbeats += 1;
                let time = humantime::parse_rfc3339_weak(event["time"].as_str().unwrap()).unwrap();
                if let Some(before) = self.last.insert(name.to_owned(), time) {
                    let lasted = time.duration_since(before).unwrap_or_default();
                    self.longest = self.longest.max(lasted);
                    if lasted > LATE {
                        self.long.push((name.to_owned(), before, time));
                    }
                }
            }
            _ => {}
        }
    }

    /// How often a job ended.
    pub fn ends(&self, name: &str) -> u64 {
        self.jobs.get(name).map_or(0, |(_, ends)| *ends)
    }

    /// The times between two heartbeats of a service that were longer than the machine explains, and those that it does.
    pub fn long(&self, machine: &Machine) -> (Vec<String>, Vec<String>) {
        let (mut wrong, mut excused) = (Vec::new(), Vec::new());
        for (name, from, to) in &self.long {
            let (lasted, allowed) = (to.duration_since(*from).unwrap(), machine.allowed(*from, *to));
            let (when, start) = (humantime::format_rfc3339_millis(*to), machine.start(*from, *to).as_millis());
            let told =
                format!("{name}: {lasted:.1?} between two heartbeats, until {when}; a start took {start} ms then");
            if lasted > allowed { wrong.push(told) } else { excused.push(told) }
        }
        (wrong, excused)
    }

    /// What does not come out even, also with the log.
    pub fn judge(&self, books: &Books) -> Vec<String> {
        let mut wrong = uneven(&self.jobs, "events");
        wrong.extend(self.gaps.iter().take(10).cloned());
        // Nobody reads them as promptly as we do.
        if self.lost > 0 {
            wrong.push(format!("{} events were lost", self.lost));
        }
        let ends = self.jobs.iter().map(|(name, (_, ends))| (name, *ends));
        let ends: BTreeMap<_, _> = ends.chain(self.checks.iter().map(|(name, ends)| (name, *ends))).collect();
        let logged = books.runs.iter().map(|(name, (_, ends))| (name, *ends)).collect();
        if ends != logged {
            let differ = |name: &&&String| ends.get(**name) != logged.get(**name);
            let names: Vec<_> = ends.keys().chain(logged.keys()).filter(differ).collect();
            wrong.push(format!("events and log tell different numbers of ends of {names:?}"));
        }
        wrong
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, lost, heartbeats, .. } = self;
        let (starts, ends) = sums(&self.jobs);
        writeln!(f, "events: {count}, {lost} lost; {starts} runs of jobs began, {ends} ended")?;
        let checks: u64 = self.checks.values().sum();
        let longest = self.longest.as_secs_f64();
        write!(f, "checks: {checks} ended; {heartbeats} heartbeats of {} services, ", plan::STEADY.count())?;
        write!(f, "at most {longest:.1} s between two of one")
    }
}

/// What the log tells, over all its rotations.
#[derive(Default)]
pub struct Books {
    /// Of jobs and of checks.
    runs: Tally,
    lines: u64,
    bytes: u64,
    numbered: u64,
    /// What number comes next, by job and pid.
    next: BTreeMap<(String, String), u64>,
    /// The pid of the last run, by job.
    pids: BTreeMap<String, String>,
    /// How often it was told of a job that it leaves processes behind.
    background: BTreeMap<String, u64>,
    /// The start of something took so long that it is told.
    slow: u64,
    wrong: Vec<String>,
}

impl Books {
    /// Reads a file that nobody writes to any more.
    pub fn read(&mut self, path: &Path) {
        for line in BufReader::new(std::fs::File::open(path).unwrap()).split(b'\n') {
            let line = line.unwrap();
            self.lines += 1;
            self.bytes += line.len() as u64 + 1;
            // Those of a job that says much in one line are no words.
            if line.len() < 1000 {
                self.add(&String::from_utf8_lossy(&line));
            }
        }
    }

    fn add(&mut self, line: &str) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [_, name, pid, number]
                if (plan::TALKERS.contains(&name) || plan::COUNTERS.contains(&name)) && pid.parse::<u32>().is_ok() =>
            {
                let first = u64::from(plan::COUNTERS.contains(&name));
                let next = self.next.entry((name.to_owned(), pid.to_owned())).or_insert(first);
                if number.parse() == Ok(*next) {
                    self.numbered += 1;
                } else {
                    self.wrong.push(format!("log: {name} {pid} said {number:?} where {next} was next"));
                }
                *next += 1;
            }
            [_, pid, run, "start"] if run.ends_with(".Run") => {
                let name = run.trim_end_matches(".Run").to_owned();
                self.pids.insert(name.clone(), pid.to_owned());
                self.runs.entry(name).or_default().0 += 1;
            }
            [_, name, "exited", how @ ("without" | "with"), ..] => {
                self.runs.entry(name.to_owned()).or_default().1 += 1;
                let pid = self.pids.remove(name).unwrap_or_default();
                let said = self.next.remove(&(name.to_owned(), pid.clone())).unwrap_or(1) - 1;
                // All that a job has said comes before its end.
                if plan::COUNTERS.contains(&name) && how == "without" && said != plan::COUNT {
                    self.wrong.push(format!("log: {name} {pid} ended well after {said} of {} lines", plan::COUNT));
                }
            }
            [_, "job", name, "exited", ..] => *self.background.entry(name.to_owned()).or_default() += 1,
            _ => {
                self.slow += u64::from(line.contains("held up everything else"));
                if ["panicked", "were lost", "is lost", "fault of ours"].iter().any(|word| line.contains(word)) {
                    self.wrong.push(format!("log: {line}"));
                }
            }
        }
    }

    /// What is not as it should be.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = uneven(&self.runs, "log");
        wrong.extend(self.wrong.iter().take(20).cloned());
        // Such a job does so each time, and it is told the first and each 2ⁿ-th.
        for (name, told) in &self.background {
            let times = self.runs.get(name).map_or(0, |(starts, _)| *starts);
            if *told > 1 + u64::from(times.max(1).ilog2()) {
                wrong.push(format!("log: it is told {told} times that {name} left processes behind in {times} runs"));
            }
        }
        if self.background.is_empty() || self.numbered == 0 {
            wrong.push("log: nobody has counted, or left a process behind".to_owned());
        }
        wrong
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (starts, ends) = sums(&self.runs);
        let Self { lines, numbered, slow, wrong, .. } = self;
        write!(f, "log: {lines} lines, {:.1} MB, ", self.bytes as f64 / 1e6)?;
        writeln!(f, "{numbered} of them numbered; {} are missing or wrong", wrong.len())?;
        write!(f, "processes that were started: {starts}, ended: {ends}; {slow} starts held the loop up")
    }
}
