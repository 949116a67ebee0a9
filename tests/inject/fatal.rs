//! Calls without which nothing can go on: then the end comes at once, is told in one line, and leaves nobody.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::smoke::{STATUS, Smoke, but_for_the_held};
use crate::strace::{HELD, Strace, is_at_its_exit};
use crate::support::{BINARY, DEADLINE, Launch, Pilot, wait_until};

/// A second for TERM, one for KILL, one for the log, and a busy machine.
const BOUND: Duration = Duration::from_secs(15);

// Seen red with src/app.rs:
//- if !IN_THE_LOOP.get() {
//+ if false {
/// What the runtime can't do without. The kernel gives these errors only when something else is broken.
#[test]
fn a_runtime_that_can_not_go_on_ends_the_jobs_first() {
    for (call, errno) in [("?epoll_wait,?epoll_pwait,?epoll_pwait2", "EBADF"), ("write", "EIO")] {
        let (mut smoke, strace) = broken(call, errno);
        let wrong = smoke.ends(70, vec![Some(strace)]);
        assert_eq!(wrong, [""; 0], "{call} gives {errno}: {}", smoke.pilot.read("calls"));
        assert_eq!(smoke.pilot.log(), ["term"], "steady was asked to end");
        let stderr = smoke.pilot.stderr();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("containerpilot: internal error, please report it: "), "{stderr}");
        smoke.pilot.finish();
    }
}

/// A run in which this call failed where the runtime itself made it. The loop's first such call may be another one, which
/// does no harm: then another run has to be looked for.
#[track_caller]
fn broken(call: &str, errno: &str) -> (Smoke, Strace) {
    for _ in 0..20 {
        let mut smoke = Smoke::start("", "");
        let runtime = descriptors_of_the_runtime(&smoke.pilot);
        let strace = Strace::inject(&smoke.pilot, smoke.pilot.pid, call, &format!("error={errno}:when=1"));
        smoke.work_until_hit();
        let calls = smoke.pilot.read("calls");
        let line = calls.lines().find(|line| line.contains("(INJECTED)")).unwrap();
        if runtime.iter().any(|fd| line.contains(&format!("({fd},"))) {
            // A task beside the loop may have made it: that is told, and everything goes on.
            let beside = |smoke: &Smoke| smoke.pilot.stdout().contains(r#""msg":"internal error, please report it: "#);
            let ends = |smoke: &mut Smoke| is_at_its_exit(smoke.pilot.pid) || smoke.pilot.try_exit().is_some();
            wait_until(BOUND, || beside(&smoke) || ends(&mut smoke), "somebody feels it");
            if !beside(&smoke) {
                return (smoke, strace);
            }
        }
        assert_eq!(smoke.stop(STATUS, vec![Some(strace)]), [""; 0], "{line}");
        smoke.pilot.finish();
    }
    panic!("{call} was never made by the runtime");
}

/// The one that wakes it up, and those that wait for that one.
#[track_caller]
fn descriptors_of_the_runtime(pilot: &Pilot) -> Vec<i32> {
    let all = pilot.descriptors();
    let wake_up = all.iter().find(|fd| fd.target == "anon_inode:[eventfd]").unwrap().number;
    let waits_for_it = |fd: i32| {
        let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", pilot.pid)).unwrap_or_default();
        info.lines()
            .filter_map(|line| line.strip_prefix("tfd:"))
            .any(|rest| rest.split_ascii_whitespace().next() == Some(&wake_up.to_string()))
    };
    all.iter().map(|fd| fd.number).filter(|fd| *fd == wake_up || waits_for_it(*fd)).collect()
}

/// One that says goodbye, one that does not want to go.
const JOBS: &str = r#"{ consul: false, control: { socket: "{{ .DIR }}/socket" }, stopTimeout: 300, jobs: [
    { name: "polite", restarts: "unlimited",
      exec: ["perl", "-e", "$SIG{TERM} = sub { open L, '>>', $ENV{LOG}; print L qq(term\n); exit }; system 'echo up >> $LOG'; sleep 1000 while 1"] },
    { name: "deaf", exec: ["sh", "-c", "trap '' TERM; echo up >> $LOG; sleep 1001; sleep 1002"] },
] }"#;

/// Takes all memory away, and asks for some: the bodies of these requests do not come to their end. Then the program is held
/// where it exits, and nobody is left but it and, where it is not PID 1, who is.
#[track_caller]
fn starve(pilot: &Pilot, pid: i32) {
    // The kernel's brk gives no error but the end that there is, or here: none.
    let (brk, others) = ("inject=brk:retval=0", "inject=mmap,mremap:error=ENOMEM");
    let args = ["-e", "trace=brk,mmap,mremap,exit_group", "-e", brk, "-e", others, "-e", HELD];
    let strace = Strace::attach(pilot, "calls", &args, &[pid]);
    let head = b"POST /v3/environ HTTP/1.1\r\nHost: control\r\nContent-Length: 65000\r\n\r\n";
    let ask = || -> std::io::Result<UnixStream> {
        let mut stream = UnixStream::connect(pilot.path("socket"))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.write_all(head)?;
        stream.write_all(&b"x".repeat(64_000))?;
        Ok(stream)
    };
    // Until nobody answers any more.
    let asked: Vec<UnixStream> = (0..30).map_while(|_| ask().ok()).collect();
    wait_until(BOUND, || is_at_its_exit(pid), "it ends");
    assert!(pilot.read("calls").contains("(INJECTED)"));
    let left: Vec<_> = pilot.processes().into_iter().filter(|process| process.pid != pid).collect();
    let left = but_for_the_held(left);
    assert!(left.is_empty(), "left at the exit: {left:?}");
    drop(asked);
    strace.let_go();
}

#[track_caller]
fn assert_one_line(pilot: &Pilot) {
    let stderr = pilot.stderr();
    let lines: Vec<&str> = stderr.lines().collect();
    let [line] = &*lines else { panic!("one line: {lines:#?}") };
    let (begin, end) = ("containerpilot: out of memory: ", " bytes can't be had, so everything ends");
    assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
}

// Seen red with src/process/guard.rs:
//- signal_all_now(&[Signal::KILL]);
//+
#[test]
fn without_memory_the_jobs_are_ended_first() {
    let mut pilot = Launch::config(JOBS).untraced().start();
    pilot.wait_logged("up", 2);
    starve(&pilot, pilot.pid);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    assert_one_line(&pilot);
    assert_eq!(pilot.log(), ["up", "up", "term"], "the polite one had its moment, and nothing was started again");
    pilot.finish();
}

#[test]
fn without_memory_a_stderr_that_nobody_reads_does_not_hold_up_the_end() {
    let (unread, full) = nix::unistd::pipe2(OFlag::O_NONBLOCK).unwrap();
    while nix::unistd::write(&full, &[b'x'; 4096]).is_ok() {}
    fcntl(&full, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut pilot = Launch::config(JOBS).stderr(full).untraced().start();
    pilot.wait_logged("up", 2);
    starve(&pilot, pilot.pid);
    assert_eq!(pilot.wait_exit_within(BOUND), 70);
    assert_eq!(pilot.log(), ["up", "up", "term"]);
    drop(unread);
    pilot.finish();
}

// Seen red with src/process/guard.rs:
//- sys::on_abort(end_on_abort)
//+ Ok(())
#[test]
fn without_memory_nobody_is_left_where_we_are_not_pid_1() {
    let script = r#""$BINARY" -config containerpilot.json5 & echo $! > pid; wait $!"#;
    let file = format!("cat > containerpilot.json5 <<'END'\n{JOBS}\nEND");
    // Whoever traces it has its end before the shell, and is in no hurry.
    let launch = Launch::program("/bin/sh", &["-c", script]).setup(&file).env("BINARY", BINARY).zombie_grace(BOUND);
    let mut pilot = launch.start();
    pilot.wait_logged("up", 2);
    wait_until(DEADLINE, || pilot.read("pid").ends_with('\n'), "the shell told the pid");
    let number: i32 = pilot.read("pid").trim().parse().unwrap();
    let ours = pilot.processes().into_iter().find(|process| process.inner_pid == number).unwrap();
    starve(&pilot, ours.pid);
    assert_eq!(pilot.wait_exit(), 70);
    assert_one_line(&pilot);
    assert_eq!(pilot.log(), ["up", "up", "term"]);
    pilot.finish();
}
