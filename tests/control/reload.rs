//! Rows 70 and 71: a reload that can't be, and reloads at the wrong moment.

use std::time::Duration;

use crate::harness::{KEEP, post, serving, start, with_socket};
use crate::support::wait::holds_for;
use crate::support::{DEADLINE, Launch, Signal, wait_until};

// Seen red with src/driver/reload.rs:
//- Some(Err(errors)) => self.refuse(&errors),
//+ Some(Err(errors)) => self.inbox.push_back(Input::Stop { reason: errors.concat() }),
#[test]
fn f70_a_broken_file_is_refused_with_line_and_column_and_nothing_changes() {
    let pilot = start(KEEP);
    pilot.wait_log("keep-start");
    for broken in ["{\n  jobs: [\n    { name: \"keep\", exec: 7, nonsense: 1 },\n  ] }", "{ broken", ""] {
        std::fs::write(pilot.path("containerpilot.json5"), broken).unwrap();
        let reply = post(&pilot, "/v3/reload", "");
        assert_eq!(reply.status, 422);
        assert!(reply.text().contains("containerpilot.json5"), "{}", reply.text());
    }
    std::fs::remove_file(pilot.path("containerpilot.json5")).unwrap();
    assert_eq!(post(&pilot, "/v3/reload", "").status, 422);
    holds_for(Duration::from_secs(1), || pilot.log() == ["keep-start"], "the job runs on");
    let reply = post(&pilot, "/v3/ping", "");
    assert_eq!(reply.status, 200);
}

#[test]
fn f71_of_two_reloads_the_last_file_wins() {
    let pilot = start(KEEP);
    pilot.wait_log("keep-start");
    for name in ["one", "two"] {
        let jobs = KEEP.replace("keep-start", &format!("{name}-start"));
        std::fs::write(pilot.path("containerpilot.json5"), with_socket(&jobs)).unwrap();
        assert_eq!(post(&pilot, "/v3/reload", "").status, 200);
    }
    pilot.wait_log("two-start");
    assert_eq!(pilot.logged("two-start"), 1);
}

// Seen red with src/core/reload.rs:
//- !self.ledger.stopping && self.phase == Phase::Running
//+ self.phase == Phase::Running
#[test]
fn f71_while_everything_stops_a_reload_is_refused() {
    let stubborn = r#"{ name: "stubborn", exec: ["/bin/sh", "-c",
        "trap 'echo term >> $LOG' TERM; echo up >> $LOG; while [ ! -e $DIR/go ]; do sleep 0.05; done"] }"#;
    let launch = Launch::config(&with_socket(stubborn).replace("stopTimeout: 2", "stopTimeout: 30"));
    let mut pilot = serving(launch.start());
    pilot.wait_log("up");
    pilot.signal(Signal::SIGTERM);
    pilot.wait_log("term");
    assert_eq!(post(&pilot, "/v3/reload", "").status, 409);
    std::fs::write(pilot.path("go"), "").unwrap();
    pilot.wait_exit();
    wait_until(DEADLINE, || pilot.logged("up") == 1, "it was not started again");
    pilot.finish();
}
