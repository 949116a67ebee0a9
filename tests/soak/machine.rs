//! How much this machine has to do beside us, and what can be expected of PID 1 then.
//!
//! PID 1 starts its children one after the other and waits for each until it executes its program (row 31). Where twenty
//! others want two processors a start takes 50 ms instead of one or two, and fifty checks can't be started within a second
//! by anybody. So a thread of the test starts something now and then, too, and the time between two heartbeats is judged
//! by how long that took at that time: a slow moment excuses nothing before it and nothing after it.

use std::collections::VecDeque;
use std::fmt;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crate::trouble::Chance;
use crate::{Run, plan};

/// What a heartbeat may be late on an idle machine: an interval, and two checks that are killed in a row.
pub const LATE: Duration = Duration::from_secs(4);
/// So many starts in a row are looked at together.
const ROW: usize = 10;
/// A row that began or ended so near to something tells of the machine at that time: a row takes two seconds.
const NEAR: Duration = Duration::from_secs(2);
/// After so long all rows that tell of a moment are complete, unless a start takes seconds.
pub const KNOWN: Duration = Duration::from_secs(6);

/// Ten starts: from when to when, and how long one took on average.
#[derive(Debug, Clone, Copy)]
struct Row {
    begin: SystemTime,
    end: SystemTime,
    mean: Duration,
}

/// What has been measured.
#[derive(Default)]
pub struct Machine(Mutex<Vec<Row>>);

/// Starts something five times a second.
pub fn measure(run: &Run, _: Chance) {
    let mut starts = VecDeque::new();
    while run.pause(Duration::from_millis(200)) {
        let (at, began) = (SystemTime::now(), Instant::now());
        assert!(Command::new("true").status().unwrap().success());
        starts.push_back((at, began.elapsed()));
        if starts.len() > ROW {
            starts.pop_front();
            let mean = starts.iter().map(|(_, took)| *took).sum::<Duration>() / u32::try_from(ROW).unwrap();
            run.machine.note(Row { begin: starts[0].0, end: SystemTime::now(), mean });
        }
    }
}

fn allowed(start: Duration) -> Duration {
    LATE + start * u32::try_from(4 * plan::JOBS).unwrap()
}

impl Machine {
    fn note(&self, row: Row) {
        self.0.lock().unwrap().push(row);
    }

    /// What a start took on average in the worst row at this time.
    pub fn start(&self, from: SystemTime, to: SystemTime) -> Duration {
        let rows = self.0.lock().unwrap();
        let near = rows.iter().rev().filter(|row| row.begin <= to + NEAR && row.end + NEAR >= from);
        near.map(|row| row.mean).max().unwrap_or_default()
    }

    /// The longest time between two heartbeats of a service that is no fault of ours at this time: all jobs and checks may
    /// be due at the same time, once before and once after.
    pub fn allowed(&self, from: SystemTime, to: SystemTime) -> Duration {
        allowed(self.start(from, to))
    }

    /// Why a heartbeat that was missing at this moment is not judged, if it is not: the machine was so busy in the time to
    /// live before it that heartbeats might come too late for Consul.
    pub fn excuse(&self, at: SystemTime) -> Option<String> {
        let ttl = Duration::from_secs(plan::TTL);
        let start = self.start(at - ttl, at);
        (allowed(start) >= ttl).then(|| format!("a start took {} ms then", start.as_millis()))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.lock().unwrap();
        let worst = rows.iter().map(|row| row.mean).max().unwrap_or_default();
        let slow = rows.iter().filter(|row| allowed(row.mean) >= Duration::from_secs(plan::TTL)).count();
        write!(f, "this machine needed up to {} ms for a start, ", worst.as_millis())?;
        write!(f, "too long for Consul in {slow} of {} rows of {ROW}", rows.len())
    }
}

#[test]
fn a_slow_moment_excuses_what_is_near_it_and_nothing_else() {
    let machine = Machine::default();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for second in 0..200 {
        let mean = Duration::from_millis(if second == 100 { 50 } else { 2 });
        machine.note(Row { begin: at(1000 + second), end: at(1002 + second), mean });
    }
    let excused: Vec<u64> = (1010..1190).filter(|second| machine.excuse(at(*second)).is_some()).collect();
    assert_eq!(excused, (1098..=1112).collect::<Vec<_>>(), "two seconds before, eight and two after");
    assert_eq!(machine.excuse(at(1105)).as_deref(), Some("a start took 50 ms then"));
    let lapse =
        |second| format!("    {} [WARN]  agent: Check missed TTL", humantime::format_rfc3339_millis(at(second)));
    let log = [1097, 1098, 1112, 1113].map(lapse).join("\n");
    let lapses = crate::Lapses::read(&log, &machine, None);
    assert_eq!((lapses.wrong.len(), lapses.excused.len()), (2, 2));
    assert_eq!(crate::Lapses::read(&log, &machine, Some(at(1112))).wrong.len(), 1, "the last is not known yet");
    assert_eq!(machine.allowed(at(1050), at(1055)), LATE + Duration::from_millis(400));
    assert_eq!(machine.allowed(at(1098), at(1099)), LATE + Duration::from_secs(10));
}
