//! The way in, and those who read.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::Notify;

use super::events;
use super::store::{Bounds, Line, Place, Store};
use crate::api::{EventRecord, LogLine};
use crate::block::Block;

/// Where to begin to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With so many of the last ones; with none, only what comes is read.
    Last(usize),
    /// With this number. What is not kept any more counts as dropped.
    From(u64),
    /// With the first that is not older than this.
    Since(SystemTime),
}

/// Some lines or events, one after the other without a hole.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// So many before them were thrown away before this reader could have them.
    pub dropped: u64,
    /// The next ones.
    pub items: Vec<T>,
    /// Nothing comes after them.
    pub over: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { dropped: 0, items: Vec::new(), over: false }
    }
}

impl<T> Page<T> {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.dropped == 0 && self.items.is_empty()
    }

    /// Goes on at the first that is kept, but not beyond the last that is wanted.
    pub(super) fn skip_to(&mut self, next: &mut u64, first: u64, last: u64) {
        let to = first.min(last.saturating_add(1));
        self.dropped = to.saturating_sub(*next);
        *next = to.max(*next);
    }
}

/// Somebody who reads.
pub trait Reader: Send + 'static {
    /// What is read.
    type Item: Serialize + Send;

    /// The next page, which may be empty.
    fn page(&mut self) -> Page<Self::Item>;

    /// Told when there may be another.
    fn news(&self) -> Arc<Notify>;

    /// The next page that is not empty, or the last one. Waits for it; cancel safe.
    fn next(&mut self) -> impl Future<Output = Page<Self::Item>> + Send {
        let news = self.news();
        async move {
            loop {
                // Listen before looking, or the word could fall between the two.
                let mut heard = pin!(news.notified());
                heard.as_mut().enable();
                let page = self.page();
                if page.over || !page.is_empty() {
                    return page;
                }
                heard.await;
            }
        }
    }
}

/// What is kept. Clones lead to the same.
#[derive(Debug, Clone)]
pub struct Kept(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lines: Mutex<Store>,
    events: Mutex<events::Ring>,
    line_news: Arc<Notify>,
    event_news: Arc<Notify>,
    ended: AtomicBool,
}

impl Default for Kept {
    fn default() -> Self {
        Self::new()
    }
}

/// A panic while it was locked leaves at worst a line without its text.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    /// Nothing yet. Takes no memory before something is kept.
    pub fn new() -> Self {
        Self::within(Bounds::default())
    }

    pub(super) fn within(bounds: Bounds) -> Self {
        Self(Arc::new(Shared {
            lines: Mutex::new(Store::new(bounds)),
            events: Mutex::default(),
            line_news: Arc::default(),
            event_news: Arc::default(),
            ended: AtomicBool::new(false),
        }))
    }

    /// Keeps a line. Never waits for a reader, who hears of it by [`Self::tell_of_lines`].
    pub fn line(&self, line: &Line<'_>) {
        lock(&self.0.lines).keep(line);
    }

    /// Keeps lines that differ from this one in nothing but their text, as [`Self::line`] does.
    pub fn block(&self, line: &Line<'_>, block: Block<'_>) {
        lock(&self.0.lines).keep_block(line, block);
    }

    /// Wakes those who wait for lines.
    pub fn tell_of_lines(&self) {
        self.0.line_news.notify_waiters();
    }

    /// Keeps an event: to whom it happened, what, and more of it, which may be empty.
    pub fn event(&self, time: SystemTime, source: &str, event: &str, detail: &str) {
        lock(&self.0.events).keep(time, source, event, detail);
        self.0.event_news.notify_waiters();
    }

    /// From now on there are these jobs, and the lines of others are forgotten. Who reads them gets them to the end.
    pub fn set_jobs<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        lock(&self.0.lines).set_jobs(names);
        self.0.line_news.notify_waiters();
        self.0.event_news.notify_waiters();
    }

    /// The names of all jobs, in the order of the letters.
    pub fn jobs(&self) -> Vec<String> {
        lock(&self.0.lines).jobs().map(str::to_owned).collect()
    }

    /// Reads the lines of one job, or all of them: those that there are, or also what comes. `None` if there is no such job.
    pub fn lines(&self, of: Option<&str>, begin: Begin, follow: bool) -> Option<Lines> {
        let place = lock(&self.0.lines).open(of, begin, follow)?;
        Some(Lines { kept: self.clone(), place })
    }

    /// Reads the events: those that there are, or also what comes.
    pub fn events(&self, begin: Begin, follow: bool) -> Events {
        self.open_events(None, begin, follow)
    }

    /// Reads those of one job and its health check. `None` if there is no such job. Their numbers are those of all events.
    pub fn events_of(&self, job: &str, begin: Begin, follow: bool) -> Option<Events> {
        self.has_job(job).then(|| self.open_events(Some(job.into()), begin, follow))
    }

    fn open_events(&self, of: Option<Box<str>>, begin: Begin, follow: bool) -> Events {
        let (next, last) = lock(&self.0.events).open(of.as_deref(), begin);
        Events { kept: self.clone(), of, next, until: (!follow).then_some(last) }
    }

    fn has_job(&self, name: &str) -> bool {
        lock(&self.0.lines).jobs().any(|job| job == name)
    }

    /// The end of the program: whoever follows gets what there is, and that is all.
    pub fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.line_news.notify_waiters();
        self.0.event_news.notify_waiters();
    }

    /// Reads a page; after the end an empty one is the last.
    fn read<T>(&self, page: impl FnOnce(&Shared) -> Page<T>) -> Page<T> {
        let ended = self.0.ended.load(Ordering::Acquire);
        let mut page = page(&self.0);
        page.over |= ended && page.is_empty();
        page
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        lock(&self.0.lines).check();
        lock(&self.0.events).check();
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> (usize, usize) {
        lock(&self.0.lines).taken()
    }
}

/// Reads lines.
#[derive(Debug)]
pub struct Lines {
    kept: Kept,
    place: Place,
}

impl Reader for Lines {
    type Item = LogLine;

    fn page(&mut self) -> Page<LogLine> {
        let Self { kept, place } = self;
        kept.read(|shared| lock(&shared.lines).page(place))
    }

    fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.kept.0.line_news)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        lock(&self.kept.0.lines).close(self.place.seat);
    }
}

/// Reads events.
#[derive(Debug)]
pub struct Events {
    kept: Kept,
    of: Option<Box<str>>,
    next: u64,
    until: Option<u64>,
}

impl Reader for Events {
    type Item = EventRecord;

    fn page(&mut self) -> Page<EventRecord> {
        let Self { kept, of, next, until } = self;
        // Before the page: what happened to it last is told.
        let gone = of.as_deref().is_some_and(|job| !kept.has_job(job));
        let mut page = kept.read(|shared| lock(&shared.events).page(of.as_deref(), next, *until));
        page.over |= gone && page.is_empty();
        page
    }

    fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.kept.0.event_news)
    }
}
