//! The last lines of one job: their bytes one after the other, and where each ends.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::store::Line;
use crate::api::{LogLine, LogStream, stamp};
use crate::block::Block;
use crate::plan::Level;

/// So many bytes a ring has room for at least, once it is used.
const LEAST_BYTES: usize = 1024;
/// Likewise of lines.
const LEAST_LINES: usize = 16;

/// A ring that was refused more memory asks again after so many lines.
const ASKS_EACH: u64 = 100;

/// What one ring may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

/// A line without its text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Its number among all lines.
    all: u64,
    millis: u64,
    /// Where it ends, counted in bytes since the ring is there.
    end: u64,
    pid: Option<std::num::NonZeroI32>,
    level: Level,
    check: bool,
    stream: Option<LogStream>,
    /// So many bytes behind its text are its end, and are not told.
    ending: u8,
}

/// How much memory there is, in lines and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    lines: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn memory(self) -> usize {
        self.lines * size_of::<Entry>() + self.bytes
    }
}

/// The last lines of one job, or of ourselves.
#[derive(Debug)]
pub(super) struct Ring {
    /// Of the job; empty for our own.
    pub(super) name: Box<str>,
    /// No other ring ever has it, also not one of a job of the same name.
    pub(super) id: u64,
    /// The number of the newest line in the ring, kept or not.
    pub(super) last: u64,
    /// It was refused more memory, and asks again with this number: asking costs a look at all rings.
    asks_again: u64,
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    /// So many bytes were thrown away since the ring is there.
    thrown: u64,
}

impl Ring {
    pub(super) fn new(name: &str, id: u64) -> Self {
        let (entries, bytes) = (VecDeque::new(), VecDeque::new());
        Self { name: name.into(), id, last: 0, asks_again: 0, entries, bytes, thrown: 0 }
    }

    /// How many lines are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number in the ring of the oldest line that is kept; one more than the last if none is.
    pub(super) fn first(&self) -> u64 {
        (self.last + 1).saturating_sub(self.entries.len() as u64)
    }

    /// The number among all lines of this one, if it is kept.
    pub(super) fn all(&self, index: usize) -> Option<u64> {
        self.entries.get(index).map(|entry| entry.all)
    }

    /// The number among all lines of the newest line that is kept.
    pub(super) fn newest(&self) -> Option<u64> {
        self.entries.back().map(|entry| entry.all)
    }

    /// The first line whose number among all lines is this or a higher one.
    pub(super) fn index_from(&self, all: u64) -> usize {
        self.entries.partition_point(|entry| entry.all < all)
    }

    /// The first line that is not older than this; of clocks that were put back nothing is promised.
    pub(super) fn index_since(&self, time: SystemTime) -> usize {
        let millis = millis(time);
        self.entries.partition_point(|entry| entry.millis < millis)
    }

    /// The memory that is taken.
    pub(super) fn room(&self) -> Room {
        Room { lines: self.entries.capacity(), bytes: self.bytes.capacity() }
    }

    /// Counts one more line and throws away what has no place beside it within these bounds.
    pub(super) fn make_way(&mut self, length: usize, most: Most) {
        self.last += 1;
        while (self.entries.len() >= most.lines || self.bytes.len() + length > most.bytes) && self.forget_one() {}
    }

    /// The room that would be good for another line: what there is, or twice that.
    pub(super) fn good_room(&self, length: usize, most: Most) -> Room {
        let larger = |has: usize, needs: usize, least: usize, most: usize| {
            if needs <= has { has } else { (has * 2).max(needs).max(least).min(most) }
        };
        let Room { lines, bytes } = self.room();
        Room {
            lines: larger(lines, self.entries.len() + 1, LEAST_LINES, most.lines),
            bytes: larger(bytes, self.bytes.len() + length, LEAST_BYTES, most.bytes),
        }
    }

    /// Whether there is room for another line in the memory that is taken.
    pub(super) fn fits(&self, length: usize) -> bool {
        self.entries.len() < self.entries.capacity() && self.bytes.len() + length <= self.bytes.capacity()
    }

    /// Whether it may ask for more memory now.
    pub(super) fn may_ask(&self) -> bool {
        self.last >= self.asks_again
    }

    /// It was refused more memory.
    pub(super) fn was_refused(&mut self) {
        self.asks_again = self.last.saturating_add(ASKS_EACH);
    }

    /// Takes that much memory.
    pub(super) fn take(&mut self, room: Room) {
        self.entries.reserve_exact(room.lines.saturating_sub(self.entries.len()));
        self.bytes.reserve_exact(room.bytes.saturating_sub(self.bytes.len()));
    }

    /// Throws away what has no place beside a line of this length in the memory that is taken. `false` when the line does
    /// not fit even then.
    pub(super) fn squeeze(&mut self, length: usize) -> bool {
        let Room { lines, bytes } = self.room();
        loop {
            if self.entries.len() < lines && self.bytes.len() + length <= bytes {
                return true;
            }
            if !self.forget_one() {
                return false;
            }
        }
    }

    /// Gives half of its memory back, and the oldest lines with it.
    pub(super) fn halve(&mut self) {
        let Room { lines, bytes } = self.room();
        while (self.entries.len() > lines / 2 || self.bytes.len() > bytes / 2) && self.forget_one() {}
        self.entries.shrink_to(lines / 2);
        self.bytes.shrink_to(bytes / 2);
    }

    /// Appends a line for which there is room and which is counted.
    pub(super) fn push(&mut self, line: &Line<'_>, text: &[u8], all: u64) {
        self.bytes.extend(text);
        let &Line { time, level, check, stream, .. } = line;
        let pid = line.pid.and_then(std::num::NonZeroI32::new);
        let end = self.thrown + self.bytes.len() as u64;
        self.entries.push_back(Entry { all, millis: millis(time), end, pid, level, check, stream, ending: 0 });
    }

    /// Counts and appends lines in one go, all of which are this one but for the text, and throws away what has no place beside
    /// them within these bounds. Says how many they are. Where they would not all be kept whole, or more memory is needed, it
    /// does nothing and says nothing: they are for [`Self::push`], one by one.
    pub(super) fn push_block(&mut self, line: &Line<'_>, block: Block<'_>, all: u64, most: Most) -> Option<u64> {
        let (count, length) = (block.count(), block.bytes().len());
        if count > most.lines || length > most.bytes {
            return None;
        }
        let too_many = (self.entries.len() + count).saturating_sub(most.lines);
        let too_long = (self.bytes.len() + length).saturating_sub(most.bytes);
        let too_long = match too_long {
            0 => 0,
            more => 1 + self.entries.partition_point(|entry| offset(entry.end, self.thrown) < more),
        };
        let old = too_many.max(too_long).min(self.entries.len());
        let thrown = old.checked_sub(1).and_then(|last| self.entries.get(last)).map_or(self.thrown, |last| last.end);
        let old_bytes = offset(thrown, self.thrown).min(self.bytes.len());
        let fits = self.entries.len() - old + count <= self.entries.capacity()
            && self.bytes.len() - old_bytes + length <= self.bytes.capacity();
        if !fits {
            return None;
        }
        self.entries.drain(..old);
        self.bytes.drain(..old_bytes);
        self.thrown = thrown;
        let begin = self.thrown + self.bytes.len() as u64;
        self.bytes.extend(block.bytes());
        let &Line { time, level, check, stream, .. } = line;
        let pid = line.pid.and_then(std::num::NonZeroI32::new);
        let mut entry = Entry { all, millis: millis(time), end: begin, pid, level, check, stream, ending: 0 };
        for (text, end) in block.lines() {
            let from = offset(entry.end, begin);
            entry.all += 1;
            entry.end = begin + end as u64;
            // LF, or CR and LF, or nothing.
            entry.ending = u8::try_from((end - from).saturating_sub(text.len())).unwrap_or(0);
            self.entries.push_back(entry);
        }
        self.last += count as u64;
        Some(count as u64)
    }

    fn forget_one(&mut self) -> bool {
        let Some(Entry { end, .. }) = self.entries.pop_front() else { return false };
        self.bytes.drain(..offset(end, self.thrown).min(self.bytes.len()));
        self.thrown = end;
        true
    }

    /// A line as it is told, with this number; and how long its text is.
    pub(super) fn line(&self, index: usize, seq: u64) -> Option<(LogLine, usize)> {
        let &Entry { millis, end, pid, level, check, stream, ending, .. } = self.entries.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(self.thrown, |e| e.end);
        let (begin, end) = (offset(before, self.thrown), offset(end - u64::from(ending), self.thrown));
        let bytes: Vec<u8> = self.bytes.range(begin..end.min(self.bytes.len())).copied().collect();
        let length = bytes.len();
        let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        let time = stamp(UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH));
        let (job, pid) = (self.name.to_string(), pid.map(i32::from));
        Some((LogLine { seq, time, job, check, stream, pid, level: word(level).to_owned(), text }, length))
    }

    /// The number in the ring of the line at this index.
    pub(super) fn seq(&self, index: usize) -> u64 {
        self.first() + index as u64
    }
}

/// Rings hold less than what a size can tell.
fn offset(at: u64, from: u64) -> usize {
    usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX)
}

/// A moment before 1970 is told as the first of it.
pub(super) fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error | Level::Fatal | Level::Panic => "error",
    }
}
