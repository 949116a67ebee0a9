//! The lines of the streams. What is to come is not known: a column grows with what was seen, up to a bound.

use super::table::{filled, width};
use super::{Look, clock, shown, visible};
use crate::api::{EventRecord, LogLine, Lost};
use crate::number::count;

/// No column gets wider: the next one then begins further right in that line alone.
const WIDEST: usize = 24;

fn padded(text: &str, column: &mut usize) -> String {
    *column = width(text).min(WIDEST).max(*column);
    filled(text, *column)
}

/// What happened, line by line.
pub(in crate::console) struct Events {
    source: usize,
    event: usize,
}

impl Events {
    pub(in crate::console) fn new() -> Self {
        Self { source: 8, event: 13 }
    }

    pub(in crate::console) fn line(&mut self, event: &EventRecord, look: &Look<'_>) -> String {
        let source = padded(&visible(&event.source), &mut self.source);
        let word = padded(&visible(&event.event), &mut self.event);
        let line = format!("{}  {source}  {word}  {}", clock(&event.time, look), visible(&event.detail));
        line.trim_end().to_owned() + "\n"
    }
}

/// What was written, line by line.
pub(in crate::console) struct Logs {
    /// The width of the column of jobs, if there is one.
    job: Option<usize>,
    /// Texts are passed on as they are.
    raw: bool,
}

impl Logs {
    /// `one`: all lines are of one job. `raw`: texts may steer the terminal that they come to.
    pub(in crate::console) fn new(one: bool, raw: bool) -> Self {
        Self { job: (!one).then_some(8), raw }
    }

    pub(in crate::console) fn line(&mut self, line: &LogLine, look: &Look<'_>) -> String {
        let time = clock(&line.time, look);
        // Also in a pipe: behind `docker exec` without -t there is a terminal.
        let text = if self.raw { line.text.clone() } else { shown(&line.text, "\t") };
        // Our own lines alone have a level that says something.
        let level = match line.level.as_str() {
            level @ ("warn" | "error") if line.job.is_empty() => format!("{level}: "),
            _ => String::new(),
        };
        let who = match &mut self.job {
            None if line.check => "check: ".to_owned(),
            None => String::new(),
            Some(column) => padded(&source(line), column) + "  ",
        };
        format!("{time}  {who}{level}{text}\n")
    }
}

fn source(line: &LogLine) -> String {
    match (line.job.as_str(), line.check) {
        ("", _) => "-".to_owned(),
        (job, true) => format!("check.{}", visible(job)),
        (job, false) => visible(job),
    }
}

/// What is no more.
pub(in crate::console) fn lost(lost: &Lost, noun: &str) -> String {
    let dropped = usize::try_from(lost.dropped).unwrap_or(usize::MAX);
    let were = if dropped == 1 { "was" } else { "were" };
    format!("… {} {were} lost here\n", count(dropped, noun))
}
