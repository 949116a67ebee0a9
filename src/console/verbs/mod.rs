//! One verb after the other: ask, show, and what the exit status says.

mod act;
mod change;
mod look;
mod streams;

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Failed;
use super::client::Instance;
use super::output::Output;
use crate::cli::Verb;
use crate::exit::Exit;
use crate::visible::is_reordering;

/// Told when the other end of a stream has gone.
const ENDED: &str = "the supervisor has ended";

pub(super) fn carry_out(verb: Verb, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let form = form(&verb);
    let done = match verb {
        Verb::Overview { watch: true, .. } => look::watch(None, instance, output),
        Verb::Job { job, watch: true, .. } => look::watch(Some(&job), instance, output),
        Verb::Overview { json, .. } => look::overview(json, instance, output),
        Verb::Job { job, json, .. } => look::job(&job, json, instance, output),
        Verb::Ready => look::ready(instance),
        Verb::Names => look::names(instance, output),
        Verb::Why { job, json } => look::why(&job, json, instance, output),
        Verb::Watches { json } => look::watches(json, instance, output),
        Verb::Env { json } => look::env(json, instance, output),
        Verb::Logs { job, follow, lines, json, raw } => {
            let wanted = streams::Wanted { follow, lines, json };
            streams::logs(job.as_deref(), &wanted, raw, instance, output)
        }
        Verb::Events { job, follow, lines, json } => {
            streams::events(job.as_deref(), &streams::Wanted { follow, lines, json }, instance, output)
        }
        Verb::Act { act, job, wait } => act::act(act, &job, wait, instance, output),
        Verb::Signal { job, signal } => act::signal(&job, signal, instance, output),
        Verb::Reload { dry_run, json } => change::reload(dry_run, json, instance, output),
        Verb::Maintenance { on, json } => change::maintenance(on, json, instance, output),
        Verb::ReopenLogs { job } => change::reopen_logs(job.as_deref(), instance, output),
        Verb::Shutdown => change::shutdown(instance, output),
    };
    let refused = match &done {
        Err(Failed::Refused(refused)) => Some(&refused.json),
        Err(Failed::NotReloaded(_, json)) => Some(json),
        _ => None,
    };
    if let (Some(json), Some(form)) = (refused, form) {
        // Who does not read it has the exit status.
        let _ = output.print(&form(json));
    }
    done.map(|()| Exit::Success)
}

/// How `--json` prints an answer.
type Form = fn(&Value) -> String;

/// How a refusal is printed for machines, where the verb is to speak to one.
fn form(verb: &Verb) -> Option<Form> {
    match verb {
        Verb::Logs { json: true, .. } | Verb::Events { json: true, .. } => Some(line),
        Verb::Overview { json: true, .. }
        | Verb::Job { json: true, .. }
        | Verb::Why { json: true, .. }
        | Verb::Watches { json: true }
        | Verb::Env { json: true }
        | Verb::Reload { json: true, .. }
        | Verb::Maintenance { json: true, .. } => Some(document),
        _ => None,
    }
}

/// As the server said it, with keys that we don't know.
fn document(json: &Value) -> String {
    harmless(&format!("{json:#}")) + "\n"
}

/// Likewise, one of many.
fn line(json: &Value) -> String {
    harmless(&json.to_string()) + "\n"
}

/// For machines.
fn print_json(json: &Value, output: &mut Output<'_>) -> Result<(), Failed> {
    output.print(&document(json))
}

/// JSON without the control characters that it leaves as they are, which some terminals take for the begin of a sequence.
/// They only stand in texts, where their escaped form means the same.
fn harmless(json: &str) -> String {
    let is_odd = |c: char| ('\u{7f}'..='\u{9f}').contains(&c) || is_reordering(c);
    let escaped = |c: char| if is_odd(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    if json.chars().any(is_odd) { json.chars().map(escaped).collect() } else { json.to_owned() }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that asks it, and may not hang")]
    Instant::now()
}

/// Waits; here nobody else needs the thread.
fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that has nothing else to do")]
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::harmless;
    use crate::visible::is_reordering;

    #[test]
    fn json_holds_no_control_characters() {
        let json = serde_json::json!({ "a": "\u{1b}[2J \u{9b}2J \u{7f} ü \u{202e}" }).to_string();
        let shown = harmless(&json);
        assert!(!shown.chars().any(|c| c.is_control() || is_reordering(c)), "{shown:?}");
        assert_eq!(shown.parse::<serde_json::Value>().unwrap(), json.parse::<serde_json::Value>().unwrap());
    }
}
