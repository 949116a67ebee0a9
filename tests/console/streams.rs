//! `logs` and `events`: line by line as they come, until an end that is told.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::stand_in::{StandIn, begin, chunk, led, overview, refusal, start, told, whole};
use crate::support::{DEADLINE, Signal, wait};

fn log(job: &str, text: &str) -> Value {
    json!({ "seq": 1, "time": "2026-11-22T12:04:11.201Z", "job": job, "level": "info", "text": text, "later": 1 })
}

fn event(source: &str, event: &str, detail: &str) -> Value {
    json!({ "seq": 1, "time": "2026-11-22T12:04:11.402Z", "source": source, "event": event, "detail": detail })
}

#[test]
fn lines_are_shown_with_their_time_and_their_job() {
    let stand_in =
        StandIn::lines(&[log("web", "one"), json!({ "dropped": 12 }), log("", "two"), log("web", "\u{1b}[31m")]);
    let expected = "11-22 12:04:11.201  web       one\n… 12 lines were lost here\n11-22 12:04:11.201  -         two\n\
                    11-22 12:04:11.201  web       ^[[31m\n";
    assert_eq!(stand_in.printed("logs"), expected);
    let one =
        "11-22 12:04:11.201  one\n… 12 lines were lost here\n11-22 12:04:11.201  two\n11-22 12:04:11.201  ^[[31m\n";
    assert_eq!(stand_in.printed("logs web"), one);
    let events =
        StandIn::lines(&[event("app", "start", "pid 57"), json!({ "dropped": 1 }), event("app", "healthy", "")]);
    let expected = "11-22 12:04:11.402  app       start          pid 57\n… 1 event was lost here\n\
                    11-22 12:04:11.402  app       healthy\n";
    assert_eq!(events.printed("events"), expected);
}

#[test]
fn local_time_is_that_of_the_zone() {
    let stand_in = StandIn::lines(&[log("web", "one")]);
    let mut command = stand_in.command("logs web");
    command.env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");
    assert_eq!(told(&command.output().unwrap()).1, "11-22 13:04:11.201  one\n");
}

#[test]
fn json_is_one_object_a_line() {
    let lines = [log("web", "one \u{9b}2J"), json!({ "dropped": 12, "why": "x" }), log("", "two")];
    let printed = StandIn::lines(&lines).printed("logs --json");
    let read: Vec<Value> = printed.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(read, lines);
    assert!(printed.contains(r"one \u009b2J"), "{printed}");
}

#[test]
fn a_line_is_seen_before_the_next_one_comes() {
    let (sender, stand_in) = led();
    let mut child = start(stand_in.command("logs web -f -n 3"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Also when it comes in pieces, with signs of life before and behind it.
    let (first, second) = (format!("{}\n", log("web", "one")), format!("\n{}\n\n", log("web", "two")));
    let (head, tail) = first.split_at(30);
    sender.send(head.to_owned()).unwrap();
    sender.send(tail.to_owned()).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "11-22 12:04:11.201  one");
    sender.send(second).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "11-22 12:04:11.201  two");
    assert_eq!(stand_in.asked()[0], "GET /v4/jobs/web/logs?follow=1&lines=3");
    // The end of the stream is that of the supervisor.
    drop(sender);
    let (code, _, stderr) = told(&child.wait_with_output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, "the supervisor has ended\n"));
}

#[test]
fn a_supervisor_that_dies_is_told_from_an_answer_that_ends() {
    let cut = |text: &'static str| {
        StandIn::new(move |question, stream| {
            if question == "GET /v4/jobs" {
                // It is gone.
                return;
            }
            begin(stream);
            chunk(stream, &format!("{}\n{text}", event("app", "start", "pid 57")));
        })
    };
    let shown = "11-22 12:04:11.402  app       start          pid 57\n";
    for text in ["", "{\"seq\":"] {
        let stand_in = cut(text);
        let (code, stdout, stderr) = stand_in.run("events -f");
        let expected = "containerpilot: the supervisor has ended, or has broken the connection off\n";
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, shown, expected));
        let (code, stdout, stderr) = stand_in.run("events");
        let expected = "containerpilot: the supervisor has ended before it had sent everything\n";
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, shown, expected));
    }
}

/// An instance that has been up for so long, and breaks its first stream off behind a line.
fn breaks_off(up: u64) -> StandIn {
    StandIn::new(move |question, stream| match question {
        "GET /v4/jobs" => {
            let mut all = overview(&[], &json!({ "ready": true, "count": 0, "of": 0 }));
            all["upMs"] = json!(up);
            whole(stream, 200, &all.to_string());
        }
        "GET /v4/logs?follow=1&from=8" => {
            begin(stream);
            chunk(stream, &format!("{}\n{}\n", json!({ "dropped": 3 }), log("web", "two")));
            chunk(stream, "");
        }
        _ => {
            begin(stream);
            let mut one = log("web", "one");
            one["seq"] = json!(7);
            chunk(stream, &format!("{one}\n"));
        }
    })
}

#[test]
fn a_stream_that_was_broken_off_goes_on_behind_its_last_line() {
    let (code, stdout, stderr) = breaks_off(3_600_000).run("logs -f");
    let ended = "containerpilot: the supervisor has ended this answer, though it runs on\n";
    assert_eq!((code, stderr.as_str()), (1, ended), "the stand-in does that in the end");
    let expected = "11-22 12:04:11.201  web       one\n… 3 lines were lost here\n11-22 12:04:11.201  web       two\n";
    assert_eq!(stdout, expected);
    // Another instance begins to count anew.
    let (code, stdout, stderr) = breaks_off(1).run("logs -f");
    let ended = "containerpilot: the supervisor has ended, or has broken the connection off\n";
    assert_eq!((code, stdout.lines().count(), stderr.as_str()), (1, 1, ended));
}

#[test]
fn rubbish_in_a_stream_ends_it_behind_what_was_good() {
    for rubbish in ["no json", "7", "{}", r#"{"dropped":-1}"#] {
        let text = format!("{}\n{rubbish}\n", log("web", "one"));
        let stand_in = StandIn::new(move |_, stream| {
            begin(stream);
            chunk(stream, &text);
            chunk(stream, "");
        });
        let (code, stdout, stderr) = stand_in.run("logs web -f");
        assert_eq!((code, stdout.as_str()), (1, "11-22 12:04:11.201  one\n"), "{rubbish}: {stderr}");
        assert!(stderr.contains("not understood"), "{stderr}");
    }
    let late = StandIn::lines(&[refusal("unavailable", "too many readers", &[]).parse().unwrap()]);
    assert_eq!(late.failure("logs -f"), "containerpilot: too many readers\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    // With lines to write, and while there is nothing to write.
    let endless = StandIn::new(|_, stream| {
        begin(stream);
        let text = format!("{}\n", log("web", "again"));
        while std::io::Write::write_all(stream, format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).is_ok() {}
    });
    let mut child = start(endless.command("logs -f"));
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(told(&child.wait_with_output().unwrap()), (0, String::new(), String::new()));

    let (sender, idle) = led();
    let mut child = start(idle.command("logs -f"));
    drop(child.stdout.take());
    let gone = wait::poll(DEADLINE, || {
        let _ = sender.try_send("\n".to_owned());
        child.try_wait().unwrap()
    });
    assert_eq!(gone.and_then(|status| status.code()), Some(0));

    let mut closed = endless.command("env");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let body = json!({ "env": [["A", "b"]] }).to_string();
    let env = StandIn::saying(200, &body);
    closed.env("CONTAINERPILOT_SOCKET", env.socket()).stdout(writer).stderr(Stdio::piped());
    assert_eq!(told(&closed.output().unwrap()), (0, String::new(), String::new()));
}

#[test]
fn ctrl_c_ends_it_as_any_program() {
    use std::os::unix::process::ExitStatusExt;
    let (sender, stand_in) = led();
    let mut child = start(stand_in.command("events -f"));
    sender.send(format!("{}\n", event("app", "start", ""))).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    let status = wait::poll(DEADLINE, || child.try_wait().unwrap()).unwrap();
    assert_eq!(status.signal(), Some(2));
}
