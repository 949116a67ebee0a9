//! A socket that answers as a test says, and the command line that asks there.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{BINARY, PATH};

/// What was asked, in a line: `POST /v4/reload {"dryRun":true}`.
pub type Asked = Arc<Mutex<Vec<String>>>;

/// Serves until the test ends.
pub struct StandIn {
    pub dir: TempDir,
    asked: Asked,
}

impl StandIn {
    /// `answer` is given the question and the way back, in a thread of each connection's own.
    pub fn new(answer: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let asked = serve(&dir.path().join("s"), answer);
        Self { dir, asked }
    }

    /// Answers each question with this status and text.
    pub fn saying(code: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::new(move |_, stream| whole(stream, code, &body))
    }

    /// Answers each question with this JSON.
    pub fn json(value: &Value) -> Self {
        Self::saying(200, &value.to_string())
    }

    /// Answers each question with a stream of these lines, and ends it.
    pub fn lines(lines: &[Value]) -> Self {
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        Self::new(move |_, stream| {
            begin(stream);
            for line in &lines {
                chunk(stream, line);
            }
            chunk(stream, "");
        })
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A verb that asks here, ready to be started.
    pub fn command(&self, line: &str) -> Command {
        let mut command = command(self.dir.path(), line);
        command.env("CONTAINERPILOT_SOCKET", self.socket());
        command
    }

    /// A verb that asked here: its exit status, standard output and standard error.
    pub fn run(&self, line: &str) -> (i32, String, String) {
        told(&self.command(line).output().unwrap())
    }

    /// What a verb prints that goes well.
    #[track_caller]
    pub fn printed(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!((code, stderr.as_str()), (0, ""), "{line}: {stdout}");
        stdout
    }

    /// What a verb says that does not go well.
    #[track_caller]
    pub fn failure(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.run(line);
        assert_eq!((code, stdout.as_str()), (1, ""), "{line}: {stderr}");
        stderr
    }
}

/// Serves at a path.
pub fn serve(path: &Path, answer: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) -> Asked {
    let listener = UnixListener::bind(path).unwrap();
    let asked = Asked::default();
    let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let question = question(&stream);
                noted.lock().unwrap().push(question.clone());
                answer(&question, &mut stream);
            });
        }
    });
    asked
}

fn question(stream: &UnixStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let question = first.trim_end().strip_suffix(" HTTP/1.1").unwrap();
    format!("{question} {}", String::from_utf8(body).unwrap()).trim_end().to_owned()
}

/// A whole answer. Whoever asked may have gone.
pub fn whole(stream: &mut UnixStream, code: u16, body: &str) {
    let head = format!("HTTP/1.1 {code} Word\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// The head of an answer in chunks, as hyper writes it.
pub fn begin(stream: &mut UnixStream) {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
}

/// A chunk; an empty one is the end.
pub fn chunk(stream: &mut UnixStream, text: &str) {
    let _ = stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
}

/// A refusal as the instance gives it.
pub fn refusal(code: &str, message: &str, details: &[&str]) -> String {
    json!({ "error": { "code": code, "message": message, "details": details } }).to_string()
}

/// A stream that a test leads: what it is told is sent, and it ends with the sender.
pub fn led() -> (SyncSender<String>, StandIn) {
    let (sender, receiver): (_, Receiver<String>) = sync_channel(100);
    let receiver = Mutex::new(receiver);
    let stand_in = StandIn::new(move |_, stream| {
        begin(stream);
        for text in receiver.lock().unwrap().iter() {
            chunk(stream, &text);
        }
        chunk(stream, "");
    });
    (sender, stand_in)
}

/// The command line in a directory, in UTC, with nothing of the test's own environment.
pub fn command(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.args(line.split(' ')).env_clear().env("PATH", PATH).env("TZ", "UTC").current_dir(dir).stdin(Stdio::null());
    command
}

/// Exit status, standard output, standard error.
pub fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Starts it with both outputs in pipes.
pub fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A job as the instance describes it.
pub fn job(name: &str, state: &str, runs: u64) -> Value {
    json!({
        "name": name, "state": state, "sinceMs": 1500, "runs": runs, "restarts": 0, "when": "at the start",
        "restartsPolicy": "never", "command": ["/bin/app"], "main": false, "telemetry": false,
    })
}

/// All of them, as `GET /v4/jobs` gives them.
pub fn overview(jobs: &[Value], ready: &Value) -> Value {
    json!({
        "version": "4.0.0", "pid": 1, "since": "2026-11-22T12:04:11.201Z", "upMs": 5000, "stopping": false,
        "maintenance": false, "ready": ready, "jobs": jobs, "later": { "key": 1 },
    })
}
