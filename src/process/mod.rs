//! Children, signals and output: the only room that forks, kills and waits. Linux only.
//!
//! It has no policy: it takes values and gives values, and the driver decides what they mean. Everything in it is
//! called from one thread, the one that runs the loop.
//!
//! ```text
//!   CommandSpec, Environment ──► Children::spawn ──► pid, pipes ──► Outputs ──► lines
//!   SIGCHLD ──► Signals::next ──► Children::reap ──► Death, Stop, orphans
//! ```
//!
//! - `begin`: what comes before anything else.
//! - `signals`: blocked first, then read from a descriptor.
//! - `children`: the table; who is dead, what is left of its group.
//! - `spawn`, `clone`, `look_up`, `spawn_error`, `interpreter`: one start, and why it failed.
//! - `output`, `lines`: pipes to lines, with back-pressure.
//! - `memory`: whether the kernel killed for want of memory.
//! - `guard`: what a panic or an abort can still do.
//! - `heap`: where there is no memory.
//! - `pages`: memory that only the start needed.
//! - `no_nss`: what must not be linked.
//! - `sys`, `proc_table`: the kernel.

mod begin;
mod children;
mod clone;
mod guard;
mod heap;
mod interpreter;
mod lines;
mod look_up;
mod memory;
mod no_nss;
mod output;
mod pages;
mod proc_table;
mod signals;
mod spawn;
mod spawn_error;
mod sys;

pub use begin::begin;
pub use children::{Children, Death, Reaped, Spawned, Stop};
pub use clone::can_give_part_of_descriptors;
pub use guard::{end_children_on_abort, end_everything, last_words, terminate_all_now};
pub use lines::LONGEST;
pub use output::{BlockSink, OutputPipe, Outputs, Pumped, Released, Stream};
pub use pages::release_startup_pages;
pub use signals::{Received, Signals, block_all, unblock_all};
pub use spawn_error::{SpawnError, SpawnErrorKind};
pub use sys::{FaultStack, is_pid_one, own_pid, terminal_size, watch};
