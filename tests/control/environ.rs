//! Variables without end (row 74): they are kept for as long as we live, and handed to each child.

use std::process::Command;

use crate::harness::{post, start};
use crate::support::{DEADLINE, Signal, wait_until};

// Seen red with src/driver/asked.rs:
//- if env.size() > most.max(self.env.size()) {
//+ if env.size() > 100 * most.max(self.env.size()) {
#[test]
fn f74_variables_without_end_are_refused_and_what_starts_next_starts() {
    let pilot = start(
        r#"{ name: "web", exec: ["sleep", "1000"] },
        { name: "late", exec: ["sh", "-c", "echo ${#BIG_0} ${LATE-none} >> $LOG"], when: { source: "SIGHUP" } }"#,
    );
    let big = "x".repeat(60_000);
    let mut refused = 0;
    for n in 0..40 {
        let reply = post(&pilot, "/v3/environ", &format!(r#"{{"BIG_{n}": "{big}", "LATE": "{n}"}}"#));
        if reply.status == 200 {
            assert!(refused == 0 && n < 17, "{n}");
            continue;
        }
        refused += 1;
        assert_eq!(reply.status, 422);
        let said = reply.text();
        assert!(said.contains("1048576 are the most: none of 2 variables is set") && !said.contains('x'), "{said}");
    }
    assert!((23..=24).contains(&refused), "{refused}");
    let told = || pilot.stdout().matches("1048576 are the most: none of 2 variables is set").count();
    wait_until(DEADLINE, || told() >= refused, "each is told");
    assert_eq!(told(), refused);
    assert!(!pilot.stdout().contains("xxx"));
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log(&format!("60000 {}", 40 - refused - 1));
    // Room can be made.
    assert_eq!(post(&pilot, "/v3/environ", r#"{"BIG_0": "", "BIG_1": null}"#).status, 200);
    assert_eq!(post(&pilot, "/v3/environ", &format!(r#"{{"BIG_39": "{big}", "LATE": "last"}}"#)).status, 200);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("0 last");
    pilot.finish();
}

// Seen red with src/driver/asked.rs:
//- let stack = getrlimit(Resource::RLIMIT_STACK).map_or(u64::MAX, |(soft, _)| soft);
//+ let stack = getrlimit(Resource::RLIMIT_STACK).map_or(u64::MAX, |(_, hard)| hard);
#[test]
fn f74_a_small_stack_makes_room_for_fewer_variables() {
    let pilot = start(
        r#"{ name: "web", exec: ["sleep", "1000"] },
        { name: "late", exec: ["sh", "-c", "echo ${#BIG_0} >> $LOG"], when: { source: "SIGHUP" } }"#,
    );
    // Children get it; the kernel then has 256 KiB for their variables and arguments.
    let limited = Command::new("prlimit").args(["--pid", &pilot.pid.to_string(), "--stack=1048576:"]).status().unwrap();
    assert!(limited.success());
    let big = "x".repeat(60_000);
    let set = |n: usize| post(&pilot, "/v3/environ", &format!(r#"{{"BIG_{n}": "{big}"}}"#)).status;
    assert_eq!([0, 1, 2, 3].map(set), [200, 200, 422, 422]);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("60000");
    pilot.finish();
}
