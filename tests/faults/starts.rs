//! Starts that lack something: memory, threads, descriptors, a file where the zone should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output, Stdio};

use nix::sys::stat::Mode;

use crate::support::{BINARY, Launch, Signal};

const JOBS: &str = r#"{ consul: false, jobs: [ { name: "web", exec: ["sleep", "1000"] } ] }"#;

/// The program below a command that limits it.
fn limited(prefix: &[&str], args: &[&str]) -> Output {
    let mut command = Command::new("env");
    command.args(prefix).arg("--").arg(BINARY).args(args);
    command.env_clear().env("PATH", crate::support::PATH).stdin(Stdio::null()).process_group(0);
    command.output().unwrap()
}

#[test]
fn a_zone_that_is_no_file_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for zone in [fifo.to_str().unwrap(), "/dev/zero"] {
        let mut pilot = Launch::config(JOBS).env("TZ", zone).start();
        pilot.wait_stdout(&format!("Z TZ: \"{zone}\" is no regular file: times are in UTC\n"));
        pilot.find("sleep 1000");
        pilot.signal(Signal::SIGTERM);
        assert_eq!(pilot.wait_exit(), 0);
        pilot.finish();
    }
    // Who asks is not held up either.
    let asked = Command::new(BINARY).args(["status", "--socket", "/no/such"]).env("TZ", &fifo).output().unwrap();
    let told = String::from_utf8(asked.stderr).unwrap();
    assert!(told.starts_with("containerpilot: TZ: ") && told.contains("times are in UTC\n"), "{told}");
}

// Seen red with src/process/guard.rs:
//- sys::exit_now(INTERNAL);
//+ sys::exit_now(134);
#[test]
fn without_memory_at_the_start_it_is_70_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.json5");
    fs::write(&file, JOBS.to_owned() + &" ".repeat(1_000_000)).unwrap();
    // In steps smaller than what it asks for at once, from what holds nothing to what holds everything.
    let codes: Vec<_> = (32..400)
        .map(|step| {
            let memory = format!("--as={}", step * 500_000);
            limited(&["prlimit", &memory], &["config", "check", file.to_str().unwrap()]).status
        })
        .take_while(|status| !status.success())
        // Below, the kernel can't even load it.
        .filter(|status| status.signal().is_none_or(|signal| signal == 6))
        .map(|status| status.code())
        .collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == Some(70)), "{codes:?}");
}

#[test]
fn f24_without_a_thread_it_is_70_and_names_the_limit() {
    let dir = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let file = dir.path().join("c.json5");
    // Standard output needs no thread as long as somebody reads it.
    let log = dir.path().join("log");
    fs::write(&log, "").unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).unwrap();
    let to_a_file = format!("{{ logging: {{ output: {log:?} }},");
    fs::write(&file, JOBS.replacen('{', &to_a_file, 1)).unwrap();
    let path = file.to_str().unwrap();
    let nobody = ["setpriv", "--reuid=61235", "--clear-groups", "prlimit", "--nproc=1"];
    let told = limited(&nobody, &["-config", path]);
    assert_eq!(told.status.code(), Some(70));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("writer thread: resource temporarily unavailable (") && told.contains("ulimit -u"), "{told}");
}

#[test]
fn f28_without_descriptors_it_is_70_and_names_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.json5");
    fs::write(&file, JOBS).unwrap();
    for most in [3, 6] {
        let limit = format!("--nofile={most}");
        let told = limited(&["prlimit", &limit], &["-config", file.to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(70), "{most}");
        let told = String::from_utf8(told.stderr).unwrap();
        assert!(told.contains("too many open files (") && told.contains("ulimit -n"), "{told}");
    }
}

#[test]
fn a_check_tells_of_lost_bytes_and_of_a_proxy_that_can_not_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.json5");
    let check = |content: &[u8], proxy: &str| {
        fs::write(&file, content).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["config", "check"]).arg(&file).env("HTTP_PROXY", proxy);
        let told = command.output().unwrap();
        assert_eq!(told.status.code(), Some(0));
        String::from_utf8(told.stdout).unwrap()
    };
    let told = check(b"{ consul: false,\n jobs: [{ name: \"a\xffb\", exec: \"x\" }] }", "");
    assert!(told.contains("warning: there is a byte that is no UTF-8: it is read as U+FFFD"), "{told}");
    assert!(told.contains("c.json5:2:19\n"), "{told}");
    let asks = br#"{ consul: "10.9.9.9:8500", jobs: [{ name: "web", exec: "x" }] }"#;
    let told = check(asks, "http://me:hush@ :1");
    assert!(told.contains("warning: consul: in the environment, the proxy of HTTP_PROXY is not a usable"), "{told}");
    assert!(!told.contains("hush"), "{told}");
    assert!(!check(asks, "http://127.0.0.1:3128").contains("proxy"));
}
