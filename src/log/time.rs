//! Timestamps: RFC 3339 in the zone of the container.
//!
//! The zone is what the original's would be: `TZ`, else `/etc/localtime`, else UTC. It is read once, at the start.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tz::timezone::TimeZoneSettings;
use tz::{DateTime, LocalTimeType, TimeZone};

use crate::regular;

/// A time zone, with all its changes of offset.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    doubt: Option<String>,
}

/// No zone file is longer, in bytes; the longest that there are have some kilobytes.
const LONGEST: u64 = 1 << 20;
/// Where zones are looked up by name.
const DIRECTORIES: &[&str] = TimeZoneSettings::DEFAULT_DIRECTORIES;
/// As the library, but for nothing that must be waited for, and of no length: PID 1 reads this before it can be ended.
const SETTINGS: TimeZoneSettings<'static> =
    TimeZoneSettings::new(DIRECTORIES, |path| Ok(regular::read(Path::new(path), LONGEST)?));

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { zone: TimeZone::utc(), doubt: None }
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
            None => SETTINGS.parse_local().ok(),
            Some(None | Some("")) => None,
            Some(Some(name)) => SETTINGS.parse_posix_tz(name).ok(),
        };
        match zone {
            Some(zone) => Self { zone, doubt: None },
            None => Self { doubt: doubt(tz), ..Self::utc() },
        }
    }

    /// What to tell of a zone that is UTC because something else than a zone file stands in its place.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// What has to be added to UTC at a moment, in seconds.
    pub fn offset(&self, unix_seconds: i64) -> i32 {
        self.local_type(unix_seconds).ut_offset()
    }

    /// What the clocks on the wall show at a moment.
    fn local_type(&self, unix_seconds: i64) -> LocalTimeType {
        let zone = self.zone.as_ref();
        // A zone file without a rule for the time after its last transition (version 1) goes on with its last offset.
        let after_the_last =
            || zone.transitions().last().and_then(|last| zone.local_time_types().get(last.local_time_type_index()));
        let found = zone.find_local_time_type(unix_seconds).ok().or_else(after_the_last);
        found.copied().unwrap_or_else(LocalTimeType::utc)
    }
}

/// What stands where a zone file is looked for, if that is no file or too long a one.
fn doubt(tz: Option<&OsStr>) -> Option<String> {
    let (named, paths) = match tz {
        None => ("", vec!["/etc/localtime".to_owned()]),
        Some(name) => match name.to_str()?.trim_start_matches(':') {
            "" => return None,
            path if path.starts_with('/') => ("TZ: ", vec![path.to_owned()]),
            name => ("TZ: ", DIRECTORIES.iter().map(|directory| format!("{directory}/{name}")).collect()),
        },
    };
    paths.into_iter().find_map(|path| {
        let found = std::fs::metadata(&path).ok()?;
        let what = match found.is_file() {
            true if found.len() > LONGEST => "is longer than a zone file can be",
            true => return None,
            false if found.is_dir() => "is a directory",
            false => "is no regular file",
        };
        Some(format!("{named}{path:?} {what}: times are in UTC"))
    })
}

/// Writes timestamps; remembers the last second, because most records share it with the one before.
#[derive(Debug, Clone)]
pub(super) struct Stamper {
    zone: Zone,
    second: Option<i64>,
    /// `2026-11-22T06:52:00`.
    date: Vec<u8>,
    /// `Z` or `+01:00`.
    offset: Vec<u8>,
}

impl Stamper {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, second: None, date: Vec::with_capacity(20), offset: Vec::with_capacity(6) }
    }

    /// `2026-11-22T06:52:00.53670561+01:00`: up to nine digits, zeros at the end cut, as Go's `RFC3339Nano`.
    pub(super) fn nanos(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let (second, mut nanos) = split(time);
        self.prepare(second);
        out.extend_from_slice(&self.date);
        if nanos != 0 {
            let mut digits = 9;
            while nanos.is_multiple_of(10) {
                nanos /= 10;
                digits -= 1;
            }
            // Writing to a Vec can't fail.
            let _ = write!(out, ".{nanos:0digits$}");
        }
        out.extend_from_slice(&self.offset);
    }

    /// `2026-11-22T06:52:00+01:00`.
    pub(super) fn seconds(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        self.prepare(split(time).0);
        out.extend_from_slice(&self.date);
        out.extend_from_slice(&self.offset);
    }

    fn prepare(&mut self, second: i64) {
        if self.second == Some(second) {
            return;
        }
        self.second = Some(second);
        self.date.clear();
        self.offset.clear();
        let local = self.zone.local_type(second);
        match DateTime::from_timespec_and_local(second, 0, local) {
            Ok(t) => {
                let (year, month, day) = (t.year(), t.month(), t.month_day());
                let (hour, minute, second) = (t.hour(), t.minute(), t.second());
                let _ = write!(self.date, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
            }
            // A year that no clock has.
            Err(_) => self.date.extend_from_slice(b"0001-01-01T00:00:00"),
        }
        // RFC 3339 has no seconds of offset; Go drops them too.
        let minutes = local.ut_offset() / 60;
        if minutes == 0 {
            self.offset.push(b'Z');
        } else {
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
            let _ = write!(self.offset, "{sign}{hours:02}:{minutes:02}");
        }
    }
}

/// Whole seconds since 1970, rounded down, and the nanoseconds above them.
fn split(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => (-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn nanos(zone: &str, time: SystemTime) -> String {
        let mut out = Vec::new();
        Stamper::new(Zone::named(Some(OsStr::new(zone)))).nanos(time, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    // The wanted values are `date -d @N --rfc-3339=seconds` under the same TZ.
    const WINTER: u64 = 1_795_330_320;
    const SUMMER: u64 = 1_785_330_320;

    #[test]
    fn utc_is_spelled_z_and_zeros_at_the_end_are_cut() {
        assert_eq!(nanos("", at(WINTER, 0)), "2026-11-22T06:52:00Z");
        assert_eq!(nanos("", at(WINTER, 536_705_610)), "2026-11-22T06:52:00.53670561Z");
        assert_eq!(nanos("", at(WINTER, 1)), "2026-11-22T06:52:00.000000001Z");
        assert_eq!(nanos("", at(WINTER, 500_000_000)), "2026-11-22T06:52:00.5Z");
        assert_eq!(nanos("No/Such_Zone", at(WINTER, 0)), "2026-11-22T06:52:00Z");
    }

    #[test]
    fn a_posix_rule_needs_no_zone_files() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        assert_eq!(nanos(berlin, at(WINTER, 0)), "2026-11-22T07:52:00+01:00");
        assert_eq!(nanos(berlin, at(SUMMER, 0)), "2026-07-29T15:05:20+02:00");
        assert_eq!(nanos("<-0330>3:30", at(WINTER, 0)), "2026-11-22T03:22:00-03:30");
    }

    #[test]
    fn zone_files_are_right_before_and_after_their_last_transition() {
        for zone in ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin"] {
            assert_eq!(nanos(zone, at(WINTER, 0)), "2026-11-22T07:52:00+01:00");
            assert_eq!(nanos(zone, at(SUMMER, 0)), "2026-07-29T15:05:20+02:00");
        }
        assert_eq!(nanos("America/New_York", at(WINTER, 0)), "2026-11-22T01:52:00-05:00");
        assert_eq!(nanos("Asia/Kathmandu", at(WINTER, 0)), "2026-11-22T12:37:00+05:45");
        // 2090, beyond the transitions that any file lists.
        assert_eq!(nanos("Europe/Berlin", at(3_800_000_000, 0)), "2090-06-01T13:33:20+02:00");
    }

    #[test]
    fn what_is_no_zone_file_is_not_waited_for_and_makes_utc_with_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let huge = dir.path().join("huge");
        std::fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
        let doubt = |tz: &str| Zone::named(Some(OsStr::new(tz))).doubt().map(str::to_owned);
        let (fifo, huge) = (fifo.to_str().unwrap(), huge.to_str().unwrap());
        let no_file = |path: &str| Some(format!("TZ: \"{path}\" is no regular file: times are in UTC"));
        assert_eq!(doubt(fifo), no_file(fifo));
        assert_eq!(doubt(&format!(":{fifo}")), no_file(fifo));
        assert_eq!(doubt("/dev/zero"), no_file("/dev/zero"));
        assert_eq!(doubt(huge), Some(format!("TZ: \"{huge}\" is longer than a zone file can be: times are in UTC")));
        for silent in ["", "Europe/Berlin", "CET-1", "No/Such_Zone", "/no/such/file", ":"] {
            assert_eq!(doubt(silent), None, "{silent}");
        }
        assert_eq!(nanos(fifo, at(WINTER, 0)), "2026-11-22T06:52:00Z");
    }

    #[test]
    fn a_clock_before_1970_is_still_printed() {
        assert_eq!(nanos("", UNIX_EPOCH - Duration::from_millis(250)), "1969-12-31T23:59:59.75Z");
        assert_eq!(nanos("", UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn the_remembered_second_is_given_up_when_time_moves() {
        let mut stamper = Stamper::new(Zone::utc());
        let mut out = Vec::new();
        for second in [0, 0, 1, 0] {
            stamper.seconds(at(second, 7), &mut out);
            out.push(b' ');
        }
        let wanted = "1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1970-01-01T00:00:01Z 1970-01-01T00:00:00Z ";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
