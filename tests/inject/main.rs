//! System calls that fail: the real binary as PID 1, at work, and one call of it gives an error, by `strace -e inject`.
//! Whatever it is, the promises of docs/reliability.md hold: nobody else notices, what is lost is told once, and the end
//! comes in time with a truthful status and nobody left.
//!
//! The everyday lane takes a few of the times at which a call can fail, the long one each up to the fiftieth.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test outside the program: it may look at the clock, and what can't be done makes it fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod fatal;
mod log;
mod smoke;
mod strace;
mod targeted;

use std::sync::Mutex;

use smoke::{Fault, Outcome, run};
use support::long_lane;

/// The thread of the loop, and of all tasks.
const LOOP: &str = "containerpilot";

/// The log's writer.
const LOG: &str = "log";

/// So many runs at once in one test: they mostly wait.
const AT_ONCE: usize = 3;

/// Does this with each, some at once.
fn each<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (waiting, done) = (Mutex::new(all.iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = next() {
                    let result = run(one);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// Runs all of these, and tells of each that went wrong. Gives what came of them.
#[track_caller]
fn lane(faults: &[Fault]) -> Vec<(Fault, Outcome)> {
    let done = each(faults, |fault| (*fault, run(fault)));
    let bad = done.iter().filter(|(_, outcome)| !outcome.is_good());
    let wrong: Vec<String> = bad.map(|(fault, outcome)| format!("--- {fault}\n{}", outcome.explain())).collect();
    assert!(wrong.is_empty(), "{}\n{} of {} runs are wrong", wrong.join("\n"), wrong.len(), done.len());
    done
}

/// At which times a call fails in the everyday lane: closer where it begins.
const SPREAD: [usize; 9] = [1, 2, 3, 5, 8, 13, 21, 34, 50];

/// How often each call has to be made.
const MOST: usize = 50;

/// Lets a call fail while everything runs: with the first of these errors at times that are spread, with the others at two of
/// them, in the everyday lane; with all of them at each time in the long one.
#[track_caller]
fn while_it_runs(thread: &'static str, call: &'static str, errnos: &[&'static str]) {
    let ns = |index: usize| match (long_lane(), index) {
        (true, _) => (1..=MOST).collect(),
        (false, 0) => SPREAD.to_vec(),
        (false, _) => vec![SPREAD[1], SPREAD[index + 4]],
    };
    let fault = |errno, n| Fault { thread, call, errno, n, stopping: false };
    let faults: Vec<Fault> =
        (0..).zip(errnos).flat_map(|(index, errno)| ns(index).into_iter().map(move |n| fault(errno, n))).collect();
    let done = lane(&faults);
    let missed: Vec<String> = done.iter().filter(|(_, run)| !run.hit).map(|(fault, _)| fault.to_string()).collect();
    assert!(missed.is_empty(), "the call was not made so often: {missed:#?}");
}

/// So often each call that makes a process is made during a stop.
const AT_STOP: usize = 20;

/// Lets calls fail from the stop on. There are not many of each, but of those that make processes: they are all `made`.
#[track_caller]
fn while_it_stops(thread: &'static str, calls: &[(&'static str, &'static str)], made: bool) {
    let ns = match (long_lane(), made) {
        (true, _) => (1..=AT_STOP).collect(),
        (false, true) => vec![1, 8, AT_STOP],
        (false, false) => vec![1, 3],
    };
    let fault = |call, errno, n| Fault { thread, call, errno, n, stopping: true };
    let faults: Vec<Fault> =
        calls.iter().flat_map(|(call, errno)| ns.iter().map(move |n| fault(call, errno, *n))).collect();
    let done = lane(&faults);
    for (call, errno) in calls {
        let of_call = done.iter().filter(|(fault, _)| fault.call == *call && fault.errno == *errno);
        let missed: Vec<usize> = of_call.filter(|(_, outcome)| !outcome.hit).map(|(fault, _)| fault.n).collect();
        let enough = if made { missed.is_empty() } else { missed.len() < ns.len() };
        assert!(enough, "{call} was not made so often during a stop: {missed:?}");
    }
}

// Seen red with src/process/spawn_error.rs:
//- SpawnErrorKind::OutOfProcesses => Some(Lack::Processes),
//+ SpawnErrorKind::OutOfProcesses => None,
#[test]
fn processes_and_threads_that_can_not_be_made() {
    while_it_runs(LOOP, "?clone,?clone3,?vfork", &["EAGAIN", "ENOMEM"]);
}

#[test]
fn reads_that_fail() {
    while_it_runs(LOOP, "read", &["EIO", "EINTR"]);
}

#[test]
fn reads_of_sockets_that_fail() {
    while_it_runs(LOOP, "recvfrom", &["ECONNRESET", "EINTR"]);
}

#[test]
fn writes_to_sockets_that_fail() {
    while_it_runs(LOOP, "sendto", &["EPIPE", "ENOBUFS"]);
    while_it_runs(LOOP, "writev", &["ECONNRESET", "EPIPE"]);
}

#[test]
fn wake_ups_that_fail() {
    // The runtime's own descriptor; the kernel has no other error for it.
    while_it_runs(LOOP, "write", &["EAGAIN"]);
    while_it_runs(LOOP, "?epoll_wait,?epoll_pwait,?epoll_pwait2", &["EINTR"]);
}

// Seen red with src/log/output.rs:
//- failing @ None => *failing = Some(Failing { lines: lost, why, torn }),
//+ failing @ None => *failing = None,
#[test]
fn lines_of_the_log_that_can_not_be_written() {
    while_it_runs(LOG, "write", &["EIO", "ENOSPC", "EINTR", "EAGAIN"]);
}

// Seen red with src/http/serve.rs:
//- () = sleep(failures.another(shared.name, &error, Instant::now())) => {}
//+ () = sleep(failures.another(shared.name, &error, Instant::now())) => break,
#[test]
fn connections_that_can_not_be_accepted() {
    while_it_runs(LOOP, "accept4", &["EMFILE", "ECONNABORTED", "ENFILE"]);
}

#[test]
fn files_that_can_not_be_opened() {
    while_it_runs(LOOP, "openat", &["EMFILE", "ENOENT", "EACCES"]);
}

#[test]
fn descriptors_that_can_not_be_had_or_waited_for() {
    while_it_runs(LOOP, "pipe2", &["EMFILE", "ENFILE"]);
    while_it_runs(LOOP, "epoll_ctl", &["ENOSPC", "ENOMEM"]);
    while_it_runs(LOOP, "waitid", &["EINTR"]);
}

#[test]
fn calls_of_the_loop_that_fail_during_a_stop() {
    let calls = [
        ("read", "EIO"),
        ("?epoll_wait,?epoll_pwait,?epoll_pwait2", "EINTR"),
        ("waitid", "EINTR"),
        ("recvfrom", "ECONNRESET"),
        ("sendto", "EPIPE"),
    ];
    while_it_stops(LOOP, &calls, false);
}

/// Jobs that come before and after the end of another are started all the same.
#[test]
fn last_jobs_that_can_not_be_started_at_once() {
    // No file is opened for it.
    let calls = [("?clone,?clone3,?vfork", "EAGAIN"), ("pipe2", "EMFILE")];
    while_it_stops(LOOP, &calls, true);
}

#[test]
fn last_lines_of_the_log_that_can_not_be_written() {
    while_it_stops(LOG, &[("write", "EIO"), ("write", "EINTR")], false);
}
