//! A running program with a control socket, and its command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::http::{Reply, ask_socket};
use crate::support::{BINARY, DEADLINE, Launch, PATH, Pilot, wait};

/// A job that only lasts, and writes when it is started and stopped.
pub const KEEP: &str = r#"{ name: "keep", exec: ["/bin/sh", "-c",
    "trap 'echo keep-term >> $LOG; exit 0' TERM; echo keep-start >> $LOG; sleep 1000 & wait"] }"#;

/// A configuration with a socket in the test's directory, and these jobs.
pub fn with_socket(jobs: &str) -> String {
    format!(
        r#"{{ control: {{ socket: "{{{{ .DIR }}}}/s" }}, logging: {{ level: "DEBUG" }}, stopTimeout: 2, jobs: [{jobs}] }}"#
    )
}

/// Starts it, and waits until it serves.
pub fn start(jobs: &str) -> Pilot {
    serving(Launch::config(&with_socket(jobs)).start())
}

/// Waits until it serves.
pub fn serving(pilot: Pilot) -> Pilot {
    pilot.wait_stdout("control: serving at ");
    pilot
}

pub fn socket(pilot: &Pilot) -> PathBuf {
    pilot.path("s")
}

/// Asks at the socket.
#[track_caller]
pub fn ask(pilot: &Pilot, method: &str, path: &str, body: &str) -> Reply {
    ask_socket(&socket(pilot), method, path, body.as_bytes()).unwrap()
}

#[track_caller]
pub fn post(pilot: &Pilot, path: &str, body: &str) -> Reply {
    ask(pilot, "POST", path, body)
}

/// Asks until somebody answers: for sockets that come late.
#[track_caller]
pub fn wait_ping(path: &Path) -> Reply {
    let asked = || ask_socket(path, "GET", "/v3/ping", b"").ok();
    wait::poll(DEADLINE, asked).unwrap_or_else(|| panic!("nobody answers at {}", path.display()))
}

/// The command line, in the test's directory, with these variables beside those that the configuration needs.
pub fn command(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .env("DIR", dir)
        .envs(variables.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The command line with the program's own file.
pub fn flag(pilot: &Pilot, args: &[&str]) -> Output {
    let mut all = vec!["-config", "containerpilot.json5"];
    all.extend(args);
    command(pilot.dir(), &all, &[])
}

/// Exit status, standard output, standard error.
pub fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
