//! The last events.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reader::{Begin, Page};
use super::ring::millis;
use crate::api::{EventRecord, stamp};

/// So many are kept at most.
pub(super) const EVENTS: usize = 1000;
/// With so many bytes of text.
pub(super) const TEXT: usize = 256 * 1024;
/// A longer source or detail is cut.
pub(super) const LONGEST: usize = 1024;
/// So many make a page.
const PAGE: usize = 200;

#[derive(Debug)]
struct Event {
    millis: u64,
    source: Box<str>,
    what: Box<str>,
    detail: Box<str>,
}

impl Event {
    fn text(&self) -> usize {
        self.source.len() + self.what.len() + self.detail.len()
    }

    /// Whether it happened to this job or its health check; every event happened to no job in particular.
    fn is_of(&self, job: Option<&str>) -> bool {
        job.is_none_or(|job| *self.source == *job || self.source.strip_prefix("check.") == Some(job))
    }
}

/// The last events, and the number of the newest.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Event>,
    text: usize,
    last: u64,
}

impl Ring {
    pub(super) fn keep(&mut self, time: SystemTime, source: &str, event: &str, detail: &str) {
        self.last += 1;
        let [source, what, detail] = [source, event, detail].map(|text| cut(text).into());
        let event = Event { millis: millis(time), source, what, detail };
        self.text += event.text();
        self.events.push_back(event);
        while self.events.len() > EVENTS || self.text > TEXT {
            let Some(oldest) = self.events.pop_front() else { break };
            self.text = self.text.saturating_sub(oldest.text());
        }
    }

    fn first(&self) -> u64 {
        (self.last + 1).saturating_sub(self.events.len() as u64)
    }

    /// Where a reader of all events, or of one job's, begins, and the number of the newest event.
    pub(super) fn open(&self, of: Option<&str>, begin: Begin) -> (u64, u64) {
        let next = match begin {
            Begin::From(seq) => seq.max(1),
            Begin::Last(count) => {
                let of_it = self.events.iter().enumerate().rev().filter(|(_, event)| event.is_of(of));
                self.first() + of_it.take(count).last().map_or(self.events.len(), |(index, _)| index) as u64
            }
            Begin::Since(time) => {
                let since = millis(time);
                self.first() + self.events.partition_point(|event| event.millis < since) as u64
            }
        };
        (next, self.last)
    }

    pub(super) fn page(&self, of: Option<&str>, next: &mut u64, until: Option<u64>) -> Page<EventRecord> {
        let last = until.unwrap_or(self.last).min(self.last);
        let mut page = Page::default();
        page.skip_to(next, self.first(), last);
        while *next <= last && page.items.len() < PAGE {
            let index = usize::try_from(*next - self.first()).unwrap_or(usize::MAX);
            let Some(event) = self.events.get(index) else { break };
            let seq = *next;
            *next += 1;
            if !event.is_of(of) {
                continue;
            }
            let time = stamp(UNIX_EPOCH.checked_add(Duration::from_millis(event.millis)).unwrap_or(UNIX_EPOCH));
            let [source, what, detail] = [&event.source, &event.what, &event.detail].map(ToString::to_string);
            page.items.push(EventRecord { seq, time, source, event: what, detail });
        }
        page.over = until.is_some() && *next > last;
        page
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.events.len() <= EVENTS && self.text <= TEXT);
        assert_eq!(self.text, self.events.iter().map(Event::text).sum::<usize>());
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}
