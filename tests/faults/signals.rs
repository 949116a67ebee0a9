//! Rows 1, 10, 11, 13 and 14: signals to PID 1, from before its first line on.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::support::{BINARY, DEADLINE, Launch, PATH, Pilot, Process, Signal, count, process, wait, wait_until};

/// Waits for the one process with exactly this command line: a shell's holds those of its children too.
#[track_caller]
pub fn wait_command(pilot: &Pilot, command: &str) -> Process {
    let find = || pilot.find(command).into_iter().find(|process| process.command == command);
    wait_until(DEADLINE, || find().is_some(), command);
    find().unwrap()
}

/// `polite.pl UP TERM [SECONDS]` logs its first word, and on TERM, after so many seconds, its second one, and ends. It
/// never forks: a shell that waits for its `sleep` could have forked it just behind the TERM.
const POLITE: &str = r#"cat > polite.pl <<'END'
sub note { open my $log, '>>', $ENV{LOG}; print $log shift, "\n"; close $log }
$SIG{INT} = sub { note('int') };
$SIG{TERM} = sub { select(undef, undef, undef, $ARGV[2] // 0); $| = 1; print "goodbye\n"; note($ARGV[1]); exit 0 };
note($ARGV[0]);
select(undef, undef, undef, 0.1) while 1;
END"#;

/// Another program in the place of ours, with [`polite.pl`](POLITE) and this configuration at the usual place.
pub fn program(program: &str, args: &[&str], config: &str) -> Launch {
    let file = format!("cat > containerpilot.json5 <<'END'\n{config}\nEND");
    Launch::program(program, args).setup(POLITE).setup(&file)
}

/// A configuration with [`polite.pl`](POLITE) in its directory.
pub fn config(text: &str) -> Launch {
    Launch::config(text).setup(POLITE)
}

/// A program in perl that does something to its signals and becomes the program.
fn perl(script: &str) -> [&str; 4] {
    ["perl", "-e", script, "--"]
}

/// A configuration that takes a while to be read (some 200 ms where this was written), and then starts a job.
const SLOW_TO_READ: &str = r#"{{ range loop 0 100000 }}{{ end }}{ consul: false, jobs: [
    { name: "job", exec: ["sh", "-c", "echo ran >> $LOG; sleep 1000"] },
    { name: "after", exec: ["sh", "-c", "echo after >> $LOG"], when: { source: "job", once: "stopped" } },
    { name: "long", when: { source: "after", once: "healthy" }, exec: ["true", {{ range loop 0 120000 }}"a",{{ end }}] },
] }"#;

/// What an early TERM must come to.
#[track_caller]
fn assert_nothing_was_started(mut pilot: Pilot) {
    assert_eq!(pilot.wait_exit(), 0);
    assert_eq!(pilot.log(), [""; 0]);
    pilot.wait_stdout("stopping on SIGTERM");
    pilot.wait_stdout("nothing ran; exit 0");
    pilot.finish();
}

fn blocks(pid: i32, signal: Signal) -> bool {
    let mask = process::status_field(pid, "SigBlk").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    mask.is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

// Seen red with src/driver.rs:
//- self.inbox.push_back(Input::Start);
//+ self.inbox.push_front(Input::Start);
#[test]
fn f01_a_term_that_is_pending_when_the_program_begins_starts_no_job() {
    let pending = perl("use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM)); kill TERM => $$; exec @ARGV");
    assert_nothing_was_started(Launch::config(SLOW_TO_READ).prefix(&pending).start());
}

#[test]
fn f01_a_term_while_the_configuration_is_read_starts_no_job() {
    let (rounds, mut in_time) = (count(10, 200), 0);
    for round in 0..rounds {
        let pilot = Launch::config(SLOW_TO_READ).start();
        wait_until(DEADLINE, || blocks(pilot.pid, Signal::SIGTERM), "PID 1 blocks signals");
        // The moment is what the test varies: 0 to 50 ms later.
        let later = Duration::from_millis(u64::try_from(50 * round / rounds).unwrap());
        wait::let_pass(later);
        // Stopped, so that we know where it is: it starts the log's thread when it has read all.
        kill(Pid::from_raw(pilot.pid), Signal::SIGSTOP).unwrap();
        let stopped = || process::look(pilot.pid).is_some_and(|p| matches!(p.state, 't' | 'T'));
        wait_until(DEADLINE, stopped, "PID 1 stops");
        let reading = pilot.threads() == 1;
        pilot.signal(Signal::SIGTERM);
        pilot.signal(Signal::SIGCONT);
        if reading {
            in_time += 1;
            assert_nothing_was_started(pilot);
        } else {
            // Too late on a busy machine: it has begun, and stops like any other.
            assert_eq!(pilot.finish(), 0);
        }
    }
    assert!(in_time >= rounds / 3, "only {in_time} of {rounds} came in time");
}

#[test]
fn f01_signals_are_blocked_before_anything_is_read_or_made() {
    let dir = tempfile::tempdir().unwrap();
    let (config, trace) = (dir.path().join("app.json5"), dir.path().join("trace"));
    std::fs::write(&config, r#"{ consul: false, jobs: [{ name: "job", exec: "true" }] }"#).unwrap();
    let calls = "trace=rt_sigprocmask,openat,clone,clone3,vfork";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", calls, "-o"]).arg(&trace).arg(BINARY).arg("-config").arg(&config);
    assert!(strace.env("PATH", PATH).output().unwrap().status.success());
    let trace = std::fs::read_to_string(&trace).unwrap();
    let first = |what: &str| trace.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{trace}"));
    let block = first("rt_sigprocmask(SIG_SETMASK, ~[");
    assert!(block < first("app.json5"), "{trace}");
    assert!(block < first("clone"), "{trace}");
}

// Seen red with src/process/signals.rs:
//- sys::set_disposition(libc::SIGCHLD, false)?;
//+
#[test]
fn f10_an_inherited_ignored_sigchld_loses_no_exit_status() {
    let config = r#"{ consul: false, jobs: [
        { name: "job", exec: ["sh", "-c", "grep SigIgn /proc/self/status >> $LOG; exit 9"] },
    ] }"#;
    let mut pilot = Launch::config(config).prefix(&perl("$SIG{CHLD} = 'IGNORE'; exec @ARGV")).start();
    assert_eq!(pilot.wait_exit(), 9);
    assert_eq!(pilot.log(), ["SigIgn:\t0000000000000000"]);
    pilot.finish();
}

// Seen red with src/process/clone.rs:
//- unblock_everything()?;
//+ let _ = unblock_everything;
#[test]
fn f11_no_mask_and_no_disposition_of_ours_reaches_a_child() {
    let config = r#"{ consul: false, jobs: [
        { name: "job", exec: ["cat", "/proc/self/status"] },
        { name: "raw", exec: ["cat", "/proc/self/status"], logging: { raw: true } },
        { name: "again", exec: ["cat", "/proc/self/status"], when: { source: "job", once: "exitSuccess" } },
        { name: "checked", exec: ["sleep", "1000"], health: {
            exec: ["cat", "/proc/self/status"], interval: 1, ttl: 10 } },
    ] }"#;
    let all = "use POSIX; use Config; my $all = POSIX::SigSet->new; $all->fillset; sigprocmask(SIG_SETMASK, $all); \
               $SIG{$_} = 'IGNORE' for grep !/ZERO|KILL|STOP|NUM3[23]/, split ' ', $Config{sig_name}; exec @ARGV";
    let pilot = Launch::config(config).prefix(&perl(all)).start();
    let field = |name: &str| -> Vec<String> {
        let stdout = pilot.stdout();
        let values = stdout.lines().filter_map(|line| Some(line.split_once(name)?.1.trim().to_owned()));
        values.collect()
    };
    wait_until(DEADLINE, || field("SigCgt:").len() >= 4, "three jobs and a check have looked");
    for name in ["SigPnd:", "SigBlk:", "SigIgn:", "SigCgt:"] {
        assert!(field(name).iter().all(|mask| mask == "0000000000000000"), "{name} {:?}", field(name));
    }
    assert_eq!(pilot.finish(), 0);
}

/// Those that the program takes and tells of at DEBUG. The rest is: INT and TERM, which stop it; KILL and STOP; CHLD;
/// BUS, SEGV and PIPE, which it does not block; 32 and 33, which are the C library's.
fn told() -> impl Iterator<Item = i32> {
    (1..=64).filter(|number| ![2, 7, 9, 11, 13, 15, 17, 19, 32, 33].contains(number))
}

// Seen red with src/plan/signal.rs:
//- self.0.iter().find(|(s, _)| *s == signal).map_or(&SignalAction::Ignore, |(_, action)| action)
//+ self.0.iter().find(|(s, _)| *s == signal).map_or(&SignalAction::Terminate, |(_, action)| action)
#[test]
fn f13_no_signal_but_int_and_term_ends_us_and_each_is_told() {
    let config = r#"{ consul: false, logging: { level: "DEBUG" }, jobs: [
        { name: "job", exec: ["sh", "-c", "echo up >> $LOG; sleep 1000"] },
        { name: "hup", exec: ["sh", "-c", "echo hup >> $LOG"], when: { source: "SIGHUP" } },
        { name: "usr2", exec: ["sh", "-c", "echo usr2 >> $LOG"], when: { source: "SIGUSR2" } },
    ] }"#;
    let pilot = Pilot::start(config);
    pilot.wait_log("up");
    let job = wait_command(&pilot, "sleep 1000");
    let lines = || pilot.stdout().lines().filter(|line| line.contains(" got ")).count();
    let mut expected = 0;
    for round in 1..=2 {
        for number in (1..=64).filter(|number| ![2, 9, 15, 19].contains(number)) {
            pilot.signal_number(number);
            expected += usize::from(told().any(|one| one == number));
            // One by one: the kernel throws a pending CONT away when a TSTP comes.
            wait_until(DEADLINE, || lines() == expected, &format!("signal {number} is told"));
        }
        pilot.wait_logged("hup", round);
        pilot.wait_logged("usr2", round);
    }
    let stdout = pilot.stdout();
    for name in ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGABRT", "SIGSYS"] {
        let word = format!(" got {name}");
        assert_eq!(stdout.lines().filter(|line| line.ends_with(&word)).count(), 2, "{name}");
    }
    // USR1 came twice: in and out of maintenance.
    assert!(stdout.contains("maintenance on") && stdout.contains("maintenance off"));
    let runs = (pilot.logged("hup"), pilot.logged("usr2"), pilot.log().len());
    assert_eq!(runs, (2, 2, 5), "one run for each");
    assert_eq!(wait_command(&pilot, "sleep 1000").pid, job.pid, "the job saw none of them");
    assert_eq!(pilot.finish(), 0);
}

// Seen red with src/core/start.rs:
//- if self.due >= 1 && one_is_enough {
//+ if false {
#[test]
fn f14_a_storm_of_signals_is_merged_and_leaves_nothing_waiting() {
    let config = r#"{ consul: false, jobs: [
        { name: "job", exec: ["sh", "-c", "echo up >> $LOG; sleep 1000"] },
        { name: "hup", exec: ["sh", "-c", "sleep .05; echo hup >> $LOG"], when: { source: "SIGHUP" } },
    ] }"#;
    let mut pilot = Pilot::start(config);
    pilot.wait_log("up");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("hup");
    let memory = || process::memory_kib(pilot.pid, "Anonymous").unwrap();
    let before = memory();
    let pid = Pid::from_raw(pilot.pid);
    for _ in 0..count(20_000, 100_000) {
        kill(pid, Signal::SIGHUP).unwrap();
    }
    let so_far = pilot.logged("hup");
    // The run at the end of the storm, and one for all that came during it.
    wait::holds_for(Duration::from_millis(800), || pilot.logged("hup") <= so_far + 3, "two runs are left at most");
    assert!(so_far >= 1);
    let grown = memory().saturating_sub(before);
    assert!(grown < 2048, "{grown} KiB more");
    // It still listens.
    let runs = pilot.logged("hup");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_logged("hup", runs + 1);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(4), "{took:?}");
    pilot.finish();
}

#[test]
fn f14_a_term_inside_a_storm_is_not_lost() {
    let config = r#"{ consul: false, jobs: [
        { name: "job", exec: ["sh", "-c", "echo up >> $LOG; sleep 1000"] },
        { name: "hup", exec: ["sh", "-c", "echo hup >> $LOG"], when: { source: "SIGHUP" } },
    ] }"#;
    let mut pilot = Pilot::start(config);
    pilot.wait_log("up");
    let pid = Pid::from_raw(pilot.pid);
    let storm = |times: usize| (0..times).all(|_| kill(pid, Signal::SIGHUP).is_ok());
    assert!(storm(2000));
    pilot.signal(Signal::SIGTERM);
    #[expect(clippy::disallowed_methods, reason = "the test's own deadline")]
    let end = Instant::now() + DEADLINE;
    // The pid is not given away before `try_exit` has waited for it.
    while pilot.try_exit().is_none() {
        #[expect(clippy::disallowed_methods, reason = "the test's own deadline")]
        let now = Instant::now();
        assert!(now < end, "it does not stop while signals come");
        storm(100);
    }
    assert_eq!(pilot.finish(), 0);
}

/// What must go on whatever a storm does: output, a period, a limit of time.
const BESIDE_A_STORM: &str = r#"
    { name: "tick", exec: ["sh", "-c", "echo tick >> $LOG; echo said"], when: { interval: "50ms" } },
    { name: "limited", exec: ["sleep", "1000"], timeout: "300ms" },
"#;

#[test]
fn f14_real_time_signals_that_queue_up_starve_nobody() {
    // The kernel merges only the first 31 kinds. Two that do nothing, sent without end by a job that ignores TERM.
    let storm = "$SIG{TERM} = 'IGNORE'; while (1) { kill 40, 1; kill 41, 1 }";
    let text = format!(
        r#"{{ consul: false, stopTimeout: 1, jobs: [
            {{ name: "storm", exec: ["perl", "-e", "{storm}"] }},
            {BESIDE_A_STORM}
        ] }}"#
    );
    let mut pilot = Pilot::start(&text);
    pilot.wait_logged("tick", 10);
    pilot.wait_stdout("limited timeout after 300ms");
    let said = pilot.stdout().matches(" said\n").count();
    wait_until(DEADLINE, || pilot.stdout().matches(" said\n").count() >= said + 5, "output goes on");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&took), "KILL at stopTimeout: {took:?}");
    pilot.finish();
}
