//! Real children of the `process` room, each test in a process of its own.
//!
//! The room reaps every child of its process and reads its signals: two tests in one process would take each other's. So
//! a test forks, and its body runs in the fork, which has one thread, as the program does (`isolated`).
#![expect(clippy::unwrap_used, reason = "a test's helpers may fail as tests do")]

mod isolated;
mod output;
mod reaping;
mod signals;
mod spawning;
