//! `logs` and `events`: what was kept first, then what comes.

use serde::de::DeserializeOwned;

use super::super::client::{Given, Instance, Next};
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
    relay(&path, wanted, instance, output, "line", |line: &LogLine, look| columns.line(line, look))
}

pub(super) fn events(wanted: &Wanted, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let mut columns = render::Events::new();
    relay("/v4/events", wanted, instance, output, "event", |event: &EventRecord, look| columns.line(event, look))
}

/// Shows a stream until it ends, somebody interrupts, or whoever reads it has gone.
fn relay<T: DeserializeOwned>(
    path: &str,
    wanted: &Wanted,
    instance: &Instance<'_>,
    output: &mut Output<'_>,
    noun: &str,
    mut show: impl FnMut(&T, &Look<'_>) -> String,
) -> Result<(), Failed> {
    let mut stream = instance.lines(&format!("{path}{}", wanted.query()))?;
    loop {
        if !stream.has_more() {
            output.flush()?;
        }
        let text = match stream.next()? {
            Next::Line(Given { json, .. }) if wanted.json => machine(&json),
            Next::Lost(Given { json, .. }) if wanted.json => machine(&json),
            Next::Line(Given { value, .. }) => show(&value, &output.look()),
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

fn machine(json: &serde_json::Value) -> String {
    harmless(&json.to_string()) + "\n"
}
