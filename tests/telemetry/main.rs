//! `/metrics`, `/status`, `/healthz` and `/readyz` of the real program (v3 §16), also as a real Prometheus 2.42 reads
//! them. Rows of the fault catalogue carry their number.
//!
//! Every test has ports of its own. A configuration finds the port of its telemetry in the variable `PORT`.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test outside the program: it may look at the clock, and what can't be done makes it fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod bound;
mod fed;
mod golden;
mod page;
mod prometheus;
mod registration;
mod setup;
mod status;
mod trouble;
