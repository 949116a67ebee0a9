//! Whose events jobs wait for: that somebody has the name, and publishes such events at all (design §4 row 20).

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::cross::Whole;
use crate::config::decode::Field;
use crate::config::json5::{Node, Value};
use crate::config::raw::Job;
use crate::config::report::{Problem, Report};
use crate::nearest::nearest;
use crate::plan::{EventCode, JobSpec, Signal, TELEMETRY_JOB, When};

/// Tells of each job that waits for an event that can't come.
pub(super) fn check(whole: &Whole, named: &Named, report: &mut Report) {
    for (index, raw, job) in whole.pairs() {
        let (source, event) = match &job.when {
            // The source of an error is its message: nobody can know them all.
            When::Once(trigger) | When::Each(trigger) if trigger.event != EventCode::Error => {
                (trigger.source.as_str(), Some(trigger.event))
            }
            When::Never(Some(source)) => (source.as_str(), None),
            _ => continue,
        };
        if source.is_empty() {
            continue;
        }
        match (named.publishes(source), event) {
            (None, _) => unknown_source(whole, named, (index, raw, source), report),
            // Told where it stands: it comes, but starts nothing.
            (Some(_), None | Some(EventCode::Shutdown)) => {}
            (Some(events), Some(event)) => {
                if !events.has(event) {
                    never_published(named, (index, raw, source), event, report);
                }
            }
        }
    }
}

/// A source that nobody is called: the job would wait for ever.
fn unknown_source(whole: &Whole, named: &Named, (index, raw, source): (usize, &Job, &str), report: &mut Report) {
    let Some(node) = raw.when.value().and_then(|when| when.source.node) else { return };
    let path = format!("jobs[{index}].when.source");
    let signal = Signal::from_name(source).filter(|signal| signal.name() == source);
    let problem = if let Some(signal) = signal {
        let means = whole.signals.map.action(signal).word().unwrap_or("a job");
        let message = format!("{path}: {source} starts no job, it is mapped to {means}");
        let help = format!("signals: {{ {source}: \"event\" }} makes it one");
        Problem::warning(&path, node.span, message).help(help)
    } else {
        let near = report.literal(node.span).and_then(|_| named.near(source));
        if near.is_none() && named.may_be_nameless(source) {
            return;
        }
        let message = format!("{path}: nothing is called {}: the job never starts", report.named(node));
        suggest(Problem::warning(&path, node.span, message), near, (node, source), report)
    };
    report.add(problem.refused_by_check());
}

/// The source is there, but has no such events (v3 §8.2, §11).
fn never_published(named: &Named, (index, raw, source): (usize, &Job, &str), event: EventCode, report: &mut Report) {
    let Some(when) = raw.when.value() else { return };
    let (key, text) = if when.once.text().is_empty() { ("each", &when.each) } else { ("once", &when.once) };
    let (Some(node), Some(source_node)) = (text.node, when.source.node) else { return };
    let path = format!("jobs[{index}].when.{key}");
    let (source_name, event_name) = (report.named(source_node), report.named(node));
    let message = format!("{path}: {source_name} never publishes {event_name}: the job never starts");
    let is_job = named.is_job(source);
    let help = match event {
        EventCode::Signal => "a signal is a source of its own, without an event: when: { source: \"SIGHUP\" }",
        EventCode::StatusHealthy | EventCode::StatusUnhealthy if is_job => {
            "a job publishes it after each run of its health check, which needs an `exec`"
        }
        EventCode::ExitSuccess | EventCode::ExitFailed if is_job => "only a job with an `exec` can exit",
        EventCode::ExitSuccess | EventCode::ExitFailed if source.starts_with("check.") => {
            "only a job with a health check that has an `exec` publishes it"
        }
        EventCode::StatusChanged => "only watches publish it: \"watch.NAME\"",
        EventCode::TimerExpired => "only a job with a `when.timeout` publishes it",
        EventCode::Startup | EventCode::EnterMaintenance | EventCode::ExitMaintenance => "only \"global\" publishes it",
        EventCode::Stopping | EventCode::Stopped => "only jobs publish it",
        _ => "",
    };
    report.add(Problem::warning(&path, node.span, message).help(help).refused_by_check());
}

/// A set of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Events(u16);

impl Events {
    const NONE: Self = Self(0);

    fn of(codes: &[EventCode]) -> Self {
        codes.iter().fold(Self::NONE, |events, code| events.and(Self::bit(*code)))
    }

    fn bit(code: EventCode) -> Self {
        Self(EventCode::ALL.iter().position(|known| *known == code).map_or(0, |place| 1 << place))
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, code: EventCode) -> bool {
        self.0 & Self::bit(code).0 != 0
    }
}

const EXITS: [EventCode; 2] = [EventCode::ExitSuccess, EventCode::ExitFailed];
const HEALTH: [EventCode; 2] = [EventCode::StatusHealthy, EventCode::StatusUnhealthy];
const ENDS: [EventCode; 2] = [EventCode::Stopping, EventCode::Stopped];
const GLOBAL: [EventCode; 4] =
    [EventCode::Startup, EventCode::Shutdown, EventCode::EnterMaintenance, EventCode::ExitMaintenance];

/// What a job publishes. What could not be read may be anything.
fn published_by(raw: &Job, job: &JobSpec) -> Events {
    let written = |node: Option<&Node>| node.is_some_and(|node| node.value != Value::Null);
    let mut events = Events::of(&ENDS);
    if job.exec.is_some() || written(raw.exec) {
        events = events.and(Events::of(&EXITS));
    }
    let checked = match &raw.health {
        Field::Given(health, _) => written(health.exec),
        Field::Bad => true,
        Field::Absent => false,
    };
    if checked {
        events = events.and(Events::of(&HEALTH));
    }
    let waits = match &raw.when {
        Field::Given(when, _) => {
            job.wait_timeout.is_some() || when.timeout.field.is_bad() || written(when.timeout.node)
        }
        Field::Bad => true,
        Field::Absent => false,
    };
    if waits { events.and(Events::bit(EventCode::TimerExpired)) } else { events }
}

/// Who publishes events.
pub(super) struct Named<'w> {
    /// What the jobs of a name publish between them.
    jobs: HashMap<&'w str, Events>,
    /// The names of watches, without `watch.`.
    watches: HashSet<&'w str>,
    /// Names that people give, in file order: of jobs, and of watches (`false`).
    given: Vec<(&'w str, bool)>,
    /// So many jobs, and so many watches, have no name that could be read.
    nameless: (usize, usize),
    /// So many more names may be compared with misspelt ones: what is missing from a file of ten thousand jobs is no slip.
    patience: Cell<usize>,
}

/// Comparisons of one name with one other, in all.
const PATIENCE: usize = 20_000;

impl<'w> Named<'w> {
    pub(super) fn of(whole: &Whole<'w, '_>) -> Self {
        let names = whole.raw_jobs.iter().map(|element| element.raw.as_ref().map_or("", |job| job.name.text()));
        let watches = whole.raw_watches.iter().map(|element| element.raw.as_ref().map_or("", |w| w.name.text()));
        let nameless = |names: &mut dyn Iterator<Item = &str>| names.filter(|name| name.is_empty()).count();
        let nameless = (nameless(&mut names.clone()), nameless(&mut watches.clone()));
        let (names, watches) = (names.filter(|name| !name.is_empty()), watches.filter(|name| !name.is_empty()));
        let given = names.map(|name| (name, true)).chain(watches.clone().map(|name| (name, false))).collect();
        let mut jobs: HashMap<&str, Events> = HashMap::new();
        for (_, raw, job) in whole.pairs().filter(|(_, raw, _)| !raw.name.text().is_empty()) {
            let events = jobs.entry(raw.name.text()).or_default();
            *events = events.and(published_by(raw, job));
        }
        if whole.telemetry {
            // It has no check, and so no events of one, although it is always healthy (v3 §11).
            let events = jobs.entry(TELEMETRY_JOB).or_default();
            *events = events.and(Events::of(&ENDS));
        }
        Self { jobs, watches: watches.collect(), given, nameless, patience: Cell::new(PATIENCE) }
    }

    pub(super) fn is_job(&self, name: &str) -> bool {
        self.jobs.contains_key(name)
    }

    /// Whether a job that nobody is called may be one whose name is missing or could not be read, which has been said.
    pub(super) fn may_be_a_nameless_job(&self) -> bool {
        self.nameless.0 > 0
    }

    /// As [`may_be_a_nameless_job`](Self::may_be_a_nameless_job), for a source.
    fn may_be_nameless(&self, source: &str) -> bool {
        self.may_be_a_nameless_job() || (self.nameless.1 > 0 && source.starts_with("watch."))
    }

    /// What everybody who has this name publishes; nothing, if nobody has it.
    fn publishes(&self, source: &str) -> Option<Events> {
        let check = source.strip_prefix("check.").and_then(|job| self.jobs.get(job));
        let check = check.map(|events| Events::of(if events.has(EventCode::StatusHealthy) { &EXITS } else { &[] }));
        let watch = source.strip_prefix("watch.").filter(|name| self.watches.contains(name));
        let watch = watch.map(|_| Events::of(&HEALTH).and(Events::bit(EventCode::StatusChanged)));
        let global = (source == "global").then(|| Events::of(&GLOBAL));
        let all = [self.jobs.get(source).copied(), check, watch, global];
        all.into_iter().flatten().reduce(Events::and)
    }

    /// The job with the nearest name.
    pub(super) fn near_job(&self, written: &str) -> Option<&'w str> {
        let given = self.comparable()?;
        nearest(written, given.iter().filter(|(_, is_job)| *is_job).map(|(name, _)| *name))
    }

    /// The nearest source, also of the signals.
    fn near(&self, written: &str) -> Option<String> {
        let source = |(name, is_job): &(&str, bool)| if *is_job { (*name).to_owned() } else { format!("watch.{name}") };
        let sources: Vec<String> = self.comparable().unwrap_or_default().iter().map(source).collect();
        let near = nearest(written, sources.iter().map(String::as_str)).map(str::to_owned);
        near.or_else(|| Signal::from_name(written).map(Signal::name))
    }

    /// All names, if there is patience left to compare with them.
    fn comparable(&self) -> Option<&[(&'w str, bool)]> {
        let patience = self.patience.get().checked_sub(self.given.len())?;
        self.patience.set(patience);
        Some(&self.given)
    }
}

/// Names the source that was probably meant, or what sources there are.
fn suggest(problem: Problem, near: Option<String>, (node, written): (&Node, &str), report: &Report) -> Problem {
    match (near, written.strip_prefix("watch.")) {
        // What a template made is not repeated.
        _ if report.literal(node.span).is_none() => problem,
        (Some(near), _) => problem.label(format!("did you mean \"{near}\"?")),
        (None, Some(service)) => problem.help(format!("watches: [{{ name: \"{service}\", interval: 10 }}] makes it")),
        (None, None) => problem.help("a source is a job's name, \"watch.NAME\", \"check.JOB\" or \"global\""),
    }
}

#[cfg(test)]
mod tests;
