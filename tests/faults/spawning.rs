//! Rows 23 to 33: what can go wrong when a process is started, and what it must not inherit.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::cgroup::Group;
use crate::strace::Strace;
use crate::support::wait::holds_for;
use crate::support::{DEADLINE, Launch, Pilot, Signal, count, process, wait_until};
use crate::told::{between, gaps, moments, times, wait_times};

/// How long a zombie may stay where the test itself makes more processes than the machine can run: each start waits
/// for its child to get the processor, and the reaping for the start.
const LOADED: Duration = Duration::from_secs(5);

fn script(pilot: &Pilot, name: &str, text: &[u8], mode: u32) {
    let file = pilot.path(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
}

// Seen red with src/core/end.rs:
//- turn.publish_with(failure.reason.clone(), Event::new(EventCode::ExitFailed, command.as_str()), Some(slot));
//+
#[test]
fn f23_what_cannot_be_started_fails_and_says_why() {
    // The signal comes when the files are there.
    let on_hup = |name: &str, exec: &str| {
        format!(
            r#"{{ name: "{name}", exec: {exec}, when: {{ source: "SIGHUP" }} }},
               {{ name: "{name}-failed", exec: ["sh", "-c", "echo {name} >> $LOG"],
                  when: {{ source: "{name}", once: "exitFailed" }} }},"#
        )
    };
    let huge = format!(r#"["true", "{}"]"#, "x".repeat(1 << 17));
    let failing = [
        ("missing", r#""no-such-program""#),
        ("absent", r#""/no/such""#),
        ("plain", r#""./plain""#),
        ("broken", r#""./broken""#),
        ("text", r#""./text""#),
        ("inside", r#""./plain/inside""#),
        ("huge", huge.as_str()),
        ("busy", r#""./busy""#),
    ];
    let jobs: String = failing.iter().map(|(name, exec)| on_hup(name, exec)).collect();
    let main = r#"{ name: "main", exec: ["sleep", "1000"] }"#;
    let mut pilot = Pilot::start(&format!("{{ consul: false, jobs: [ {main}, {jobs} ] }}"));
    script(&pilot, "plain", b"#!/bin/sh\n", 0o644);
    script(&pilot, "broken", b"#!/no/such/python\n", 0o755);
    script(&pilot, "text", b"echo hi\n", 0o755);
    script(&pilot, "busy", &fs::read("/bin/true").unwrap(), 0o755);
    let writer = fs::OpenOptions::new().append(true).open(pilot.path("busy")).unwrap();
    pilot.wait_process("sleep 1000");
    pilot.signal(Signal::SIGHUP);
    for (name, _) in failing {
        pilot.wait_log(name);
    }
    drop(writer);
    let reasons = [
        r#"missing: exec: "no-such-program": executable file not found in $PATH"#,
        "absent: fork/exec /no/such: no such file or directory",
        "plain: fork/exec ./plain: permission denied",
        "broken: fork/exec ./broken: no such file or directory (its interpreter /no/such/python does not exist)",
        "text: fork/exec ./text: exec format error (it is no program, and a script must begin with #!)",
        "inside: fork/exec ./plain/inside: not a directory",
        "huge: fork/exec /usr/bin/true: argument list too long",
        "busy: fork/exec ./busy: text file busy",
    ];
    for reason in reasons {
        pilot.wait_stdout(&format!("unable to start {reason}\n"));
    }
    assert_eq!(times(&pilot, "unable to start"), failing.len(), "each is told once");
    assert_eq!(pilot.stop().0, 0);
}

#[test]
fn f23_a_start_that_fails_counts_as_a_run() {
    let pilot = Pilot::start(
        r#"{ consul: false, jobs: [
            { name: "three", exec: "/no/such", restarts: 2 },
            { name: "after", exec: ["sh", "-c", "echo after >> $LOG; sleep 1000"],
              when: { source: "three", once: "stopped" } },
        ] }"#,
    );
    pilot.wait_log("after");
    wait_times(&pilot, "unable to start three", 3);
    assert_eq!(times(&pilot, "unable to start three"), 3);
}

/// A steady job with a check, and one that a HUP starts, in a group with a limit on processes.
fn limited(group: &Group) -> Pilot {
    Launch::config(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "web", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
            { name: "late", exec: ["sh", "-c", "echo late >> $LOG"], when: { source: "SIGHUP" } },
            { name: "sad", exec: ["sh", "-c", "echo sad >> $LOG"], when: { source: "late", each: "exitFailed" } },
        ] }"#,
    )
    .setup(&group.enter())
    .start()
}

// Seen red with src/core/end.rs:
//- if matches!(slot, Slot::Check(_)) && failure.lacks.is_some() {
//+ if false {
#[test]
fn f24_no_process_slot_fails_only_what_needs_one_and_passes_by_itself() {
    let group = Group::new("pids");
    let mut pilot = limited(&group);
    pilot.wait_stdout("web is healthy");
    group.limit_processes(Some(1));
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("unable to start late: fork/exec /usr/bin/sh: resource temporarily unavailable");
    pilot.wait_stdout("unable to start check.web: fork/exec /usr/bin/true: resource temporarily unavailable");
    pilot.wait_stdout("event: {ExitFailed late}");
    assert_eq!(pilot.find("sleep 1000").len(), 1, "who runs goes on");
    group.limit_processes(None);
    let checks = times(&pilot, "event: {StatusHealthy web}");
    wait_times(&pilot, "event: {StatusHealthy web}", checks + 2);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("late");
    assert_eq!(times(&pilot, "web is unhealthy"), 0, "a check that could not run says nothing");
    assert_eq!(times(&pilot, "event: {ExitFailed check.web}"), 0);
    assert_eq!(times(&pilot, "check.web still runs"), 0, "nor does it run");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn f24_a_start_is_tried_for_a_second() {
    let group = Group::new("pids");
    let pilot = Launch::config(
        r#"{ consul: false, jobs: [
            { name: "main", exec: ["sleep", "1000"] },
            { name: "late", exec: ["sh", "-c", "echo late >> $LOG"], when: { source: "SIGHUP" } },
        ] }"#,
    )
    .setup(&group.enter())
    .start();
    pilot.wait_process("sleep 1000");
    let refused = || group.refused_processes();

    // A slot comes free in time: nothing but a short delay.
    group.limit_processes(Some(1));
    pilot.signal(Signal::SIGHUP);
    wait_until(DEADLINE, || refused() >= 1, "a fork was refused");
    group.limit_processes(None);
    pilot.wait_log("late");
    assert_eq!(times(&pilot, "unable to start"), 0);

    // It does not: six tries, not one more.
    let before = refused();
    group.limit_processes(Some(1));
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("unable to start late");
    assert_eq!(refused() - before, 6);
    holds_for(Duration::from_millis(500), || refused() - before == 6, "it is not tried again");
    group.limit_processes(None);
    assert_eq!(pilot.logged("late"), 1);
}

/// A job that takes 200 MB where 48 are allowed, and one that is killed by hand or for its time.
const HUNGRY: &str = r#"{ consul: false, jobs: [
    { name: "main", exec: ["sleep", "1000"] },
    { name: "hungry", exec: ["perl", "-e", "my $x = 'x' x (200 << 20); sleep 1000"], when: { source: "SIGHUP" } },
    { name: "shell", exec: ["sh", "-c", "perl -e 'my $x = 1; $x = q(x) x (200 << 20); sleep 1000'; exit $?"],
      when: { source: "SIGUSR2" } },
    { name: "slow", exec: ["sleep", "2000"], timeout: "100ms", when: { source: "SIGUSR1" } },
], signals: { SIGUSR1: "event" } }"#;

// Seen red with src/process/children.rs:
//- let suspect = !killed && status.shell_code() == BY_KILL;
//+ let suspect = false;
#[test]
fn f26_the_kernel_killed_for_memory_and_we_say_so() {
    let group = Group::new("memory");
    group.limit_memory(48 << 20);
    let pilot = Launch::config(HUNGRY).setup(&group.enter()).start();
    let main = pilot.wait_process("sleep 1000");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("hungry exited with error: signal: killed");
    let why = "was killed (out of memory?): ";
    pilot.wait_stdout(&format!("hungry {why}"));

    // Who is killed otherwise is not.
    pilot.signal(Signal::SIGUSR1);
    pilot.wait_stdout("slow exited with error: signal: killed");
    assert_eq!(times(&pilot, why), 1);

    // A shell tells the end of its command as 137.
    pilot.signal(Signal::SIGUSR2);
    pilot.wait_stdout("shell exited with error: exit status 137");
    pilot.wait_stdout(&format!("shell {why}"));

    assert!(group.killed_for_memory() >= 2, "the kernel did it");
    pilot.signal_process(&main, Signal::SIGKILL);
    pilot.wait_stdout("main exited with error: signal: killed");
    assert_eq!(times(&pilot, why), 2);
}

// Seen red with src/kept/events.rs:
//- while self.events.len() > EVENTS || self.text > TEXT {
//+ while false {
#[test]
fn f27_memory_and_descriptors_do_not_grow() {
    let busy = |n: usize| {
        format!(
            r#"{{ name: "busy{n}", exec: ["sh", "-c", "echo a line of output; exit $(( $$ % 2 ))"],
                  when: {{ interval: "10ms" }}, timeout: "5s" }},
               {{ name: "after{n}", exec: "true", when: {{ source: "busy{n}", each: "exitFailed" }} }},
               {{ name: "crash{n}", exec: "false", restarts: "unlimited", backoff: {{ initial: "20ms", max: "20ms" }} }},"#
        )
    };
    let jobs: String = (0..2).map(busy).collect();
    let pilot = Launch::config(&format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [ {jobs} ] }}"#))
        .zombie_grace(LOADED)
        .start();
    // Its buffers have their size when this much has happened.
    wait_until(Duration::from_mins(4), || times(&pilot, "event: ") >= 2000, "so much has happened");
    let (memory, threads, descriptors) = (pilot.anonymous_kib(), pilot.threads(), pilot.descriptors().len());
    wait_until(
        Duration::from_hours(4),
        || times(&pilot, "event: ") >= count(5000, 100_000),
        "as many events as are wanted",
    );
    let grown = pilot.anonymous_kib().saturating_sub(memory);
    assert!(grown < 512, "{grown} KiB more than {memory}");
    assert_eq!(pilot.threads(), threads);
    // Two pipes for each child that may be there.
    assert!(pilot.descriptors().len() <= descriptors + 2 * 7);
}

/// Writes for ever, short lines and one without an end; and jobs of which we have much to say ourselves.
fn noise() -> String {
    // A name so long that twenty-five of our lines about it are a mebibyte.
    let name = format!("n{}", "o".repeat(40_000));
    format!(
        r#"{{ consul: false, logging: {{ level: "DEBUG" }}, stopTimeout: 2, jobs: [
            {{ name: "main", exec: ["sleep", "1000"], main: true }},
            {{ name: "lines", exec: ["yes", "a line of output"] }},
            {{ name: "endless", exec: ["sh", "-c", "yes | tr -d '\\n'"] }},
            {{ name: "{name}", exec: ["sh", "-c", "echo run >> $LOG; exit $(( $$ % 2 ))"],
               when: {{ interval: "20ms" }}, timeout: "5s" }},
        ] }}"#
    )
}

// Seen red with src/log/writer.rs:
//- if state.closed || state.bytes >= OWN_LIMIT {
//+ if state.closed {
#[test]
fn f27_noise_that_nobody_takes_does_not_make_the_kernel_kill_us() {
    // For us and for what all these jobs take.
    let group = Group::new("memory");
    group.limit_memory(24 << 20);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let launch = Launch::config(&noise()).setup(&group.enter()).stdout(writer).zombie_grace(LOADED);
    let mut pilot = launch.start();
    // Each piece has its time: how long all of it takes is no matter of this test.
    for runs in (100..=count(400, 10_000)).step_by(100) {
        pilot.wait_logged("run", runs);
    }
    assert_eq!(pilot.try_exit(), None);
    // Somebody takes it again, and everything goes on within the same bounds.
    let reading = std::thread::spawn(move || {
        let (mut chunk, mut last) = (vec![0; 1 << 16], Vec::new());
        while let Ok(length @ 1..) = reader.read(&mut chunk) {
            last.extend_from_slice(chunk.get(..length).unwrap());
            last.drain(..last.len().saturating_sub(1 << 20));
        }
        String::from_utf8_lossy(&last).into_owned()
    });
    let runs = pilot.logged("run");
    pilot.wait_logged("run", runs + 50);
    assert_eq!(group.killed_for_memory(), 0, "nobody was killed");
    assert_eq!(pilot.stop().0, 143);
    assert_eq!(group.killed_for_memory(), 0);
    pilot.finish();
    let told = reading.join().unwrap();
    assert!(told.contains("main exited with error: signal: terminated"), "its last words come through");
}

#[test]
fn f28_no_descriptors_fails_that_start_only() {
    let job = |n: usize| format!(r#"{{ name: "job{n}", exec: ["sleep", "1000"] }},"#);
    let jobs: String = (0..16).map(job).collect();
    let late = r#"{ name: "late", exec: ["sh", "-c", "echo late >> $LOG"], when: { source: "SIGHUP" } }"#;
    let mut pilot = Launch::config(&format!("{{ consul: false, jobs: [ {jobs} {late} ] }}"))
        .prefix(&["prlimit", "--nofile=32"])
        .start();
    let failed = || times(&pilot, "unable to start job");
    wait_until(DEADLINE, || pilot.find("sleep 1000").len() + failed() == 16, "every job runs or has failed");
    assert!(failed() > 0 && failed() < 16, "some have no descriptors: {}", failed());
    assert_eq!(times(&pilot, "pipe2: too many open files"), failed());
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("unable to start late: pipe2: too many open files");

    // It is no busy loop, and it passes when descriptors are free again.
    let before = pilot.cpu_time();
    holds_for(Duration::from_secs(1), || pilot.logged("late") == 0, "nothing is tried by itself");
    assert!(pilot.cpu_time() < before + Duration::from_millis(100));
    let running = pilot.find("sleep 1000");
    for process in running.iter().take(2) {
        pilot.signal_process(process, Signal::SIGTERM);
    }
    wait_until(DEADLINE, || pilot.find("sleep 1000").len() + 2 == running.len(), "two are gone");
    wait_times(&pilot, "exited with error: signal: terminated", 2);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("late");
    assert_eq!(pilot.stop().0, 0);
}

// Seen red with src/process/spawn_error.rs:
//- Errno::EMFILE | Errno::ENFILE => SpawnErrorKind::OutOfDescriptors,
//+ Errno::EMFILE | Errno::ENFILE => SpawnErrorKind::Other,
#[test]
fn f28_a_start_without_descriptors_is_tried_for_a_second_and_a_check_says_nothing() {
    let pilot = Launch::config(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "web", exec: ["sleep", "1000"], health: { exec: "true", interval: 1, ttl: 5 } },
            { name: "late", exec: ["sh", "-c", "echo late >> $LOG"], when: { source: "SIGHUP" } },
        ] }"#,
    )
    .start();
    let limit = |soft: i32| {
        let limit = format!("--nofile={soft}:");
        assert!(Command::new("prlimit").args(["--pid", &pilot.pid.to_string(), &limit]).status().unwrap().success());
    };
    pilot.wait_stdout("web is healthy");
    // No check runs now. One descriptor is not enough for a pipe.
    let taken: BTreeSet<i32> = pilot.descriptors().iter().map(|descriptor| descriptor.number).collect();
    let full = (0..).filter(|number| !taken.contains(number)).nth(1).unwrap();
    limit(full);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_stdout("unable to start late: pipe2: too many open files");
    pilot.wait_stdout("unable to start check.web: pipe2: too many open files");
    limit(1024);
    let checks = times(&pilot, "event: {StatusHealthy web}");
    wait_times(&pilot, "event: {StatusHealthy web}", checks + 2);
    assert_eq!(times(&pilot, "web is unhealthy"), 0, "a check that could not run says nothing");
    assert_eq!(times(&pilot, "event: {ExitFailed check.web}"), 0);

    // Descriptors come free in time: nothing but a short delay.
    limit(full);
    pilot.signal(Signal::SIGHUP);
    holds_for(Duration::from_millis(50), || pilot.logged("late") == 0, "there are no descriptors");
    limit(1024);
    pilot.wait_log("late");
    assert_eq!(times(&pilot, "unable to start late"), 1);
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/process/children.rs:
//- sys::seal_descriptors();
//+
#[test]
fn f29_a_child_has_three_descriptors_whatever_we_have() {
    let job = |n: usize| format!(r#"{{ name: "job{n}", exec: ["sleep", "1000"] }},"#);
    let jobs: String = (0..count(40, 400)).map(job).collect();
    let special = r#"
        { name: "raw", exec: ["sleep", "2000"], logging: { raw: true } },
        { name: "checked", exec: ["sleep", "3000"], health: { exec: ["sleep", "4000"], interval: 1, ttl: 9, timeout: "9s" } },
        { name: "again", exec: ["sh", "-c", "[ -e $DIR/once ] && exec sleep 5000; touch $DIR/once"], restarts: 1 },"#;
    let pilot = Launch::config(&format!("{{ consul: false, jobs: [ {jobs} {special} ] }}"))
        // What a container engine forgot to close.
        .setup("exec 5</etc/passwd 9>>/dev/null 77<>/dev/zero")
        .start();
    for text in ["sleep 2000", "sleep 3000", "sleep 4000", "sleep 5000"] {
        pilot.wait_process(text);
    }
    wait_until(DEADLINE, || pilot.find("sleep 1000").len() == count(40, 400), "all jobs run");
    for child in pilot.find("sleep") {
        // While it begins it has files of the C library open.
        let three = || process::descriptors(child.pid).iter().map(|descriptor| descriptor.number).eq(0..3);
        wait_until(DEADLINE, three, &format!("three descriptors: {child:?}"));
        let open = process::descriptors(child.pid);
        assert_eq!(open.first().unwrap().target, "/dev/null");
    }
}

fn environment(pid: i32) -> BTreeSet<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

// Seen red with src/driver.rs:
//- self.env.remove(&run.command.pid_variable);
//+
#[test]
fn f30_the_environment_is_the_containers_and_ours_and_no_more() {
    let pilot = Launch::config(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "my-web", exec: ["sleep", "1000"] },
            { name: "second", exec: ["sleep", "2000"], when: { source: "SIGHUP" } },
            { name: "third", exec: ["sleep", "3000"], when: { source: "my-web", once: "stopped" } },
        ] }"#,
    )
    .env("SECRET", "swordfish")
    .start();
    let own = environment(pilot.pid);
    let expected = |more: &[String]| {
        let ours = ["CONTAINERPILOT_PID=1", "CONTAINERPILOT_SOCKET=/var/run/containerpilot.socket"].map(str::to_owned);
        own.iter().cloned().chain(ours).chain(more.iter().cloned()).collect::<BTreeSet<String>>()
    };
    let web = pilot.wait_process("sleep 1000");
    assert_eq!(environment(web.pid), expected(&[]));
    let of_web = format!("CONTAINERPILOT_MY_WEB_PID={}", web.inner_pid);
    pilot.signal(Signal::SIGHUP);
    let second = pilot.wait_process("sleep 2000");
    assert_eq!(environment(second.pid), expected(&[of_web]));
    let of_second = format!("CONTAINERPILOT_SECOND_PID={}", second.inner_pid);
    pilot.signal_process(&web, Signal::SIGTERM);
    let third = pilot.wait_process("sleep 3000");
    assert_eq!(environment(third.pid), expected(&[of_second]), "the pid of one that is gone is nobody's");
    assert_eq!(environment(pilot.pid), own, "nothing is added to ours");
    assert!(!pilot.stdout().contains("swordfish") && !pilot.stderr().contains("swordfish"));
}

// Seen red with src/driver/running.rs:
//- if took > SLOW_START {
//+ if false {
#[test]
fn f31_an_exec_that_blocks_is_told() {
    let mut pilot = Launch::config(
        r#"{ consul: false, jobs: [
            { name: "main", exec: ["sleep", "1000"] },
            { name: "late", exec: ["sh", "-c", "echo late >> $LOG"], when: { source: "SIGHUP" } },
        ] }"#,
    )
    .untraced()
    .start();
    pilot.wait_process("sleep 1000");
    let strace = Strace::attach(&pilot, &["-e", "trace=execve", "-e", "inject=execve:delay_enter=400ms"]);
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("late");
    let took = " and held up everything else";
    pilot.wait_stdout(took);
    assert!(pilot.stdout().lines().any(|line| line.contains("the start of late took ") && line.ends_with(took)));
    assert_eq!(pilot.stop().0, 0);
    strace.finish();
}

/// What keeps failing is started at once five times, then after 100 ms, 200 ms, …. Starts are told when they are done,
/// and how long each took is not the same: half of a pause must be there.
#[track_caller]
fn assert_spaced(starts: &[Duration]) {
    let gaps = gaps(starts);
    for (gap, pause) in gaps.iter().skip(5).zip([100, 200, 400, 800].map(Duration::from_millis)) {
        assert!((pause / 2..pause + Duration::from_secs(5)).contains(gap), "{gaps:?}");
    }
    let quick: Duration = gaps.iter().take(5).sum();
    assert!(quick < Duration::from_secs(5), "{gaps:?}");
}

// Seen red with src/core/end.rs:
//- self.not_before = turn.now.after(pause);
//+ self.not_before = turn.now;
#[test]
fn f32_a_crash_loop_is_spaced() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
            { name: "crash", exec: "false", restarts: "unlimited" },
            { name: "missing", exec: "/no/such", restarts: "unlimited" },
        ] }"#,
    );
    wait_times(&pilot, "crash.Run start", 10);
    wait_times(&pilot, "unable to start missing", 10);
    assert_spaced(&moments(&pilot, " crash.Run start"));
    assert_spaced(&moments(&pilot, " unable to start missing: fork/exec /no/such: no such file or directory"));
    pilot.wait_stdout("crash ended quickly 6 times in a row (exit status 1): next start in 100ms");
    // It waits for its next start, and is stopped all the same.
    assert_eq!(pilot.stop().0, 0);
    let took = between(&pilot, " after each one's SIGTERM", "; exit 0");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn f32_twenty_crash_loops_take_next_to_nothing() {
    let job = |n: usize| format!(r#"{{ name: "crash{n}", exec: "false", restarts: "unlimited" }},"#);
    let jobs: String = (0..20).map(job).collect();
    let pilot = Launch::config(&format!("{{ consul: false, jobs: [ {jobs} ] }}")).zombie_grace(LOADED).start();
    // Eleven failures each: the pauses are over a second from here on.
    wait_times(&pilot, "exited with error", 20 * 11);
    let (lines, cpu) = (times(&pilot, "\n"), pilot.cpu_time());
    holds_for(Duration::from_secs(3), || times(&pilot, "\n") < lines + 20 * 2 * 3, "few lines are told");
    let used = pilot.cpu_time().saturating_sub(cpu);
    assert!(used < Duration::from_millis(150), "5 % of one processor: {used:?} in 3 s");
}

// Seen red with src/process/children.rs:
//- guard::signal_everything_else(Signal::TERM, |pid| asked.insert(pid));
//+
#[test]
fn f33_a_group_of_its_own_is_ended_with_everything() {
    let mut pilot = Pilot::start(
        r#"{ consul: false, stopTimeout: 5, jobs: [
            { name: "shell", exec: ["bash", "-c",
              "set -m; sh -c 'trap \"echo told >> $LOG; exit\" TERM; echo ready >> $LOG; while :; do sleep 0.1; done' >/dev/null 2>&1 & wait"] },
        ] }"#,
    );
    pilot.wait_log("ready");
    let shell = pilot.wait_process("bash -c set -m");
    let inner = pilot.wait_process("sh -c trap");
    assert!(inner.group != shell.group, "job control made a group that the job's signals miss");
    let (code, took) = pilot.stop();
    assert_eq!(pilot.log(), ["ready", "told"]);
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn f32_starts_that_fail_at_once_for_ever_hold_up_nobody() {
    // As fast as it can: no pause was wanted, and the loop has always something to do.
    for restarts in ["\"unlimited\", backoff: false", "1000000"] {
        let mut pilot = Pilot::start(&format!(
            r#"{{ consul: false, stopTimeout: 1, jobs: [
                {{ name: "missing", exec: "/no/such/program", restarts: {restarts} }},
                {{ name: "tick", exec: ["sh", "-c", "echo tick >> $LOG"], when: {{ interval: "50ms" }} }},
                {{ name: "talker", exec: ["sh", "-c", "while echo talk; do sleep .05; done"] }},
                {{ name: "limited", exec: ["sleep", "1000"], timeout: "300ms" }},
                {{ name: "after", exec: ["sh", "-c", "echo limited >> $LOG"],
                   when: {{ source: "limited", once: "exitFailed" }} }},
            ] }}"#
        ));
        pilot.wait_logged("tick", 10);
        pilot.wait_log("limited");
        wait_until(DEADLINE, || pilot.stdout().matches(" talk\n").count() >= 10, "output of those who live");
        let (code, took) = pilot.stop();
        assert_eq!(code, 0);
        assert!(took < Duration::from_secs(5), "{took:?}");
        pilot.finish();
    }
}
