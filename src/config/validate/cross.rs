//! What only the whole file can tell: names that nobody has, names that two have, what there is without Consul.

use std::collections::HashMap;

use super::consul::Decided;
use super::elements::Element;
use super::signals::Signals;
use super::sources::{self, Named};
use crate::config::diagnostic::Span;
use crate::config::raw::{Job, Watch};
use crate::config::report::{Problem, Rank, Report};
use crate::plan::{JobSpec, TELEMETRY_JOB};
use crate::visible::is_odd;

/// Everything that was decided, beside what the file said.
pub(super) struct Whole<'w, 'n> {
    /// The whole file.
    pub(super) top: Span,
    /// The jobs as written.
    pub(super) raw_jobs: &'w [Element<Job<'n>>],
    /// Those that are objects, judged, in the same order.
    pub(super) jobs: &'w [JobSpec],
    /// The watches as written.
    pub(super) raw_watches: &'w [Element<Watch<'n>>],
    /// What signals mean.
    pub(super) signals: &'w Signals<'n>,
    /// Whether there will be a job called `containerpilot`.
    pub(super) telemetry: bool,
    /// What the file says of Consul.
    pub(super) consul: &'w Decided,
}

/// All rules that need more than one section.
pub(super) fn check(whole: &Whole, report: &mut Report) {
    let named = Named::of(whole);
    if whole.raw_jobs.is_empty() && whole.raw_watches.is_empty() && !whole.telemetry {
        let message = "there are no jobs: nothing to do but wait for a signal to stop";
        report.add(Problem::warning("jobs", whole.top, message).nowhere());
    }
    repeated_names(whole, report);
    odd_names(whole, report);
    without_consul(whole, report);
    sources::check(whole, &named, report);
    for (path, node, job) in whole.signals.jobs.iter().filter(|(_, _, job)| !named.is_job(job)) {
        let near = report.literal(node.span).and_then(|_| named.near_job(job));
        if near.is_none() && named.may_be_a_nameless_job() {
            continue;
        }
        let message = format!("{path}: no job is called {}", report.named(node));
        let problem = Problem::error(Rank::OURS, path, node.span, message);
        report.add(match near {
            Some(near) => problem.label(format!("did you mean \"{near}\"?")),
            None => problem,
        });
    }
    super::cycles::check(whole, report);
}

impl<'w, 'n> Whole<'w, 'n> {
    /// The index in the file, the job as written, and judged.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, &'w Job<'n>, &'w JobSpec)> {
        let objects = self.raw_jobs.iter().filter_map(|element| Some((element.index, element.raw.as_ref()?)));
        objects.zip(self.jobs).map(|((index, raw), job)| (index, raw, job))
    }
}

/// Events tell names, not jobs: who waits for one of two jobs with one name hears both.
fn repeated_names(whole: &Whole, report: &mut Report) {
    let mut first_of: HashMap<&str, usize> = HashMap::new();
    for (index, raw, job) in whole.pairs().filter(|(_, _, job)| !job.name.is_empty()) {
        let first = *first_of.entry(&job.name).or_insert(index);
        let Some(node) = raw.name_node.filter(|_| first != index) else { continue };
        let path = format!("jobs[{index}].name");
        let message =
            format!("{path}: jobs[{first}] is called {}, too: their events can't be told apart", report.named(node));
        report.add(Problem::warning(&path, node.span, message));
    }
}

/// The name of the job that telemetry adds, which the original lets a job have, too; and names that a terminal would obey.
fn odd_names(whole: &Whole, report: &mut Report) {
    for (index, raw, job) in whole.pairs() {
        let Some(node) = raw.name_node else { continue };
        let path = format!("jobs[{index}].name");
        if whole.telemetry && job.name == TELEMETRY_JOB {
            let message = format!(
                "{path}: `telemetry` adds a job called `{TELEMETRY_JOB}`: their events can't be told apart, and the console \
                 and the metrics know only one of them"
            );
            report.add(Problem::warning(&path, node.span, message).label("another name?"));
        }
        if let Some(odd) = job.name.chars().find(|&c| is_odd(c)) {
            let kind = if odd.is_control() { "a control character" } else { "an invisible character" };
            let message = format!("{path}: there is {kind} in it, which makes the log hard to read");
            report.add(Problem::warning(&path, node.span, message));
        }
    }
}

/// Without Consul a port is only a word, and a watch has nothing to look at (design §4 row 17).
fn without_consul(whole: &Whole, report: &mut Report) {
    let said = match whole.consul {
        Decided::Agent(_) | Decided::Bad => return,
        Decided::Off => "`consul: false`",
        Decided::Absent => "no `consul` section",
    };
    for element in whole.raw_watches {
        let Some(watch) = &element.raw else { continue };
        let path = format!("watches[{}]", element.index);
        let message = format!("{path}: a watch needs Consul, and there is {said}");
        let problem = Problem::error(Rank::OURS, &path, watch.span, message);
        report.add(problem.help("for example consul: \"localhost:8500\""));
    }
    if matches!(whole.consul, Decided::Off) {
        return;
    }
    let ports =
        whole.pairs().find_map(|(index, raw, job)| Some((index, raw.port.span().filter(|_| job.service.is_some())?)));
    if let Some((index, span)) = ports {
        let path = format!("jobs[{index}].port");
        let message = format!("{path}: jobs with a port run, but are not registered: there is {said}");
        report.add(
            Problem::warning(&path, span, message)
                .help("consul: \"localhost:8500\" registers them, consul: false says that this is meant"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, said};

    fn said_of(text: &str) -> Vec<String> {
        said(&outcome(text))
    }

    #[test]
    fn a_job_called_as_telemetrys_own_is_told() {
        let text =
            r#"{ telemetry: { interfaces: ["static:127.0.0.1"] }, jobs: [ { name: "containerpilot", exec: "x" } ] }"#;
        let told = said(&outcome(text));
        assert!(told.iter().any(|line| line.starts_with("W jobs[0].name: `telemetry` adds a job called")), "{told:?}");
        let alone = said(&outcome(r#"{ jobs: [ { name: "containerpilot", exec: "x" } ] }"#));
        assert!(!alone.iter().any(|line| line.contains("telemetry")), "{alone:?}");
    }

    #[test]
    fn a_name_with_a_control_character_is_told() {
        let told = said(&outcome(r#"{ jobs: [ { name: "a\u001bb", exec: "x" } ] }"#));
        assert!(told.iter().any(|line| line.starts_with("W jobs[0].name: there is a control character")), "{told:?}");
        let told = said(&outcome(r#"{ jobs: [ { name: "a\u202eb", exec: "x" } ] }"#));
        assert!(
            told.iter().any(|line| line.starts_with("W jobs[0].name: there is an invisible character")),
            "{told:?}"
        );
    }

    #[test]
    fn of_jobs_with_one_name_each_later_one_is_told() {
        let jobs = "{ jobs: [ null, { name: \"a\" }, { name: \"b\" }, { name: \"a\" }, { name: \"a\" } ] }";
        let told = "jobs[1] is called `a`, too: their events can't be told apart";
        assert_eq!(said_of(jobs), [format!("W jobs[3].name: {told}"), format!("W jobs[4].name: {told}")]);
        // Those without a name have one problem already.
        assert_eq!(said_of("{ jobs: [ {}, {} ] }").len(), 2);
    }

    #[test]
    fn a_signal_can_be_passed_to_jobs_that_are_there() {
        let pass = |job: &str| {
            format!(
                "{{ signals: {{ SIGQUIT: {{ job: \"{job}\", signal: \"SIGTERM\" }} }}, jobs: [ {{ name: \"nginx\" }} ] }}"
            )
        };
        assert_eq!(said_of(&pass("nginx")), Vec::<String>::new());
        assert_eq!(
            said_of(&pass("ngnix")),
            ["E signals.SIGQUIT.job: no job is called `ngnix` [did you mean \"nginx\"?]"]
        );
    }

    #[test]
    fn a_job_that_a_signal_names_may_be_one_without_a_name_unless_another_is_near() {
        let said_of = |job: &str, more: &str| {
            said_of(&format!(
                "{{ signals: {{ HUP: {{ job: \"{job}\", signal: \"HUP\" }} }}, jobs: [ {{ name: \"nginx\" }} ], {more} }}"
            ))
        };
        let nameless = "jobs: [ { name: \"nginx\" }, { exec: \"x\" }, \"x\" ]";
        let (near, far) = (said_of("ngnix", nameless), said_of("other", nameless));
        let told = "E signals.HUP.job: no job is called `ngnix` [did you mean \"nginx\"?]".to_owned();
        assert_eq!(
            (near.contains(&told), far.iter().any(|said| said.contains("HUP"))),
            (true, false),
            "{near:?} {far:?}"
        );
        // A watch is no job, with a name or without.
        let watch = said_of("other", "consul: \"c:1\", watches: [ { interval: 1 } ]");
        assert!(watch.contains(&"E signals.HUP.job: no job is called `other`".to_owned()), "{watch:?}");
    }

    #[test]
    fn without_consul_ports_are_told_once_and_watches_refused() {
        let job = |name: &str| {
            format!(
                "{{ name: \"{name}\", port: 80, interfaces: \"static:10.0.0.1\", health: {{ interval: 1, ttl: 5 }} }}"
            )
        };
        let (jobs, watches) =
            (format!("jobs: [ {}, {} ]", job("aa"), job("bb")), "watches: [ { name: \"db\", interval: 5 } ]");
        let port = "W jobs[0].port: jobs with a port run, but are not registered: there is no `consul` section";
        assert_eq!(said_of(&format!("{{ {jobs} }}")), [port]);
        assert_eq!(said_of(&format!("{{ consul: false, {jobs} }}")), Vec::<String>::new());
        for (consul, word) in [("", "no `consul` section"), ("consul: false,", "`consul: false`")] {
            assert_eq!(
                said_of(&format!("{{ {consul} {watches} }}")),
                [format!("E watches[0]: a watch needs Consul, and there is {word}")]
            );
        }
    }

    #[test]
    fn a_file_without_jobs_is_worth_a_word() {
        let word = "W jobs: there are no jobs: nothing to do but wait for a signal to stop";
        assert_eq!(said_of("{}"), [word]);
        assert_eq!(said_of("{ jobs: [ null ] }"), [word]);
        assert_eq!(said_of("{ telemetry: { interfaces: [\"static:10.0.0.1\"] } }"), Vec::<String>::new());
    }
}
