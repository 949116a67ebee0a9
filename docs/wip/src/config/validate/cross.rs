//! What only the whole file can tell: names that nobody has, names that two have, jobs that wait for each other.

use std::collections::HashMap;

use super::consul::{Decided, NO_BACKEND};
use super::jobs::Element;
use super::signals::Signals;
use crate::config::diagnostic::{Span, nearest};
use crate::config::json5::Node;
use crate::config::raw::{Job, Watch};
use crate::config::report::{Problem, Rank, Report, Step};
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
        report.add(Problem::warning("jobs", whole.top, message).label("").whole());
    }
    repeated_names(whole, report);
    without_consul(whole, report);
    for (element, raw, job) in whole.pairs() {
        unknown_source(whole, &named, (element, raw, job), strict, report);
    }
    for (path, node, job) in &whole.signals.jobs {
        if named.complete && !named.jobs.iter().any(|(name, _)| name == job) {
            let message = format!("{path}: no job is called {}", report.named(node));
            let problem = Problem::error(Rank::OURS, path, node.span, message);
            report.add(named.suggest(problem, node, job, report));
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

/// Who publishes events.
struct Named {
    /// Names of jobs, each with its path if the file says it literally.
    jobs: Vec<(String, Option<String>)>,
    /// Other sources, in the same way.
    others: Vec<(String, Option<String>)>,
    /// Every job and watch has a name that could be read.
    complete: bool,
}

impl Named {
    fn of(whole: &Whole) -> Self {
        let mut named = Self { jobs: Vec::new(), others: Vec::new(), complete: true };
        for element in whole.raw_jobs {
            let name = element.raw.as_ref().map_or("", |job| job.name.text());
            named.complete &= !name.is_empty();
            named.jobs.push((name.to_owned(), Some(format!("jobs[{}]", element.index))));
            named.others.push((format!("check.{name}"), None));
        }
        if whole.telemetry {
            named.jobs.push((TELEMETRY_JOB.to_owned(), None));
        }
        for element in whole.raw_watches {
            let name = element.raw.as_ref().map_or("", |watch| watch.name.text());
            named.complete &= !name.is_empty();
            named.others.push((format!("watch.{name}"), Some(format!("watches[{}]", element.index))));
        }
        named.others.push(("global".to_owned(), None));
        named
    }
}
