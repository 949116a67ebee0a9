//! Jobs that wait for each other, so that none of them ever starts.

use std::collections::HashMap;

use super::cross::Whole;
use crate::config::json5::Value;
use crate::config::raw::Job;
use crate::config::report::{Problem, Report};
use crate::plan::{EventCode, JobSpec, When};

/// Warns once of each ring of jobs that can only start after each other.
pub(super) fn check(whole: &Whole, report: &mut Report) {
    let jobs: Vec<(usize, &Job)> = whole.pairs().map(|(index, raw, _)| (index, raw)).collect();
    // A ring of both kinds is none: who waits for a run ends with the program, which starts who waits for its end.
    let kinds = [Wait::ForARun, Wait::ForAnEnd].map(|wait| rings(&waits_for(whole.jobs, wait)));
    for ring in kinds.concat() {
        let members: Vec<(usize, &Job)> = ring.iter().filter_map(|at| jobs.get(*at).copied()).collect();
        let Some(&(index, raw)) = members.first() else { continue };
        let path = format!("jobs[{index}].when");
        let span = raw.when.span().unwrap_or(raw.span);
        let names: Option<Vec<&str>> = members.iter().map(|(_, raw)| literal_name(raw, report)).collect();
        let message = match names.as_deref() {
            _ if ring.len() == 1 => format!("{path}: the job waits for itself and never starts"),
            Some([first, others @ ..]) if ring.len() <= LONGEST_TOLD => {
                let others = others.join(", which waits for ");
                format!("{path}: {first} waits for {others}, which waits for {first}: none of them ever starts")
            }
            _ => format!("{path}: {} jobs wait for each other in a ring: none of them ever starts", ring.len()),
        };
        report.add(Problem::warning(&path, span, message).refused_by_check());
    }
}

/// The longest ring whose members are all named.
const LONGEST_TOLD: usize = 8;

/// A job's name, if it stands in the file just so.
fn literal_name<'n>(raw: &Job<'n>, report: &Report) -> Option<&'n str> {
    let node = raw.name_node?;
    report.literal(node.span)?;
    if let Value::String(name) = &node.value { Some(name) } else { None }
}

/// What a job waits for in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// That it has run.
    ForARun,
    /// That it ends. It need not have run for that, as the end of the program comes to all; but who waits for the end of
    /// somebody who himself waits in a ring is not waited for then (v3 §12.3).
    ForAnEnd,
}

impl Wait {
    fn of(job: &JobSpec, event: EventCode) -> Option<Self> {
        match event {
            EventCode::ExitSuccess | EventCode::ExitFailed | EventCode::StatusHealthy | EventCode::StatusUnhealthy => {
                Some(Self::ForARun)
            }
            // With nothing to run it stops with the others.
            EventCode::Stopping | EventCode::Stopped if job.exec.is_some() => Some(Self::ForAnEnd),
            _ => None,
        }
    }
}

/// For each job the one that it waits for so, if there is exactly one such job.
fn waits_for(jobs: &[JobSpec], wait: Wait) -> Vec<Option<usize>> {
    let mut only: HashMap<&str, Option<usize>> = HashMap::new();
    for (at, job) in jobs.iter().enumerate().filter(|(_, job)| !job.name.is_empty()) {
        // Of two with one name nobody can say which.
        only.entry(&job.name).and_modify(|at| *at = None).or_insert(Some(at));
    }
    let source = |job: &JobSpec| {
        let (When::Once(trigger) | When::Each(trigger)) = &job.when else { return None };
        // A job that gives up waiting publishes its end, which may start others.
        if Wait::of(job, trigger.event) != Some(wait) || job.wait_timeout.is_some() {
            return None;
        }
        let source = trigger.source.as_str();
        let source = if wait == Wait::ForARun { source.strip_prefix("check.").unwrap_or(source) } else { source };
        only.get(source).copied().flatten()
    };
    jobs.iter().map(source).collect()
}

/// The rings, each from its first member in the order of the file. Every job waits for at most one other, so that a walk
/// from each, stopped where another has been, meets every ring once.
fn rings(waits: &[Option<usize>]) -> Vec<Vec<usize>> {
    let mut rings = Vec::new();
    // From which start a job was met first.
    let mut met: Vec<Option<usize>> = vec![None; waits.len()];
    for start in 0..waits.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at {
            match met.get_mut(here) {
                Some(met @ None) => *met = Some(start),
                Some(Some(by)) if *by == start => {
                    let ring = way.iter().copied().skip_while(|member| *member != here);
                    rings.push(from_the_first(ring.collect()));
                    break;
                }
                _ => break,
            }
            way.push(here);
            at = waits.get(here).copied().flatten();
        }
    }
    rings
}

fn from_the_first(mut ring: Vec<usize>) -> Vec<usize> {
    let first = ring.iter().enumerate().min_by_key(|(_, member)| **member).map_or(0, |(place, _)| place);
    ring.rotate_left(first);
    ring
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, read, said};
    use super::*;

    /// What is said of jobs `name source event`, each with something to run and a check.
    fn said_of(jobs: &[&str]) -> Vec<String> {
        said(&outcome(&file(jobs, "exec: 'x', health: { exec: 'c', interval: 1, ttl: 5 }")))
    }

    fn file(jobs: &[&str], all: &str) -> String {
        let job = |words: &&str| {
            let mut words = words.split(' ');
            let (name, source, event) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let more: Vec<&str> = words.collect();
            format!("{{ name: \"{name}\", {all}, when: {{ source: \"{source}\", {event}, {} }} }},", more.join(" "))
        };
        format!("{{ jobs: [ {} ] }}", jobs.iter().map(job).collect::<String>())
    }

    #[test]
    fn jobs_that_wait_for_each_other_are_told() {
        assert_eq!(
            said_of(&["z a once:'healthy'", "a b once:'exitSuccess'", "b check.a each:'exitFailed'"]),
            ["W jobs[1].when: a waits for b, which waits for a: none of them ever starts"]
        );
        for own in ["healthy", "exitSuccess", "stopping", "stopped"] {
            for key in ["once", "each"] {
                let text =
                    file(&[&format!("a a {key}:'{own}'")], "exec: 'x', health: { exec: 'c', interval: 1, ttl: 5 }");
                let told = "jobs[0].when: the job waits for itself and never starts";
                assert_eq!(said(&outcome(&text)), [format!("W {told}")]);
                let strict = read(&text, &[], true);
                assert_eq!((said(&strict), strict.plan), (vec![format!("E {told}")], None));
            }
        }
        let ten: Vec<String> = (0..10).map(|at| format!("j{at} j{} once:'healthy'", (at + 1) % 10)).collect();
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        assert_eq!(said_of(&ten), ["W jobs[0].when: 10 jobs wait for each other in a ring: none of them ever starts"]);
    }

    #[test]
    fn jobs_that_wait_for_the_end_of_each_other_are_told() {
        assert_eq!(
            said_of(&["a b once:'stopped'", "b c each:'stopping'", "c a once:'stopped'", "d a once:'stopped'"]),
            ["W jobs[0].when: a waits for b, which waits for c, which waits for a: none of them ever starts"]
        );
    }

    #[test]
    fn who_may_start_after_all_is_not_told() {
        let nothing = Vec::<String>::new();
        // It gives up, and its end is an event.
        assert_eq!(said_of(&["a b once:'healthy' timeout:5", "b a once:'exitSuccess'"]), nothing);
        assert_eq!(said_of(&["a b once:'stopped' timeout:5", "b a once:'stopped'"]), nothing);
        // The end of the program ends the first, and that starts the second.
        assert_eq!(said_of(&["a b once:'healthy'", "b a once:'stopped'"]), nothing);
        // With nothing to run a job ends with the program, whatever it waits for.
        assert_eq!(said(&outcome(&file(&["a b once:'stopped'", "b a once:'stopping'"], "exec: null"))), nothing);
        // Somebody else starts one of them.
        assert_eq!(said_of(&["a b once:'healthy'", "b global once:'startup'"]), nothing);
        // One of the two may be another.
        let twice = said_of(&["a b once:'healthy'", "b a once:'healthy'", "b global once:'startup'"]);
        assert_eq!(twice.len(), 1, "{twice:?}");
    }

    #[test]
    fn each_ring_is_found_once_and_tails_are_no_part_of_it() {
        assert_eq!(rings(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(rings(&[None, Some(0), Some(1)]), Vec::<Vec<usize>>::new());
        assert_eq!(rings(&[Some(0)]), [[0]]);
        // A tail that comes first leads into the ring at its later member.
        assert_eq!(rings(&[Some(3), None, Some(3), Some(2)]), [[2, 3]]);
        assert_eq!(rings(&[Some(1), Some(2), Some(0), Some(4), Some(3)]), [vec![0, 1, 2], vec![3, 4]]);
        let long: Vec<Option<usize>> = (0..100_000).map(|at| Some((at + 1) % 100_000)).collect();
        assert_eq!(rings(&long).first().map(Vec::len), Some(100_000));
    }
}
