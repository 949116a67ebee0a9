//! Calls that are chosen by what they are about.

use std::fmt::Write as _;
use std::path::Path;

use crate::each;
use crate::smoke::{STATUS, Smoke};
use crate::strace::Strace;
use crate::support::{Signal, count, long_lane};

/// Jobs that start one after the other after SIGHUP, each with a program of its own: `t1`, `t2`, …
fn chain(length: usize) -> (String, String) {
    let mut jobs = r#"{ name: "t0", exec: "true", when: { source: "SIGHUP" } },"#.to_owned();
    for n in 1..=length {
        let after =
            if n == 1 { r#"t0", once: "exitSuccess"#.to_owned() } else { format!(r#"t{}", once: "stopped"#, n - 1) };
        writeln!(jobs, r#"{{ name: "t{n}", exec: "{{{{ .DIR }}}}/bin/t{n}", when: {{ source: "{after}" }} }},"#)
            .unwrap();
    }
    // No symbolic links: strace would take the checks' `true` for the same.
    let setup = format!("mkdir bin && cp /bin/true bin/true && for n in {{1..{length}}}; do ln bin/true bin/t$n; done");
    (jobs, setup)
}

/// The n-th program after the signal can't be executed, and no other is affected.
#[test]
fn programs_that_can_not_be_executed() {
    let length = count(5, 50);
    let reasons = [
        ("ENOENT", "no such file or directory"),
        ("EACCES", "permission denied"),
        ("ENOMEM", "cannot allocate memory"),
        ("EIO", "input/output error"),
    ];
    // One more, which tells that all others had their turn.
    let (jobs, setup) = chain(length + 1);
    let mut runs = Vec::new();
    for (errno, why) in reasons {
        let ns = if long_lane() { (1..=length).collect() } else { vec![1, length] };
        runs.extend(ns.into_iter().map(|n| (errno, why, n)));
    }
    each(&runs, |&(errno, why, n)| {
        let mut smoke = Smoke::start(&jobs, &setup);
        let program = smoke.pilot.path(&format!("bin/t{n}"));
        let strace = only(&smoke, &program, "execve", &format!("error={errno}"));
        smoke.pilot.signal(Signal::SIGHUP);
        smoke.pilot.wait_stdout(&format!("t{}.Run start", length + 1));
        // The fault is over, and what it slows down would not be in time.
        strace.let_go();
        let mut wrong = smoke.recovers();
        let hold = Strace::hold_exit(&smoke.pilot);
        wrong.extend(smoke.stop(STATUS, vec![Some(hold)]));
        let mut outcome = smoke.outcome(wrong);
        outcome.must_tell_once(&format!("unable to start t{n}: fork/exec {}: {why}", program.display()));
        assert!(outcome.hit, "{}", outcome.explain());
        outcome.check(&format!("execve of program {n} gives {errno}"));
    });
}

/// Nor does it hold up a stop whose jobs before and after the end of another one can't be executed.
#[test]
fn programs_that_can_not_be_executed_during_a_stop() {
    let programs = ["stopping1", "stopping2", "stopped1", "stopped2"];
    let job = |name: &str| {
        let when = name.trim_end_matches(['1', '2']);
        let when = format!(r#"when: {{ source: "steady", once: "{when}" }}"#);
        format!(r#"{{ name: "{name}", exec: "{{{{ .DIR }}}}/bin/{name}", {when} }},"#)
    };
    let jobs: String = programs.into_iter().map(job).collect();
    let setup = "mkdir bin && for n in stopping{1,2} stopped{1,2}; do cp /bin/true bin/$n; done";
    let reasons = [("ENOENT", "no such file or directory"), ("ENOMEM", "cannot allocate memory")];
    let which = if long_lane() { &programs[..] } else { &["stopping1", "stopped1"] };
    let runs: Vec<_> = reasons.into_iter().flat_map(|reason| which.iter().map(move |name| (reason, *name))).collect();
    each(&runs, |&((errno, why), name)| {
        let mut smoke = Smoke::start(&jobs, setup);
        let program = smoke.pilot.path(&format!("bin/{name}"));
        let strace = only(&smoke, &program, "execve", &format!("error={errno}"));
        let wrong = smoke.stop(STATUS, Vec::new());
        drop(strace);
        let mut outcome = smoke.outcome(wrong);
        outcome.must_tell_once(&format!("unable to start {name}: fork/exec {}: {why}", program.display()));
        for other in programs.into_iter().filter(|other| *other != name) {
            let starts = outcome.stdout.matches(&format!("{other}.Run start")).count();
            assert_eq!(starts, 1, "{other} beside {name}: {}", outcome.explain());
        }
        assert!(outcome.hit, "{}", outcome.explain());
        outcome.check(&format!("execve of {name} gives {errno}"));
    });
}

/// Traces everybody, but only calls that are about this file.
#[track_caller]
fn only(smoke: &Smoke, path: &Path, call: &str, how: &str) -> Strace {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
    let path = path.to_str().unwrap();
    Strace::attach(&smoke.pilot, "calls", &["-f", "-P", path, "-e", &trace, "-e", &inject], &[smoke.pilot.pid])
}

/// Traces PID 1 and its calls about the standard output of a job.
#[track_caller]
fn output_of(smoke: &Smoke, job: &str, how: &str) -> Strace {
    let pid = smoke.pilot.find(job).first().unwrap().pid;
    let pipe = std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
    let inject = format!("inject=read:{how}");
    let args = ["-P", pipe.to_str().unwrap(), "-e", "trace=read", "-e", &inject];
    Strace::attach(&smoke.pilot, "calls", &args, &[smoke.pilot.pid])
}

// Seen red with src/process/output.rs:
//- if matches!(result, Ok(_) | Err(Errno::EAGAIN)) {
//+ if true {
#[test]
fn output_that_can_not_be_read_once_is_read_the_next_time() {
    each(&["EIO", "EINTR", "ENOMEM", "EAGAIN"], |errno| {
        let mut smoke = Smoke::start("", "");
        let strace = output_of(&smoke, "tick", &format!("error={errno}:when=3"));
        smoke.work_until_hit();
        // The fault is over, and what it slows down would not be in time.
        strace.let_go();
        let mut wrong = smoke.recovers();
        let hold = Strace::hold_exit(&smoke.pilot);
        wrong.extend(smoke.stop(STATUS, vec![Some(hold)]));
        let outcome = smoke.outcome(wrong);
        assert!(outcome.hit, "{}", outcome.explain());
        assert_eq!(outcome.told, [""; 0], "nothing is lost");
        outcome.check(errno);
    });
}

#[test]
fn output_that_can_never_be_read_is_told_and_harms_nobody_else() {
    let talker = r#"{ name: "talker", exec: ["perl", "-e", "$|=1; for (;;) { print qq(word\n); select undef, undef, undef, 0.1 }"] },"#;
    let mut smoke = Smoke::start(talker, "");
    let strace = output_of(&smoke, "word", "error=EIO");
    smoke.pilot.wait_stdout("talker exited with error: signal: broken pipe");
    let mut wrong = smoke.recovers();
    strace.let_go();
    let hold = Strace::hold_exit(&smoke.pilot);
    wrong.extend(smoke.stop(STATUS, vec![Some(hold)]));
    let mut outcome = smoke.outcome(wrong);
    outcome.must_tell_once("the output of talker can't be read any more: input/output error");
    outcome.check("the output of a job can't be read");
}

#[test]
fn a_configuration_that_can_not_be_opened_changes_nothing() {
    let reasons = [
        ("EMFILE", "too many open files"),
        ("ENOENT", "no such file or directory"),
        ("EACCES", "permission denied"),
        ("EIO", "input/output error"),
    ];
    each(&reasons, |(errno, why)| {
        let mut smoke = Smoke::start("", "");
        let path = smoke.pilot.path("containerpilot.json5");
        let strace = only(&smoke, &path, "openat", &format!("error={errno}"));
        assert_eq!(smoke.ask("POST", "/v3/reload"), 422, "{errno}: {:?}", smoke.refused);
        assert!(smoke.refused[0].contains(why), "{:?}", smoke.refused);
        strace.let_go();
        smoke.refused.clear();
        let mut wrong = smoke.recovers();
        let hold = Strace::hold_exit(&smoke.pilot);
        wrong.extend(smoke.stop(STATUS, vec![Some(hold)]));
        let mut outcome = smoke.outcome(wrong);
        assert!(outcome.hit, "{}", outcome.explain());
        outcome.must_tell_once(&format!(
            "not reloaded, everything goes on as it was: could not read config file: open {}: {why}",
            path.display()
        ));
        outcome.check(errno);
    });
}
