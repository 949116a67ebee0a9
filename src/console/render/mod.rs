//! What people see: pure, from what the server said to text.
//!
//! Columns are as wide as what stands in them. Times are relative, the absolute ones are behind `--json`. Colour is for
//! words of state alone. Whatever was made by others loses its control characters: see [`visible`].

mod events;
mod job;
mod lists;
mod overview;
mod reload;
mod table;
mod why;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) use self::events::{Events, Logs, lost};
pub(super) use self::job::{block, head, last_lines, never_began};
pub(super) use self::lists::{environment, maintenance, watches};
pub(super) use self::overview::{overview, reason};
pub(super) use self::reload::{not_reloaded, reloaded};
pub(super) use self::table::columns;
pub(super) use self::why::why;
use crate::api::{Error, HealthState, Job, JobState};
use crate::duration::elapsed;
use crate::visible::is_reordering;

/// How things are to be shown.
pub(super) struct Look<'a> {
    /// The columns of the terminal; nothing where it is none: then nothing is cut.
    pub(super) width: Option<usize>,
    /// States are coloured.
    pub(super) colour: bool,
    /// What has to be added to UTC for local time, at a moment.
    pub(super) offset: &'a dyn Fn(i64) -> i32,
    /// Now, in seconds since 1970: moments of another day are shown with their date.
    pub(super) now: i64,
}

/// What a state's colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    /// As it should be.
    Green,
    /// On its way, or kept from it on purpose.
    Yellow,
    /// Somebody should look.
    Red,
}

impl Colour {
    fn paint(self, word: &str) -> String {
        let number = match self {
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Red => 31,
        };
        format!("\x1b[{number}m{word}\x1b[0m")
    }
}

/// The colour of a job's state: over is good or bad by how it ended.
fn state_colour(job: &Job) -> Option<Colour> {
    match &job.state {
        JobState::Running if job.stopped_by.is_empty() => Some(Colour::Green),
        JobState::Running | JobState::Backoff | JobState::Stopping | JobState::Stopped => Some(Colour::Yellow),
        JobState::Done => match job.last_exit.as_ref().map(|exit| exit.code) {
            Some(0) => Some(Colour::Green),
            Some(_) => Some(Colour::Red),
            None => None,
        },
        // It has failed, and waits for its next time.
        JobState::Waiting => job.last_exit.as_ref().filter(|exit| exit.code != 0).map(|_| Colour::Red),
        JobState::Other(_) => None,
    }
}

fn health_colour(state: &HealthState) -> Option<Colour> {
    match state {
        HealthState::Healthy => Some(Colour::Green),
        HealthState::Unhealthy => Some(Colour::Red),
        HealthState::Maintenance => Some(Colour::Yellow),
        HealthState::Unknown | HealthState::Other(_) => None,
    }
}

fn status_colour(status: &str) -> Option<Colour> {
    match status {
        "passing" => Some(Colour::Green),
        "warning" => Some(Colour::Yellow),
        "critical" => Some(Colour::Red),
        _ => None,
    }
}

/// The state in words: `done (0)`.
fn state(job: &Job) -> String {
    match (&job.last_exit, &job.state) {
        (Some(exit), JobState::Done) => format!("done ({})", exit.code),
        (_, JobState::Running) if !job.stopped_by.is_empty() => {
            format!("running (stopped by {})", visible(&job.stopped_by))
        }
        (Some(exit), JobState::Waiting) if never_began(exit) => "waiting (last run: not started)".to_owned(),
        (Some(exit), JobState::Waiting) if exit.code != 0 => format!("waiting (last run: {})", visible(&exit.text)),
        (_, state) => visible(state.word()),
    }
}

/// A duration as the API gives it.
fn time(millis: u64) -> String {
    elapsed(Duration::from_millis(millis))
}

/// How long ago, if it is known.
fn ago(millis: Option<u64>) -> String {
    millis.map(|millis| format!(" {} ago", time(millis))).unwrap_or_default()
}

/// A text that can't steer a terminal: control characters as `^[` or `\x9b`, tabs and line feeds, too; those that change the
/// order of others as `\u{202e}`.
pub(super) fn visible(text: &str) -> String {
    shown(text, "")
}

/// Likewise, but for these characters.
fn shown(text: &str, kept: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            _ if is_reordering(c) => shown.extend(c.escape_unicode()),
            _ if !c.is_control() || kept.contains(c) => shown.push(c),
            // Caret notation: the letter that Control makes it of.
            Ok(byte) if byte < 0x80 => shown.extend(['^', char::from(byte ^ 0x40)]),
            _ => {
                // Writing to a text can't fail.
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
        }
    }
    shown
}

/// A moment, as the clock on the wall shows it: `12:04:11.201`, and `11-22 12:04:11.201` on another day. What is no moment is
/// shown as it is.
fn clock(stamp: &str, look: &Look<'_>) -> String {
    let since = humantime::parse_rfc3339(stamp).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let Some(since) = since else { return visible(stamp) };
    let utc = i64::try_from(since.as_secs()).unwrap_or(0);
    let local = |utc: i64| utc.saturating_add((look.offset)(utc).into());
    let (of_day, day) = (local(utc).rem_euclid(DAY), local(utc).div_euclid(DAY));
    let date = if day == local(look.now).div_euclid(DAY) { String::new() } else { date(day) };
    format!("{date}{:02}:{:02}:{:02}.{:03}", of_day / 3600, of_day / 60 % 60, of_day % 60, since.subsec_millis())
}

const DAY: i64 = 86_400;

/// `11-22 `: the month and the day of the month of a day since 1970.
fn date(day: i64) -> String {
    let start =
        u64::try_from(day).ok().and_then(|day| UNIX_EPOCH.checked_add(Duration::from_secs(day.checked_mul(86_400)?)));
    // `2026-11-22T00:00:00Z`
    let stamp = start.map(|start| humantime::format_rfc3339_seconds(start).to_string()).unwrap_or_default();
    stamp.get(5..10).map(|date| format!("{date} ")).unwrap_or_default()
}

/// How long ago a moment is.
fn since(stamp: &str, now: SystemTime) -> String {
    let then = humantime::parse_rfc3339(stamp).ok();
    then.map_or_else(|| visible(stamp), |then| elapsed(now.duration_since(then).unwrap_or_default()) + " ago")
}

/// A refusal: what is wrong, and its details below.
pub(super) fn refusal(error: &Error) -> String {
    let mut text = error.message.clone();
    for line in error.details.iter().flat_map(|detail| detail.lines()) {
        let _ = write!(text, "\n  {line}");
    }
    text
}
