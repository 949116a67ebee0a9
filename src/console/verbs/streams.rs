//! `logs` and `events`: what was kept first, then what comes.

use std::time::Duration;

use serde_json::Value;

use super::super::client::{Instance, Lines, Next};
use super::super::output::Output;
use super::super::render::{self, Look};
use super::super::{Failed, complain};
use super::look::path_of;
use super::{ENDED, line, now, pause};
use crate::api::{EventRecord, LogLine, Overview};

/// More lines than are ever kept.
const ALL: u32 = u32::MAX;

/// Between two questions for the rest of a stream.
const TICK: Duration = Duration::from_millis(500);

/// What of a stream is wanted, and how.
pub(super) struct Wanted {
    pub(super) follow: bool,
    pub(super) lines: Option<usize>,
    pub(super) json: bool,
}

impl Wanted {
    /// Of the first question, or of one that goes on behind a line.
    fn query(&self, behind: Option<u64>) -> String {
        let follow = if self.follow { "follow=1&" } else { "" };
        match (behind, self.lines) {
            (Some(seq), _) => format!("?{follow}from={}", seq.saturating_add(1)),
            (None, Some(lines)) => format!("?{follow}lines={lines}"),
            (None, None) => format!("?{follow}lines={ALL}"),
        }
    }
}

pub(super) fn logs(
    job: Option<&str>,
    wanted: &Wanted,
    raw: bool,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let path = job.map_or_else(|| "/v4".to_owned(), path_of) + "/logs";
    let mut columns = render::Logs::new(job.is_some(), raw);
    let mut show = |stream: &Lines, json: &Value, look: &Look<'_>| {
        stream.typed(json).map(|line: LogLine| columns.line(&line, look))
    };
    relay(&From { path: &path, job, noun: "line" }, wanted, instance, output, &mut show)
}

pub(super) fn events(
    job: Option<&str>,
    wanted: &Wanted,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let path = job.map_or_else(|| "/v4".to_owned(), path_of) + "/events";
    let mut columns = render::Events::new();
    let mut show = |stream: &Lines, json: &Value, look: &Look<'_>| {
        stream.typed(json).map(|event: EventRecord| columns.line(&event, look))
    };
    relay(&From { path: &path, job, noun: "event" }, wanted, instance, output, &mut show)
}

/// From a line of a stream its text.
type Show<'a> = dyn FnMut(&Lines, &Value, &Look<'_>) -> Result<String, Failed> + 'a;

/// Which stream, and what it consists of.
struct From<'a> {
    path: &'a str,
    /// Whose, if it is of one alone.
    job: Option<&'a str>,
    noun: &'static str,
}

/// Shows a stream until it ends, somebody interrupts, or whoever reads it has gone.
fn relay(
    from: &From<'_>,
    wanted: &Wanted,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
    show: &mut Show<'_>,
) -> Result<(), Failed> {
    let From { path, job, noun } = *from;
    let mut nothing_yet = true;
    let mut behind = None;
    let began = now();
    let mut stream = instance.lines(&format!("{path}{}", wanted.query(None)))?;
    loop {
        if !stream.has_more() {
            output.flush()?;
        }
        let text = match stream.next()? {
            Next::Line(json) => {
                behind = json.get("seq").and_then(Value::as_u64).or(behind);
                if wanted.json { line(&json) } else { show(&stream, &json, &output.look())? }
            }
            Next::Lost(json) if wanted.json => line(&json),
            Next::Lost(json) => render::lost(&stream.typed(&json)?, noun),
            Next::Alive => {
                Output::ask_reader()?;
                continue;
            }
            Next::End(Ok(())) if wanted.follow => {
                output.flush()?;
                return why_it_ended(job, instance);
            }
            // Whoever paused for long was let go: the rest is still there, or it is told how much is not.
            Next::End(Err(_)) if wanted.follow => {
                output.flush()?;
                pause(TICK);
                if !is_same(instance, now().saturating_duration_since(began)) {
                    return Err(Failed::Other(format!("{ENDED}, or has broken the connection off")));
                }
                stream = instance.lines(&format!("{path}{}", wanted.query(behind)))?;
                continue;
            }
            Next::End(Ok(())) => {
                if let Some(job) = job.filter(|_| nothing_yet && !wanted.json && wanted.lines != Some(0)) {
                    output.flush()?;
                    let what = if noun == "line" { format!("{job} wrote") } else { format!("happened to {job}") };
                    complain(&format!("nothing that {what} is kept; containerpilot why {job} tells how it stands"));
                }
                return Ok(());
            }
            Next::End(Err(_)) => return Err(Failed::Other(format!("{ENDED} before it had sent everything"))),
        };
        output.print(&text)?;
        nothing_yet = false;
    }
}

/// Whether the instance that answers is one that was there all that time.
fn is_same(instance: &Instance<'_>, time: Duration) -> bool {
    let is_it = |all: Overview| !all.stopping && Duration::from_millis(all.up_ms) >= time;
    instance.get("/v4/jobs").is_ok_and(is_it)
}

/// A stream that is followed ends with the supervisor, or with its job.
fn why_it_ended(job: Option<&str>, instance: &Instance<'_>) -> Result<(), Failed> {
    let of =
        |overview: &Overview| !overview.stopping && job.is_none_or(|job| overview.jobs.iter().all(|of| of.name != job));
    match (instance.get::<Overview>("/v4/jobs"), job) {
        (Ok(all), Some(job)) if of(&all) => {
            complain(&format!("there is no job {job} any more: a reload has removed it"));
        }
        (Ok(all), _) if !all.stopping => {
            return Err(Failed::Other("the supervisor has ended this answer, though it runs on".to_owned()));
        }
        _ => complain(ENDED),
    }
    Ok(())
}
