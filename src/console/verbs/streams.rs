//! `logs` and `events`: what was kept first, then what comes.

use serde_json::Value;

use super::super::client::{Given, Instance, Lines, Next};
use super::super::output::Output;
use super::super::render::{self, Look};
use super::super::{Failed, complain};
use super::look::path_of;
use super::{ENDED, harmless};
use crate::api::{EventRecord, LogLine};

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
    relay(&path, wanted, instance, output, "line", &mut show)
}

pub(super) fn events(wanted: &Wanted, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let mut columns = render::Events::new();
    let mut show = |stream: &Lines, json, look: &Look<'_>| {
        stream.typed(json).map(|Given { value, json }: Given<EventRecord>| (columns.line(&value, look), json))
    };
    relay("/v4/events", wanted, instance, output, "event", &mut show)
}

/// From a line of a stream its text, and itself again.
type Show<'a> = dyn FnMut(&Lines, Value, &Look<'_>) -> Result<(String, Value), Failed> + 'a;

/// Shows a stream until it ends, somebody interrupts, or whoever reads it has gone.
fn relay(
    path: &str,
    wanted: &Wanted,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
    noun: &str,
    show: &mut Show<'_>,
) -> Result<(), Failed> {
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
                complain(ENDED);
                return Ok(());
            }
            Next::End(Ok(())) => return Ok(()),
            Next::End(Err(_)) => return Err(Failed::Other(format!("{ENDED} before it had sent everything"))),
        };
        output.print(&text)?;
    }
}

fn machine(json: &Value) -> String {
    harmless(&json.to_string()) + "\n"
}
