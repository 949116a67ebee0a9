//! `logs` and `events`: what was kept first, then what comes.

use serde_json::Value;

use super::super::client::{Given, Instance, Lines, Next};
use super::super::output::Output;
use super::super::render::{self, Look};
use super::super::{Failed, complain};
use super::look::path_of;
use super::{ENDED, harmless};
use crate::api::{EventRecord, LogLine, Overview};

/// What of a stream is wanted, and how.
pub(super) struct Wanted {
    pub(super) follow: bool,
    pub(super) lines: Option<usize>,
    pub(super) json: bool,
}

impl Wanted {
    fn query(&self) -> String {
        let follow = self.follow.then(|| "follow=1".to_owned());
        let lines = self.lines.map(|lines| format!("lines={lines}"));
        let query: Vec<String> = follow.into_iter().chain(lines).collect();
        if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) }
    }
}

pub(super) fn logs(
    job: Option<&str>,
    wanted: &Wanted,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
) -> Result<(), Failed> {
    let path = job.map_or_else(|| "/v4".to_owned(), path_of) + "/logs";
    let mut columns = render::Logs::new(job.is_some());
    let mut show = |stream: &Lines, json, look: &Look<'_>| {
        stream.typed(json).map(|Given { value, json }: Given<LogLine>| (columns.line(&value, look), json))
    };
    relay(&From { path: &path, job, noun: "line" }, wanted, instance, output, &mut show)
}

pub(super) fn events(wanted: &Wanted, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let mut columns = render::Events::new();
    let mut show = |stream: &Lines, json, look: &Look<'_>| {
        stream.typed(json).map(|Given { value, json }: Given<EventRecord>| (columns.line(&value, look), json))
    };
    relay(&From { path: "/v4/events", job: None, noun: "event" }, wanted, instance, output, &mut show)
}

/// From a line of a stream its text, and itself again.
type Show<'a> = dyn FnMut(&Lines, Value, &Look<'_>) -> Result<(String, Value), Failed> + 'a;

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
    let mut stream = instance.lines(&format!("{path}{}", wanted.query()))?;
    loop {
        if !stream.has_more() {
            output.flush()?;
        }
        let text = match stream.next()? {
            Next::Line(json) => {
                let (text, json) = show(&stream, json, &output.look())?;
                if wanted.json { machine(&json) } else { text }
            }
            Next::Lost(Given { json, .. }) if wanted.json => machine(&json),
            Next::Lost(Given { value, .. }) => render::lost(&value, noun),
            Next::Alive => {
                Output::ask_reader()?;
                continue;
            }
            Next::End(_) if wanted.follow => {
                output.flush()?;
                return why_it_ended(job, instance);
            }
            Next::End(Ok(())) => {
                if let Some(job) = job.filter(|_| nothing_yet && !wanted.json && wanted.lines != Some(0)) {
                    output.flush()?;
                    complain(&format!(
                        "nothing that {job} wrote is kept; containerpilot why {job} tells how it stands"
                    ));
                }
                return Ok(());
            }
            Next::End(Err(_)) => return Err(Failed::Other(format!("{ENDED} before it had sent everything"))),
        };
        output.print(&text)?;
        nothing_yet = false;
    }
}

/// A stream that is followed ends with the supervisor, or with its job.
fn why_it_ended(job: Option<&str>, instance: &Instance<'_>) -> Result<(), Failed> {
    let of =
        |overview: &Overview| !overview.stopping && job.is_none_or(|job| overview.jobs.iter().all(|of| of.name != job));
    match (instance.get::<Overview>("/v4/jobs"), job) {
        (Ok(Given { value, .. }), Some(job)) if of(&value) => {
            complain(&format!("there is no job {job} any more: a reload has removed it"));
        }
        (Ok(Given { value, .. }), _) if !value.stopping => {
            return Err(Failed::Other("the supervisor has ended this answer, though it runs on".to_owned()));
        }
        _ => complain(ENDED),
    }
    Ok(())
}

fn machine(json: &Value) -> String {
    harmless(&json.to_string()) + "\n"
}
