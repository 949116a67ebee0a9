//! Processes as the kernel shows them, read from outside their namespace.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// One process of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid as the test sees it: the one to send signals to.
    pub pid: i32,
    /// Its pid as the program sees it.
    pub inner_pid: i32,
    /// The pid of its parent as the test sees it; 0 when the parent is outside of all we see.
    pub parent: i32,
    /// The state letter of `/proc/PID/stat`: `R`, `S`, `D`, `T`, `Z`, ….
    pub state: char,
    /// The process group as the test sees it.
    pub group: i32,
    /// The command line with spaces between arguments; `[name]` when there is none (zombies).
    pub command: String,
}

/// One open descriptor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// What it is: a path, `pipe:[…]`, `socket:[…]`, `anon_inode:[…]`.
    pub target: String,
}

/// The fields of `/proc/PID/stat` behind the command's name: state, parent, group, …. `None` when it is gone.
pub fn stat(pid: i32) -> Option<(String, Vec<String>)> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name is free text in brackets and may hold brackets itself.
    let (head, tail) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    Some((name, tail.split_ascii_whitespace().map(str::to_owned).collect()))
}

/// The pid namespace of a process, as `pid:[4026531836]`.
pub fn namespace(pid: i32) -> Option<String> {
    Some(std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?.to_string_lossy().into_owned())
}

/// The children of all threads of a process, zombies too.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// What is known of one process, if it still is there.
pub fn look(pid: i32) -> Option<Process> {
    let (name, fields) = stat(pid)?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
    Some(Process {
        pid,
        inner_pid: status_field(pid, "NSpid")?.split_ascii_whitespace().last()?.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        command: if command.is_empty() { format!("[{name}]") } else { command },
    })
}

/// All processes of a pid namespace (not of those below it), by pid.
pub fn in_namespace(name: &str) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut all: Vec<Process> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| namespace(*pid).as_deref() == Some(name))
        .filter_map(look)
        .collect();
    all.sort_by_key(|process| process.pid);
    all
}

/// The open descriptors of a process; empty when it is gone.
pub fn descriptors(pid: i32) -> BTreeSet<Descriptor> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let target: PathBuf = std::fs::read_link(entry.path()).ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some(Descriptor { number, target: target.to_string_lossy().into_owned() })
        })
        .collect()
}

/// A line of `/proc/PID/status` without its name.
pub fn status_field(pid: i32, field: &str) -> Option<String> {
    field_of(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, field)
}

/// A size of `/proc/PID/smaps_rollup` in KiB: `Rss`, `Pss`, `Private_Dirty`, ….
pub fn memory_kib(pid: i32, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    field_of(&text, field)?.split_ascii_whitespace().next()?.parse().ok()
}

/// The number of a processor that we may use, for `taskset -c`.
pub fn one_processor() -> String {
    let ours = sched_getaffinity(Pid::from_raw(0)).expect("our own processors");
    (0..CpuSet::count()).find(|number| ours.is_set(*number) == Ok(true)).expect("one at least").to_string()
}

/// The processor time that all living threads of a process used.
pub fn cpu_time(pid: i32) -> Duration {
    Duration::from_nanos(sum_over_threads(pid, "schedstat", |text| text.split_ascii_whitespace().next()?.parse().ok()))
}

/// The time that all living threads of a process were ready to run and had no processor.
pub fn processor_wait(pid: i32) -> Duration {
    let wait = |text: &str| text.split_ascii_whitespace().nth(1)?.parse().ok();
    Duration::from_nanos(sum_over_threads(pid, "schedstat", wait))
}

/// How often the threads of a process went to sleep by themselves: each such switch is one wake-up.
pub fn voluntary_switches(pid: i32) -> u64 {
    sum_over_threads(pid, "status", |text| field_of(text, "voluntary_ctxt_switches")?.parse().ok())
}

fn sum_over_threads(pid: i32, file: &str, value: impl Fn(&str) -> Option<u64>) -> u64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join(file)).ok())
        .filter_map(|text| value(&text))
        .sum()
}

fn field_of(text: &str, field: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}
