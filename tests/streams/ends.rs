//! The end of the program, for those who follow.

use std::time::Duration;

use crate::harness::{Follower, each, start};

const WORDS: &str = r#"{ name: "words", exec: ["/bin/sh", "-c",
    "trap 'echo last word; exit 0' TERM; echo first; sleep 1000 & wait"] }"#;

#[test]
fn a_follower_gets_what_was_said_to_the_end_and_does_not_delay_it() {
    let mut pilot = start(WORDS);
    let mut of_job = Follower::of(&pilot, "/v4/jobs/words/logs?follow");
    let mut of_all = Follower::of(&pilot, "/v4/logs?follow");
    let mut of_events = Follower::of(&pilot, "/v4/events?follow");
    of_job.until("first");
    of_all.until("first");
    pilot.stop();
    assert_eq!(each(&of_job.rest(), "text"), ["last word"]);
    assert!(each(&of_all.rest(), "text").contains(&"last word".to_owned()));
    let events = of_events.rest();
    let events = each(&events, "event");
    assert!(events.contains(&"shutdown".to_owned()) && events.last().unwrap() == "stopped", "{events:?}");
    // Else each answer that lasts takes the second that all of them have, and then this is said.
    assert!(!pilot.stdout().contains("a client was still connected"), "{}", pilot.stdout());
    pilot.finish();
}

#[test]
fn a_follower_who_does_not_read_delays_the_end_by_a_second_at_most() {
    let floods =
        r#"{ name: "floods", exec: ["/bin/sh", "-c", "seq 1 100000; echo flooded >> $LOG; exec sleep 1000"] }"#;
    let mut pilot = start(floods);
    let follower = Follower::of(&pilot, "/v4/logs?follow&from=1");
    pilot.wait_log("flooded");
    let (_, took) = pilot.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(follower);
    pilot.finish();
}
