//! Durations as Go prints them, and for people: a leaf that `config`, which reads them, and `core` and `console`, which tell
//! them, use.

use std::fmt;
use std::time::Duration;

/// A signed number of nanoseconds: Go's `time.Duration`. Displays as Go prints it (`1h30m0s`, `100ms`, `0s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(pub i64);

impl GoDuration {
    /// For use: a negative one is zero.
    pub fn to_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

pub(crate) const MICROSECOND: u64 = 1_000;
pub(crate) const MILLISECOND: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ns = self.0.unsigned_abs();
        let text = match ns {
            0 => "0s".to_owned(),
            1..MICROSECOND => format!("{ns}ns"),
            MICROSECOND..MILLISECOND => format!("{}µs", decimal(ns, MICROSECOND)),
            MILLISECOND..SECOND => format!("{}ms", decimal(ns, MILLISECOND)),
            _ => {
                let minutes = ns / (60 * SECOND);
                let seconds = decimal(ns % (60 * SECOND), SECOND);
                match (minutes / 60, minutes % 60) {
                    (0, 0) => format!("{seconds}s"),
                    (0, m) => format!("{m}m{seconds}s"),
                    (h, m) => format!("{h}h{m}m{seconds}s"),
                }
            }
        };
        f.pad(&format!("{sign}{text}"))
    }
}

/// `ns` in `unit`s (a power of ten), without zeros at the end.
fn decimal(ns: u64, unit: u64) -> String {
    let (whole, rest) = (ns / unit, ns % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// A duration for people: three digits are enough.
pub fn elapsed(duration: Duration) -> String {
    if duration.as_secs() >= 10 || (duration.subsec_millis() == 0 && duration.as_secs() > 0) {
        humane(duration.as_secs())
    } else if duration.as_secs() >= 1 {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

fn humane(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (millis, text) in [(0, "0s"), (100, "100ms"), (1500, "1.5s"), (60_000, "1m0s"), (3_600_000, "1h0m0s")] {
            assert_eq!(GoDuration::from(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(GoDuration::from(Duration::MAX), GoDuration(i64::MAX));
    }

    #[test]
    fn durations_are_short() {
        for (millis, text) in [
            (0, "0ms"),
            (250, "250ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (12_340, "12s"),
            (90_000, "1m 30s"),
            (7_200_000, "2h 0m"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(millis)), text);
        }
    }
}
