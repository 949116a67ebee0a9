//! The fault catalogue over the whole program: one test or more for each row, which carries the row's number.

#![expect(clippy::unwrap_used, reason = "tests: what can't be done makes them fail")]

#[path = "../support/mod.rs"]
mod support;

mod cgroup;
mod cgroup_selftest;
mod config_files;
mod endings;
mod events;
mod hung;
mod left_over;
mod output;
mod output_at_once;
mod privileges;
mod rotation;
mod signals;
mod signals_panic;
mod signals_reaping;
mod signals_stop;
mod signals_terminal;
mod spawning;
mod starts;
mod strace;
mod told;
