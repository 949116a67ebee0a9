//! What must come out even: starts and ends, in the events and in the log; and lines that have numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Run;
use crate::plan;

/// By name: how often it began and how often it ended.
type Tally = BTreeMap<String, (u64, u64)>;

fn uneven(tally: &Tally, of: &str) -> Vec<String> {
    let uneven = tally.iter().filter(|(_, (starts, ends))| starts != ends);
    uneven.map(|(name, (starts, ends))| format!("{of}: {name} began {starts} times and ended {ends} times")).collect()
}

fn sums(tally: &Tally) -> (u64, u64) {
    tally.values().fold((0, 0), |(starts, ends), (more_starts, more_ends)| (starts + more_starts, ends + more_ends))
}

/// What the stream of events told, from before the first trouble to the end of everything.
#[derive(Default)]
pub struct Events {
    runs: Tally,
    count: u64,
    healthy: u64,
    lost: u64,
    gaps: Vec<String>,
}

/// Follows the events until the program ends.
pub fn events(run: &Run) -> Events {
    let mut stream = UnixStream::connect(run.pilot.path("s")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /v4/events?follow=1 HTTP/1.0\r\nHost: soak\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut head).unwrap() > 0, "no answer: {head}");
    }
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    let mut events = Events::default();
    let mut last = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        // An answer to HTTP/1.0 has no chunks: lines come as they are.
        if lines.by_ref().take(1 << 20).read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return events;
        }
        let Ok(event) = serde_json::from_slice::<Value>(&line) else { continue };
        events.lost += event["dropped"].as_u64().unwrap_or(0);
        let Some(seq) = event["seq"].as_u64() else { continue };
        if last.is_some_and(|last| seq != last + 1) {
            events.gaps.push(format!("event {seq} comes after {last:?}"));
        }
        last = Some(seq);
        events.count += 1;
        let name = event["source"].as_str().unwrap().to_owned();
        let of_job = !name.starts_with("check.");
        match event["event"].as_str().unwrap() {
            "start" if of_job => events.runs.entry(name).or_default().0 += 1,
            "exitSuccess" | "exitFailed" if of_job => events.runs.entry(name).or_default().1 += 1,
            "healthy" => events.healthy += 1,
            _ => {}
        }
    }
}

impl Events {
    pub fn judge(&self) -> Vec<String> {
        let mut wrong = uneven(&self.runs, "events");
        wrong.extend(self.gaps.iter().take(10).cloned());
        if self.lost > 0 {
            wrong.push(format!("{} events were lost", self.lost));
        }
        wrong
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (starts, ends) = sums(&self.runs);
        write!(f, "{} events: {starts} runs of jobs began, {ends} ended; {} times healthy", self.count, self.healthy)
    }
}

/// What the log tells, over all its rotations.
#[derive(Default)]
pub struct Books {
    /// Of jobs and checks, by the command's name.
    runs: Tally,
    lines: u64,
    said: u64,
    gaps: Vec<String>,
    /// Lines that no run may have.
    bad: Vec<String>,
}

impl Books {
    pub fn read(dir: &Path) -> Self {
        let mut files: Vec<(u64, std::path::PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if let Some(number) = name.strip_prefix("log.txt") {
                files.push((number.strip_prefix('.').map_or(u64::MAX, |number| number.parse().unwrap()), path));
            }
        }
        files.sort();
        let mut books = Self::default();
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for (_, path) in files {
            for line in BufReader::new(std::fs::File::open(path).unwrap()).split(b'\n') {
                books.add(&String::from_utf8_lossy(&line.unwrap()), &mut next);
            }
        }
        books
    }

    fn add(&mut self, line: &str, next: &mut BTreeMap<String, u64>) {
        self.lines += 1;
        if ["panicked", "leaving it behind", "dropped", "lost"].iter().any(|word| line.contains(word)) {
            self.bad.push(line.to_owned());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, name, _, "said", pid, number] = words[..]
            && plan::TALKERS.contains(&name)
        {
            let (number, next) = (number.parse::<u64>().unwrap(), next.entry(format!("{name} {pid}")).or_default());
            if number != *next {
                self.gaps.push(format!("{name} {pid} said {number} where {next} was next"));
            }
            *next = number + 1;
            self.said += 1;
        } else if let [_, _, name, "start"] = words[..]
            && let Some(name) = name.strip_suffix(".Run")
        {
            self.runs.entry(name.to_owned()).or_default().0 += 1;
        } else if let [_, name, "exited", "without" | "with", ..] = words[..] {
            self.runs.entry(name.to_owned()).or_default().1 += 1;
        }
    }

    pub fn judge(&self) -> Vec<String> {
        let mut wrong = uneven(&self.runs, "log");
        wrong.extend(self.gaps.iter().chain(&self.bad).take(20).cloned());
        for (what, count) in
            [("no run is in the log", self.runs.len()), ("nobody said anything", usize::try_from(self.said).unwrap())]
        {
            if count == 0 {
                wrong.push(what.to_owned());
            }
        }
        wrong
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (starts, ends) = sums(&self.runs);
        let Self { lines, said, .. } = self;
        write!(f, "{lines} lines of log, {said} of them numbered; {starts} processes began, {ends} ended")
    }
}
