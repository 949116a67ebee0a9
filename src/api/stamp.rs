//! Moments as texts.

use std::fmt::Write as _;
use std::time::SystemTime;

/// A moment as RFC 3339 in UTC with milliseconds; empty for one that has no such form (after the year 9999). One before
/// 1970 is told as the first of it: a machine without a clock may believe anything, and the library would panic.
pub fn stamp(time: SystemTime) -> String {
    let mut text = String::new();
    match write!(text, "{}", humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH))) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::stamp;

    #[test]
    fn moments_are_told_to_the_millisecond() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(stamp(at(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(at(1_795_000_000_123)), "2026-11-18T11:06:40.123Z");
        assert_eq!(stamp(at(u64::MAX / 1000)), "");
        assert_eq!(stamp(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), stamp(SystemTime::UNIX_EPOCH));
    }
}
