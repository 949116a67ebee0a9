//! Rows 2 to 9 and 21: every child is reaped, by one who knows whose it is.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::signals::{config, program, wait_command};
use crate::support::{BINARY, DEADLINE, Launch, PATH, Pilot, Process, Signal, count, process, wait, wait_until};

/// Waits for the end for as long as it takes, while something goes on: when nobody tells anything more, somebody was lost.
#[track_caller]
fn wait_exit_of_many(pilot: &mut Pilot) -> i32 {
    let length = |pilot: &Pilot, name| std::fs::metadata(pilot.path(name)).map_or(0, |file| file.len());
    let told = |pilot: &Pilot| length(pilot, "stdout") + length(pilot, "log");
    loop {
        let before = told(pilot);
        let goes_on = |pilot: &mut Pilot| pilot.try_exit().map(Some).or((told(pilot) > before).then_some(None));
        let Some(code) = wait::poll(DEADLINE, || goes_on(pilot)) else { return pilot.wait_exit_within(Duration::ZERO) };
        if let Some(code) = code {
            return code;
        }
    }
}

// Seen red with src/process/children.rs:
//- if !went_on {
//+ if true {
#[test]
fn f02_two_hundred_deaths_behind_one_sigchld_are_all_seen() {
    // Each waits until somebody opens the gate for writing.
    let text = r#"{ consul: false, jobs: [
        {{ range $i := loop 0 200 }}
        { name: "job{{ $i }}", exec: ["sh", "-c", "read word < $DIR/door; exit 3"] },
        {{ end }}
    ] }"#;
    let launch = Launch::config(text).setup("mkfifo $DIR/door").zombie_grace(DEADLINE);
    let mut pilot = launch.start();
    wait_until(DEADLINE, || pilot.find("read word").len() == 200, "all jobs are there");
    wait_until(DEADLINE, || pilot.find("read word").iter().all(|p| p.state == 'S'), "all jobs wait");
    // While we are stopped the deaths come to one pending signal.
    pilot.signal(Signal::SIGSTOP);
    let stopped = || process::look(pilot.pid).is_some_and(|p| matches!(p.state, 't' | 'T'));
    wait_until(DEADLINE, stopped, "PID 1 stops");
    drop(std::fs::OpenOptions::new().write(true).open(pilot.path("door")).unwrap());
    wait_until(DEADLINE, || pilot.zombies().len() == 200, "all are dead");
    pilot.signal(Signal::SIGCONT);
    assert_eq!(pilot.wait_exit(), 3);
    assert_eq!(pilot.stdout().matches("exited with error: exit status 3").count(), 200);
    pilot.finish();
}

// Seen red with src/process/signals.rs:
//- Ok(Ok(number)) if number == libc::SIGCHLD => return Received::Child,
//+ Ok(Ok(number)) if number == libc::SIGCHLD => {}
#[test]
fn f03_f07_no_death_is_overslept_however_soon_it_comes() {
    // One lost SIGCHLD, or one child that is dead before it is noted, and this never ends: raw ones have no output whose end
    // would tell it, too.
    let restarts = count(1500, 100_000);
    let text = r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
        { name: "job", exec: "true", restarts: RESTARTS, logging: { raw: true } },
        { name: "other", exec: "true", restarts: RESTARTS, logging: { raw: true } },
    ] }"#;
    let mut pilot = Pilot::start(&text.replace("RESTARTS", &restarts.to_string()));
    assert_eq!(wait_exit_of_many(&mut pilot), 0);
    let stdout = pilot.stdout();
    for name in ["job", "other"] {
        let ends = stdout.matches(&format!(" {name} exited without error\n")).count();
        assert_eq!(ends, restarts + 1, "{name}");
    }
    pilot.finish();
}

// Seen red with src/process/children.rs:
//- reaped.orphans.extend(buried.then_some(pid));
//+
#[test]
fn f04_orphans_are_reaped_and_not_taken_for_a_job() {
    let orphans = count(300, 1000);
    let text = r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
        { name: "job", exec: ["sh", "-c", "for i in $(seq ORPHANS); do (sleep .1 &); done; sleep 1; exit 5"] },
    ] }"#;
    let mut pilot = Pilot::start(&text.replace("ORPHANS", &orphans.to_string()));
    assert_eq!(pilot.wait_exit(), 5);
    let stdout = pilot.stdout();
    let reaped =
        stdout.lines().filter_map(|line| line.split_once(" reaped ")?.1.split_once(' ')?.0.parse::<usize>().ok());
    assert_eq!(reaped.sum::<usize>(), orphans);
    assert_eq!(stdout.matches("exited with").count(), 1, "only the job itself");
    pilot.finish();
}

/// Makes so many orphans as fast as it can, one after the other, and goes on as `after` says.
fn storm(orphans: usize, after: &str) -> String {
    let job = format!(
        "for (1 .. {orphans}) {{ my $pid = fork; if (!$pid) {{ fork; POSIX::_exit(0) }} waitpid $pid, 0 }} {after}"
    );
    let exec = serde_json::to_string(&["perl", "-e", &format!("use POSIX; {job}")]).unwrap();
    format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [ {{ name: "storm", exec: {exec} }} ] }}"#)
}

// Seen red with src/driver.rs:
//- let due = self.timers.next().into_iter().chain(drained).chain(self.settles).chain(pause).min();
//+ let due = self.timers.next().into_iter().chain(drained).chain(self.settles).min();
#[test]
fn f04_a_storm_of_orphans_holds_up_no_signal_and_no_death() {
    // It ends in the middle of the storm.
    let mut pilot = Pilot::start(&storm(4000, "exit 6"));
    assert_eq!(pilot.wait_exit(), 6);
    pilot.finish();
    let mut pilot = Pilot::start(&storm(1_000_000, ""));
    wait_until(DEADLINE, || pilot.stdout().matches(" reaped ").count() > 100, "the storm rages");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    pilot.finish();
}

// Seen red with src/driver/running.rs:
//- let at_once = death.status.is_success() && now.since(run.since) < DAEMONISED && !run.is_check;
//+ let at_once = false;
#[test]
fn f05_a_job_that_puts_itself_into_the_background_is_told() {
    // The two ignore TERM, as a daemon might: they live on unseen, and are killed in the end.
    let text = r#"{ consul: false, stopTimeout: 1, jobs: [
        { name: "daemon", exec: ["sh", "-c", "trap '' TERM; sleep 1001 & sleep 1002 & exit 0"] },
        { name: "keeper", exec: ["sleep", "1000"] },
    ] }"#;
    let mut pilot = Pilot::start(text);
    pilot.wait_stdout("job daemon exited 0 within 1s but left 2 processes behind");
    wait_command(&pilot, "sleep 1001");
    wait_command(&pilot, "sleep 1002");
    assert_eq!(pilot.stop().0, 0);
    pilot.finish();
}

#[test]
fn f05_a_daemon_of_its_own_session_lives_on_and_is_asked_to_end_at_the_stop() {
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "daemon", exec: ["sh", "-c",
            "setsid perl polite.pl daemon term > /dev/null & until grep -q daemon $LOG; do sleep .01; done"] },
        { name: "after", exec: ["sh", "-c", "echo after >> $LOG; exec sleep 1000"],
          when: { source: "daemon", once: "exitSuccess" } },
    ] }"#;
    let mut pilot = config(text).start();
    pilot.wait_log("after");
    let daemon = wait_command(&pilot, "perl polite.pl daemon term");
    assert_eq!(daemon.parent, pilot.pid, "it is adopted");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(pilot.log(), ["daemon", "after", "term"]);
    pilot.finish();
}

// Seen red with src/process/children.rs:
//- let mut oom = None;
//+ let mut oom = None; let _ = sys::any_dead().map(|dead| dead.map(|(pid, _)| guard::bury(pid)));
#[test]
fn f06_each_of_many_runs_ends_once_with_its_own_status() {
    let restarts = count(100, 16_000);
    let text = r#"{ consul: false, jobs: [
        {{ range $i := loop 1 7 }}
        { name: "job{{ $i }}", restarts: RESTARTS,
          exec: ["sh", "-c", "echo job{{ $i }} >> $LOG; sleep .00$(($$ % 6)); exit {{ $i }}"] },
        {{ end }}
        { name: "orphans", restarts: RESTARTS, exec: ["sh", "-c", "echo orphans >> $LOG; (sleep .00$(($$ % 6)); exit 77) & exit 0"] },
    ] }"#;
    let mut pilot = Pilot::start(&text.replace("RESTARTS", &restarts.to_string()));
    assert_eq!(wait_exit_of_many(&mut pilot), 1, "the first job in file order that failed");
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for line in pilot.stdout().lines() {
        if let Some((_, end)) = line.split_once("Z ")
            && end.contains(" exited with error: ")
        {
            *ends.entry(end.to_owned()).or_default() += 1;
        }
    }
    let expected = (1..=6).map(|i| (format!("job{i} exited with error: exit status {i}"), restarts + 1));
    assert_eq!(ends, expected.collect());
    for i in 1..=6 {
        assert_eq!(pilot.logged(&format!("job{i}")), restarts + 1);
    }
    pilot.finish();
}

// Seen red with src/process/children.rs:
//- self.by_pid.insert(pid, id);
//+
#[test]
fn f07_a_child_that_exits_at_once_is_not_lost() {
    // Each starts when the one before has ended: one that is lost breaks the chain.
    let links = count(300, 2000);
    let mut jobs = r#"{ name: "link0", exec: "true" }"#.to_owned();
    for link in 1..=links {
        let when = format!(r#"{{ source: "link{}", once: "exitSuccess" }}"#, link - 1);
        let exec = if link == links { r#"["sh", "-c", "echo last >> $LOG"]"# } else { r#""true""# };
        write!(jobs, r#", {{ name: "link{link}", exec: {exec}, when: {when} }}"#).unwrap();
    }
    let mut pilot = Pilot::start(&format!(r#"{{ consul: false, logging: {{ level: "DEBUG" }}, jobs: [{jobs}] }}"#));
    assert_eq!(wait_exit_of_many(&mut pilot), 0);
    assert_eq!(pilot.log(), ["last"]);
    pilot.finish();
}

#[test]
fn f08_a_missing_program_beside_many_deaths_is_an_error_and_no_panic() {
    let text = r#"{ consul: false, jobs: [
        { name: "missing", exec: "/no/such/program", restarts: 200 },
        { name: "orphans", exec: ["sh", "-c", "for i in $(seq 20); do (sleep .01 &); done"], restarts: 20 },
        { name: "short", exec: "true", restarts: 200 },
    ] }"#;
    let mut pilot = Pilot::start(text);
    assert_eq!(pilot.wait_exit(), 127);
    assert_eq!(pilot.stdout().matches("unable to start missing").count(), 201);
    assert_eq!(pilot.stderr(), "");
    pilot.finish();
}

// Seen red with src/process/children.rs:
//- sys::any_dead() != Err(Errno::ECHILD)
//+ nix::sys::wait::waitpid(None::<nix::unistd::Pid>, None) != Err(Errno::ECHILD)
#[test]
fn f08_nobody_else_in_the_program_waits_for_a_child() {
    let waits = ["waitpid", "waitid(", "wait4", "wait3", "process::Command", "Command::new", "SIGCHLD::"];
    let mut found = Vec::new();
    // Unit tests in files of their own are not in the program.
    let of_the_program = |(file, _): &(String, String)| file != "tests.rs";
    for (file, text) in
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))).into_iter().filter(of_the_program)
    {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.extend(
            code.filter(|line| waits.iter().any(|word| line.contains(word))).map(|line| format!("{file}: {line}")),
        );
    }
    assert!(matches!(&*found, [one] if one.starts_with("sys.rs: ") && one.contains("libc::waitid(")), "{found:#?}");
}

fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    all
}

#[test]
fn f09_a_pid_that_was_given_away_again_is_not_killed_for_its_former_owner() {
    // Each gives its number to the next one: ns_last_pid says which number the next fork gets.
    let text = r#"{ consul: false, stopTimeout: 1, jobs: [
        { name: "first", timeout: "1s",
          exec: ["sh", "-c", "echo $$ >> $LOG; echo $(($$ - 1)) > /proc/sys/kernel/ns_last_pid"] },
        { name: "second", when: { source: "first", once: "exitSuccess" },
          exec: ["sh", "-c", "trap 'echo term >> $LOG' TERM; echo $$ >> $LOG; exec 2>&-; while :; do sleep .05; done"] },
        { name: "timer", when: { source: "first", once: "exitSuccess" },
          exec: ["sh", "-c", "sleep 2; echo over >> $LOG"] },
    ] }"#;
    let pilot = Pilot::start(text);
    pilot.wait_log("over");
    let log = pilot.log();
    let [first, second, over] = &*log else { panic!("{log:?}") };
    assert_eq!(first, second, "the same number");
    assert_eq!(over, "over", "nobody signalled the second one");
    // A child of it looks like it for a moment.
    pilot.wait_process("trap 'echo term");
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/process/sys.rs:
//- wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
//+ wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG)
#[test]
fn f09_a_group_is_signalled_before_the_number_of_its_leader_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (config, trace) = (dir.path().join("app.json5"), dir.path().join("trace"));
    // Its leader ends and leaves somebody behind.
    let text = r#"{ consul: false, jobs: [{ name: "job", exec: ["sh", "-c", "sleep 1000 & exit 0"] }] }"#;
    std::fs::write(&config, text).unwrap();
    let mut strace = Command::new("strace");
    // The main thread alone, so that no other's line comes between the halves of one of its calls.
    strace.args(["-qq", "-e", "trace=waitid,kill", "-o"]).arg(&trace).arg(BINARY).arg("-config").arg(&config);
    assert!(strace.env("PATH", PATH).output().unwrap().status.success());
    let trace = std::fs::read_to_string(&trace).unwrap();
    let group = |line: &str| Some(line.split_once("kill(-")?.1.split_once(", SIGTERM)")?.0.to_owned());
    let (asked, leader) = trace.lines().enumerate().find_map(|(at, line)| Some((at, group(line)?))).unwrap();
    let of_leader = format!("si_pid={leader},");
    let is_reaped = |line: &str| line.contains("waitid(") && line.contains(&of_leader) && !line.contains("WNOWAIT");
    let reaped = trace.lines().position(is_reaped);
    assert!(reaped.is_some_and(|reaped| asked < reaped), "{trace}");
}

/// A shell as PID 1, which starts the program, passes TERM on to it and ends as it does.
fn below_a_shell(config: &str, prefix: &str) -> Launch {
    let script = r#"$PREFIX "$BINARY" -config containerpilot.json5 & trap : TERM
        while :; do wait $!; code=$?; [ -d /proc/$! ] || exit $code; kill $!; done"#;
    program("/bin/sh", &["-c", script], config).env("BINARY", BINARY).env("PREFIX", prefix)
}

fn the_program(pilot: &Pilot) -> Process {
    let is_it =
        |p: &Process| std::fs::read_link(format!("/proc/{}/exe", p.pid)).is_ok_and(|exe| exe == Path::new(BINARY));
    let found = || pilot.processes().into_iter().find(is_it);
    wait_until(DEADLINE, || found().is_some(), "the program runs");
    found().unwrap()
}

// Seen red with src/process/children.rs:
//- let subreaper = if sys::is_pid_one() { Ok(()) } else { nix::sys::prctl::set_child_subreaper(true) };
//+ let subreaper = Ok(());
#[test]
fn f21_not_pid_1_we_adopt_orphans_and_end_them_all_the_same() {
    let text = r#"{ consul: false, stopTimeout: 5, jobs: [
        { name: "leaver", exec: ["sh", "-c", "setsid perl polite.pl up term > /dev/null & \
            trap '' TERM; setsid sleep 1001 > /dev/null & until grep -q up $LOG; do sleep .01; done"] },
        { name: "job", exec: ["sleep", "1000"] },
    ] }"#;
    let mut pilot = below_a_shell(text, "").start();
    let ours = the_program(&pilot);
    assert_ne!(ours.inner_pid, 1);
    let hidden = ["perl polite.pl up term", "sleep 1001"];
    let parents = || hidden.map(|command| wait_command(&pilot, command).parent);
    wait_until(DEADLINE, || parents() == [ours.pid; 2], "both are adopted by us, not by PID 1");
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.log(), ["up", "term"]);
    pilot.finish();
}

#[test]
fn f21_an_orphan_is_asked_to_end_once_whatever_else_happens() {
    // A second TERM means haste to many programs. Each of the others' deaths makes us look again who is left.
    let text = r#"{ consul: false, stopTimeout: 300, jobs: [
        { name: "leaver", exec: ["sh", "-c", "for i in 1 2 3 4 5; do \
            setsid perl polite.pl up quick 0.$i > /dev/null & done; \
            setsid perl -e 'sub note { open my $log, q(>>), $ENV{LOG}; print $log shift, qq(\\n) } \
                $SIG{TERM} = sub { note(q(asked)); $end ||= time + 5 }; note(q(up)); \
                until ($end && time >= $end) { select undef, undef, undef, 0.1 }' > /dev/null & \
            until [ $(grep -c up $LOG) = 6 ]; do sleep .01; done"] },
        { name: "job", exec: ["sleep", "1000"] },
    ] }"#;
    let mut pilot = below_a_shell(text, "").start();
    pilot.wait_logged("up", 6);
    let ours = the_program(&pilot);
    pilot.signal_process(&ours, Signal::SIGTERM);
    pilot.wait_log("asked");
    for _ in 0..20 {
        pilot.signal_process(&ours, Signal::SIGWINCH);
    }
    assert_eq!(pilot.wait_exit(), 0);
    assert_eq!((pilot.logged("quick"), pilot.logged("asked")), (5, 1));
    pilot.finish();
}

#[test]
fn f21_where_orphans_can_not_be_adopted_that_is_told_once() {
    let text = r#"{ consul: false, jobs: [
        { name: "job", restarts: 5, exec: "true" },
        { name: "keeper", exec: ["sleep", "1000"] },
    ] }"#;
    let strace = "strace -qq -o /dev/null -e trace=prctl -e inject=prctl:error=EINVAL";
    let mut pilot = below_a_shell(text, strace).start();
    wait_command(&pilot, "sleep 1000");
    let ours = the_program(&pilot);
    pilot.signal_process(&ours, Signal::SIGTERM);
    assert_eq!(pilot.wait_exit(), 0);
    let warning = "orphans will not come to this process, which is not PID 1: ";
    assert_eq!(pilot.stdout().matches(warning).count(), 1, "{}", pilot.stdout());
    pilot.finish();
}
