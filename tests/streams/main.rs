//! The streams of `/v4` over the real binary as PID 1: what is kept, then what comes, without a gap and without a double;
//! and what readers cost who are slow, many, or gone.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what can't be done makes them fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod asked;
mod costs;
mod ends;
mod followed;
mod harness;
