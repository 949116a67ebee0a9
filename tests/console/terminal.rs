//! On a terminal: colours, its width, nothing that a job wrote steers it, and `--watch`.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

use crate::stand_in::{StandIn, job, overview, told};
use crate::support::{DEADLINE, Signal, wait, wait_until};

/// A terminal of this width and what leads into it.
fn terminal(columns: u16, rows: u16) -> (File, OwnedFd) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).unwrap();
    fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    (pair.master.into(), pair.slave)
}

fn read(master: &mut File, seen: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..length]);
    }
}

/// What a command shows on a terminal of this width until it ends.
fn shown(mut command: Command, columns: u16) -> String {
    let (mut master, slave) = terminal(columns, 24);
    let mut child = command.stdout(slave).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut seen = Vec::new();
    let ended = wait::poll(DEADLINE, || {
        read(&mut master, &mut seen);
        child.try_wait().unwrap()
    });
    read(&mut master, &mut seen);
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    String::from_utf8(seen).unwrap().replace("\r\n", "\n")
}

fn jobs() -> Value {
    let mut waits = job("report-of-the-whole-quarter", "waiting", 0);
    waits["waitsFor"] = json!("for app to be healthy, and for everything else that anybody has ever heard of");
    overview(&[job("app", "running", 1), waits], &json!({ "ready": true, "count": 1, "of": 1 }))
}

#[test]
fn states_are_coloured_on_a_terminal_that_likes_it() {
    let stand_in = StandIn::json(&jobs());
    assert!(shown(stand_in.command("status"), 80).contains("\u{1b}[32mrunning\u{1b}[0m"));
    let with = |name: &str, value: &str| {
        let mut command = stand_in.command("status");
        command.env(name, value);
        shown(command, 80)
    };
    for (name, value) in [("NO_COLOR", "1"), ("NO_COLOR", "0"), ("TERM", "dumb")] {
        let shown = with(name, value);
        assert!(shown.contains("running") && !shown.contains('\u{1b}'), "{name}={value}: {shown}");
    }
    assert!(with("NO_COLOR", "").contains('\u{1b}'), "an empty one is none");
}

#[test]
fn a_line_ends_with_the_terminal() {
    let stand_in = StandIn::json(&jobs());
    let widest = |columns: u16, variable: Option<&str>| {
        let mut command = stand_in.command("status");
        command.env("NO_COLOR", "1");
        command.envs(variable.map(|value| ("COLUMNS", value)));
        shown(command, columns).lines().map(|line| line.chars().count()).max().unwrap()
    };
    let whole = widest(200, None);
    assert!((100..200).contains(&whole), "{whole}");
    assert_eq!(widest(80, None), 80);
    assert_eq!(widest(80, Some("60")), 60, "COLUMNS counts before the terminal");
    assert_eq!(widest(0, None), 80, "a terminal that does not know is an ordinary one");
    for odd in ["0", "wide", ""] {
        assert_eq!(widest(80, Some(odd)), 80);
    }
}

#[test]
fn nothing_that_a_job_writes_steers_the_terminal() {
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}2J\r\u{8}\u{7f}";
    let line = json!({ "seq": 1, "time": evil, "job": evil, "level": evil, "text": format!("\t{evil}") });
    let event = json!({ "seq": 1, "time": evil, "source": evil, "event": evil, "detail": evil });
    let why = json!({ "job": evil, "summary": evil, "facts": [{ "says": evil, "about": evil }] });
    let env = json!({ "env": [["A", evil]] });
    for (verb, stand_in) in [
        ("logs", StandIn::lines(std::slice::from_ref(&line))),
        ("logs web", StandIn::lines(std::slice::from_ref(&line))),
        ("logs --json", StandIn::lines(&[line])),
        ("events", StandIn::lines(&[event])),
        ("why web", StandIn::json(&why)),
        ("why web --json", StandIn::json(&why)),
        ("env", StandIn::json(&env)),
        ("shutdown", StandIn::json(&json!({ "said": evil }))),
    ] {
        let shown = shown(stand_in.command(verb), 80);
        assert!(shown.contains("]0;title"), "{verb}: {shown:?}");
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{verb}: {shown:?}");
    }
}

#[test]
fn a_refusal_does_not_steer_the_terminal() {
    let evil = "\u{1b}[2J\u{9b}2J";
    let stand_in = StandIn::saying(409, &crate::stand_in::refusal("conflict", evil, &[evil]));
    assert_eq!(stand_in.failure("stop web"), "containerpilot: ^[[2J\\x9b2J\n  ^[[2J\\x9b2J\n");
    assert_eq!(StandIn::saying(500, evil).failure("env").matches("^[[2J").count(), 1);
}

#[test]
fn watch_draws_again_and_again_until_ctrl_c() {
    use std::os::unix::process::ExitStatusExt;
    let stand_in = StandIn::json(&jobs());
    let (mut master, slave) = terminal(200, 24);
    let mut command = stand_in.command("status --watch");
    let mut child = command.stdout(slave).spawn().unwrap();
    drop(command);
    let mut seen = Vec::new();
    let frames = |seen: &[u8]| String::from_utf8_lossy(seen).matches("\u{1b}[H").count();
    wait_until(
        DEADLINE,
        || {
            read(&mut master, &mut seen);
            frames(&seen) >= 3
        },
        "three drawings",
    );
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    let status = wait::poll(DEADLINE, || child.try_wait().unwrap()).unwrap();
    assert_eq!(status.signal(), Some(2));
    let text = String::from_utf8(seen).unwrap();
    assert!(!text.contains("\u{1b}[?25l"), "the cursor is never hidden: {text:?}");
    assert_eq!(text.matches("\u{1b}[2J").count(), 1, "cleared once, then drawn over: {text:?}");
}

#[test]
fn watch_needs_a_terminal() {
    let stand_in = StandIn::json(&jobs());
    for line in ["status --watch", "status app --watch"] {
        let (code, stdout, stderr) = told(&stand_in.command(line).output().unwrap());
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert_eq!(stderr, "containerpilot: --watch draws on a terminal, which standard output is not\n");
    }
    assert_eq!(stand_in.asked(), [""; 0]);
}
