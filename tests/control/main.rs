//! The control socket over the real binary as PID 1: every row of v3 §15 and §2.1, and the faults 70 to 74 of the
//! catalogue with the part of 28 and 77 that is about this socket.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what can't be done makes them fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod endpoints;
mod environ;
mod flags;
mod harness;
mod hostile;
mod places;
mod reload;
mod stand_in;
mod strangers;
