//! What the program costs, in figures that a busy machine doesn't change: instructions, system calls, bytes. They are
//! compared with those in `figures.json`, which are committed; whoever changes one on purpose commits the new figure with
//! the reason. Times are not measured here: no shared machine gives the same twice.
//!
//! | measure | how |
//! |---|---|
//! | start-up | callgrind: a whole run of one job that says nothing |
//! | one restart | a run with more restarts of that job, less one with fewer, shared out |
//! | 10 000 lines | a run with more lines of 100 bytes from a job to the log, less one with fewer |
//! | system calls | strace: from our exec to the first exec of a job, ours and the child's |
//! | bytes | of the file |
//!
//! It is the release binary that is measured, as PID 1 of namespaces of its own, and nothing was built into it for that.
//! `scripts/cost` builds it and runs this; docs/testing.md tells how to read a failure.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test outside the program: it starts processes, and what can't be done makes it fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod figures;
mod measure;

use figures::{Figures, RENEW};
use support::show;

/// Set by `scripts/cost --renew`: the figures are written, not judged.
const RENEWS: &str = "CONTAINERPILOT_COST_RENEW";

#[test]
#[ignore = "needs the release binary, which .ci/run builds: scripts/cost"]
fn the_figures_hold() {
    let binary = measure::release_binary();
    let now = measure::all(&binary);
    if std::env::var_os(RENEWS).is_some() {
        now.write();
        return show(&format!("written: {}\n{}", figures::FILE, now.compare(&now).table));
    }
    let judged = Figures::committed().compare(&now);
    show(&judged.table);
    assert!(judged.faults.is_empty(), "{}\n\n{RENEW}", judged.faults.join("\n"));
}
