//! containerpilot: init and supervisor for containers.
//!
//! ```text
//!  signals ─┐                         ┌─ spawn, signal, reap  (process)
//!  children ┼──► core::World::step ───┼─ arm, disarm a timer  (timers)
//!  timers ──┘      pure, total        └─ log record           (log)
//! ```
//!
//! `config` turns text into a `plan`, which `core` follows; `driver` is the loop in the picture; `app` reads what is asked
//! for (`cli`), loads the configuration and starts the loop; `discovery` speaks to Consul; `control` is the socket that
//! people and scripts ask on, `api` the words of its newer half, `console` what asks there for the operator, `kept` the
//! last lines and events for who asks later, `telemetry` what monitoring sees, `http` the server below every socket that
//! we answer on; `file_watch` tells when the configuration may have changed; `exit` names our exit statuses, `block`,
//! `env`, `duration`, `errno`, `leaf`, `nearest`, `nowait`, `number` and `regular` are leaves. `fuzzing` is where fuzzing comes in, in no release.
//! `tests/doors.rs` says which room may name which.

pub mod api;
pub mod app;
pub mod block;
pub mod cli;
pub mod config;
pub mod console;
pub mod control;
pub mod core;
pub mod discovery;
pub mod driver;
pub mod duration;
pub mod env;
pub mod errno;
pub mod exit;
pub mod file_watch;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod kept;
pub mod leaf;
pub mod log;
pub mod nearest;
pub mod nowait;
pub mod number;
pub mod plan;
pub mod process;
pub mod regular;
pub mod shell;
pub mod telemetry;
pub mod timers;
pub mod visible;
