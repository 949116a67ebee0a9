//! The harness of the black-box tests: the real binary as PID 1 of a real namespace.
//!
//! ```text
//! test process ── setpriv ► unshare ── bash (setup, waits at the gate) ► exec containerpilot = PID 1
//!      │ tracer thread: stops PID 1 for a moment where it exits, and looks who is left
//!      │ watcher thread: looks for zombies that stay
//!      └ everything dies with the test: parent-death signals all the way down
//! ```
//!
//! A test starts a [`Pilot`], waits for facts with a deadline ([`wait_until`]) and never sleeps a fixed time. What
//! the children did stands in an ordered log that they write themselves (`echo word >> "$LOG"`). The end of every test,
//! [`Pilot::finish`] or simply the end of its scope, stops the program and asserts that nothing of it is left: see
//! [`pilot::Pilot::finish`]. docs/testing.md tells more.

#![allow(dead_code, unused_imports, reason = "each test binary uses another part of the harness")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the harness runs outside the program: it may look at the clock, wait, and fail loudly"
)]

pub mod certificates;
pub mod consul;
pub mod held;
pub mod http;
pub mod launch;
pub mod metronome;
pub mod pilot;
pub mod podman;
pub mod ports;
pub mod process;
pub mod scripted;
mod tracer;
pub mod wait;
mod zombies;

pub use consul::Agent;
pub use launch::Launch;
pub use metronome::Metronome;
pub use nix::sys::signal::Signal;
pub use pilot::Pilot;
pub use process::{Descriptor, Process};
pub use scripted::{Answer, Scripted};
pub use wait::{DEADLINE, wait_until};

use std::process::{Command, Output, Stdio};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_containerpilot");

/// The `PATH` of everything that a test starts.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether the long lane runs (`scripts/test --long`): counts are higher there.
pub fn long_lane() -> bool {
    std::env::var_os("CONTAINERPILOT_LONG").is_some_and(|v| v != "0" && !v.is_empty())
}

/// One of two counts: for the everyday lane, for the long one.
pub fn count(everyday: usize, long: usize) -> usize {
    if long_lane() { long } else { everyday }
}

/// Runs the binary to its end as an ordinary process, not as PID 1, with an environment of `PATH` alone: for what the
/// command line answers by itself (`-version`, `-template`, `config check`). Standard input is empty.
pub fn run(args: &[&str]) -> Output {
    run_with(args, &[])
}

/// Like [`run`], with variables.
pub fn run_with(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary can be started")
}

/// Shows something of a test that fails.
pub fn show(text: &str) {
    eprintln!("{text}");
}
