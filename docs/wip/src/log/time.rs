//! Timestamps: RFC 3339 in the zone of the container.
//!
//! The zone is what the original's would be: `TZ`, else `/etc/localtime`, else UTC. It is read once, at the start.

use std::ffi::OsStr;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use tz::timezone::TransitionRule;
use tz::{DateTime, LocalTimeType, TimeZone};

/// A time zone, with all its changes of offset.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self(TimeZone::utc())
    }

    /// The zone of this process.
    pub fn of_this_process() -> Self {
        Self::named(std::env::var_os("TZ").as_deref())
    }

    /// The zone that a value of `TZ` means: a name or path of a zone file with or without `:` before it, or a POSIX
    /// rule (`CET-1CEST,M3.5.0,M10.5.0/3`). Absent is `/etc/localtime`. Empty, unknown or unreadable is UTC, as in
    /// the original: a missing zone is no reason not to start.
    pub fn named(tz: Option<&OsStr>) -> Self {
        let zone = match tz.map(OsStr::to_str) {
            None => TimeZone::local().ok(),
            Some(None | Some("")) => None,
            Some(Some(name)) => TimeZone::from_posix_tz(name).ok(),
        };
        zone.map_or_else(Self::utc, Self)
    }

    /// What the clocks on the wall show at a moment.
    fn local_type(&self, unix_seconds: i64) -> LocalTimeType {
        let zone = self.0.as_ref();
        // A zone file without a rule for the time after its last transition (version 1) goes on with the last offset.
        let after_the_last = || {
            let last = zone.transitions().last()?;
            zone.local_time_types().get(last.local_time_type_index())
        };
        let found = zone.find_local_time_type(unix_seconds).ok().or_else(after_the_last).copied();
        found.unwrap_or_else(LocalTimeType::utc)
    }

    /// Whether its offset never changes (UTC, mostly).
    #[cfg(test)]
    fn is_fixed(&self) -> bool {
        let zone = self.0.as_ref();
        zone.transitions().is_empty() && !matches!(zone.extra_rule(), Some(TransitionRule::Alternate(_)))
    }
}
