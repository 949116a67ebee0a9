//! A running program with a control socket, and readers of its streams.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{Reply, ask_socket};
use crate::support::{DEADLINE, Launch, Pilot};

/// A job that only lasts.
pub const KEEP: &str = r#"{ name: "keep", exec: ["sleep", "1000"] }"#;

/// A configuration with a socket in the test's directory, and these jobs.
pub fn config(jobs: &str) -> String {
    format!(r#"{{ control: {{ socket: "{{{{ .DIR }}}}/s" }}, stopTimeout: 2, jobs: [{jobs}] }}"#)
}

/// Starts it, and waits until it serves.
pub fn start(jobs: &str) -> Pilot {
    serving(Launch::config(&config(jobs)).start())
}

/// Waits until it serves and the jobs that start with it are started: nobody is answered before.
pub fn serving(pilot: Pilot) -> Pilot {
    pilot.wait_stdout("control: serving at ");
    assert_eq!(get(&pilot, "/v4/events?lines=0").status, 200);
    pilot
}

pub fn socket(pilot: &Pilot) -> PathBuf {
    pilot.path("s")
}

#[track_caller]
pub fn get(pilot: &Pilot, target: &str) -> Reply {
    ask_socket(&socket(pilot), "GET", target, b"").unwrap()
}

/// The lines of a stream that ends by itself.
#[track_caller]
pub fn lines(pilot: &Pilot, target: &str) -> Vec<Value> {
    let reply = get(pilot, target);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("Content-Type"), Some("application/x-ndjson"));
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One text of each of these lines.
pub fn each(lines: &[Value], key: &str) -> Vec<String> {
    lines.iter().map(|line| line[key].as_str().unwrap_or_default().to_owned()).collect()
}

/// Somebody who reads a stream line by line.
pub struct Follower {
    body: BufReader<Chunks>,
    /// The head of the answer.
    pub head: String,
}

impl Follower {
    /// Begins to read. Each line must come within fifteen seconds.
    #[track_caller]
    pub fn of(pilot: &Pilot, target: &str) -> Self {
        let mut stream = UnixStream::connect(socket(pilot)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: control\r\n\r\n").as_bytes()).unwrap();
        let mut inner = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(inner.read_line(&mut head).unwrap() > 0, "no answer: {head}");
        }
        Self { body: BufReader::new(Chunks { inner, left: 0, over: false }), head }
    }

    /// The next line as it came; nothing at the end.
    #[track_caller]
    pub fn raw(&mut self) -> Option<String> {
        let mut line = String::new();
        self.body.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// The next line that says something; nothing at the end.
    #[track_caller]
    pub fn next(&mut self) -> Option<Value> {
        loop {
            match self.raw()? {
                line if line.is_empty() => {}
                line => return Some(serde_json::from_str(&line).unwrap()),
            }
        }
    }

    /// All lines up to one with this text.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> Vec<Value> {
        self.until_it(text, |line| line == text)
    }

    /// All lines up to one whose text is this; it must come in time, also where others come for ever.
    #[track_caller]
    pub fn until_it(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> Vec<Value> {
        let begin = Instant::now();
        let mut lines = Vec::new();
        loop {
            let raw = self.raw().unwrap_or_else(|| panic!("the end came before {what:?}, after {:?}", lines.last()));
            assert!(begin.elapsed() < DEADLINE, "{what:?} did not come, but {:?}", lines.last());
            if raw.is_empty() {
                continue;
            }
            let line: Value = serde_json::from_str(&raw).unwrap();
            let found = line["text"].as_str().is_some_and(&is_it);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// All lines to the end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// A body without the marks of its chunks.
struct Chunks {
    inner: BufReader<UnixStream>,
    left: usize,
    over: bool,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !self.over {
            let mut size = String::new();
            self.inner.read_line(&mut size)?;
            if size.trim().is_empty() {
                size.clear();
                self.inner.read_line(&mut size)?;
            }
            self.left = usize::from_str_radix(size.trim(), 16)
                .map_err(|_| std::io::Error::other(format!("torn off within the stream: {size:?}")))?;
            self.over = self.left == 0;
        }
        let most = self.left.min(into.len());
        let read = self.inner.read(&mut into[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// What a reader of these lines was told: that they are one sequence with what was dropped, beginning at this number.
/// Gives how many were dropped.
#[track_caller]
pub fn assert_one_sequence(lines: &[Value], first: u64) -> u64 {
    let (mut next, mut dropped) = (first, 0);
    for line in lines {
        if let Some(lost) = line["dropped"].as_u64() {
            next += lost;
            dropped += lost;
        } else {
            assert_eq!(line["seq"].as_u64(), Some(next), "{line}");
            next += 1;
        }
    }
    dropped
}
