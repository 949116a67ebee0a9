//! One job: a line, and a block.

use std::fmt::Write as _;

use super::overview::next;
use super::{Look, ago, clock, health_colour, state, state_colour, status_colour, time, visible};
use crate::api::{Exit, Health, HealthState, Job, JobState, LogLine, Service};
use crate::number::count;
use crate::shell::quoted;

/// How it stands, in a line without its end: `app: running for 12m, pid 57`.
pub(in crate::console) fn head(job: &Job, look: &Look<'_>) -> String {
    let word = state(job);
    let word = match state_colour(job) {
        Some(colour) if look.colour => colour.paint(&word),
        _ => word,
    };
    let since = || job.since_ms.map(|millis| format!(" for {}", time(millis))).unwrap_or_default();
    let pid = || job.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let over = || job.since_ms.map(|_| format!(",{}", ago(job.since_ms))).unwrap_or_default();
    let detail = match (&job.state, &job.next) {
        (JobState::Running | JobState::Stopping, _) => since() + &pid(),
        (JobState::Backoff | JobState::Waiting, Some(at)) => format!(", next start {}", next(at)),
        (JobState::Waiting, None) if !job.waits_for.is_empty() => format!(" {}", job.waits_for),
        (JobState::Done | JobState::Stopped, _) => over(),
        _ => String::new(),
    };
    format!("{}: {word}{}", visible(&job.name), visible(&detail))
}

/// All that is known of it.
pub(in crate::console) fn block(job: &Job, look: &Look<'_>) -> String {
    let mut text = head(job, look) + "\n";
    let mut row = |about: &str, says: &str| {
        // Writing to a text can't fail.
        let _ = writeln!(text, "  {about:<9}  {says}");
    };
    row("command", &visible(&command(job)));
    row("started", &visible(&started(job)));
    if let Some(health) = &job.health {
        row("health", &healthy(health, look));
        row("check", &visible(&check(health)));
    }
    if let Some(service) = &job.service {
        row("service", &registered(service, look));
    }
    row("restarts", &visible(&job.restarts_policy));
    row("when", &visible(&job.when));
    if job.main {
        row("main", "its own end stops everything; a stop by hand does not");
    }
    text
}

fn command(job: &Job) -> String {
    match job.command.as_slice() {
        [] if job.telemetry => "none: it stands for our own telemetry".to_owned(),
        [] => "none".to_owned(),
        words => quoted(words),
    }
}

fn started(job: &Job) -> String {
    let times = match job.runs {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        runs => format!("{runs} times"),
    };
    let which = if job.pid.is_some() { "the run before" } else { "the last run" };
    let last = |exit: &Exit| {
        let Exit { text, ago_ms, lasted_ms, .. } = exit;
        let ago = time(*ago_ms);
        if never_began(exit) {
            return format!("; {which} could not be started {ago} ago: {text}");
        }
        format!("; {which} took {} and ended {ago} ago: {text}", time(*lasted_ms))
    };
    times + &job.last_exit.as_ref().map(last).unwrap_or_default()
}

/// Whether this is no end of a run, but of the attempt to start one.
pub(in crate::console) fn never_began(exit: &Exit) -> bool {
    exit.lasted_ms == 0 && matches!(exit.code, 126 | 127) && !exit.text.starts_with("exit status")
}

fn healthy(health: &Health, look: &Look<'_>) -> String {
    let word = visible(health.state.word());
    let word = match health_colour(&health.state) {
        Some(colour) if look.colour => colour.paint(&word),
        _ => word,
    };
    let checked = health.checked_ms.map(|_| format!(", checked{}", ago(health.checked_ms))).unwrap_or_default();
    let failed = match health.failures {
        0 => String::new(),
        1 => ", the last check failed".to_owned(),
        failures => format!(", the last {failures} checks failed"),
    };
    let why = if health.failure.is_empty() { String::new() } else { format!(": {}", visible(&health.failure)) };
    match health.state {
        HealthState::Maintenance => format!("{word}, not checked"),
        _ => format!("{word}{checked}{failed}{why}"),
    }
}

fn check(health: &Health) -> String {
    let within = health.timeout_ms.map(|millis| format!(", timeout {}", time(millis))).unwrap_or_default();
    format!("{}, every {}{within}", quoted(&health.command), time(health.interval_ms))
}

fn registered(service: &Service, look: &Look<'_>) -> String {
    let place = visible(&format!("{} at {}", service.id, at(&service.address, service.port)));
    if service.status.is_empty() {
        let why = if service.problem.is_empty() { String::new() } else { format!(": {}", visible(&service.problem)) };
        return format!("not registered{why}; {place}");
    }
    let status = visible(&service.status);
    let status = match status_colour(&service.status) {
        Some(colour) if look.colour => colour.paint(&status),
        _ => status,
    };
    let told = service.told_ms.map(|_| format!(", told{}", ago(service.told_ms))).unwrap_or_default();
    format!("{status}{told}; {place}")
}

/// An address and a port, which an IPv6 address has colons of its own before.
pub(super) fn at(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The end of what it wrote.
pub(in crate::console) fn last_lines(lines: &[LogLine], look: &Look<'_>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let heading =
        if lines.len() == 1 { "last line".to_owned() } else { format!("last {}", count(lines.len(), "line")) };
    let line = |line: &LogLine| {
        let from = if line.check { "check: " } else { "" };
        format!("    {}  {from}{}\n", clock(&line.time, look), visible(&line.text))
    };
    format!("  {heading}\n{}", lines.iter().map(line).collect::<String>())
}
