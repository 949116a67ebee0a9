//! Health checks (v3 §8.1 rule 2).

use std::time::Duration;

use super::command::{Manner, command};
use super::judge::{Judge, Length};
use crate::config::decode::Field;
use crate::config::diagnostic::Span;
use crate::config::duration::GoDuration;
use crate::config::json5::Value;
use crate::config::raw;
use crate::plan::HealthSpec;

/// A job's health check: interval, time to live, timeout, command. Only the service of an `advertised` job has a time to
/// live.
pub(super) fn health(
    (raw, section): (&raw::Health, Span),
    job: &str,
    advertised: bool,
    judge: &mut Judge,
) -> HealthSpec {
    let interval = positive(judge, 20, ("health.interval", job), (&raw.interval, section));
    let ttl = positive(judge, 21, ("health.ttl", job), (&raw.ttl, section));
    let timeout = judge.length(22, "health.timeout", &raw.timeout, |e| {
        format!("could not parse job[{job}].health.timeout '{}': {e}", raw.timeout.text())
    });
    if let (Some(interval), Some(ttl), Some(span)) = (interval, ttl, raw.ttl.span())
        && advertised
    {
        if ttl <= interval {
            let message = "no longer than `health.interval`: Consul calls the job critical between two heartbeats";
            let problem = judge.warning("health.ttl", span, message);
            judge.add(problem);
        } else if ttl < interval.saturating_mul(2) && judge.report.is_strict() {
            // Only where somebody asks for advice, and only where there is a service whose time can run out: many files
            // have lived with such a ttl for years, and a warning at each start would be noise (reliability row 44).
            let message = "less than twice `health.interval`: Consul calls the job critical after one late heartbeat";
            let problem = judge.warning("health.ttl", span, message);
            judge.add(problem);
        }
    }
    if let (Some(interval), Length::Is(timeout), Some(exec), Some(node)) =
        (interval, timeout, raw.exec, raw.timeout.node)
        && timeout.to_std() > interval
        && exec.value != Value::Null
    {
        let message = "longer than `health.interval`: checks that are due during another are skipped";
        let problem = judge.warning("health.timeout", node.span, message);
        judge.add(problem);
    }
    let interval = interval.unwrap_or(Duration::from_secs(1));
    let timeout = match timeout {
        // Zero and less is no limit at all.
        Length::Is(GoDuration(ns)) if ns <= 0 => None,
        Length::Is(duration) => Some(duration.to_std()),
        Length::Unset | Length::Bad => Some(interval),
    };
    let manner = Manner { name: format!("check.{job}"), timeout, raw: raw.raw_output };
    let exec = command(judge, 23, ("health.exec", &format!("job[{job}].health.exec")), raw.exec, manner);
    HealthSpec { exec, interval, ttl: ttl.unwrap_or(interval) }
}

/// Whole seconds from 1 up. `names` are the field's path and the job's name; a missing field is told at the section.
fn positive(judge: &mut Judge, rule: u8, names: (&str, &str), field: (&Field<i64>, Span)) -> Option<Duration> {
    let ((key, job), (field, section)) = (names, field);
    let (seconds, span) = match field {
        Field::Bad => return None,
        Field::Absent => (0, None),
        Field::Given(seconds, span) => (*seconds, Some(*span)),
    };
    if let Some(seconds) = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0) {
        return Some(Duration::from_secs(seconds));
    }
    let original = format!("job[{job}].{key} must be > 0");
    let problem = match span {
        Some(span) => {
            let found = judge.report.found_at(span);
            judge.error(rule, key, span, format!("expected whole seconds from 1 up, found {found}"), original)
        }
        None => judge.error(rule, key, section, "missing: expected whole seconds from 1 up", original),
    };
    judge.add(problem);
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::said::{job, read, said, said_of_job};

    #[test]
    fn a_check_may_take_as_long_as_its_interval_unless_told_otherwise() {
        let limit = |timeout: &str| {
            let job = job(&format!("health: {{ exec: \"c\", interval: 7, ttl: 20, {timeout} }}"));
            job.check().unwrap().timeout
        };
        assert_eq!(limit(""), Some(Duration::from_secs(7)));
        assert_eq!(limit("timeout: \"30s\""), Some(Duration::from_secs(30)));
        assert_eq!(limit("timeout: \"0\""), None);
        assert_eq!(limit("timeout: \"-1s\""), None);
    }

    #[test]
    fn checks_that_a_long_one_skips_are_told() {
        let health = |fields: &str| said_of_job(&format!("health: {{ interval: 5, ttl: 20, {fields} }}"));
        assert_eq!(
            health("exec: \"c\", timeout: 6"),
            ["W jobs[0].health.timeout: longer than `health.interval`: checks that are due during another are skipped"]
        );
        for fine in ["exec: \"c\", timeout: 5", "exec: \"c\", timeout: \"0\"", "exec: null, timeout: 6", "timeout: 6"] {
            assert_eq!(health(fine), Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn f44_a_time_to_live_without_slack_is_told_by_a_check() {
        let file = |fields: &str| {
            format!("{{ consul: false, jobs: [ {{ name: \"app\", {fields}, health: {{ interval: 5, ttl: 9 }} }} ] }}")
        };
        let advertised = file("port: 80, interfaces: \"static:10.0.0.1\"");
        let word = "W jobs[0].health.ttl: less than twice `health.interval`: Consul calls the job critical after one late heartbeat";
        assert_eq!(said(&read(&advertised, &[], true)), [word]);
        for (text, strict) in
            [(advertised.replace("ttl: 9", "ttl: 10"), true), (advertised, false), (file("exec: \"x\""), true)]
        {
            assert_eq!(said(&read(&text, &[], strict)), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_time_to_live_that_must_run_out_is_told_where_consul_would_see_it() {
        let advertised = "port: 80, interfaces: \"static:10.0.0.1\"";
        let health = |ttl| format!("health: {{ interval: 5, ttl: {ttl} }}");
        assert_eq!(said_of_job(&format!("{advertised}, {}", health(5))).len(), 1);
        assert_eq!(said_of_job(&format!("{advertised}, {}", health(6))), Vec::<String>::new());
        assert_eq!(said_of_job(&health(5)), Vec::<String>::new());
    }
}
