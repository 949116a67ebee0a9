//! What only the whole file can tell: names that nobody has, names that two have, jobs that wait for each other.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::consul::Decided;
use super::elements::Element;
use super::signals::Signals;
use crate::config::diagnostic::{Span, nearest};
use crate::config::json5::Node;
use crate::config::raw::{Job, Watch};
use crate::config::report::{Problem, Rank, Report};
use crate::plan::{EventCode, JobSpec, Signal, SignalAction, TELEMETRY_JOB, When};

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
pub(super) fn check(whole: &Whole, strict: bool, report: &mut Report) {
    let named = Named::of(whole);
    if whole.raw_jobs.is_empty() && whole.raw_watches.is_empty() && !whole.telemetry {
        let message = "there are no jobs: nothing to do but wait for a signal to stop";
        report.add(Problem::warning("jobs", whole.top, message).nowhere());
    }
    repeated_names(whole, report);
    without_consul(whole, report);
    for (element, raw, job) in whole.pairs() {
        unknown_source(whole, &named, (element, raw, job), strict, report);
    }
    for (path, node, job) in &whole.signals.jobs {
        if named.complete && !named.is_job(job) {
            let message = format!("{path}: no job is called {}", report.named(node));
            let problem = Problem::error(Rank::OURS, path, node.span, message);
            let near = named.near(job, true).filter(|_| report.literal(node.span).is_some());
            report.add(match near {
                Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                None => problem,
            });
        }
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

/// A source that nobody is called: the job would wait for ever (design §4 row 20).
fn unknown_source(
    whole: &Whole,
    named: &Named,
    (index, raw, job): (usize, &Job, &JobSpec),
    strict: bool,
    report: &mut Report,
) {
    let source = match &job.when {
        When::Once(trigger) | When::Each(trigger) if trigger.event != EventCode::Error => trigger.source.as_str(),
        When::Never(Some(source)) => source.as_str(),
        _ => return,
    };
    let node = raw.when.value().and_then(|when| when.source.node);
    let Some(node) = node.filter(|_| named.complete && !source.is_empty() && !named.knows(source)) else { return };
    let path = format!("jobs[{index}].when.source");
    let signal = Signal::from_name(source).filter(|signal| signal.name() == source);
    let problem = if let Some(signal) = signal {
        let message = format!("{path}: {source} starts no job, it is mapped to {}", word_of(whole, signal));
        let help = format!("signals: {{ {source}: \"event\" }} makes it one");
        Problem::warning(&path, node.span, message).help(help)
    } else {
        let message = format!("{path}: nothing is called {}: the job never starts", report.named(node));
        named.suggest(Problem::warning(&path, node.span, message), node, source, report)
    };
    report.add(problem.refuses_if(strict));
}

/// What a signal means, as `signals` spells it.
fn word_of(whole: &Whole, signal: Signal) -> &'static str {
    match whole.signals.map.action(signal) {
        SignalAction::Terminate => "terminate",
        SignalAction::ToggleMaintenance => "toggleMaintenance",
        SignalAction::ReopenLogs => "reopenLogs",
        SignalAction::Event => "event",
        SignalAction::Ignore => "ignore",
        SignalAction::Pass { .. } => "a job",
    }
}

/// Who publishes events.
struct Named {
    /// The jobs.
    jobs: HashSet<String>,
    /// Other sources.
    others: HashSet<String>,
    /// Names that people give, in file order: of jobs, and sources of watches.
    given: Vec<(String, bool)>,
    /// Every job and watch has a name that could be read.
    complete: bool,
    /// So many more names may be compared with misspelt ones: what is missing from a file of ten thousand jobs is no slip.
    patience: Cell<usize>,
}

/// Comparisons of one name with one other, in all.
const PATIENCE: usize = 20_000;

impl Named {
    fn of(whole: &Whole) -> Self {
        let jobs = whole.raw_jobs.iter().map(|element| element.raw.as_ref().map_or("", |job| job.name.text()));
        let watches =
            whole.raw_watches.iter().map(|element| element.raw.as_ref().map_or("", |watch| watch.name.text()));
        let sources: Vec<String> = watches.clone().map(|name| format!("watch.{name}")).collect();
        let mut others: HashSet<String> = jobs.clone().map(|name| format!("check.{name}")).collect();
        others.extend(sources.iter().cloned());
        others.insert("global".to_owned());
        let complete = jobs.clone().chain(watches).all(|name| !name.is_empty());
        let given =
            jobs.clone().map(|name| (name.to_owned(), true)).chain(sources.into_iter().map(|name| (name, false)));
        let given = given.collect();
        let jobs = jobs.map(str::to_owned).chain(whole.telemetry.then(|| TELEMETRY_JOB.to_owned())).collect();
        Self { jobs, others, given, complete, patience: Cell::new(PATIENCE) }
    }

    fn is_job(&self, name: &str) -> bool {
        self.jobs.contains(name)
    }

    fn knows(&self, source: &str) -> bool {
        self.is_job(source) || self.others.contains(source)
    }

    /// The nearest name.
    fn near(&self, written: &str, only_jobs: bool) -> Option<&str> {
        let patience = self.patience.get().checked_sub(self.given.len())?;
        self.patience.set(patience);
        let candidates = self.given.iter().filter(|(_, is_job)| *is_job || !only_jobs);
        nearest(written, candidates.map(|(name, _)| name.as_str()))
    }

    /// Names the source that was probably meant, unless a template made it, or what was written.
    fn suggest(&self, problem: Problem, node: &Node, written: &str, report: &Report) -> Problem {
        if report.literal(node.span).is_none() {
            return problem;
        }
        let near = self.near(written, false).map(str::to_owned);
        let near = near.or_else(|| Signal::from_name(written).map(Signal::name));
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
    fn of_jobs_with_one_name_each_later_one_is_told() {
        let jobs = "{ jobs: [ null, { name: \"a\" }, { name: \"b\" }, { name: \"a\" }, { name: \"a\" } ] }";
        let told = "jobs[1] is called `a`, too: their events can't be told apart";
        assert_eq!(said_of(jobs), [format!("W jobs[3].name: {told}"), format!("W jobs[4].name: {told}")]);
        // Those without a name have one problem already.
        assert_eq!(said_of("{ jobs: [ {}, {} ] }").len(), 2);
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
    fn everything_that_publishes_events_is_a_known_source() {
        for source in ["a", "check.a", "waits", "check.waits", "global", "watch.w", "containerpilot"] {
            let text = format!(
                "{{ consul: \"c\", watches: [ {{ name: \"ww\", interval: 1 }} ], telemetry: {{ interfaces: [\"static:10.0.0.1\"] }},
                   jobs: [ {{ name: \"a\" }}, {{ name: \"waits\", when: {{ source: \"{source}\", once: \"stopped\" }} }} ] }}"
            );
            assert_eq!(said_of(&text.replace("watch.w", "watch.ww")), Vec::<String>::new(), "{source}");
        }
        // Without telemetry nobody has that name.
        assert_eq!(said_of(&waiting("a", "{ source: \"containerpilot\", once: \"stopped\" }")).len(), 1);
        // The source of an error is its message.
        assert_eq!(said_of(&waiting("a", "{ source: \"whatever\", each: \"error\" }")), Vec::<String>::new());
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
