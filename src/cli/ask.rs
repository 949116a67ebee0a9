//! What the verbs ask the running instance for.

use std::time::Duration;

/// A question, or a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// `status` without a job: how everything stands.
    Overview {
        /// Again and again.
        watch: bool,
        /// For machines.
        json: bool,
    },
    /// `status JOB`
    Job {
        /// Which.
        job: String,
        /// Again and again.
        watch: bool,
        /// For machines.
        json: bool,
    },
    /// `status --ready`
    Ready,
    /// `status --names`: the jobs' names, for completions
    Names,
    /// `logs`
    Logs {
        /// Of one job.
        job: Option<String>,
        /// Go on with what is written from now on.
        follow: bool,
        /// How many of the lines that were kept.
        lines: Option<usize>,
        /// For machines.
        json: bool,
        /// As it was written, whatever it does to a terminal.
        raw: bool,
    },
    /// `logs --reopen`
    ReopenLogs {
        /// Of one job.
        job: Option<String>,
    },
    /// `events`
    Events {
        /// Of one job.
        job: Option<String>,
        /// Go on with what happens from now on.
        follow: bool,
        /// How many of those that were kept.
        lines: Option<usize>,
        /// For machines.
        json: bool,
    },
    /// `why JOB`
    Why {
        /// Which.
        job: String,
        /// For machines.
        json: bool,
    },
    /// `start`, `stop` and `restart`
    Act {
        /// What is to be done.
        act: Act,
        /// To which job.
        job: String,
        /// How long it may take; nothing: don't wait.
        wait: Option<Duration>,
    },
    /// `signal JOB SIGNAL`
    Signal {
        /// To which job.
        job: String,
        /// Which one, as it was written.
        signal: String,
    },
    /// `watches`
    Watches {
        /// For machines.
        json: bool,
    },
    /// `env`
    Env {
        /// For machines.
        json: bool,
    },
    /// `reload`
    Reload {
        /// Only say what would be done.
        dry_run: bool,
        /// For machines.
        json: bool,
    },
    /// `maintenance`
    Maintenance {
        /// On or off; nothing: say which it is.
        on: Option<bool>,
        /// For machines.
        json: bool,
    },
    /// `shutdown`
    Shutdown,
}

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Start it, if it does not run.
    Start,
    /// Stop it; it stays so.
    Stop,
    /// Stop it if it runs, and start it.
    Restart,
}

impl Act {
    /// The word of the command line, which is that of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}
