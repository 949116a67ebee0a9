//! containerpilot: init and supervisor for containers.
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
