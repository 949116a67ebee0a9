//! Jobs that wait for each other, so that none of them ever starts.

use super::cross::Whole;
use crate::config::json5::{Node, Value};
use crate::config::report::{Problem, Report};
use crate::plan::{EventCode, JobSpec, When};

/// Warns once of each ring of jobs that can only start after each other.
pub(super) fn check(whole: &Whole, report: &mut Report) {
    let jobs = whole.jobs;
    let waits: Vec<Option<usize>> = waits_for(jobs);
    let mut told = vec![false; jobs.len()];
    for (at, (index, raw, _)) in whole.pairs().enumerate() {
        let Some(ring) = ring_from(at, &waits) else { continue };
        if ring.iter().any(|member| told.get(*member).copied().unwrap_or(true)) {
            continue;
        }
        for member in &ring {
            if let Some(told) = told.get_mut(*member) {
                *told = true;
            }
        }
        let path = format!("jobs[{index}].when");
        let span = raw.when.span().unwrap_or(raw.span);
        let names: Option<Vec<&str>> = ring.iter().map(|member| literal_name(whole, *member, report)).collect();
        let message = match names.as_deref() {
            _ if ring.len() == 1 => format!("{path}: the job waits for itself and never starts"),
            Some([first, others @ ..]) => {
                let others = others.join(", which waits for ");
                format!("{path}: {first} waits for {others}, which waits for {first}: none of them ever starts")
            }
            _ => format!("{path}: the job waits for one that waits for it: none of them ever starts"),
        };
        report.add(Problem::warning(&path, span, message));
    }
}

/// A job's name, if it stands in the file just so.
fn literal_name<'n>(whole: &Whole<'_, 'n>, at: usize, report: &Report) -> Option<&'n str> {
    let (_, raw, _) = whole.pairs().nth(at)?;
    let node: &'n Node = raw.name_node?;
    report.literal(node.span)?;
    if let Value::String(name) = &node.value { Some(name) } else { None }
}

/// For each job the one that must have run before it can start, if there is exactly one such job.
fn waits_for(jobs: &[JobSpec]) -> Vec<Option<usize>> {
    let named = |name: &str| {
        let mut all = jobs.iter().enumerate().filter(|(_, job)| job.name == name).map(|(at, _)| at);
        let first = all.next();
        first.filter(|_| all.next().is_none())
    };
    let source = |job: &JobSpec| {
        let (When::Once(trigger) | When::Each(trigger)) = &job.when else { return None };
        let of_a_run = matches!(
            trigger.event,
            EventCode::ExitSuccess | EventCode::ExitFailed | EventCode::StatusHealthy | EventCode::StatusUnhealthy
        );
        // A job that gives up waiting publishes its end, which may start others.
        if !of_a_run || job.wait_timeout.is_some() {
            return None;
        }
        named(trigger.source.strip_prefix("check.").unwrap_or(&trigger.source))
    };
    jobs.iter().map(source).collect()
}

/// The jobs that a job waits for in turn, itself first, if they come back to it.
fn ring_from(start: usize, waits: &[Option<usize>]) -> Option<Vec<usize>> {
    let mut ring = vec![start];
    let mut at = start;
    for _ in 0..waits.len() {
        at = waits.get(at).copied().flatten()?;
        if at == start {
            return Some(ring);
        }
        ring.push(at);
    }
    None
}
