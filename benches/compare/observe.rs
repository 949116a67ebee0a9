//! What the kernel says of processes: children, memory, CPU, context switches.

use std::fs;
use std::path::Path;

/// Nanoseconds of a tick, by which the kernel tells times of processes: a hundredth of a second wherever Linux runs.
const TICK: u64 = 10_000_000;

/// The children of a process, of all its threads.
pub fn children(pid: i32) -> Vec<i32> {
    let mut children = Vec::new();
    for task in tasks(pid) {
        let text = fs::read_to_string(format!("{task}/children")).unwrap_or_default();
        children.extend(text.split_whitespace().filter_map(|word| word.parse::<i32>().ok()));
    }
    children
}

fn tasks(pid: i32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path().display().to_string())).collect()
}

/// The processes of an init itself: it and all below it that are not our jobs.
pub struct Own(Vec<i32>);

impl Own {
    /// Looks for them; `jobs` is the directory of our jobs' programs.
    pub fn of(init: i32, jobs: &Path) -> Self {
        let (mut own, mut left) = (Vec::new(), vec![init]);
        while let Some(pid) = left.pop() {
            left.extend(children(pid));
            let is_job = |program: std::path::PathBuf| program.starts_with(jobs);
            if !fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(is_job) {
                own.push(pid);
            }
        }
        Self(own)
    }

    /// How many there are.
    pub fn processes(&self) -> usize {
        self.0.len()
    }

    /// How many threads they have together.
    pub fn threads(&self) -> usize {
        self.0.iter().map(|pid| tasks(*pid).len()).sum()
    }

    /// A line of `smaps_rollup`, in KiB, of all of them.
    pub fn memory(&self, line: &str) -> u64 {
        self.0.iter().map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), line)).sum()
    }

    /// Nanoseconds on a CPU so far.
    pub fn cpu(&self) -> u64 {
        let of_task = |task: String| {
            let text = fs::read_to_string(format!("{task}/schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        self.0.iter().flat_map(|pid| tasks(*pid)).filter_map(of_task).sum()
    }

    /// Nanoseconds that those took whom they have reaped, in steps of a clock tick.
    pub fn cpu_of_reaped(&self) -> u64 {
        let ticks = |pid: &i32| {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // Behind the name, which may hold anything; user and system time of children are the fields 16 and 17.
            let fields = text.rsplit_once(')')?.1.split_whitespace().skip(13).take(2);
            Some(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
        };
        self.0.iter().filter_map(ticks).sum::<u64>() * TICK
    }

    /// How often they came off a CPU so far.
    pub fn switches(&self) -> u64 {
        let of_task = |task: String| {
            let status = format!("{task}/status");
            field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
        };
        self.0.iter().flat_map(|pid| tasks(*pid)).map(of_task).sum()
    }
}

/// The number behind a name in a file of `/proc`.
fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
