//! containerpilot: init and supervisor for containers.
//!
//! ```text
//!  signals ─┐                         ┌─ spawn, signal, reap  (process)
//!  children ┼──► core::World::step ───┼─ arm, disarm a timer  (timers)
//!  timers ──┘      pure, total        └─ log record           (log)
//! ```
//!
//! `config` turns text into a `plan`, which `core` follows; `cli` reads the command line, `exit` names our exit
//! statuses, `env` and `duration` are leaves. The loop that joins the rooms is not here yet: see `docs/status.md`.
//! `tests/doors.rs` says which room may name which.

pub mod cli;
pub mod config;
pub mod core;
pub mod duration;
pub mod env;
pub mod exit;
pub mod log;
pub mod plan;
pub mod process;
pub mod timers;
