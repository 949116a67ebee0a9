//! What was said and what happened, as streams: `GET /v4/logs` and `/v4/events`, `/v4/jobs/{name}/logs` and `…/events`.
//!
//! One JSON object a line. First what is kept, then, for who follows, what comes, joined by the numbers: nothing is missing
//! and nothing told twice, and who could not be told in time reads how much he missed (`{"dropped":7}`). A stream takes
//! a page at a time and holds few of them, so that a slow reader costs little and holds nobody up. It ends when the
//! job is gone, or the program.

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::routes_v4::{no_such_job, refusal};
use crate::api::{Error, Lost};
use crate::http::header::{CONTENT_TYPE, HeaderValue};
use crate::http::{self, Body, Bytes, Response, StatusCode};
use crate::kept::{Begin, Kept, Page, Reader};
use crate::nearest::nearest;

/// Who follows hears at least so often that the stream lives; only then it is seen that he is gone.
const QUIET: Duration = Duration::from_secs(10);
/// Pages that wait for a reader, beside the one that is being made and what the socket holds.
const PAGES: usize = 1;
/// So many lines are told when nothing is said about it.
const LINES: usize = 100;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// All lines.
    Logs,
    /// Those of one job.
    JobLogs(String),
    /// The events.
    Events,
    /// Those of one job.
    JobEvents(String),
}

/// Answers. The query is that of the request, without its question mark.
pub(super) fn answer(kept: &Kept, what: What, query: Option<&str>) -> Response {
    let least = if matches!(what, What::Events | What::JobEvents(_)) { usize::MAX } else { LINES };
    let Wanted { begin, follow } = match wanted(query.unwrap_or_default(), least) {
        Ok(wanted) => wanted,
        Err(message) => {
            let error = Error { details: accepted(), ..Error::new("badRequest", message) };
            return refusal(StatusCode::BAD_REQUEST, error);
        }
    };
    match what {
        What::Events => stream(kept.events(begin, follow)),
        What::JobEvents(job) => kept.events_of(&job, begin, follow).map_or_else(|| unknown(kept, &job), stream),
        What::Logs => kept.lines(None, begin, follow).map_or_else(|| unknown(kept, ""), stream),
        What::JobLogs(job) => kept.lines(Some(&job), begin, follow).map_or_else(|| unknown(kept, &job), stream),
    }
}

fn unknown(kept: &Kept, job: &str) -> Response {
    let jobs = kept.jobs();
    refusal(StatusCode::NOT_FOUND, no_such_job(job, &jobs.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// What of the lines is wanted.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    begin: Begin,
    follow: bool,
}

/// What a query may say.
const PARAMETERS: [(&str, &str); 4] = [
    ("follow", "1 (or nothing) to get what comes too, 0 not to"),
    ("lines", "how many of the last ones: a number from 0 up"),
    ("from", "the number (seq) to begin with: 1 or higher"),
    ("since", "how old they may be (5m, 1h 30m) or from when on (2026-11-22T12:04:11Z)"),
];

fn accepted() -> Vec<String> {
    PARAMETERS.iter().map(|(name, means)| format!("{name}: {means}")).collect()
}

fn wanted(query: &str, lines: usize) -> Result<Wanted, String> {
    let parameters = http::parameters(query).ok_or("the query can't be read: a broken escape (%), or no UTF-8")?;
    let mut begin: Option<(&str, Begin)> = None;
    let mut follow = None;
    for (name, value) in &parameters {
        let found = match name.as_str() {
            "follow" => {
                let word = switch(value).ok_or_else(|| format!("follow: expected 1 or 0, found {value:?}"))?;
                if follow.replace(word).is_some() {
                    return Err("follow is given twice".to_owned());
                }
                continue;
            }
            "lines" => ("lines", Begin::Last(number(name, value, 0)?)),
            "from" => ("from", Begin::From(number(name, value, 1)?)),
            "since" => ("since", Begin::Since(moment(value)?)),
            _ => return Err(unknown_parameter(name)),
        };
        if let Some((before, _)) = begin.replace(found) {
            let name = found.0;
            let twice = before == name;
            return Err(if twice { format!("{name} is given twice") } else { one_of(before, name) });
        }
    }
    let begin = begin.map_or(Begin::Last(lines), |(_, begin)| begin);
    Ok(Wanted { begin, follow: follow.unwrap_or(false) })
}

fn one_of(first: &str, second: &str) -> String {
    format!("expected only one of `{first}` and `{second}`")
}

fn unknown_parameter(name: &str) -> String {
    match nearest(name, PARAMETERS.iter().map(|(known, _)| *known)) {
        Some(near) => format!("unknown parameter {name:?}: did you mean `{near}`?"),
        None => format!("unknown parameter {name:?}"),
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "" | "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

fn number<N: std::str::FromStr + PartialOrd + From<u8>>(name: &str, value: &str, least: u8) -> Result<N, String> {
    let number = value.parse().ok().filter(|number| *number >= N::from(least));
    number.ok_or_else(|| format!("{name}: expected a number from {least} up, found {value:?}"))
}

fn moment(value: &str) -> Result<SystemTime, String> {
    let since = humantime::parse_duration(value).ok().map(|age| SystemTime::now().checked_sub(age));
    // Older than the clock can tell: everything.
    let since = since.map(|since| since.unwrap_or(SystemTime::UNIX_EPOCH).max(SystemTime::UNIX_EPOCH));
    let moment = since.or_else(|| humantime::parse_rfc3339(value).ok());
    moment.ok_or_else(|| format!("since: expected a duration or a moment in UTC, found {value:?}"))
}

/// The answer that gives what this one reads.
fn stream(reader: impl Reader) -> Response {
    let (sender, receiver) = mpsc::channel(PAGES);
    tokio::spawn(feed(reader, sender, QUIET));
    let mut response = Response::new(Body::stream(receiver));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Reads page after page, as fast as they are taken; an empty line when nothing comes for so long.
async fn feed(mut reader: impl Reader, sender: mpsc::Sender<Bytes>, quiet: Duration) {
    loop {
        // First a place, then a page: who is slow gets what there is when he comes.
        let Ok(place) = sender.reserve().await else { return };
        let page = tokio::select! {
            page = timeout(quiet, reader.next()) => page,
            () = sender.closed() => return,
        };
        match page {
            Ok(page) => {
                let over = page.over;
                if !page.is_empty() {
                    place.send(told(&page));
                }
                if over {
                    return;
                }
            }
            Err(_) => place.send(Bytes::from_static(b"\n")),
        }
    }
}

/// A page as lines.
fn told<T: serde::Serialize>(page: &Page<T>) -> Bytes {
    let mut bytes = Vec::new();
    let mut line = |told: serde_json::Result<Vec<u8>>| {
        // Neither texts nor memory can fail.
        if let Ok(told) = told {
            bytes.extend(told);
            bytes.push(b'\n');
        }
    };
    if page.dropped > 0 {
        line(serde_json::to_vec(&Lost { dropped: page.dropped }));
    }
    for item in &page.items {
        line(serde_json::to_vec(item));
    }
    bytes.into()
}

#[cfg(test)]
mod tests;
