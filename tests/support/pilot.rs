//! A running program under test.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::process::{self, Descriptor, Process};
use super::tracer::{LastLook, Tracer};
use super::wait::{self, DEADLINE, wait_until};
use super::zombies::Watcher;

/// What watches a running program.
#[derive(Default)]
pub(super) struct Guards {
    pub(super) namespace: String,
    pub(super) inherited: BTreeSet<Descriptor>,
    pub(super) tracer: Option<Tracer>,
    pub(super) zombies: Option<Watcher>,
}

/// The program as PID 1 of a namespace of its own. See [`super::Launch`] for how it is started.
///
/// The end of its scope is [`Pilot::finish`], so that no test forgets it; when the test fails anyway, it prints what the
/// program wrote.
pub struct Pilot {
    dir: TempDir,
    unshare: Child,
    exit: Option<(i32, Instant)>,
    last_look: Option<LastLook>,
    finished: bool,
    pub(super) guards: Guards,
    /// PID 1 as the test sees it.
    pub pid: i32,
}

impl Pilot {
    /// The program with a configuration and nothing special; [`super::Launch`] has the rest.
    pub fn start(config: &str) -> Self {
        super::Launch::config(config).start()
    }

    pub(super) fn new(dir: TempDir, unshare: Child, pid: i32, guards: Guards) -> Self {
        Self { dir, unshare, exit: None, last_look: None, finished: false, guards, pid }
    }

    /// A path in the test's own directory, which the program knows as `$DIR`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The test's own directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What a file of the test's directory holds, U+FFFD for bytes that are no text; empty when it is not there.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// What the program wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What the program wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Waits until standard output holds a text.
    #[track_caller]
    pub fn wait_stdout(&self, text: &str) {
        wait_until(DEADLINE, || self.stdout().contains(text), &format!("{text:?} on standard output"));
    }

    /// Waits until standard error holds a text.
    #[track_caller]
    pub fn wait_stderr(&self, text: &str) {
        wait_until(DEADLINE, || self.stderr().contains(text), &format!("{text:?} on standard error"));
    }

    /// The complete lines of the ordered log that children append to (`echo word >> "$LOG"`).
    pub fn log(&self) -> Vec<String> {
        let text = self.read("log");
        text.split_inclusive('\n').filter_map(|line| Some(line.strip_suffix('\n')?.to_owned())).collect()
    }

    /// How often a line stands in the ordered log.
    pub fn logged(&self, line: &str) -> usize {
        self.log().iter().filter(|l| *l == line).count()
    }

    /// Waits until a line stands in the ordered log.
    #[track_caller]
    pub fn wait_log(&self, line: &str) {
        self.wait_logged(line, 1);
    }

    /// Waits until a line stands in the ordered log so many times at least.
    #[track_caller]
    pub fn wait_logged(&self, line: &str, times: usize) {
        wait_until(DEADLINE, || self.logged(line) >= times, &format!("{times} × {line:?} in the log"));
    }

    /// Sends a signal to PID 1 from outside, as a container engine does.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.signal_number(signal as i32);
    }

    /// Likewise for signals without a name (real-time).
    #[track_caller]
    pub fn signal_number(&self, number: i32) {
        assert!(self.send(number), "PID 1 is gone: no signal {number} for it");
    }

    /// Whether a signal could be sent: PID 1 may end at any moment.
    fn send(&self, number: i32) -> bool {
        // The command, since nix can't spell real-time signals.
        let kill =
            || Command::new("kill").arg(format!("-{number}")).arg(self.pid.to_string()).stderr(Stdio::null()).status();
        self.is_child_of_unshare() && kill().is_ok_and(|status| status.success())
    }

    /// Sends a signal to one process of the namespace.
    #[track_caller]
    pub fn signal_process(&self, process: &Process, signal: Signal) {
        let ours = process::namespace(process.pid).is_some_and(|name| name == self.guards.namespace);
        assert!(ours, "{process:?} is gone: no {signal} for it");
        kill(Pid::from_raw(process.pid), signal).expect("a signal to a process that is there");
    }

    /// Everybody in the namespace but PID 1, zombies too.
    pub fn processes(&self) -> Vec<Process> {
        process::in_namespace(&self.guards.namespace).into_iter().filter(|p| p.pid != self.pid).collect()
    }

    /// The living processes of the namespace whose command line holds a text.
    pub fn find(&self, text: &str) -> Vec<Process> {
        self.processes().into_iter().filter(|p| p.state != 'Z' && p.command.contains(text)).collect()
    }

    /// Waits for the one process whose command line holds a text. More than one is no answer yet: between fork and exec
    /// a child looks like its parent.
    #[track_caller]
    pub fn wait_process(&self, text: &str) -> Process {
        let one = wait::poll(DEADLINE, || <[Process; 1]>::try_from(self.find(text)).ok());
        let Some([process]) = one else { panic!("not exactly one process {text:?}: {:?}", self.processes()) };
        process
    }

    /// Zombies of the namespace at this moment.
    pub fn zombies(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|p| p.state == 'Z').collect()
    }

    /// What PID 1 has open.
    pub fn descriptors(&self) -> BTreeSet<Descriptor> {
        process::descriptors(self.pid)
    }

    /// Leaves so many descriptors, those that are free now: for a start, which takes four, or for who asks.
    pub fn leave_descriptors(&self, free: usize) {
        let open: BTreeSet<u64> = std::fs::read_dir(format!("/proc/{}/fd", self.pid))
            .expect("its descriptors")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        self.limit_descriptors((0..).filter(|number| !open.contains(number)).nth(free).expect("a number"));
    }

    /// It gets no descriptor of this number or above.
    pub fn limit_descriptors(&self, most: u64) {
        let (pid, limit) = (self.pid.to_string(), format!("--nofile={most}:"));
        let status = std::process::Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(status.is_ok_and(|status| status.success()), "prlimit is there (util-linux)");
    }

    /// Waits until PID 1 has nothing open that it had not before.
    #[track_caller]
    pub fn wait_descriptors_back(&self, before: &BTreeSet<Descriptor>) {
        let more = || self.descriptors().difference(before).cloned().collect::<Vec<_>>();
        let back = wait::poll(DEADLINE, || more().is_empty().then_some(()));
        assert!(back.is_some(), "descriptors still open: {:?}", more());
    }

    /// The number of threads of PID 1.
    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }

    /// The resident set of PID 1 in KiB.
    pub fn rss_kib(&self) -> u64 {
        process::memory_kib(self.pid, "Rss").expect("PID 1 is there")
    }

    /// The memory of PID 1 that is no copy of a file, in KiB: what grows when something is kept. Pages of the program come
    /// and go (`process::release_startup_pages`).
    pub fn anonymous_kib(&self) -> u64 {
        process::memory_kib(self.pid, "Anonymous").expect("PID 1 is there")
    }

    /// The proportional set size of PID 1 in KiB: shared pages count by their share.
    pub fn pss_kib(&self) -> u64 {
        process::memory_kib(self.pid, "Pss").expect("PID 1 is there")
    }

    /// The processor time that PID 1 used so far, its children excluded.
    pub fn cpu_time(&self) -> Duration {
        process::cpu_time(self.pid)
    }

    /// How often PID 1 went to sleep so far; a difference counts its wake-ups.
    pub fn wakeups(&self) -> u64 {
        process::voluntary_switches(self.pid)
    }

    /// The exit status if PID 1 is gone: 128+n if signal n killed it.
    pub fn try_exit(&mut self) -> Option<i32> {
        if self.exit.is_none() {
            let told = self.unshare.try_wait().expect("unshare is our child")?;
            let now = Instant::now();
            // The tracer saw it first and ends with it. Its word counts: unshare 2.38 fails to pass on a SIGKILL.
            self.last_look = self.guards.tracer.take().and_then(|mut tracer| tracer.finish());
            let seen = self.last_look.as_ref().and_then(|look| look.status);
            self.exit = Some((code_of(seen.unwrap_or(told)), now));
        }
        self.exit.map(|(code, _)| code)
    }

    /// Waits for PID 1's end by itself and gives its exit status, 128+n if signal n killed it.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        self.wait_exit_within(DEADLINE)
    }

    /// Likewise with a deadline.
    #[track_caller]
    pub fn wait_exit_within(&mut self, deadline: Duration) -> i32 {
        let Some(code) = wait::poll(deadline, || self.try_exit()) else {
            panic!("PID 1 is still there after {deadline:?}, with {:?}", self.processes())
        };
        code
    }

    /// Stops the program as a container engine does and gives its exit status and how long that took, the harness's
    /// own look at what is left included.
    #[track_caller]
    pub fn stop(&mut self) -> (i32, Duration) {
        let begin = Instant::now();
        self.signal(Signal::SIGTERM);
        let code = self.wait_exit();
        let end = self.exit.map_or(begin, |(_, at)| at);
        (code, end.duration_since(begin))
    }

    /// Stops the program if it still runs, and asserts what holds after every test:
    ///
    /// - when PID 1 exited no other process of the namespace was left, not even a zombie;
    /// - at no time a child of PID 1 was a zombie for longer than the grace;
    /// - when it exited it held no pipe that it had not been given: those of its children were closed.
    ///
    /// Gives the exit status.
    #[track_caller]
    pub fn finish(mut self) -> i32 {
        self.finish_now()
    }

    /// [`Pilot::finish`] without assertions: what is wrong, in words.
    pub fn finish_and_tell(mut self) -> (i32, Vec<String>) {
        self.end()
    }

    #[track_caller]
    fn finish_now(&mut self) -> i32 {
        let (code, wrong) = self.end();
        assert!(wrong.is_empty(), "after the test (exit status {code}):\n  {}", wrong.join("\n  "));
        code
    }

    fn end(&mut self) -> (i32, Vec<String>) {
        if self.try_exit().is_none() {
            // It may be ending by itself just now.
            self.send(Signal::SIGTERM as i32);
        }
        let code = self.wait_exit();
        self.finished = true;
        let mut wrong = self.guards.zombies.take().map(|mut watcher| watcher.finish()).unwrap_or_default();
        wrong.extend(self.last_look.iter().flat_map(|look| self.judge(look)));
        (code, wrong)
    }

    fn judge(&self, look: &LastLook) -> Vec<String> {
        if !look.stopped {
            return Vec::new();
        }
        let left = look.others.iter().map(|p| {
            format!("left at the exit of PID 1: {} (pid {}, parent {}, state {})", p.command, p.pid, p.parent, p.state)
        });
        let given: BTreeSet<&str> = self.guards.inherited.iter().map(|d| d.target.as_str()).collect();
        let leaks = look.descriptors.iter().filter(|d| d.target.starts_with("pipe:") && !given.contains(&*d.target));
        left.chain(leaks.map(|d| format!("descriptor {} of PID 1 open at its exit: {}", d.number, d.target))).collect()
    }

    /// Whether the pid still means PID 1: unshare, which we have not waited for, still counts it as its child.
    fn is_child_of_unshare(&self) -> bool {
        let outer = i32::try_from(self.unshare.id()).unwrap_or(0);
        self.exit.is_none() && process::children(outer).contains(&self.pid)
    }

    /// Ends everything at once.
    fn kill(&mut self) {
        if self.pid != 0 && self.is_child_of_unshare() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        if wait::poll(Duration::from_secs(5), || self.try_exit()).is_none() {
            // Its death signal takes PID 1 along.
            let _ = self.unshare.kill();
            let _ = self.unshare.wait();
        }
    }

    fn print(&self) {
        for name in ["stdout", "stderr", "log"] {
            eprintln!("--- {name} of {}:\n{}", self.dir.path().display(), self.read(name).trim_end());
        }
        if self.exit.is_none() {
            eprintln!("--- running: {:#?}", self.processes());
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if self.finished {
            if std::thread::panicking() {
                self.print();
            }
            return;
        }
        if std::thread::panicking() {
            self.print();
            self.kill();
        } else {
            // A failure here unwinds out of this drop: the test is red, and what the program wrote is shown.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.finish_now()));
            if let Err(failure) = outcome {
                self.print();
                self.kill();
                std::panic::resume_unwind(failure);
            }
        }
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
