//! A server that refuses, answers rubbish, hangs, or is none: told in words, exit 1, within ten seconds.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stand_in::{StandIn, begin, chunk, job, overview, refusal, told};

/// A verb of each kind.
const VERBS: [&str; 8] =
    ["status", "status web", "why web", "logs", "events -f", "reload", "maintenance on", "restart web --no-wait"];

#[test]
fn a_refusal_is_told_in_the_server_s_words() {
    let stand_in =
        StandIn::saying(404, &refusal("notFound", "no job is called `ap`: did you mean `app`?", &["a", "b"]));
    for line in VERBS.iter().filter(|line| **line != "reload") {
        let expected = "containerpilot: no job is called `ap`: did you mean `app`?\n  a\n  b\n";
        assert_eq!(stand_in.failure(line), expected, "{line}");
    }
}

#[test]
fn a_refusal_is_json_for_who_asks_for_json() {
    let body = json!({ "error": { "code": "notFound", "message": "no job is called ap", "details": [], "later": 1 } });
    let stand_in = StandIn::saying(404, &body.to_string());
    for line in [
        "status --json",
        "status ap --json",
        "why ap --json",
        "watches --json",
        "env --json",
        "maintenance on --json",
        "maintenance status --json",
        "reload --json",
        "reload --dry-run --json",
        "logs ap --json",
        "logs -f --json",
        "events --json",
        "events ap --json",
    ] {
        let (code, stdout, stderr) = stand_in.run(line);
        assert_eq!((code, stdout.parse::<Value>().unwrap()), (1, body.clone()), "{line}");
        assert!(stderr.contains("no job is called ap"), "{line}: {stderr}");
        // Of a stream it is one of the lines.
        let is_line = line.starts_with("logs") || line.starts_with("events");
        assert_eq!(stdout.lines().count() == 1, is_line, "{line}: {stdout}");
    }
}

#[test]
fn what_is_no_answer_is_told() {
    for (answer, words) in [
        ("", "ended the connection before it had answered"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "ended the connection before it had answered"),
        ("HTTP/1.1 404 Not Found\r\n\r\n404 page not found\n", "answered 404: 404 page not found; it may be older"),
        ("HTTP/1.1 500 Oh\r\n\r\n", "answered 500"),
        ("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n{\"error\":7}", "answered 301: {\"error\":7}"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "before it had"),
    ] {
        let stand_in = StandIn::new(move |_, stream| stream.write_all(answer.as_bytes()).unwrap());
        for line in VERBS.iter().filter(|line| **line != "events -f") {
            let said = stand_in.failure(line);
            assert!(said.contains(words), "{line}, {answer:?}: {said}");
        }
    }
}

#[test]
fn json_of_another_shape_is_told() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in
        ["", "no json", "7", "null", "[]", "{}", r#"{"jobs":[{"name":7}],"on":"x"}"#, "{\"jobs\"", deep.as_str()]
    {
        let stand_in = StandIn::saying(200, body);
        for line in VERBS.iter().filter(|line| !(body.is_empty() && (**line == "logs" || **line == "events -f"))) {
            let said = stand_in.failure(line);
            assert!(said.contains("answered what is not understood: "), "{line}, {body:.20?}: {said}");
        }
    }
    // A number that no such field can hold, and a text that is no UTF-8.
    let huge = overview(&[], &json!({ "ready": true, "count": 1e300, "of": -1 })).to_string();
    assert!(StandIn::saying(200, &huge).failure("status").contains("not understood"));
    let broken = StandIn::new(|_, stream| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"jobs\":\"\xff\"}").unwrap());
    assert!(broken.failure("status").contains("not understood"));
}

#[test]
fn extreme_numbers_are_shown() {
    let mut extreme = job("web", "running", u64::MAX);
    extreme["sinceMs"] = json!(u64::MAX);
    extreme["pid"] = json!(i32::MIN);
    extreme["since"] = json!("99999-99-99");
    let stand_in = StandIn::json(&overview(&[extreme], &json!({ "ready": true, "count": u64::MAX, "of": u64::MAX })));
    assert!(stand_in.printed("status").contains("-2147483648"));
}

/// Says nothing more until whoever asked has gone.
fn holds(stream: &UnixStream) {
    let _ = std::io::Read::read(&mut &*stream, &mut [0]);
}

#[test]
fn a_server_that_hangs_is_left_after_ten_seconds() {
    let silent = StandIn::new(|_, stream| holds(stream));
    let began = Instant::now();
    // All at once: each takes its ten seconds.
    let lines = ["status --ready", "status", "why web", "events -f", "reload", "logs", "stop web"];
    let children: Vec<_> = lines
        .iter()
        .map(|line| silent.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for (line, child) in lines.iter().zip(children) {
        let (code, stdout, stderr) = told(&child.wait_with_output().unwrap());
        assert_eq!((code, stdout.as_str()), (1, ""), "{line}");
        let expected =
            format!("containerpilot: the instance at {} does not answer in time\n", silent.socket().display());
        assert_eq!(stderr, expected, "{line}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_drips_is_left_after_ten_seconds() {
    let drips = StandIn::new(|_, stream| {
        begin(stream);
        // Until whoever asked has gone; a byte a second is a sign of life, but no answer.
        while stream.write_all(b"1\r\n \r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let began = Instant::now();
    assert!(drips.failure("status --ready").contains("does not answer in time"));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_answer_without_end_is_not_gathered() {
    let endless = StandIn::new(|_, stream| {
        begin(stream);
        let piece = "x".repeat(1 << 16);
        while stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).is_ok() {}
    });
    assert!(endless.failure("status").contains("the answer is too long"));
    assert!(endless.failure("logs -f").contains("sent a line without an end"));
}

#[test]
fn a_reload_may_take_longer_than_other_answers() {
    let slow = StandIn::new(|_, stream| {
        begin(stream);
        for _ in 0..12 {
            std::thread::sleep(Duration::from_secs(1));
            chunk(stream, " ");
        }
        let done = json!({ "dryRun": false, "tookMs": 12_000, "everything": false, "restarted": [], "changed": [],
                           "removed": [], "added": ["x"], "unchanged": 1 });
        chunk(stream, &done.to_string());
        chunk(stream, "");
    });
    assert_eq!(slow.printed("reload"), "reloaded in 12s: 1 added, 1 untouched\n");
}
