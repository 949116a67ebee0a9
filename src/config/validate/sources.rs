//! Whose events jobs wait for: that somebody has the name, and publishes such events at all (design §4 row 20).

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::cross::Whole;
use super::when::EVENTS;
use crate::config::decode::Field;
use crate::config::diagnostic::nearest;
use crate::config::json5::{Node, Value};
use crate::config::raw::Job;
use crate::config::report::{Problem, Report};
use crate::plan::{EventCode, JobSpec, Signal, TELEMETRY_JOB, When};

/// Tells of each job that waits for an event that can't come.
pub(super) fn check(whole: &Whole, named: &Named, report: &mut Report) {
    if !named.complete {
        return;
    }
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
        let message = format!("{path}: nothing is called {}: the job never starts", report.named(node));
        named.suggest(Problem::warning(&path, node.span, message), node, source, report)
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
        Self(EVENTS.iter().position(|(_, known)| *known == code).map_or(0, |place| 1 << place))
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
    /// Every job and watch has a name that could be read.
    pub(super) complete: bool,
    /// So many more names may be compared with misspelt ones: what is missing from a file of ten thousand jobs is no slip.
    patience: Cell<usize>,
}

/// Comparisons of one name with one other, in all.
const PATIENCE: usize = 20_000;

impl<'w> Named<'w> {
    pub(super) fn of(whole: &Whole<'w, '_>) -> Self {
        let names = whole.raw_jobs.iter().map(|element| element.raw.as_ref().map_or("", |job| job.name.text()));
        let watches = whole.raw_watches.iter().map(|element| element.raw.as_ref().map_or("", |w| w.name.text()));
        let complete = names.clone().chain(watches.clone()).all(|name| !name.is_empty());
        let given = names.map(|name| (name, true)).chain(watches.clone().map(|name| (name, false))).collect();
        let mut jobs: HashMap<&str, Events> = HashMap::new();
        for (_, raw, job) in whole.pairs() {
            let events = jobs.entry(raw.name.text()).or_default();
            *events = events.and(published_by(raw, job));
        }
        if whole.telemetry {
            // It has no check, and so no events of one, although it is always healthy (v3 §11).
            let events = jobs.entry(TELEMETRY_JOB).or_default();
            *events = events.and(Events::of(&ENDS));
        }
        Self { jobs, watches: watches.collect(), given, complete, patience: Cell::new(PATIENCE) }
    }

    pub(super) fn is_job(&self, name: &str) -> bool {
        self.jobs.contains_key(name)
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

    /// The nearest source.
    fn near(&self, written: &str) -> Option<String> {
        let sources: Vec<String> = self
            .comparable()?
            .iter()
            .map(|(name, is_job)| if *is_job { (*name).to_owned() } else { format!("watch.{name}") })
            .collect();
        nearest(written, sources.iter().map(String::as_str)).map(str::to_owned)
    }

    /// All names, if there is patience left to compare with them.
    fn comparable(&self) -> Option<&[(&'w str, bool)]> {
        let patience = self.patience.get().checked_sub(self.given.len())?;
        self.patience.set(patience);
        Some(&self.given)
    }

    /// Names the source that was probably meant, unless a template made it, or what was written.
    fn suggest(&self, problem: Problem, node: &Node, written: &str, report: &Report) -> Problem {
        if report.literal(node.span).is_none() {
            return problem;
        }
        let near = self.near(written).or_else(|| Signal::from_name(written).map(Signal::name));
        match (near, written.strip_prefix("watch.")) {
            (Some(near), _) => problem.label(format!("did you mean \"{near}\"?")),
            (None, Some(service)) => {
                problem.help(format!("watches: [{{ name: \"{service}\", interval: 10 }}] makes it"))
            }
            (None, None) => problem.help("a source is a job's name, \"watch.NAME\", \"check.JOB\" or \"global\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, read, said};

    fn said_of(text: &str) -> Vec<String> {
        said(&outcome(text))
    }

    /// A job of this name that runs, and one more that waits.
    fn waiting(name: &str, when: &str) -> String {
        format!(
            "{{ consul: \"c\", jobs: [ {{ name: \"{name}\", exec: \"x\" }}, {{ name: \"waits\", exec: \"x\", when: {when} }} ] }}"
        )
    }

    #[test]
    fn an_unknown_source_is_told_with_the_nearest_name() {
        for (source, label) in [
            ("databse", " [did you mean \"database\"?]"),
            ("DATABASE", " [did you mean \"database\"?]"),
            ("waist", " [did you mean \"waits\"?]"),
            ("sigusr2", " [did you mean \"SIGUSR2\"?]"),
            ("check.database2", ""),
            ("elsewhere", ""),
        ] {
            let text = waiting("database", &format!("{{ source: \"{source}\", once: \"healthy\" }}"));
            let message = format!("jobs[1].when.source: nothing is called `{source}`: the job never starts{label}");
            assert_eq!(said_of(&text), [format!("W {message}")]);
            let strict = read(&text, &[], true);
            assert_eq!((strict.plan, said(&read(&text, &[], true))), (None, vec![format!("E {message}")]));
        }
    }

    #[test]
    fn sources_are_not_judged_where_a_name_could_not_be_read() {
        let text = "{ jobs: [ { name: [] }, { name: \"b\", when: { source: \"x\", once: \"healthy\" } } ] }";
        assert_eq!(said_of(text), ["E jobs[0].name: expected a text, found []"]);
    }

    #[test]
    fn a_source_out_of_the_environment_is_not_repeated() {
        let text = waiting("database", "{ source: \"{{ .SOURCE }}\", once: \"healthy\" }");
        assert_eq!(
            said(&read(&text, &[("SOURCE", "databse")], false)),
            ["W jobs[1].when.source: nothing is called a name made by the template: the job never starts"]
        );
    }

    #[test]
    fn a_signal_starts_jobs_only_as_an_event() {
        let when = "{ source: \"SIGUSR1\" }";
        assert_eq!(
            said_of(&waiting("a", when)),
            ["W jobs[1].when.source: SIGUSR1 starts no job, it is mapped to toggleMaintenance"]
        );
        let mapped = waiting("a", when).replace("{ consul", "{ signals: { SIGUSR1: \"event\" }, consul");
        assert_eq!(said_of(&mapped), Vec::<String>::new());
    }

    /// A file in which a job waits for this event of one of these: `a` has all that publishes events, `bare` nothing.
    fn waits_for(source: &str, event: &str) -> String {
        format!(
            "{{ consul: \"c\", watches: [ {{ name: \"ww\", interval: 1 }} ], telemetry: {{ interfaces: [\"static:10.0.0.1\"] }},
               jobs: [ {{ name: \"waits\", exec: \"x\", when: {{ source: \"{source}\", {event} }} }},
                 {{ name: \"a\", exec: \"x\", health: {{ exec: \"c\", interval: 1, ttl: 5 }}, when: {{ source: \"ww\", once: \"healthy\", timeout: 5 }} }},
                 {{ name: \"ww\", health: {{ exec: \"c\", interval: 1, ttl: 5 }} }},
                 {{ name: \"bare\" }}, {{ name: \"alive\", exec: \"x\", health: {{ interval: 1, ttl: 5 }} }} ] }}"
        )
    }

    #[test]
    fn every_event_that_is_published_may_be_waited_for() {
        for (source, events) in [
            ("a", "exitSuccess exitFailed healthy unhealthy stopping stopped timerExpired error"),
            ("bare", "stopping stopped"),
            ("alive", "exitSuccess exitFailed stopping stopped"),
            ("check.a", "exitSuccess exitFailed"),
            ("watch.ww", "healthy unhealthy changed"),
            ("global", "startup enterMaintenance exitMaintenance"),
            ("containerpilot", "stopping stopped"),
            ("anything at all", "error"),
        ] {
            for event in events.split(' ') {
                let text = waits_for(source, &format!("once: \"{event}\""));
                assert_eq!(said(&read(&text, &[], true)), Vec::<String>::new(), "{source} {event}");
            }
        }
        // Without telemetry nobody has that name.
        assert_eq!(said_of(&waiting("a", "{ source: \"containerpilot\", once: \"stopped\" }")).len(), 1);
    }

    #[test]
    fn what_a_source_never_publishes_is_told() {
        for (source, events) in [
            ("a", "changed startup enterMaintenance SIGHUP SIGUSR2 quit"),
            ("bare", "exitSuccess exitFailed healthy unhealthy timerExpired"),
            ("alive", "healthy unhealthy changed"),
            ("check.a", "healthy changed stopped"),
            ("check.bare", "exitSuccess exitFailed"),
            ("check.alive", "exitSuccess exitFailed"),
            ("watch.ww", "exitSuccess stopped SIGHUP"),
            ("global", "healthy stopped timerExpired SIGHUP"),
            ("containerpilot", "healthy exitSuccess"),
        ] {
            for event in events.split(' ') {
                for key in ["once", "each"] {
                    let text = waits_for(source, &format!("{key}: \"{event}\""));
                    let told =
                        format!("jobs[0].when.{key}: `{source}` never publishes `{event}`: the job never starts");
                    assert_eq!(said_of(&text), [format!("W {told}")]);
                    let strict = read(&text, &[], true);
                    assert_eq!((said(&strict), strict.plan), (vec![format!("E {told}")], None));
                }
            }
        }
    }

    #[test]
    fn of_several_with_one_name_one_that_publishes_is_enough() {
        let text = "{ jobs: [ { name: \"a\" }, { name: \"a\", exec: \"x\" },
            { name: \"w\", exec: \"x\", when: { source: \"a\", once: \"exitSuccess\" } } ] }";
        assert_eq!(said_of(text).len(), 1);
        assert!(said_of(text).concat().contains("can't be told apart"));
    }

    #[test]
    fn a_check_or_wait_that_could_not_be_read_may_be_one() {
        for (fields, event) in [
            ("health: { exec: 5, interval: 1, ttl: 5 }", "healthy"),
            ("health: 5", "healthy"),
            ("exec: 5", "exitSuccess"),
            ("when: { source: \"w\", once: \"stopped\", timeout: \"x\" }", "timerExpired"),
            ("when: 5", "timerExpired"),
        ] {
            let text = format!(
                "{{ jobs: [ {{ name: \"a\", {fields} }}, {{ name: \"w\", exec: \"x\", when: {{ source: \"a\", once: \"{event}\" }} }} ] }}"
            );
            let said = said_of(&text);
            assert!(said.len() == 1 && said.concat().starts_with('E'), "{said:?}");
        }
    }
}
