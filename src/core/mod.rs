//! The pure heart (in work).
use serde::{Deserialize, Serialize};

/// One run of one command. Never a pid, never used twice in the life of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChildId(pub u64);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It ended by itself with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal(crate::plan::Signal),
}
