//! All rings of lines, and the memory that they share.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::SystemTime;

use super::reader::{Begin, Page};
use super::ring::{Most, Ring};
use crate::api::{LogLine, LogStream};
use crate::block::Block;
use crate::plan::Level;

/// Longer lines are cut. A job's never are (`process` cuts them at 64 KiB and marks that); our own have no limit.
const LONGEST: usize = 65 * 1024;

/// In so few bytes are so few lines that each is best kept alone.
const ALONE: usize = 512;

/// What a line costs beside its text when it is told: its numbers and names.
const BESIDE: usize = 128;

/// What may be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// By one job.
    pub(super) each: Most,
    /// By all of them, in bytes of memory.
    pub(super) memory: usize,
    /// Bytes in a page; one line may go beyond it.
    pub(super) page: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { each: Most { lines: 1000, bytes: 1024 * 1024 }, memory: 16 * 1024 * 1024, page: 32 * 1024 }
    }
}

/// A line that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The job that wrote it, itself or its health check; empty for a line of our own.
    pub job: &'a str,
    /// It comes from the job's health check.
    pub check: bool,
    /// Where it was written.
    pub stream: Option<LogStream>,
    /// By which process.
    pub pid: Option<i32>,
    /// How severe it is.
    pub level: Level,
    /// When it was read.
    pub time: SystemTime,
    /// The line without its end.
    pub text: &'a [u8],
}

/// Somebody who reads, so that nothing is thrown away under his eyes that is only out of date.
#[derive(Debug)]
struct Seat {
    id: u64,
    /// The ring that he reads, or all.
    of: Option<u64>,
    /// What he reads next.
    next: u64,
}

/// Which lines somebody reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Of this reader.
    pub(super) seat: u64,
    /// The ring, or all of them.
    pub(super) of: Option<u64>,
    /// From here on,
    pub(super) next: u64,
    /// to here, or for ever.
    pub(super) until: Option<u64>,
}

/// All lines that are kept.
#[derive(Debug)]
pub(super) struct Store {
    bounds: Bounds,
    /// By name.
    rings: Vec<Ring>,
    /// Of jobs that are not there any more, as long as somebody has not read them to the end.
    gone: Vec<Ring>,
    seats: Vec<Seat>,
    /// What all rings take.
    memory: usize,
    /// The number of the newest line.
    all: u64,
    /// Ever given to a ring or a seat.
    ids: u64,
    /// The ring of the last line: the next one is mostly of the same job.
    recent: usize,
}

impl Store {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (rings, gone, seats) = (Vec::new(), Vec::new(), Vec::new());
        Self { bounds, rings, gone, seats, memory: 0, all: 0, ids: 0, recent: 0 }
    }

    fn new_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.rings.binary_search_by(|ring| (*ring.name).cmp(name))
    }

    /// The ring of that name; a new one if there is none.
    fn ring_of(&mut self, name: &str) -> usize {
        if self.rings.get(self.recent).is_some_and(|ring| *ring.name == *name) {
            return self.recent;
        }
        let at = self.find(name).unwrap_or_else(|at| {
            let ring = Ring::new(name, self.new_id());
            self.rings.insert(at, ring);
            at
        });
        self.recent = at;
        at
    }

    /// Keeps a line.
    pub(super) fn keep(&mut self, line: &Line<'_>) {
        let at = self.ring_of(line.job);
        self.keep_in(at, line);
    }

    /// Keeps lines that differ from this one in nothing but their text.
    pub(super) fn keep_block(&mut self, line: &Line<'_>, block: Block<'_>) {
        let at = self.ring_of(line.job);
        if (ALONE..=LONGEST).contains(&block.bytes().len())
            && let Some(ring) = self.rings.get_mut(at)
            && let Some(count) = ring.push_block(line, block, self.all, self.bounds.each)
        {
            self.all += count;
            return;
        }
        for (text, _) in block.lines() {
            self.keep_in(at, &Line { text, ..*line });
        }
    }

    fn keep_in(&mut self, at: usize, line: &Line<'_>) {
        self.all += 1;
        let most = self.bounds.each;
        let length = line.text.len().min(LONGEST).min(most.bytes);
        let Some(ring) = self.rings.get_mut(at) else { return };
        ring.make_way(length, most);
        // Mostly there is room.
        if ring.fits(length) {
            return ring.push(line, line.text.get(..length).unwrap_or_default(), self.all);
        }
        let (room, good) = (ring.room(), ring.good_room(length, most));
        if good != room && ring.may_ask() {
            let more = good.memory() - room.memory();
            let granted = self.afford(at, more);
            let Some(ring) = self.rings.get_mut(at) else { return };
            if granted {
                ring.take(good);
                self.memory += ring.room().memory() - room.memory();
            } else {
                ring.was_refused();
            }
        }
        let Some(ring) = self.rings.get_mut(at) else { return };
        // Without a place it is one that was thrown away.
        if ring.squeeze(length) {
            ring.push(line, line.text.get(..length).unwrap_or_default(), self.all);
        }
    }

    /// Whether a ring may take more memory. Those who would still have more than it make room.
    fn afford(&mut self, at: usize, more: usize) -> bool {
        let Some((id, after)) = self.rings.get(at).map(|ring| (ring.id, ring.room().memory() + more)) else {
            return false;
        };
        while self.memory + more > self.bounds.memory {
            let others = self.rings.iter_mut().chain(&mut self.gone).filter(|ring| ring.id != id);
            let Some(largest) = others.max_by_key(|ring| ring.room().memory()) else { return false };
            let before = largest.room().memory();
            if before <= after {
                return false;
            }
            largest.halve();
            let given = before.saturating_sub(largest.room().memory());
            if given == 0 {
                return false;
            }
            self.memory = self.memory.saturating_sub(given);
        }
        true
    }

    /// From now on there are these jobs. The lines of others are forgotten, as soon as those who are reading them have.
    pub(super) fn set_jobs<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let names: BTreeSet<&str> = names.into_iter().chain([""]).collect();
        let (kept, gone) = std::mem::take(&mut self.rings).into_iter().partition(|ring| names.contains(&*ring.name));
        self.rings = kept;
        self.gone.extend::<Vec<Ring>>(gone);
        self.rings.reserve_exact(names.len().saturating_sub(self.rings.len()));
        for name in names {
            self.ring_of(name);
        }
        self.forget_gone();
    }

    /// Forgets what nobody reads any more.
    fn forget_gone(&mut self) {
        let Self { gone, seats, memory, .. } = self;
        gone.retain(|ring| {
            let wanted = |seat: &Seat| match seat.of {
                Some(id) => id == ring.id,
                None => ring.newest().is_some_and(|newest| seat.next <= newest),
            };
            let keep = seats.iter().any(wanted);
            if !keep {
                *memory = memory.saturating_sub(ring.room().memory());
            }
            keep
        });
    }

    /// The names of all jobs.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &str> {
        self.rings.iter().map(|ring| &*ring.name).filter(|name| !name.is_empty())
    }

    fn named(&self, job: &str) -> Option<&Ring> {
        self.rings.get(self.find(job).ok()?)
    }

    /// Somebody begins to read, one job's lines or all. `None` if there is no such job.
    pub(super) fn open(&mut self, of: Option<&str>, begin: Begin, follow: bool) -> Option<Place> {
        let (of, next, last) = match of {
            None => (None, self.begin_of_all(begin), self.all),
            Some(job) => {
                let ring = self.named(job).filter(|_| !job.is_empty())?;
                let next = match begin {
                    Begin::From(seq) => seq.max(1),
                    Begin::Last(count) => ring.seq(ring.len().saturating_sub(count)),
                    Begin::Since(time) => ring.seq(ring.index_since(time)),
                };
                (Some(ring.id), next, ring.last)
            }
        };
        let seat = self.new_id();
        self.seats.push(Seat { id: seat, of, next });
        Some(Place { seat, of, next, until: (!follow).then_some(last) })
    }

    fn begin_of_all(&self, begin: Begin) -> u64 {
        let end = self.all + 1;
        match begin {
            Begin::From(seq) => seq.max(1),
            Begin::Since(time) => {
                self.rings.iter().filter_map(|ring| ring.all(ring.index_since(time))).min().unwrap_or(end)
            }
            Begin::Last(count) => {
                // The highest number from which on there are so many; else the lowest that there is.
                let from = |seq| self.rings.iter().map(|ring| ring.len() - ring.index_from(seq)).sum::<usize>();
                let mut low = self.rings.iter().filter_map(|ring| ring.all(0)).min().unwrap_or(end);
                let mut high = end;
                while low < high {
                    let middle = low + (high - low).div_ceil(2);
                    if from(middle) >= count { low = middle } else { high = middle - 1 }
                }
                low
            }
        }
    }

    /// Somebody reads no more.
    pub(super) fn close(&mut self, seat: u64) {
        self.seats.retain(|other| other.id != seat);
        self.forget_gone();
    }

    /// The next lines of a reader.
    pub(super) fn page(&mut self, place: &mut Place) -> Page<LogLine> {
        let page = match place.of {
            None => self.page_of_all(place),
            Some(id) => self.page_of_one(id, place),
        };
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == place.seat) {
            seat.next = place.next;
        }
        if !self.gone.is_empty() {
            self.forget_gone();
        }
        page
    }

    fn page_of_one(&self, id: u64, place: &mut Place) -> Page<LogLine> {
        let lives = self.rings.iter().find(|ring| ring.id == id);
        let Some(ring) = lives.or_else(|| self.gone.iter().find(|ring| ring.id == id)) else {
            return Page { over: true, ..Page::default() };
        };
        let last = place.until.unwrap_or(ring.last).min(ring.last);
        let mut page = Page::default();
        page.skip_to(&mut place.next, ring.first(), last);
        let mut bytes = 0;
        while place.next <= last && bytes < self.bounds.page {
            let index = usize::try_from(place.next - ring.first()).unwrap_or(usize::MAX);
            let Some((line, length)) = ring.line(index, place.next) else { break };
            bytes += length + BESIDE;
            page.items.push(line);
            place.next += 1;
        }
        page.over = place.next > last && (place.until.is_some() || lives.is_none());
        page
    }

    fn page_of_all(&self, place: &mut Place) -> Page<LogLine> {
        let last = place.until.unwrap_or(self.all).min(self.all);
        let rings: Vec<&Ring> = self.rings.iter().chain(&self.gone).collect();
        // The next line of each ring, the oldest first.
        let behind = |ring: &&Ring| ring.newest().is_some_and(|newest| newest >= place.next);
        let heads = rings.iter().enumerate().filter(|(_, ring)| behind(ring)).filter_map(|(at, ring)| {
            let index = ring.index_from(place.next);
            Some(Reverse((ring.all(index)?, at, index)))
        });
        let mut heads: BinaryHeap<_> = heads.collect();
        let mut page = Page::default();
        let first = heads.peek().map_or(self.all + 1, |Reverse((all, ..))| *all);
        page.skip_to(&mut place.next, first, last);
        let mut bytes = 0;
        while let Some(Reverse((all, at, index))) = heads.pop() {
            // A hole is told at the head of the next page.
            if all != place.next || all > last || bytes >= self.bounds.page {
                break;
            }
            let Some(ring) = rings.get(at) else { break };
            let Some((line, length)) = ring.line(index, all) else { break };
            bytes += length + BESIDE;
            page.items.push(line);
            place.next += 1;
            heads.extend(ring.all(index + 1).map(|all| Reverse((all, at, index + 1))));
        }
        page.over = place.until.is_some() && place.next > last;
        page
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let rings = || self.rings.iter().chain(&self.gone);
        assert_eq!(self.memory, rings().map(|ring| ring.room().memory()).sum::<usize>());
        assert!(self.memory <= self.bounds.memory, "{} of {}", self.memory, self.bounds.memory);
        assert!(rings().all(|ring| ring.len() <= self.bounds.each.lines));
        assert!(self.rings.is_sorted_by(|a, b| a.name < b.name));
    }

    /// What is taken, and by how many rings of jobs that are gone.
    #[cfg(test)]
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.memory, self.gone.len())
    }
}
