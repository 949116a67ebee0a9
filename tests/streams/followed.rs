//! What is told, and in which order.

use serde_json::Value;

use crate::harness::{Follower, KEEP, assert_one_sequence, config, each, get, lines, serving, start};
use crate::support::{DEADLINE, Pilot};
use crate::support::{Launch, Signal, wait_until};

/// A job that counts to 20 000 on standard output, a number a line, when it is told to.
const COUNTS: &str = r#"{ name: "counts", when: { source: "SIGHUP", once: "SIGHUP" }, exec: ["/bin/sh", "-c",
    "for k in 0 1 2 3 4 5 6 7 8 9; do seq $((k*2000+1)) $((k*2000+2000)); done; echo counted >> $LOG; exec sleep 1000"] }"#;

/// Waits until the job's last line is kept.
fn wait_kept(pilot: &Pilot, job: &str, text: &str) {
    let target = format!("/v4/jobs/{job}/logs?lines=1");
    wait_until(DEADLINE, || lines(pilot, &target).last().is_some_and(|line| line["text"] == text), text);
}

#[test]
fn kept_lines_come_first_then_live_ones_without_gap_or_double() {
    let pilot = start(COUNTS);
    let mut early = Follower::of(&pilot, "/v4/jobs/counts/logs?follow=1&lines=0");
    assert!(early.head.starts_with("HTTP/1.1 200 "), "{}", early.head);
    assert!(early.head.to_lowercase().contains("content-type: application/x-ndjson"), "{}", early.head);
    pilot.signal(Signal::SIGHUP);
    let mut read = early.until_it("5000 or more", |text| text.parse::<u64>().is_ok_and(|number| number >= 5000));
    // In the middle of it.
    let mut joined = Follower::of(&pilot, "/v4/jobs/counts/logs?follow&lines=300");
    let mut of_all = Follower::of(&pilot, "/v4/logs?follow&from=1");
    let reading = std::thread::spawn(move || {
        read.extend(early.until("20000"));
        read
    });
    let reading_all = std::thread::spawn(move || of_all.until("20000"));
    let joined = joined.until("20000");
    let early = reading.join().unwrap();
    let of_all = reading_all.join().unwrap();
    for (lines, first) in [(&early, 1), (&joined, joined[0]["seq"].as_u64().unwrap())] {
        let dropped = assert_one_sequence(lines, first);
        let told: Vec<&Value> = lines.iter().filter(|line| line["seq"].is_u64()).collect();
        // The job's own numbers are those that it wrote.
        assert!(told.iter().all(|line| line["text"].as_str().unwrap().parse().ok() == line["seq"].as_u64()));
        assert_eq!(told.len() as u64 + dropped, 20_001 - first);
    }
    assert!(joined[0]["seq"].as_u64().unwrap() < 20_000, "it joined in the middle");
    assert_one_sequence(&of_all, 1);
    let mut counted: Vec<u64> = Vec::new();
    counted.extend(
        of_all
            .iter()
            .filter(|line| line["job"] == "counts")
            .map(|line| line["text"].as_str().unwrap().parse::<u64>().unwrap()),
    );
    assert!(counted.is_sorted_by(|a, b| a < b) && counted.last() == Some(&20_000));
}

#[test]
fn who_comes_later_gets_what_is_kept_and_how_much_is_not() {
    let pilot = start(COUNTS);
    pilot.signal(Signal::SIGHUP);
    wait_kept(&pilot, "counts", "20000");
    let last = lines(&pilot, "/v4/jobs/counts/logs");
    assert_eq!((last.len(), &last[0]["text"]), (100, &Value::from("19901")));
    assert_eq!(lines(&pilot, "/v4/jobs/counts/logs?lines=5000").len(), 1000);
    assert_eq!(lines(&pilot, "/v4/jobs/counts/logs?lines=0"), [Value::Null; 0]);
    let from = lines(&pilot, "/v4/jobs/counts/logs?from=1");
    assert_eq!(from[0], serde_json::json!({ "dropped": 19_000 }));
    assert_eq!(assert_one_sequence(&from, 1), 19_000);
    assert_eq!(each(&lines(&pilot, "/v4/jobs/counts/logs?from=19999"), "text"), ["19999", "20000"]);
    assert_eq!(lines(&pilot, "/v4/jobs/counts/logs?since=1h").len(), 1000);
}

#[test]
fn a_line_tells_who_wrote_it_and_where() {
    let speaks = r#"{ name: "speaks", exec: ["/bin/sh", "-c", "echo out; echo err >&2; printf 'no end'"],
        health: { exec: ["echo", "checked"], interval: 1, ttl: 5 } }"#;
    let lasts =
        r#"{ name: "lasts", exec: ["sleep", "1000"], health: { exec: ["echo", "checked"], interval: 1, ttl: 5 } }"#;
    let pilot = start(&format!("{speaks}, {lasts}"));
    wait_kept(&pilot, "lasts", "checked");
    let all = || each(&lines(&pilot, "/v4/jobs/speaks/logs"), "text");
    wait_until(
        DEADLINE,
        || ["out", "err", "no end"].iter().all(|line| all().contains(&(*line).to_owned())),
        "three lines",
    );
    let spoken = lines(&pilot, "/v4/jobs/speaks/logs");
    let word = |text: &str| spoken.iter().find(|line| line["text"] == text).unwrap_or_else(|| panic!("{spoken:?}"));
    for (text, stream) in [("out", "stdout"), ("err", "stderr"), ("no end", "stdout")] {
        let line = word(text);
        assert_eq!((&line["stream"], &line["job"], &line["level"]), (&stream.into(), &"speaks".into(), &"info".into()));
        assert!(line["pid"].as_i64().is_some() && line["check"].is_null(), "{line}");
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
    let checked = &lines(&pilot, "/v4/jobs/lasts/logs?lines=1")[0];
    assert_eq!(
        (&checked["check"], &checked["job"], &checked["text"]),
        (&true.into(), &"lasts".into(), &"checked".into())
    );
    // Our own words are nobody's.
    let all = lines(&pilot, "/v4/logs?from=1");
    let ours =
        all.iter().find(|line| line["text"].as_str().is_some_and(|text| text.starts_with("control: serving at")));
    let ours = ours.unwrap_or_else(|| panic!("{all:?}"));
    assert!(ours["job"].is_null() && ours["stream"].is_null(), "{ours}");
    assert_one_sequence(&all, 1);
}

#[test]
fn events_are_told_as_they_happen() {
    let once = r#"{ name: "once", exec: ["true"] }, { name: "later", exec: ["false"], when: { source: "SIGHUP", once: "SIGHUP" } }"#;
    let pilot = start(&format!("{KEEP}, {once}"));
    let mut follower = Follower::of(&pilot, "/v4/events?follow");
    let mut seen = Vec::new();
    let mut until = |source: &str, event: &str| loop {
        let line = follower.next().unwrap();
        let found = line["source"] == source && line["event"] == event;
        seen.push(line);
        if found {
            break;
        }
    };
    until("global", "startup");
    until("once", "exitSuccess");
    until("once", "stopped");
    pilot.signal(Signal::SIGHUP);
    until("SIGHUP", "signal");
    until("later", "exitFailed");
    assert_one_sequence(&seen, 1);
    let all = lines(&pilot, "/v4/events");
    assert_eq!(all[..seen.len()], seen);
    assert_eq!(lines(&pilot, "/v4/events?lines=1"), all[all.len() - 1..]);
    let of_one: Vec<Value> = seen.iter().filter(|event| event["source"] == "once").cloned().collect();
    assert_eq!(lines(&pilot, "/v4/jobs/once/events"), of_one);
    assert_eq!(lines(&pilot, "/v4/jobs/once/events?lines=1"), of_one[of_one.len() - 1..]);
    assert_eq!(get(&pilot, "/v4/jobs/onc/events").status, 404);
}

#[test]
fn the_follower_of_a_removed_job_hears_its_last_word_and_the_end() {
    let leaves =
        r#"{ name: "leaves", exec: ["/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; echo hello; sleep 1000 & wait"] }"#;
    let pilot = serving(Launch::config(&config(&format!("{KEEP}, {leaves}"))).start());
    let mut follower = Follower::of(&pilot, "/v4/jobs/leaves/logs?follow");
    let mut of_all = Follower::of(&pilot, "/v4/logs?follow&from=1");
    let mut of_events = Follower::of(&pilot, "/v4/jobs/leaves/events?follow");
    follower.until("hello");
    let comes = r#"{ name: "comes", exec: ["/bin/sh", "-c", "echo here; exec sleep 1000"] }"#;
    std::fs::write(pilot.path("containerpilot.json5"), config(&format!("{KEEP}, {comes}"))).unwrap();
    let reply = crate::support::http::ask_socket(&pilot.path("s"), "POST", "/v3/reload", b"").unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(each(&follower.rest(), "text"), ["bye"]);
    assert_eq!(each(&of_events.rest(), "event").last(), Some(&"stopped".to_owned()));
    let all = of_all.until("here");
    assert_eq!(assert_one_sequence(&all, 1), 0);
    assert!(all.iter().any(|line| line["text"] == "bye"));
    assert_eq!(get(&pilot, "/v4/jobs/leaves/logs").status, 404);
    assert_eq!(each(&lines(&pilot, "/v4/jobs/comes/logs"), "text"), ["here"]);
}
