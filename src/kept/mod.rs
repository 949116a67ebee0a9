//! What was said and what happened last, for who asks later: the memory behind `/v4/logs` and `/v4/events`.
//!
//! ```text
//!  log ───────► line()  ─► a ring for each job, one for us ─┐
//!  driver ────► event() ─► a ring of events                 ├─► readers: pages, one after the other, and news
//!  start, reload ► set_jobs()                               ┘
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `ring` | the last lines of one job |
//! | `store` | all rings, and the memory that they share |
//! | `events` | the last events |
//! | `reader` | [`Kept`], and those who read |
//!
//! Invariants: a line has a number among all lines and one among those of its job, each one more than the one before; what
//! a reader gets, and what he is told to have missed, is one sequence without a hole; at most 1 000 lines and 1 MiB a
//! job, 16 MiB in all, taken only when used; nobody waits for a reader, and no lock is held for longer than a page takes.

mod events;
mod reader;
mod ring;
mod store;

#[cfg(test)]
mod tests;

pub use self::reader::{Begin, Events, Kept, Lines, Page, Reader};
pub use self::store::Line;
pub use crate::api::LogStream;
