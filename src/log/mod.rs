//! From a record to bytes on a descriptor.
//!
//! ```text
//!  tracing events ─ layer ─► own()      ┌──────────── queue ────────────┐
//!  app, driver ─────────────► own()  ──►│ formatted bytes, bounded      │──► fd 1, fd 2 or a file, at once
//!                                      │                               │    or by the writer thread
//!  lines of jobs ─► Lines ──► push() ───└───────────────────────────────┘
//!                               └──────► kept, for who asks later
//! ```
//!
//! Nothing here ever makes the loop wait. A record gets its shape on the caller's thread, straight into the queue, and leaves it
//! there and then where the output takes it without waiting ([`nowait`](crate::nowait)). Where it does not, and for files, there is a
//! writer thread, which takes the whole queue at once and is the only one that may block. If it does, for as long as it does, our
//! own lines are dropped and counted when the queue is full, and jobs' lines are refused, so that the caller stops reading that
//! job's pipe (reliability row 78). What is lost is said as soon as a line gets through.
//!
//! Invariants: lines leave in the order in which they came; a line that was accepted is written or counted in
//! [`Log::lost`]; `O_NONBLOCK` is never set on a descriptor that somebody else shares; no wake-ups when idle.
//!
//! Not here: how a job's output is cut into lines (`process`), which messages there are.

mod batch;
mod error;
mod format;
mod frame;
mod layer;
mod lines;
mod output;
mod pulse;
mod record;
mod time;
mod writer;

pub use error::LogError;
pub use format::Formatter;
pub use layer::LogLayer;
pub use lines::Lines;
pub use record::{Origin, Record, Speaker, Value};
pub use time::Zone;
pub use writer::{Log, LogGuard, Standing};
