//! Jobs, by the rules of v3 §8.1 in their order; the numbers of rules below are its.

use std::time::Duration;

use super::command::{Manner, command};
use super::elements::{Element, Section};
use super::judge::{Judge, Length};
use super::service::Part;
use super::{health, restarts, service, when};
use crate::config::context::Context;
use crate::config::decode::Field;
use crate::config::diagnostic::Span;
use crate::config::json5::Node;
use crate::config::raw::{self, Job, Text};
use crate::config::report::{Problem, Rank, Report, Step};
use crate::plan::{JobSpec, SignalMap, TELEMETRY_JOB};

/// How long a stopping job waits for its dependents unless it says otherwise (design §4 row 3).
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// The `jobs` section, not yet judged.
pub(super) fn decode<'n>(node: Option<&'n Node>, report: &mut Report) -> Vec<Element<Job<'n>>> {
    let section = Section { key: "jobs", step: Step::Jobs, prefix: "unable to parse jobs: job configuration error: " };
    section.decode(node, raw::job, report)
}

/// All jobs that are objects.
pub(super) fn jobs(raw: &[Element<Job>], context: &Context, signals: &SignalMap, report: &mut Report) -> Vec<JobSpec> {
    let mut specs = Vec::with_capacity(raw.len());
    for (item, element) in raw.iter().enumerate() {
        if let Some(raw) = &element.raw {
            let mut judge = Judge {
                report,
                path: format!("jobs[{}]", element.index),
                step: Step::Jobs,
                item: item.saturating_add(1),
                prefix: "unable to parse jobs: ",
            };
            specs.push(job(raw, context, signals, &mut judge));
        }
    }
    only_one_main(raw, report);
    only_one_override(raw, report);
    specs
}

fn job(raw: &Job, context: &Context, signals: &SignalMap, judge: &mut Judge) -> JobSpec {
    let name = raw.name.text();
    let advertised = raw.port.number() != 0;

    // Rule 1.
    if let (true, Field::Absent, Some(span)) = (advertised && name != TELEMETRY_JOB, &raw.health, raw.port.span()) {
        let message = "missing: a job with a `port` needs a health check";
        let original = format!("job[{name}].health must be set if 'port' is set");
        let problem = judge.error(10, "health", span, message, original);
        judge.add(problem.help("health: { exec: \"/bin/check\", interval: 5, ttl: 10 }"));
    }
    // Rule 2.
    let health = if let Field::Given(health, span) = &raw.health {
        Some(health::health((health, *span), name, advertised, judge))
    } else {
        None
    };
    // Rules 3 to 6.
    if raw.name.value().is_none_or(String::is_empty) && !raw.name.is_bad() {
        let (span, message) = match raw.name_node {
            Some(node) => (node.span, format!("every job needs a name, {}", judge.found(node))),
            None => (raw.span, "missing: every job needs a name".to_owned()),
        };
        let problem = judge.error(50, "name", span, message, "'name' must not be blank");
        judge.add(problem);
    }
    let ttl = health.as_ref().map_or(Duration::ZERO, |h| h.ttl);
    let service = if advertised {
        service::service(&Part { raw, context, ttl }, judge)
    } else {
        service::warn_of_no_port(raw, judge);
        None
    };
    // Rule 7.
    let decided = when::when(&raw.when, name, signals, judge);
    // Rule 8.
    let stop_timeout = judge.length(80, "stopTimeout", &raw.stop_timeout, |e| {
        format!("unable to parse job[{name}].stopTimeout '{}': {e}", raw.stop_timeout.text())
    });
    // Rule 9.
    let restarts = restarts::restarts(raw, &decided, judge);
    let backoff = restarts::backoff(raw.backoff, restarts, decided.periodic, judge);
    // Rule 10.
    let field = format!("job[{name}].timeout");
    let timeout = judge.length_from_1ms(100, "timeout", &raw.timeout, (&field, &field));
    let timeout = match timeout {
        Length::Is(duration) => Some(duration.to_std()),
        Length::Unset | Length::Bad => decided.interval(),
    };
    if let (Some(timeout), Some(interval), Some(node)) = (timeout, decided.interval(), raw.timeout.node)
        && timeout > interval
    {
        let message = "longer than `when.interval`: periods that begin during a run are skipped";
        let problem = judge.warning("timeout", node.span, message);
        judge.add(problem);
    }
    let manner = Manner { name: name.to_owned(), timeout, raw: raw.raw_output };
    let exec = command(judge, 101, ("exec", &format!("job[{name}].exec")), raw.exec, manner);

    JobSpec {
        name: name.to_owned(),
        exec,
        when: decided.when,
        wait_timeout: decided.wait_timeout,
        restarts,
        backoff,
        stop_timeout: if let Length::Is(duration) = stop_timeout { duration.to_std() } else { DEFAULT_STOP_TIMEOUT },
        health,
        service: service.map(Box::new),
        main: raw.main.is_on(),
        pause_in_maintenance: pause_in_maintenance(raw, judge),
        overrides_exit_code: overrides_exit_code(&raw.exit_code, judge),
    }
}

fn overrides_exit_code(text: &Text, judge: &mut Judge) -> bool {
    match (text.text(), text.node) {
        ("override", _) => true,
        (_, Some(node)) if !text.field.is_bad() => {
            let message = format!("expected \"override\", {}", judge.found(node));
            let problem = judge.our_error("exitCode", node.span, message);
            judge.add(problem);
            false
        }
        _ => false,
    }
}

/// Only runs of a command are left out: everything else of a job is quiet in maintenance anyway.
fn pause_in_maintenance(raw: &Job, judge: &mut Judge) -> bool {
    let on = raw.pause_in_maintenance.is_on();
    if let (true, None, Some(span)) = (on, raw.exec, raw.pause_in_maintenance.span()) {
        let message = "has no effect: the job has no `exec` that could be left out";
        let problem = judge.warning("pauseInMaintenance", span, message);
        judge.add(problem);
    }
    on
}

/// There is one application in a container, or none that is marked.
fn only_one_main(raw: &[Element<Job>], report: &mut Report) {
    let marked = |job: &Job| job.main.span().filter(|_| job.main.is_on());
    only_one(raw, "main", ("can be the main one", "is"), marked, report);
}

/// There is one exit status, and one job at most whose own wins over all others.
fn only_one_override(raw: &[Element<Job>], report: &mut Report) {
    let marked = |job: &Job| Some(job.exit_code.node.filter(|_| job.exit_code.text() == "override")?.span);
    only_one(raw, "exitCode", ("can override the exit status", "does"), marked, report);
}

/// An error for every job that is marked but the first. `words` are what one job can be and what the first one is.
fn only_one(
    raw: &[Element<Job>],
    key: &str,
    words: (&str, &str),
    marked: impl Fn(&Job) -> Option<Span>,
    report: &mut Report,
) {
    let mut first = None;
    for (index, job) in raw.iter().filter_map(|element| Some((element.index, element.raw.as_ref()?))) {
        let Some(span) = marked(job) else { continue };
        let Some(first) = first else {
            first = Some(index);
            continue;
        };
        let path = format!("jobs[{index}].{key}");
        let message = format!("{path}: only one job {}, and jobs[{first}] {}", words.0, words.1);
        report.add(Problem::error(Rank::OURS, &path, span, message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::{job, outcome, plan, said, said_of_job};
    use super::*;

    #[test]
    fn what_only_counts_with_a_port_is_told_once_where_there_is_none() {
        assert_eq!(
            said_of_job("consul: { meta: { a: \"b\" } }, interfaces: \"eth0\", tags: [\"x\"]"),
            ["W jobs[0].tags: `tags`, `interfaces` and `consul` have no effect without `port`"]
        );
        assert_eq!(
            said_of_job("initial_status: \"critical\", port: 0"),
            ["W jobs[0].initial_status: has no effect without `port`"]
        );
    }

    #[test]
    fn a_switch_of_the_agent_in_a_job_or_at_the_top_is_told_its_place() {
        let place = "it belongs in the `consul` object at the top";
        let said_of = |text: &str| {
            let diagnostics = outcome(text).diagnostics;
            let [one] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
            assert!(one.message.contains("unknown key `failingHeartbeat`") && one.help.contains(place), "{one:?}");
        };
        said_of(
            "{ consul: \"c:1\", jobs: [ { name: \"app\", exec: \"x\", port: 80, interfaces: \"static:10.0.0.1\",
               health: { interval: 5, ttl: 10 }, consul: { failingHeartbeat: true } } ] }",
        );
        said_of("{ consul: \"c:1\", failingHeartbeat: true, jobs: [ { name: \"a\", exec: \"x\" } ] }");
    }

    #[test]
    fn a_container_has_one_application() {
        assert!(job("main: true").main);
        assert!(!job("main: false").main);
        let text = "{ jobs: [ { name: \"a\", main: true }, null, { name: \"b\" }, { name: \"c\", main: 1 } ] }";
        assert_eq!(said(&outcome(text)), ["E jobs[3].main: only one job can be the main one, and jobs[0] is"]);
    }

    #[test]
    fn a_job_may_override_the_exit_status() {
        assert!(job("exitCode: \"override\"").overrides_exit_code);
        assert!(!job("exitCode: null").overrides_exit_code);
        for wrong in ["\"zero\"", "\"\"", "5"] {
            let want = format!("E jobs[0].exitCode: expected \"override\", found {wrong}");
            assert_eq!(said_of_job(&format!("exitCode: {wrong}")), [want]);
        }
    }

    #[test]
    fn only_one_job_may_override_it() {
        let text = "{ jobs: [ { name: \"a\", exitCode: \"override\" }, { name: \"b\", exitCode: \"\" }, { name: \"c\", exitCode: \"override\" } ] }";
        assert_eq!(
            said(&outcome(text)),
            [
                "E jobs[1].exitCode: expected \"override\", found \"\"",
                "E jobs[2].exitCode: only one job can override the exit status, and jobs[0] does",
            ]
        );
    }

    #[test]
    fn a_job_may_pause_in_maintenance_if_it_runs_anything() {
        assert!(!job("").pause_in_maintenance);
        assert!(job("pauseInMaintenance: true").pause_in_maintenance);
        assert_eq!(said_of_job("pauseInMaintenance: true"), Vec::<String>::new());
        let without = |on: bool| {
            said(&outcome(&format!("{{ consul: false, jobs: [ {{ name: \"a\", pauseInMaintenance: {on} }} ] }}")))
        };
        assert_eq!(without(false), Vec::<String>::new());
        assert_eq!(
            without(true),
            ["W jobs[0].pauseInMaintenance: has no effect: the job has no `exec` that could be left out"]
        );
    }

    #[test]
    fn ticks_that_a_long_run_skips_are_told() {
        let when = |timeout: &str| said_of_job(&format!("timeout: {timeout}, when: {{ interval: 5 }}"));
        assert_eq!(
            when("6"),
            ["W jobs[0].timeout: longer than `when.interval`: periods that begin during a run are skipped"]
        );
        assert_eq!(when("5"), Vec::<String>::new());
        assert_eq!(said_of_job("timeout: 60"), Vec::<String>::new());
    }

    #[test]
    fn a_stop_is_bounded_by_a_minute_unless_the_job_says_otherwise() {
        let bound = |fields: &str| job(fields).stop_timeout;
        assert_eq!(bound(""), Duration::from_mins(1));
        assert_eq!(bound("stopTimeout: \"\""), Duration::from_mins(1));
        assert_eq!(bound("stopTimeout: 5"), Duration::from_secs(5));
        assert_eq!(bound("stopTimeout: \"0\""), Duration::ZERO);
        assert_eq!(bound("stopTimeout: \"-5s\""), Duration::ZERO);
    }

    #[test]
    fn what_is_no_list_is_ignored_with_a_word() {
        assert_eq!(plan("{ jobs: 5 }").jobs, Vec::new());
        let said = said(&outcome("{ jobs: { name: \"a\" }, consul: false, watches: \"x\" }"));
        assert!(
            said.contains(&"W jobs: jobs is ignored: expected a list, `[…]`, found an object".to_owned()),
            "{said:?}"
        );
        assert!(
            said.contains(&"W watches: watches is ignored: expected a list, `[…]`, found \"x\"".to_owned()),
            "{said:?}"
        );
    }

    #[test]
    fn one_mistake_hides_no_other() {
        let text = "{ jobs: [ { name: 5, exec: \"\", timeout: \"x\", stopTimeout: \"x\", restarts: \"x\", when: { once: \"x\" } }, \"x\", {} ] }";
        let paths: Vec<String> = outcome(text).diagnostics.into_iter().map(|d| d.path).collect();
        assert_eq!(
            paths,
            [
                "jobs[0].exec",
                "jobs[0].timeout",
                "jobs[0].stopTimeout",
                "jobs[0].restarts",
                "jobs[0].when.once",
                "jobs[1]",
                "jobs[2].name",
            ]
        );
    }
}
