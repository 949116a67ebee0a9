//! Variables without end (row 74): they are kept for as long as we live, and handed to each child.

use crate::harness::{post, start};
use crate::support::Signal;

// Seen red with src/driver/asked.rs:
//- if env.size() > LARGEST_ENVIRONMENT.max(self.env.size()) {
//+ if env.size() > 100 * LARGEST_ENVIRONMENT.max(self.env.size()) {
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
    pilot.wait_stdout("are the most");
    assert_eq!(pilot.stdout().matches("1048576 are the most: none of 2 variables is set").count(), refused);
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
