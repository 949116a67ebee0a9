//! The kinds of events on the bus.

use serde::{Deserialize, Serialize};

/// The kinds of events on the bus (v3 §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventCode {
    /// A command ended with status 0.
    ExitSuccess,
    /// A command ended otherwise, or could not be started.
    ExitFailed,
    /// A job is about to stop.
    Stopping,
    /// A job has stopped; its process is dead.
    Stopped,
    /// A health check passed, or a watch found instances.
    StatusHealthy,
    /// A health check failed, or a watch found no instance any more.
    StatusUnhealthy,
    /// A watch found other instances than before.
    StatusChanged,
    /// A job's `when.timeout` ran out.
    TimerExpired,
    /// Maintenance mode begins.
    EnterMaintenance,
    /// Maintenance mode ends.
    ExitMaintenance,
    /// A command failed; the source is the message.
    Error,
    /// Accepted in `when`; nothing publishes it on the bus.
    Quit,
    /// Everything is ready.
    Startup,
    /// The program stops.
    Shutdown,
    /// We got a signal; the source is its name.
    Signal,
}

impl EventCode {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::ExitSuccess,
        Self::ExitFailed,
        Self::Stopping,
        Self::Stopped,
        Self::StatusHealthy,
        Self::StatusUnhealthy,
        Self::StatusChanged,
        Self::EnterMaintenance,
        Self::ExitMaintenance,
        Self::Startup,
        Self::Shutdown,
        Self::TimerExpired,
        Self::Error,
        Self::Quit,
        Self::Signal,
    ];

    /// The word of files (`when`) and of `/v4/events`. No file can spell the last one: signals go by their names there.
    pub fn word(self) -> &'static str {
        match self {
            Self::ExitSuccess => "exitSuccess",
            Self::ExitFailed => "exitFailed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::StatusHealthy => "healthy",
            Self::StatusUnhealthy => "unhealthy",
            Self::StatusChanged => "changed",
            Self::TimerExpired => "timerExpired",
            Self::EnterMaintenance => "enterMaintenance",
            Self::ExitMaintenance => "exitMaintenance",
            Self::Error => "error",
            Self::Quit => "quit",
            Self::Startup => "startup",
            Self::Shutdown => "shutdown",
            Self::Signal => "signal",
        }
    }

    /// The name in logs and metrics, as the original spells it.
    pub fn log_name(self) -> &'static str {
        match self {
            Self::ExitSuccess => "ExitSuccess",
            Self::ExitFailed => "ExitFailed",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::StatusHealthy => "StatusHealthy",
            Self::StatusUnhealthy => "StatusUnhealthy",
            Self::StatusChanged => "StatusChanged",
            Self::TimerExpired => "TimerExpired",
            Self::EnterMaintenance => "EnterMaintenance",
            Self::ExitMaintenance => "ExitMaintenance",
            Self::Error => "Error",
            Self::Quit => "Quit",
            Self::Startup => "Startup",
            Self::Shutdown => "Shutdown",
            Self::Signal => "Signal",
        }
    }
}
