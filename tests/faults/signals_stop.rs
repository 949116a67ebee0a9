//! Rows 12 and 17 to 20: everything ends, in bounded time, and not before it was asked to.

use std::time::Duration;

use crate::hung::Hung;
use crate::signals::{config, wait_command};
use crate::support::{DEADLINE, Signal, wait, wait_until};

/// A stop that waits for no grace. Generous: many tests run at once.
const AT_ONCE: Duration = Duration::from_secs(5);

// Seen red with src/core/stop.rs:
//- job.kill(&mut turn);
//+
#[test]
fn f12_a_second_term_or_int_cuts_every_grace() {
    // Each pair of signals, and what the second one has to cut: a job that ignores TERM and a pre-stop job.
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "deaf", exec: ["sh", "-c", "trap '' TERM INT; echo up >> $LOG; sleep 1001; sleep 1002"] },
        { name: "served", exec: ["sh", "-c", "echo up >> $LOG; sleep 1003"], stopTimeout: "300s" },
        { name: "preStop", exec: ["sh", "-c", "trap '' TERM; echo preStop >> $LOG; sleep 1004; sleep 1005"],
          when: { source: "served", once: "stopping" } },
    ] }"#;
    for (first, second) in [
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGTERM, Signal::SIGINT),
        (Signal::SIGINT, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGINT),
    ] {
        let mut pilot = config(text).start();
        pilot.wait_logged("up", 2);
        pilot.signal(first);
        pilot.wait_log("preStop");
        let sleeps = || pilot.find("sleep 100").iter().filter(|p| p.command.starts_with("sleep")).count();
        wait_until(DEADLINE, || sleeps() == 3, "all three sleep");
        wait::holds_for(Duration::from_millis(100), || sleeps() == 3, "one signal asks");
        pilot.signal(second);
        assert_eq!(pilot.wait_exit_within(AT_ONCE), 0, "{first} {second}");
        pilot.wait_stdout(&format!("{second} again: killing what is left"));
        pilot.finish();
    }
}

#[test]
fn f12_a_second_term_also_cuts_the_grace_of_what_no_job_owns() {
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "job", exec: ["sh", "-c", "trap '' TERM; setsid sleep 1001 & exec perl polite.pl up term"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_log("up");
    let deaf = wait_command(&pilot, "sleep 1001");
    pilot.signal(Signal::SIGTERM);
    wait_until(DEADLINE, || pilot.processes().iter().all(|p| p.pid == deaf.pid), "only what no job owns is left");
    pilot.signal(Signal::SIGTERM);
    assert_eq!(pilot.wait_exit_within(AT_ONCE), 0);
    pilot.finish();
}

// Seen red with src/core/exec.rs:
//- turn.effects.push(Effect::Signal { child: self.child, signal: Signal::CONT });
//+
#[test]
fn f17_a_stopped_job_is_told_and_can_still_end_in_its_own_way() {
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "job", exec: ["perl", "polite.pl", "up", "term"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_log("up");
    let job = wait_command(&pilot, "perl polite.pl up term");
    pilot.signal_process(&job, Signal::SIGSTOP);
    pilot.wait_stdout("job (pid ");
    pilot.wait_stdout("was stopped by SIGSTOP and does not run on by itself");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(pilot.log(), ["up", "term"]);
    pilot.finish();
}

// Seen red with src/core/exec.rs:
//- let latest = turn.now.after(turn.grace());
//+ let latest = turn.now.after(turn.grace() / 4);
#[test]
fn f18_a_job_that_ignores_term_is_killed_at_its_stop_timeout() {
    let text = r#"{ consul: false, stopTimeout: 2, jobs: [
        { name: "deaf", exec: ["sh", "-c", "trap '' TERM; echo up >> $LOG; sleep 1001; sleep 1002"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_log("up");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!((Duration::from_secs(2)..Duration::from_secs(2) + AT_ONCE).contains(&took), "{took:?}");
    pilot.wait_stdout("deaf did not end within 2s of SIGTERM: killing its process group");
    pilot.wait_stdout("stopped: deaf (killed: it did not end on SIGTERM); exit 0");
    pilot.finish();
}

#[test]
fn f18_the_program_leaves_as_soon_as_the_last_child_is_gone() {
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "job", exec: ["sh", "-c", "echo up >> $LOG; exec sleep 1000"] },
        { name: "slower", exec: ["perl", "polite.pl", "up", "term", "0.3"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_logged("up", 2);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(pilot.log(), ["up", "up", "term"], "and not before");
    pilot.finish();
}

#[test]
fn f18_a_job_that_ended_on_term_is_not_called_killed_for_output_that_others_hold_open() {
    let text = r#"{ consul: false, stopTimeout: 1, jobs: [
        { name: "job",
          exec: ["sh", "-c", "trap '' TERM; setsid sleep 1001 & trap - TERM; echo up >> $LOG; exec sleep 1002"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_log("up");
    wait_command(&pilot, "sleep 1001");
    wait_command(&pilot, "sleep 1002");
    assert_eq!(pilot.stop().0, 0);
    let stdout = pilot.stdout();
    assert!(stdout.contains("job is dead, but a process that it started holds its output open"), "{stdout}");
    assert!(!stdout.contains("did not end"), "{stdout}");
    assert!(stdout.contains("stopped: job (143); exit 0"), "{stdout}");
    pilot.finish();
}

// Seen red with src/core/shutdown.rs:
//- effects.push(Effect::Sweep { signal: Signal::TERM });
//+ effects.push(Effect::Sweep { signal: Signal::KILL });
#[test]
fn f19_what_hides_in_a_session_of_its_own_is_asked_after_the_jobs() {
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "job", exec: ["sh", "-c", "setsid perl polite.pl up hidden > /dev/null & exec perl polite.pl up job"] },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_logged("up", 2);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(pilot.log(), ["up", "up", "job", "hidden"]);
    pilot.finish();
}

#[test]
fn f19_what_hides_and_ignores_term_is_killed() {
    let text = r#"{ consul: false, stopTimeout: 1, jobs: [
        { name: "job", exec: ["sh", "-c", "trap '' TERM; setsid sleep 1001 & setsid sh -c 'setsid sleep 1002 & exit 0' & \
            trap - TERM; exec sleep 1000"] },
    ] }"#;
    let mut pilot = config(text).start();
    for sleep in ["sleep 1000", "sleep 1001", "sleep 1002"] {
        wait_command(&pilot, sleep);
    }
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!((Duration::from_secs(1)..Duration::from_secs(2) + AT_ONCE).contains(&took), "{took:?}");
    pilot.wait_stdout("killing what no job owns: it is still there 1s after SIGTERM");
    pilot.finish();
}

// Seen red with src/core/shutdown.rs:
//- 0 if self.stuck => STUCK,
//+ 0 if false => STUCK,
#[test]
fn f20_a_process_that_does_not_even_die_of_sigkill_is_told_and_left() {
    let hung = Hung::mounted();
    let text = r#"{ consul: false, stopTimeout: 1, jobs: [
        { name: "stuck", exec: ["sh", "-c", "echo up >> $LOG; exec cat HELD"] },
        { name: "polite", exec: ["perl", "polite.pl", "up", "term"] },
    ] }"#;
    let mut pilot = config(&text.replace("HELD", hung.file().to_str().unwrap())).start();
    let mut hung = hung;
    pilot.wait_logged("up", 2);
    hung.wait_asked();
    let stuck = wait_command(&pilot, &format!("cat {}", hung.file().display()));
    pilot.signal(Signal::SIGTERM);
    pilot.wait_stdout("stuck is still there 5s after SIGKILL, the kernel holds it: leaving it behind");
    pilot.wait_stdout("leaving although processes are left that SIGKILL does not end");
    pilot.wait_stdout("exit 70");
    assert!(pilot.find("cat /").iter().any(|p| p.pid == stuck.pid), "all that was while it was still there");
    // The kernel finishes it with PID 1, but only who can end.
    drop(hung);
    assert_eq!(pilot.wait_exit(), 70);
    assert_eq!(pilot.log(), ["up", "up", "term"], "the others were stopped as always");
    let (_, wrong) = pilot.finish_and_tell();
    // As a zombie it has no command line.
    assert!(wrong.iter().all(|line| line.contains("cat")), "{wrong:?}");
}
