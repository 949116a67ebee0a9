//! The harness catches what it promises to catch, and nothing else. PID 1 is a small script here.

mod support;

use std::time::Duration;

use support::wait::poll;
use support::{Launch, Signal, wait_until};

/// PID 1 that keeps a child running, waits for TERM and ends with status 7.
const GOOD: &str = r#"
    sleep 1000 & child=$!
    trap 'kill $child; wait $child; echo stopped >> "$LOG"; exit 7' TERM
    echo started >> "$LOG"
    wait
"#;

fn script(text: &str) -> Launch {
    Launch::program("/bin/sh", &["-c", text])
}

/// PID 1 in perl, which reaps only when told to.
fn perl(text: &str) -> Launch {
    Launch::program("/usr/bin/perl", &["-e", text])
}

#[test]
fn a_good_program_passes_and_its_exit_status_is_seen() {
    let pilot = script(GOOD).start();
    pilot.wait_log("started");
    let sleep = pilot.wait_process("sleep 1000");
    assert_eq!(sleep.parent, pilot.pid);
    assert!(sleep.inner_pid > 1);
    assert_eq!(pilot.finish(), 7);
}

#[test]
fn a_scope_that_ends_is_a_finish() {
    let dir = {
        let pilot = script(GOOD).start();
        pilot.wait_log("started");
        pilot.dir().to_owned()
    };
    assert!(!dir.exists());
}

#[test]
fn a_process_that_is_left_is_caught() {
    let pilot = script("sleep 1000 & exit 0").start();
    let (code, wrong) = pilot.finish_and_tell();
    assert_eq!(code, 0);
    let is_it = |text: &String| {
        text.contains("left at the exit of PID 1: ") && (text.contains("sleep 1000") || text.contains("[sh]"))
    };
    assert!(matches!(&*wrong, [one] if is_it(one)), "{wrong:?}");
}

#[test]
fn a_process_that_left_its_session_is_caught() {
    let pilot = script(r#"setsid sh -c 'echo on >> "$LOG"; sleep 1000' & while ! [ -s "$LOG" ]; do :; done"#).start();
    let (_, wrong) = pilot.finish_and_tell();
    assert!(wrong.iter().any(|line| line.contains("sleep")), "{wrong:?}");
}

#[test]
fn a_zombie_that_stays_is_caught() {
    let launch = perl("$SIG{TERM} = sub { 1 while wait() > 0; exit 0 }; fork or exit; sleep 1 while 1");
    let pilot = launch.zombie_grace(Duration::from_millis(100)).start();
    wait_until(Duration::from_secs(10), || !pilot.zombies().is_empty(), "the zombie");
    support::wait::holds_for(Duration::from_secs(3), || pilot.zombies().len() == 1, "the zombie stays");
    let (code, wrong) = pilot.finish_and_tell();
    assert_eq!(code, 0);
    assert!(matches!(&*wrong, [one] if one.contains("stayed a zombie")), "{wrong:?}");
}

#[test]
fn a_zombie_at_the_exit_is_caught() {
    let pilot = perl("pipe(R, W); if ($p = fork) { close W; <R>; do { open F, '<', qq(/proc/$p/stat); $_ = <F> } until / Z /; exit 0 } exit 0").start();
    let (_, wrong) = pilot.finish_and_tell();
    assert!(wrong.iter().any(|line| line.contains("state Z")), "{wrong:?}");
}

#[test]
fn zombies_that_are_reaped_are_no_fault() {
    let text = "for (1..200) { my $p = fork; exit 0 unless $p; select(undef, undef, undef, 0.001); waitpid $p, 0 }";
    assert_eq!(perl(text).start().finish_and_tell(), (0, Vec::new()));
}

#[test]
fn a_pipe_that_is_still_open_at_the_exit_is_caught() {
    let (_, wrong) = perl("use POSIX; pipe(R, W); POSIX::_exit(0)").start().finish_and_tell();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong.iter().all(|line| line.contains("open at its exit: pipe:")), "{wrong:?}");
}

#[test]
fn descriptors_that_do_not_come_back_are_caught() {
    let text = r#"$SIG{TERM} = sub { exit 0 }; $SIG{HUP} = sub { open F, "<", "/etc/passwd" };
        $SIG{USR1} = sub { close F }; $| = 1; print "ready\n"; select(undef, undef, undef, 1) while 1"#;
    let pilot = perl(text).start();
    pilot.wait_stdout("ready");
    let before = pilot.descriptors();
    assert_eq!(before.iter().map(|d| d.number).collect::<Vec<_>>(), [0, 1, 2], "nothing of the test leaks: {before:?}");
    pilot.signal(Signal::SIGHUP);
    wait_until(Duration::from_secs(10), || pilot.descriptors().len() == 4, "one more descriptor");
    pilot.signal(Signal::SIGUSR1);
    pilot.wait_descriptors_back(&before);
}

#[test]
fn every_signal_reaches_a_traced_pid_one() {
    // 32 and 33 belong to the C library, 9 and 19 can't be caught.
    let text = r#"use Config; my @name = split " ", $Config{sig_name};
        for my $n (1..31, 34..64) { next if $n == 9 || $n == 19 || $n == 17;
            $SIG{$name[$n]} = sub { open L, ">>", $ENV{LOG}; print L "$n\n"; close L; exit 3 if $n == 15 } }
        $| = 1; print "ready\n"; select(undef, undef, undef, 1) while 1"#;
    let pilot = perl(text).start();
    pilot.wait_stdout("ready");
    for number in (1..=64).filter(|n| ![9, 15, 17, 18, 19, 32, 33].contains(n)) {
        pilot.signal_number(number);
        pilot.wait_log(&number.to_string());
    }
    assert_eq!(pilot.finish(), 3);
}

#[test]
fn a_stopped_pid_one_stays_stopped_until_told() {
    let pilot = script(GOOD).start();
    pilot.wait_log("started");
    let state = || support::process::look(pilot.pid).map(|p| p.state);
    pilot.signal(Signal::SIGSTOP);
    wait_until(Duration::from_secs(10), || matches!(state(), Some('t' | 'T')), "PID 1 stops");
    pilot.signal(Signal::SIGCONT);
    wait_until(Duration::from_secs(10), || state() == Some('S'), "PID 1 goes on");
    assert_eq!(pilot.finish(), 7);
}

#[test]
fn a_killed_pid_one_is_128_and_its_signal() {
    let mut pilot = script(GOOD).start();
    pilot.wait_log("started");
    pilot.signal(Signal::SIGKILL);
    assert_eq!(pilot.wait_exit(), 137);
    // Nobody could stop it at its exit, so who was left is unknown or told; neither is asserted.
    pilot.finish_and_tell();
}

#[test]
fn the_environment_is_empty_but_for_ours() {
    let mut pilot = Launch::program("/usr/bin/env", &[]).env("EXTRA", "a=b").start();
    assert_eq!(pilot.wait_exit(), 0);
    let stdout = pilot.stdout();
    let mut names: Vec<&str> = stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["DIR", "EXTRA", "LOG", "PATH"]);
}

#[test]
fn the_network_and_run_are_its_own() {
    let text = "touch /run/mark; ip -o addr show up; ls /run";
    let mut pilot = script(text).own_network().own_hostname("pilot").start();
    assert_eq!(pilot.wait_exit(), 0);
    assert!(pilot.stdout().contains("127.0.0.1/8"), "{}", pilot.stdout());
    assert!(pilot.stdout().ends_with("mark\n"));
    assert!(!std::path::Path::new("/run/mark").exists());
}

#[test]
fn a_failing_setup_is_told_at_once() {
    let outcome = std::panic::catch_unwind(|| script("exit 0").setup("no-such-command").start());
    let text = *outcome.err().expect("it fails").downcast::<String>().expect("a message");
    assert!(text.contains("no-such-command: command not found"), "{text}");
}

#[test]
fn nothing_of_a_failed_test_survives() {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let failed = std::thread::spawn(move || {
        let pilot = script("trap '' TERM; echo started >> \"$LOG\"; sleep 1000; sleep 1000").start();
        pilot.wait_log("started");
        let _ = sender.send((pilot.pid, support::process::namespace(pilot.pid).unwrap()));
        panic!("the test fails on purpose");
    });
    assert!(failed.join().is_err());
    let (pid, namespace) = receiver.recv().unwrap();
    wait_until(Duration::from_secs(10), || support::process::in_namespace(&namespace).is_empty(), "all gone");
    assert_ne!(support::process::namespace(pid), Some(namespace));
}

#[test]
fn the_time_in_which_the_kernel_holds_somebody_does_not_count() {
    // clone with CLONE_VFORK: the parent is held until its child has executed something.
    let clone = if cfg!(target_arch = "x86_64") { 56 } else { 220 };
    let text = r#"perl -e 'syscall(CLONE, 0x4011, 0, 0, 0, 0) or do { sleep 6; exec "true" }; wait'; echo over >> "$LOG"; exec sleep 1000"#;
    let pilot = script(&text.replace("CLONE", &clone.to_string())).start();
    let over = |deadline| poll(deadline, || (pilot.logged("over") > 0).then_some(()));
    assert!(over(Duration::from_millis(500)).is_none(), "it is held longer");
    assert!(over(Duration::from_secs(3)).is_some(), "three seconds, and those in which it was held");
    pilot.signal(Signal::SIGKILL);
    pilot.finish();
}
