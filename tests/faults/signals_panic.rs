//! Row 22: PID 1 itself panics. The failpoint for it is in the loop and not in a release.
#![cfg(debug_assertions)]

use std::time::Duration;

use crate::output::full_pipe;
use crate::signals::{config, program, wait_command};
use crate::support::{BINARY, Launch, Pilot, Signal, wait_until};

/// Says goodbye into its output and to a file; ignores TERM; hides in a session of its own and ignores TERM.
const JOBS: &str = r#"{ consul: false, stopTimeout: 300, jobs: [
    { name: "polite", restarts: "unlimited", exec: ["perl", "polite.pl", "up", "term"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; echo up >> $LOG; sleep 1001; sleep 1002"] },
    { name: "hidden", exec: ["sh", "-c", "trap '' TERM; echo up >> $LOG; setsid sleep 1003 & wait"] },
] }"#;

/// TERM, a second, KILL, at most another second, and the log's second.
const BOUND: Duration = Duration::from_secs(6);

fn panicking(text: &str) -> Launch {
    config(text).env("CONTAINERPILOT_PANIC_ON", "SIGWINCH")
}

#[track_caller]
fn assert_one_line_with_the_place(stderr: &str) {
    let lines: Vec<&str> = stderr.lines().collect();
    let [line] = &*lines else { unreachable!("one line: {lines:#?}") };
    let place = "containerpilot: internal error, please report it: panicked at src/driver/on_purpose.rs:";
    assert!(line.starts_with(place), "{line}");
    assert!(line.ends_with(": told to panic on SIGWINCH"), "{line}");
}

// Seen red with src/app.rs:
//- if IN_THE_LOOP.get() {
//+ if false {
#[test]
fn f22_a_panic_is_one_line_with_its_place_and_our_children_are_ended() {
    let mut pilot = panicking(JOBS).start();
    pilot.wait_logged("up", 3);
    wait_command(&pilot, "sleep 1003");
    pilot.signal(Signal::SIGWINCH);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    assert_one_line_with_the_place(&pilot.stderr());
    assert_eq!(pilot.log(), ["up", "up", "up", "term"], "the polite one had its moment, and nothing was started again");
    pilot.finish();
}

// Seen red with src/process/guard.rs:
//- sys::on_bad_memory(end_on_fault)
//+ { let _ = end_on_fault; Ok(()) }
#[test]
fn f22_a_stack_that_has_run_over_is_one_line_and_our_children_are_ended() {
    let mut pilot = config(JOBS).env("CONTAINERPILOT_OVERRUN_ON", "SIGWINCH").untraced().start();
    pilot.wait_logged("up", 3);
    wait_command(&pilot, "sleep 1003");
    // Sent by somebody it is no fault of ours.
    pilot.signal(Signal::SIGSEGV);
    pilot.signal(Signal::SIGWINCH);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    let stderr = pilot.stderr();
    assert!(stderr.starts_with("containerpilot: internal error, please report it: a stack has run over, "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(pilot.log(), ["up", "up", "up", "term"], "the polite one had its moment, and nothing was started again");
    pilot.finish();
}

// Seen red with src/driver/reload.rs:
//- let _stack = FaultStack::of_this_thread();
//+
#[test]
fn f22_likewise_on_the_thread_that_reads_a_configuration_again() {
    let text = JOBS.replacen('{', r#"{ signals: { SIGHUP: "reload" },"#, 1);
    let mut pilot = config(&text).env("CONTAINERPILOT_OVERRUN_ON", "reload").untraced().start();
    pilot.wait_logged("up", 3);
    pilot.signal(Signal::SIGHUP);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    assert!(pilot.stderr().contains(": a stack has run over, "), "{}", pilot.stderr());
    assert_eq!(pilot.log(), ["up", "up", "up", "term"]);
    pilot.finish();
}

#[test]
fn f22_children_that_end_at_once_are_not_waited_for() {
    let text = r#"{ consul: false, jobs: [
        { name: "job", exec: ["sh", "-c", "echo up >> $LOG; exec sleep 1000"] },
    ] }"#;
    let mut pilot = panicking(text).start();
    pilot.wait_log("up");
    wait_command(&pilot, "sleep 1000");
    pilot.signal(Signal::SIGWINCH);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    pilot.finish();
}

#[test]
fn f22_the_same_when_we_are_not_pid_1() {
    let script = r#""$BINARY" -config containerpilot.json5 & echo $! > pid; wait $!"#;
    let launch = program("/bin/sh", &["-c", script], JOBS).env("BINARY", BINARY);
    let mut pilot = launch.env("CONTAINERPILOT_PANIC_ON", "SIGWINCH").start();
    pilot.wait_logged("up", 3);
    wait_command(&pilot, "sleep 1003");
    wait_until(BOUND, || pilot.read("pid").ends_with('\n'), "the shell told the pid");
    let number: i32 = pilot.read("pid").trim().parse().unwrap();
    let find = |pilot: &Pilot| pilot.processes().into_iter().find(|p| p.inner_pid == number);
    let ours = find(&pilot).unwrap();
    pilot.signal_process(&ours, Signal::SIGWINCH);
    wait_until(BOUND, || find(&pilot).is_none(), "it ends");
    assert_eq!(pilot.wait_exit(), 70);
    assert_one_line_with_the_place(&pilot.stderr());
    assert_eq!(pilot.log(), ["up", "up", "up", "term"]);
    // That nothing was left when the shell, PID 1, ended at once after it, is what this asserts.
    pilot.finish();
}

#[test]
fn f22_a_stderr_that_nobody_reads_does_not_hold_up_the_end() {
    let (unread, full) = full_pipe();
    let mut pilot = panicking(JOBS).stderr(full).zombie_grace(BOUND).start();
    pilot.wait_logged("up", 3);
    pilot.signal(Signal::SIGWINCH);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    assert_eq!(pilot.logged("term"), 1);
    drop(unread);
    pilot.finish();
}
