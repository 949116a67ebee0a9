//! How often and how fast a job is started again (v3 §8.1 rule 9, design §4 row 6).

use std::time::Duration;

use super::judge::{Judge, Length};
use super::when::Decided;
use crate::config::coerce::truncate;
use crate::config::decode::{Decoder, Field};
use crate::config::go_value::go_format;
use crate::config::json5::{Node, Value};
use crate::config::raw::{self, Job, Text};
use crate::config::report::{Place, Rank};
use crate::plan::{Backoff, Restarts};

/// Judges `restarts`.
pub(super) fn restarts(raw: &Job, when: &Decided, judge: &mut Judge) -> Restarts {
    let default = if when.periodic { Restarts::Unlimited } else { Restarts::Never };
    let Some(node) = raw.restarts else { return default };
    let job = raw.name.text();
    let original = |why: &str| format!("job[{job}].restarts field '{}' invalid: {why}", go_format(&node.value));
    match &node.value {
        Value::String(text) if text == "unlimited" && when.each => {
            let why = "may not be used when 'job.when.each' is set because it may result in infinite processes";
            let message = "\"unlimited\" can't be combined with `when.each`: each event would start a run without end";
            let problem = judge.error(90, "restarts", node.span, message, original(why));
            judge.add(problem);
            return default;
        }
        Value::String(text) if text == "unlimited" => return Restarts::Unlimited,
        Value::String(text) if text == "never" => return Restarts::Never,
        Value::String(text) => {
            if let Some(times) = text.parse::<i64>().ok().and_then(|times| u64::try_from(times).ok()) {
                return counted(times);
            }
        }
        Value::Number(number) if *number >= 0.0 => {
            if let Ok(times) = u64::try_from(truncate(*number)) {
                return counted(times);
            }
            let message = "too large to count, and taken for \"never\"";
            let problem = judge.warning("restarts", node.span, message);
            judge.add(problem.help("\"unlimited\" restarts for ever"));
            return Restarts::Never;
        }
        _ => {}
    }
    let why = match &node.value {
        Value::Number(_) => "number must be positive integer",
        _ => "accepts positive integers, \"unlimited\", or \"never\"",
    };
    let message = format!("expected \"unlimited\", \"never\" or a number from 0 up, {}", judge.found(node));
    let problem = judge.error(90, "restarts", node.span, message, original(why));
    judge.add(problem.help("\"unlimited\" restarts for ever, with backoff"));
    default
}

fn counted(times: u64) -> Restarts {
    if times == 0 { Restarts::Never } else { Restarts::Times(times) }
}

/// Judges `backoff`, which only unlimited restarts have.
pub(super) fn backoff(node: Option<&Node>, restarts: Restarts, periodic: bool, judge: &mut Judge) -> Option<Backoff> {
    let applies = restarts == Restarts::Unlimited && !periodic;
    let default = Backoff::default();
    let Some(node) = node else { return applies.then_some(default) };
    let backoff = match &node.value {
        Value::Bool(false) => None,
        Value::Object(_) => {
            let mut decoder = Decoder::new(judge.report, Rank::OURS);
            let raw = raw::backoff(&mut decoder, node, &Place::section(&judge.path).key("backoff"));
            decoder.finish_ours();
            Some(raw.map_or(default, |raw| parameters(&raw, judge)))
        }
        _ => {
            let message = format!("expected false or an object, {}", judge.found(node));
            let problem = judge.our_error("backoff", node.span, message);
            judge
                .add(problem.help(
                    "{ free: 5, initial: \"100ms\", factor: 2, max: \"10s\", healthyAfter: \"10s\", jitter: 0 }",
                ));
            None
        }
    };
    if !applies && backoff.is_some() {
        let message = "has no effect: only jobs with `restarts: \"unlimited\"` and without `when.interval` wait";
        let problem = judge.warning("backoff", node.span, message);
        judge.add(problem);
    }
    backoff.filter(|_| applies)
}

fn parameters(raw: &raw::Backoff, judge: &mut Judge) -> Backoff {
    let default = Backoff::default();
    let free = match &raw.free {
        Field::Given(free, span) => u32::try_from(*free).ok().or_else(|| {
            let found = judge.report.found_at(*span);
            let message = format!("expected a whole number from 0 to {}, found {found}", u32::MAX);
            let problem = judge.our_error("backoff.free", *span, message);
            judge.add(problem);
            None
        }),
        Field::Absent | Field::Bad => None,
    };
    let initial = pause(judge, "backoff.initial", &raw.initial, default.initial);
    let max = pause(judge, "backoff.max", &raw.max, default.max.max(initial));
    if let (true, Some(node)) = (max < initial, raw.max.node.or(raw.initial.node)) {
        let problem = judge.our_error("backoff.max", node.span, "shorter than the first pause, `initial`");
        judge.add(problem);
    }
    Backoff {
        free: free.unwrap_or(default.free),
        initial,
        factor: share(judge, "backoff.factor", &raw.factor, (1.0, 1_000.0)).unwrap_or(default.factor),
        max,
        healthy_after: pause(judge, "backoff.healthyAfter", &raw.healthy_after, default.healthy_after),
        jitter: share(judge, "backoff.jitter", &raw.jitter, (0.0, 1.0)).unwrap_or(default.jitter),
    }
}

/// A length of at least 1 ms.
fn pause(judge: &mut Judge, key: &str, text: &Text, default: Duration) -> Duration {
    if text.text().is_empty() {
        return default;
    }
    // Never in the original's order: it knew no such field.
    let length = judge.length_of_ours(key, text);
    match (length, text.node) {
        (Length::Is(duration), _) if duration.to_std() >= Duration::from_millis(1) => duration.to_std(),
        (Length::Is(_), Some(node)) => {
            let message = format!("expected at least \"1ms\", {}", judge.found(node));
            let problem = judge.our_error(key, node.span, message);
            judge.add(problem);
            default
        }
        _ => default,
    }
}

fn share(judge: &mut Judge, key: &str, field: &Field<f64>, range: (f64, f64)) -> Option<f64> {
    let (low, high) = range;
    if let Field::Given(number, span) = field {
        if (low..=high).contains(number) {
            return Some(*number);
        }
        let found = judge.report.found_at(*span);
        let problem = judge.our_error(key, *span, format!("expected a number from {low} to {high}, found {found}"));
        judge.add(problem);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::said::{job, said_of_job};
    use super::*;

    #[test]
    fn only_unlimited_restarts_that_follow_each_other_are_spaced() {
        assert_eq!(job("").backoff, None);
        assert_eq!(job("restarts: 5").backoff, None);
        assert_eq!(job("restarts: \"unlimited\"").backoff, Some(Backoff::default()));
        assert_eq!(job("restarts: \"unlimited\", backoff: null").backoff, Some(Backoff::default()));
        assert_eq!(job("restarts: \"unlimited\", backoff: false").backoff, None);
        assert_eq!(job("when: { interval: 5 }").backoff, None);
        assert_eq!(job("when: { interval: 5 }, restarts: \"unlimited\"").backoff, None);
        for fields in ["backoff: { free: 1 }", "restarts: 5, backoff: {}", "when: { interval: 5 }, backoff: {}"] {
            let said = said_of_job(fields);
            assert!(said.len() == 1 && said.concat().starts_with("W jobs[0].backoff: has no effect"), "{said:?}");
        }
        // Where it is off anyway, off is right.
        assert_eq!(said_of_job("restarts: 5, backoff: false"), Vec::<String>::new());
    }

    #[test]
    fn what_a_backoff_does_not_say_is_as_without_one() {
        let backoff = |fields: &str| job(&format!("restarts: \"unlimited\", backoff: {{ {fields} }}")).backoff.unwrap();
        assert_eq!(backoff(""), Backoff::default());
        assert_eq!(
            backoff("free: 0, initial: 2, factor: 1, max: \"3s\", healthyAfter: \"1m\", jitter: 0.5"),
            Backoff {
                free: 0,
                initial: Duration::from_secs(2),
                factor: 1.0,
                max: Duration::from_secs(3),
                healthy_after: Duration::from_mins(1),
                jitter: 0.5,
            }
        );
        // A first pause above the default of the longest raises that.
        assert_eq!(backoff("initial: \"1m\"").max, Duration::from_mins(1));
    }

    #[test]
    fn a_backoff_out_of_range_is_refused() {
        let refused = |fields: &str, want: &str| {
            let said = said_of_job(&format!("restarts: \"unlimited\", backoff: {fields}"));
            assert_eq!(said, [format!("E jobs[0].{want}")]);
        };
        refused("true", "backoff: expected false or an object, found true");
        refused("{ free: -1 }", "backoff.free: expected a whole number from 0 to 4294967295, found -1");
        refused("{ initial: \"999us\" }", "backoff.initial: expected at least \"1ms\", found \"999us\"");
        refused("{ factor: 0.9 }", "backoff.factor: expected a number from 1 to 1000, found 0.9");
        refused("{ factor: NaN }", "backoff.factor: expected a number from 1 to 1000, found NaN");
        refused("{ factor: \"2\" }", "backoff.factor: expected a number, found \"2\"");
        refused("{ jitter: 1.1 }", "backoff.jitter: expected a number from 0 to 1, found 1.1");
        refused("{ initial: 5, max: 4 }", "backoff.max: shorter than the first pause, `initial`");
        refused("{ max: \"50ms\" }", "backoff.max: shorter than the first pause, `initial`");
        refused("{ max: [] }", "backoff.max: expected a text, found []");
        refused("{ maximum: 4 }", "backoff.maximum: unknown key `maximum` in jobs[0].backoff");
    }
}
