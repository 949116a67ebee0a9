//! Signals, and what they mean to us.

use serde::{Deserialize, Serialize};

/// A signal by its number. [`Signal::name`] gives `SIGHUP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(i32);

/// Names and Linux numbers of the signals that have a name (the numbers are the same on x86-64 and aarch64).
const SIGNALS: [(&str, i32); 31] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
];

impl Signal {
    /// SIGHUP.
    pub const HUP: Self = Self(1);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGQUIT.
    pub const QUIT: Self = Self(3);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGUSR1.
    pub const USR1: Self = Self(10);
    /// SIGUSR2.
    pub const USR2: Self = Self(12);
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGCONT.
    pub const CONT: Self = Self(18);

    /// The signal with this number, 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// The signal with this name, with or without `SIG`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        SIGNALS.iter().find(|(known, _)| known.strip_prefix("SIG") == Some(bare)).map(|&(_, n)| Self(n))
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Its name: `SIGHUP`, or `SIG34` for one that has none.
    pub fn name(self) -> String {
        match SIGNALS.iter().find(|&&(_, n)| n == self.0) {
            Some(&(name, _)) => name.to_owned(),
            None => format!("SIG{}", self.0),
        }
    }
}

/// What the signals that we get mean; those not in it are ignored (design §6 `signals`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalMap(pub Vec<(Signal, SignalAction)>);

impl SignalMap {
    /// What this signal means.
    pub fn action(&self, signal: Signal) -> &SignalAction {
        self.0.iter().find(|(s, _)| *s == signal).map_or(&SignalAction::Ignore, |(_, action)| action)
    }
}

impl Default for SignalMap {
    fn default() -> Self {
        Self(vec![
            (Signal::TERM, SignalAction::Terminate),
            (Signal::INT, SignalAction::Terminate),
            (Signal::HUP, SignalAction::Event),
            (Signal::USR2, SignalAction::Event),
            (Signal::USR1, SignalAction::ToggleMaintenance),
        ])
    }
}

/// What a signal to us means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalAction {
    /// Stop everything in order; again: at once.
    Terminate,
    /// Enter maintenance mode, or leave it.
    ToggleMaintenance,
    /// Close and open log files again.
    ReopenLogs,
    /// Read the configuration again and follow it (design §4 row 11).
    Reload,
    /// Publish the event that jobs with `when.source: "SIG…"` wait for.
    Event,
    /// Nothing.
    Ignore,
    /// Pass a signal on to the process group of every running job of that name.
    Pass {
        /// The job's name.
        job: String,
        /// What it gets.
        signal: Signal,
    },
}

impl SignalAction {
    /// The word for it in a configuration; none for what takes more than a word.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Terminate => Some("terminate"),
            Self::ToggleMaintenance => Some("toggleMaintenance"),
            Self::ReopenLogs => Some("reopenLogs"),
            Self::Reload => Some("reload"),
            Self::Event => Some("event"),
            Self::Ignore => Some("ignore"),
            Self::Pass { .. } => None,
        }
    }
}
