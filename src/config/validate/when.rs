//! What starts a job (v3 §8.1 rule 7, §8.2).

use std::time::Duration;

use super::judge::{Judge, Length};
use crate::config::decode::Field;
use crate::config::diagnostic::Span;
use crate::config::raw::{self, Text};
use crate::nearest::nearest;
use crate::plan::{EventCode, Signal, SignalAction, SignalMap, Trigger, When};

/// A `when` that has been judged.
pub(super) struct Decided {
    /// For the plan.
    pub(super) when: When,
    /// How long the first start is waited for.
    pub(super) wait_timeout: Option<Duration>,
    /// `when.interval` says something, right or wrong: restarts are unlimited by default.
    pub(super) periodic: bool,
    /// `when.each` says something: unlimited restarts are forbidden.
    pub(super) each: bool,
}

impl Decided {
    fn of(when: When) -> Self {
        Self { when, wait_timeout: None, periodic: false, each: false }
    }

    /// The period, if it has one.
    pub(super) fn interval(&self) -> Option<Duration> {
        if let When::Every(period) = self.when { Some(period) } else { None }
    }
}

/// The names of events that `once` and `each` take, as in files.
pub(crate) fn events() -> impl Iterator<Item = (&'static str, EventCode)> {
    EventCode::ALL.into_iter().map(|code| (spelt(code), code))
}

/// The name of an event in files, which have no word for all signals together.
pub(crate) fn spelt(code: EventCode) -> &'static str {
    if code == EventCode::Signal { "SIGHUP" } else { code.word() }
}

/// A second name of [`EventCode::Signal`].
const OTHER_SIGNAL: &str = "SIGUSR2";

/// Those that people are told of; the others are internal to the original.
const DOCUMENTED: usize = 11;

fn event(name: &str) -> Option<EventCode> {
    let name = if name == OTHER_SIGNAL { "SIGHUP" } else { name };
    events().find(|(known, _)| *known == name).map(|(_, code)| code)
}

/// Judges a job's `when`.
pub(super) fn when(field: &Field<Box<raw::When>>, job: &str, signals: &SignalMap, judge: &mut Judge) -> Decided {
    let (raw, section) = match field {
        Field::Absent => return Decided::of(When::Startup),
        Field::Bad => return Decided::of(When::Never(None)),
        Field::Given(raw, span) => (raw, *span),
    };
    let given = |text: &Text| text.field.is_bad() || !text.text().is_empty();
    let (interval, once, each) = (given(&raw.interval), given(&raw.once), given(&raw.each));
    if [interval, once, each].iter().filter(|given| **given).count() > 1 {
        let message = "expected only one of `interval`, `once` and `each`";
        let original = format!("job[{job}].when can have only one of 'interval', 'once', or 'each'");
        let problem = judge.error(70, "when", section, message, original);
        judge.add(problem);
        return Decided { periodic: interval, each, ..Decided::of(When::Never(None)) };
    }
    if interval {
        return periodic(raw, job, judge);
    }
    let wait_timeout = match judge
        .length(72, "when.timeout", &raw.timeout, |e| format!("unable to parse job[{job}].when.timeout: {e}"))
    {
        Length::Is(duration) => Some(duration.to_std()).filter(|duration| !duration.is_zero()),
        Length::Unset | Length::Bad => None,
    };
    let when = triggered(raw, section, job, signals, judge);
    Decided { when, wait_timeout, periodic: false, each }
}

fn periodic(raw: &raw::When, job: &str, judge: &mut Judge) -> Decided {
    let field = format!("job[{job}].when.interval");
    let length = judge.length_from_1ms(71, "when.interval", &raw.interval, (&field, &field));
    for (key, text) in [("when.source", &raw.source), ("when.timeout", &raw.timeout)] {
        if let Some(node) = text.node.filter(|_| !text.text().is_empty()) {
            let problem = judge.warning(key, node.span, "ignored beside `interval`");
            judge.add(problem);
        }
    }
    let when = match length {
        Length::Is(duration) => When::Every(duration.to_std()),
        Length::Unset | Length::Bad => When::Never(None),
    };
    Decided { periodic: true, ..Decided::of(when) }
}

fn triggered(raw: &raw::When, section: Span, job: &str, signals: &SignalMap, judge: &mut Judge) -> When {
    let source = raw.source.text();
    let field = if raw.once.text().is_empty() { &raw.each } else { &raw.once };
    let code = match (field.text(), field.node) {
        ("", _) | (_, None) => None,
        (name, Some(node)) => {
            let code = event(name);
            if code.is_none() {
                let key = if raw.once.text().is_empty() { "when.each" } else { "when.once" };
                let known: Vec<&str> = events().take(DOCUMENTED).map(|(name, _)| name).collect();
                let message = format!("expected an event, {}", judge.found(node));
                let original = format!("unable to parse job[{job}].when.event: {name} is not a valid event code");
                let problem = judge.error(73, key, node.span, message, original);
                let problem = problem.help(format!("events: {}", known.join(", ")));
                let literal = judge.report.literal(node.span).is_some();
                let near = nearest(name, known.iter().copied()).filter(|_| literal);
                judge.add(match near {
                    Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                    None => problem,
                });
                // So that the lack of an event isn't told on top of a wrong one.
                return When::Never(named_source(raw));
            }
            code
        }
    };
    if let Some(signal) = event_signal(source, signals) {
        return When::Signal(signal);
    }
    let Some(code) = code else {
        // A signal that is no event is told where all of them are known.
        let signal = Signal::from_name(source).is_some();
        if !raw.once.field.is_bad() && !raw.each.field.is_bad() && !signal {
            let message = "the job never starts: expected `once`, `each` or `interval`";
            let problem = judge.warning("when", section, message);
            judge.add(problem.help("without `when` a job starts with the program").refused_by_check());
        }
        return When::Never(named_source(raw));
    };
    warn_of_what_never_comes(raw, code, section, judge);
    let trigger = Trigger { source: source.to_owned(), event: code };
    if raw.once.text().is_empty() { When::Each(trigger) } else { When::Once(trigger) }
}

/// The source, for the check that somebody is called so.
fn named_source(raw: &raw::When) -> Option<String> {
    raw.source.field.value().cloned().filter(|source| !source.is_empty())
}

fn event_signal(source: &str, signals: &SignalMap) -> Option<Signal> {
    Signal::from_name(source).filter(|s| s.name() == source && *signals.action(*s) == SignalAction::Event)
}

fn warn_of_what_never_comes(raw: &raw::When, code: EventCode, section: Span, judge: &mut Judge) {
    let source = raw.source.text();
    let (key, span, message) = if source.is_empty() && !raw.source.field.is_bad() {
        match raw.source.node {
            Some(node) => ("when.source", node.span, "empty: the job never starts, as every event has a source"),
            None => ("when.source", section, "missing: the job never starts, as every event has a source"),
        }
    } else if code == EventCode::Shutdown {
        ("when", section, "the job never starts: nothing is started any more once the program stops")
    } else {
        return;
    };
    let problem = judge.warning(key, span, message);
    let help = match code {
        EventCode::Startup => "\"global\" publishes startup; without `when` a job starts with the program",
        EventCode::EnterMaintenance | EventCode::ExitMaintenance => "\"global\" publishes maintenance events",
        EventCode::Shutdown => "to run something at the end, wait for a job's `stopping` or `stopped`",
        _ => "a job's name, or \"watch.NAME\"",
    };
    judge.add(problem.help(help).refused_by_check());
}

#[cfg(test)]
mod tests {
    use super::super::said::{job, plan, said_of_job};
    use super::*;

    #[test]
    fn every_event_has_its_name() {
        for (name, code) in events() {
            let when = |key: &str| job(&format!("when: {{ source: \"app\", {key}: \"{name}\" }}")).when;
            let trigger = Trigger { source: "app".to_owned(), event: code };
            assert_eq!(when("once"), When::Once(trigger.clone()), "{name}");
            assert_eq!(when("each"), When::Each(trigger), "{name}");
        }
        let trigger = Trigger { source: "x".to_owned(), event: EventCode::Signal };
        assert_eq!(job("when: { source: \"x\", once: \"SIGUSR2\" }").when, When::Once(trigger));
    }

    #[test]
    fn a_wrong_event_is_told_with_the_nearest_one_and_hides_no_wrong_source() {
        assert_eq!(
            said_of_job("when: { source: \"nobody\", once: \"exitsucces\" }"),
            [
                "W jobs[0].when.source: nothing is called `nobody`: the job never starts",
                "E jobs[0].when.once: expected an event, found \"exitsucces\" [did you mean \"exitSuccess\"?]",
            ]
        );
        // What only the original used inside is taken, but not proposed.
        assert_eq!(
            said_of_job("when: { source: \"app\", each: \"timerExpire\" }"),
            ["E jobs[0].when.each: expected an event, found \"timerExpire\""]
        );
    }

    #[test]
    fn a_source_that_is_a_signal_needs_no_event() {
        assert_eq!(job("when: { source: \"SIGHUP\" }").when, When::Signal(Signal::HUP));
        assert_eq!(job("when: { source: \"SIGUSR2\", once: \"healthy\" }").when, When::Signal(Signal::USR2));
        // Names are exact, and what is mapped to something else is no event.
        assert_eq!(job("when: { source: \"HUP\" }").when, When::Never(Some("HUP".to_owned())));
        assert_eq!(job("when: { source: \"SIGINT\" }").when, When::Never(Some("SIGINT".to_owned())));
        let mapped =
            plan("{ signals: { SIGWINCH: \"event\" }, jobs: [ { name: \"a\", when: { source: \"SIGWINCH\" } } ] }");
        assert_eq!(mapped.jobs.first().map(|job| &job.when), Some(&When::Signal(Signal::from_name("WINCH").unwrap())));
    }

    #[test]
    fn only_one_of_three_may_be_given() {
        for when in
            ["interval: 5, once: \"healthy\"", "once: \"healthy\", each: \"healthy\"", "interval: 5, each: \"healthy\""]
        {
            assert_eq!(
                said_of_job(&format!("when: {{ source: \"app\", {when} }}")),
                ["E jobs[0].when: expected only one of `interval`, `once` and `each`"]
            );
        }
    }

    #[test]
    fn what_an_interval_ignores_is_told() {
        assert_eq!(
            said_of_job("when: { interval: 5, source: \"nobody\", timeout: 1 }"),
            ["W jobs[0].when.source: ignored beside `interval`", "W jobs[0].when.timeout: ignored beside `interval`"]
        );
    }

    #[test]
    fn a_job_that_never_starts_is_told_why() {
        let never = |when: &str, want: &str| assert_eq!(said_of_job(&format!("when: {{ {when} }}")), [want], "{when}");
        never("", "W jobs[0].when: the job never starts: expected `once`, `each` or `interval`");
        never("once: \"healthy\"", "W jobs[0].when.source: missing: the job never starts, as every event has a source");
        never(
            "source: \"\", once: \"healthy\"",
            "W jobs[0].when.source: empty: the job never starts, as every event has a source",
        );
        never(
            "source: \"global\", once: \"shutdown\"",
            "W jobs[0].when: the job never starts: nothing is started any more once the program stops",
        );
    }

    #[test]
    fn a_wait_without_length_is_a_wait_for_ever() {
        for (timeout, want) in [("5", Some(5)), ("\"0\"", None), ("\"-5s\"", None), ("\"\"", None), ("null", None)] {
            let job = job(&format!("when: {{ source: \"app\", once: \"stopped\", timeout: {timeout} }}"));
            assert_eq!(job.wait_timeout, want.map(Duration::from_secs), "{timeout}");
        }
    }
}
