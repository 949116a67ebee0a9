//! What readers cost who are slow, many, or gone; and what is kept at all.

use std::time::Duration;

use crate::harness::{Follower, KEEP, assert_one_sequence, config, get, lines, start};
use crate::support::http::ask_socket;
use crate::support::{DEADLINE, Signal, wait_until};

const STREAMS: usize = 16;

#[test]
fn who_reads_slowly_is_told_what_he_missed_and_holds_nobody_up() {
    let floods = r#"{ name: "floods", when: { source: "SIGHUP", once: "SIGHUP" },
        exec: ["/bin/sh", "-c", "seq 1 100000; echo flooded >> $LOG; exec sleep 1000"] }"#;
    let pilot = start(floods);
    let mut follower = Follower::of(&pilot, "/v4/jobs/floods/logs?follow");
    pilot.signal(Signal::SIGHUP);
    let mut lines = vec![follower.next().unwrap()];
    // A line now and then, so that he is slow and not gone.
    wait_until(
        DEADLINE,
        || {
            lines.extend(follower.next());
            pilot.logged("flooded") == 1
        },
        "the job is not held up",
    );
    assert!(lines.len() < 50_000, "he was not slow: {} lines", lines.len());
    lines.extend(follower.until("100000"));
    let dropped = assert_one_sequence(&lines, 1);
    assert!(dropped > 10_000, "{dropped}");
}

#[test]
fn only_so_many_follow_at_once_and_others_can_still_ask() {
    let pilot = start(KEEP);
    let mut followers: Vec<Follower> = (0..STREAMS).map(|_| Follower::of(&pilot, "/v4/logs?follow")).collect();
    for follower in &mut followers {
        assert!(follower.head.starts_with("HTTP/1.1 200 "), "{}", follower.head);
        assert!(follower.next().is_some());
    }
    let refused = get(&pilot, "/v4/events?follow");
    assert_eq!((refused.status, refused.header("Content-Type")), (503, Some("application/json")));
    assert_eq!(refused.json()["error"]["code"], "unavailable");
    assert_eq!(get(&pilot, "/v3/ping").status, 200);
    drop(followers);
    // Nothing is said, so it is the empty line every ten seconds that finds them gone.
    wait_until(DEADLINE, || get(&pilot, "/v4/events").status == 200, "their places are free again");
}

#[test]
fn a_quiet_stream_lives() {
    let pilot = start(KEEP);
    let mut follower = Follower::of(&pilot, "/v4/jobs/keep/logs?follow");
    assert_eq!(follower.raw().unwrap(), "");
}

#[test]
fn what_is_kept_takes_no_more_than_it_may() {
    let floods = r#"{ name: "floods", when: { source: "SIGHUP", once: "SIGHUP" }, exec: ["/bin/sh", "-c",
        "yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 50000000; echo flooded >> $LOG; exec sleep 1000"] }"#;
    let pilot = start(floods);
    let mut followers: Vec<Follower> = (0..4).map(|_| Follower::of(&pilot, "/v4/logs?follow")).collect();
    let before = pilot.anonymous_kib();
    pilot.signal(Signal::SIGHUP);
    wait_until(Duration::from_mins(3), || pilot.logged("flooded") == 1, "50 MB are written");
    let more = pilot.anonymous_kib().saturating_sub(before);
    // A thousand lines, the log's queue, and a few pages for each who follows and reads nothing.
    assert!(more < 4 * 1024, "{more} KiB");
    followers.clear();
}

#[test]
fn the_memory_of_a_job_that_is_gone_is_given_back() {
    let long = r#"{ name: "long", exec: ["/bin/sh", "-c", "head -c 1200000 /dev/zero | tr '\\0' x | fold -w 1000; echo told >> $LOG; exec sleep 1000"] }"#;
    let pilot = start(&format!("{KEEP}, {long}"));
    pilot.wait_log("told");
    wait_until(DEADLINE, || lines(&pilot, "/v4/jobs/long/logs?lines=2000").len() == 1000, "a thousand lines are kept");
    let before = pilot.anonymous_kib();
    std::fs::write(pilot.path("containerpilot.json5"), config(KEEP)).unwrap();
    assert_eq!(ask_socket(&pilot.path("s"), "POST", "/v3/reload", b"").unwrap().status, 200);
    wait_until(DEADLINE, || get(&pilot, "/v4/jobs/long/logs").status == 404, "the job is gone");
    let given = before.saturating_sub(pilot.anonymous_kib());
    assert!(given > 600, "{given} KiB of {before}");
}
