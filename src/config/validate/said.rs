//! For the rules' tests: a file in, what was decided and said out.

use crate::config::diagnostic::Severity;
use crate::config::{Context, Outcome, Source, compile};
use crate::env::Environment;
use crate::plan::{JobSpec, Plan};

/// A file, read as at a start.
pub(super) fn outcome(text: &str) -> Outcome {
    read(text, &[], false)
}

/// A file, read with an environment, strictly or not.
pub(super) fn read(text: &str, env: &[(&str, &str)], strict: bool) -> Outcome {
    let env: Environment = env.iter().copied().collect();
    let source = Source { origin: "f".to_owned(), text: text.to_owned() };
    compile(&source, &Context { env, ..Context::default() }, strict)
}

/// The plan of a file that must have one.
pub(super) fn plan(text: &str) -> Plan {
    let outcome = outcome(text);
    outcome.plan.unwrap_or_else(|| panic!("{text}\n{:?}", outcome.diagnostics))
}

/// The only job of a file with this job.
pub(super) fn job(fields: &str) -> JobSpec {
    let plan = plan(&format!("{{ consul: false, jobs: [ {{ name: \"app\", exec: \"x\", {fields} }} ] }}"));
    let mut jobs = plan.jobs.into_iter();
    jobs.next().unwrap()
}

/// What was said, each a mark for the severity, the path, and the label, else the message without its path.
pub(super) fn said(outcome: &Outcome) -> Vec<String> {
    let one = |d: &crate::config::diagnostic::Diagnostic| {
        let mark = if d.severity == Severity::Error { 'E' } else { 'W' };
        let message = d.message.strip_prefix(&format!("{}: ", d.path)).unwrap_or(&d.message);
        let label = if d.label.is_empty() { String::new() } else { format!(" [{}]", d.label) };
        format!("{mark} {}: {message}{label}", d.path)
    };
    outcome.diagnostics.iter().map(one).collect()
}

/// What is said of the only job of a file with this job.
pub(super) fn said_of_job(fields: &str) -> Vec<String> {
    said(&outcome(&format!("{{ consul: false, jobs: [ {{ name: \"app\", exec: \"x\", {fields} }} ] }}")))
}
