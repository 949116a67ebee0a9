//! Which jobs wake each other for ever (reliability row 37).
//!
//! `a` each `exitSuccess` of `b` and `b` each `exitSuccess` of `a` is a loop that forks as fast as it can. Such jobs
//! are allowed, but their starts are spaced like restarts. Only exits count: everything else on the bus happens once
//! in the life of a job or at the pace of a timer.

use std::collections::BTreeMap;

use crate::plan::{EventCode, JobSpec, When};

/// For each job whether it is part of a cycle of `each` triggers on exits.
///
/// Jobs that no other candidate wakes, or that wake none, are struck out until nobody is left to strike. (With
/// several jobs of one name those between two cycles remain too, to no harm.)
pub(super) fn in_cycle(jobs: &[JobSpec]) -> Vec<bool> {
    let source_of: Vec<Option<&str>> = jobs.iter().map(exit_source).collect();
    let mut by_name: BTreeMap<&str, Candidates> = BTreeMap::new();
    for (index, (job, source)) in jobs.iter().zip(&source_of).enumerate() {
        if let Some(source) = source {
            by_name.entry(&job.name).or_default().called.push(index);
            by_name.entry(source).or_default().woken.push(index);
        }
    }
    for candidates in by_name.values_mut() {
        candidates.count();
    }
    let mut candidate: Vec<bool> = source_of.iter().map(Option::is_some).collect();
    let mut to_look_at: Vec<usize> = (0..jobs.len()).collect();
    while let Some(index) = to_look_at.pop() {
        let (Some(job), Some(Some(source)), Some(still)) =
            (jobs.get(index), source_of.get(index), candidate.get_mut(index))
        else {
            continue;
        };
        // A job's own exit never starts it (v3 §8.2).
        let itself = usize::from(*source == job.name);
        let woken_by_others = by_name.get(source).is_some_and(|there| there.calls_left > itself);
        let wakes_others = by_name.get(job.name.as_str()).is_some_and(|there| there.wakes_left > itself);
        if !*still || (woken_by_others && wakes_others) {
            continue;
        }
        *still = false;
        if let Some(there) = by_name.get_mut(job.name.as_str()) {
            there.calls_left -= 1;
            if there.calls_left <= 1 {
                to_look_at.extend(&there.woken);
            }
        }
        if let Some(there) = by_name.get_mut(source) {
            there.wakes_left -= 1;
            if there.wakes_left <= 1 {
                to_look_at.extend(&there.called);
            }
        }
    }
    candidate
}

/// The candidates round one name.
#[derive(Default)]
struct Candidates {
    /// Those who have the name, and how many of them are left.
    called: Vec<usize>,
    calls_left: usize,
    /// Those who wait for it, and how many of them are left.
    woken: Vec<usize>,
    wakes_left: usize,
}

impl Candidates {
    fn count(&mut self) {
        self.calls_left = self.called.len();
        self.wakes_left = self.woken.len();
    }
}

fn exit_source(job: &JobSpec) -> Option<&str> {
    match &job.when {
        When::Each(trigger) if matches!(trigger.event, EventCode::ExitSuccess | EventCode::ExitFailed) => {
            Some(&trigger.source)
        }
        When::Startup | When::Once(_) | When::Each(_) | When::Every(_) | When::Signal(_) | When::Never(_) => None,
    }
}
