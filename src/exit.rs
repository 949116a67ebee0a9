//! Our own exit statuses that are not a job's (design §5).

/// What the program ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything went well.
    Success,
    /// What was asked for could not be written.
    Failure,
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong, or can't be read.
    Config,
    /// A socket or port that is needed can't be had.
    Unavailable,
    /// Our own fault, or the machine's.
    Internal,
    /// The supervised jobs decide.
    Jobs(u8),
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Config => 65,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::Jobs(status) => status,
        }
    }
}
