//! The least that an init with jobs can do: what no supervisor can be faster than.
//!
//! `floor [-r] [-p] JOBS`: a job a line, words between spaces. A job is a clone that shares memory until its exec, as
//! vfork's; then there is one wait for signals, in which it reaps everything, passes SIGTERM on to each job, and ends when
//! none is left. `-r` starts a job again that has ended. `-p` puts the jobs' output through a pipe and a time and a name
//! before each line. `-c CHECKS` starts each line of that file each second, one after the other in even steps.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stdout, execve, pipe2};

use crate::namespace::now;

/// Runs it. Returns the exit status.
pub fn run(words: &[CString]) -> i32 {
    let has = |flag: &[u8]| words.iter().any(|word| word.as_bytes() == flag);
    let Some(jobs) = words.last().and_then(|file| commands(file)) else { return 2 };
    let Some(mut floor) = Floor::new(jobs, has(b"-r")) else { return 2 };
    let done = if has(b"-p") {
        floor.relay()
    } else if has(b"-c") {
        let checks = words.iter().skip_while(|word| word.as_bytes() != b"-c").nth(1);
        let Some(checks) = checks.and_then(|file| commands(file)) else { return 2 };
        floor.check(checks)
    } else {
        floor.supervise().map_err(io::Error::from)
    };
    i32::from(done.is_err())
}

/// The commands in a file.
fn commands(file: &CStr) -> Option<Vec<Vec<CString>>> {
    let text = std::fs::read(Path::new(OsStr::from_bytes(file.to_bytes()))).ok()?;
    let words = |line: &[u8]| line.split(|byte| *byte == b' ').map(CString::new).collect::<Result<Vec<_>, _>>();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(words).collect::<Result<Vec<_>, _>>().ok()
}

struct Floor {
    jobs: Vec<Vec<CString>>,
    running: BTreeMap<Pid, usize>,
    environment: Vec<CString>,
    restarts: bool,
    stopping: bool,
    signals: SigSet,
    before: SigSet,
    stack: Vec<u8>,
    output: Option<OwnedFd>,
}

impl Floor {
    fn new(jobs: Vec<Vec<CString>>, restarts: bool) -> Option<Self> {
        let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            CString::new([name.into_vec(), value.into_vec()].join(&b'=')).ok()
        };
        let environment = std::env::vars_os().filter_map(variable).collect();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
            signals.add(signal);
        }
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), Some(&mut before)).ok()?;
        let (running, stack) = (BTreeMap::new(), vec![0; 16_384]);
        Some(Self { jobs, running, environment, restarts, stopping: false, signals, before, stack, output: None })
    }

    /// Without a look at what the jobs write.
    fn supervise(&mut self) -> nix::Result<()> {
        self.start_all()?;
        while !self.running.is_empty() {
            let signal = self.signals.wait()?;
            self.on_signal(signal)?;
        }
        Ok(())
    }

    fn on_signal(&mut self, signal: Signal) -> nix::Result<()> {
        if signal == Signal::SIGCHLD { self.reap() } else { self.terminate() }
    }

    fn start_all(&mut self) -> nix::Result<()> {
        (0..self.jobs.len()).try_for_each(|job| self.start(job))
    }

    #[expect(unsafe_code, reason = "nothing cheaper starts a process")]
    fn start(&mut self, job: usize) -> nix::Result<()> {
        let Some(words) = self.jobs.get(job) else { return Ok(()) };
        let Some(program) = words.first() else { return Ok(()) };
        let (before, output, environment) = (&self.before, &self.output, &self.environment);
        let child = || {
            let ready = before.thread_set_mask().and_then(|()| output.as_ref().map_or(Ok(()), dup2_stdout));
            let _ = ready.and_then(|()| execve(program, words, environment));
            127
        };
        let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
        // SAFETY: there is one thread, it stands still until the child has its own memory or is gone, and the child has a
        // stack of its own meanwhile.
        let pid = unsafe { clone(Box::new(child), &mut self.stack, flags, Some(Signal::SIGCHLD as i32)) }?;
        self.running.insert(pid, job);
        Ok(())
    }

    fn reap(&mut self) -> nix::Result<()> {
        loop {
            let pid = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
                Ok(status) => status.pid(),
                Err(error) => return Err(error),
            };
            if let Some(job) = pid.and_then(|pid| self.running.remove(&pid))
                && self.restarts
                && !self.stopping
            {
                self.start(job)?;
            }
        }
    }

    fn terminate(&mut self) -> nix::Result<()> {
        self.stopping = true;
        self.running.keys().try_for_each(|pid| kill(*pid, Signal::SIGTERM))
    }

    /// With checks: they are commands as the jobs are, and come after them.
    fn check(&mut self, checks: Vec<Vec<CString>>) -> io::Result<()> {
        self.start_all()?;
        let signals = SignalFd::with_flags(&self.signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let (jobs, count) = (self.jobs.len(), checks.len());
        self.jobs.extend(checks);
        let begin = now();
        let mut turn = 0;
        while !self.running.is_empty() {
            let due = begin + 1_000_000_000 * turn as u64 / count.max(1) as u64;
            let wait = if self.stopping { u64::MAX } else { due.saturating_sub(now()) };
            let timeout = TimeSpec::from_duration(Duration::from_nanos(wait.min(1_000_000_000)));
            let mut ready = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            ppoll(&mut ready, Some(timeout), None)?;
            while let Some(signal) = signals.read_signal()? {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                self.on_signal(Signal::try_from(number)?)?;
            }
            if !self.stopping && due <= now() {
                self.start(jobs + turn % count.max(1))?;
                turn += 1;
            }
        }
        Ok(())
    }

    /// With a pipe from all jobs, each line of which gets a time and a name.
    fn relay(&mut self) -> io::Result<()> {
        let (input, output) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&input, FcntlArg::F_SETPIPE_SZ(1 << 20))?;
        let mut input = File::from(input);
        self.output = Some(output);
        let signals = SignalFd::with_flags(&self.signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        // Not Rust's own, which looks for ends of lines in what it is given.
        let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (mut read, mut lines) = (vec![0; 1 << 18], Lines { written: Vec::with_capacity(1 << 20), within: false });
        self.start_all()?;
        while !self.running.is_empty() {
            let mut ready =
                [PollFd::new(input.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            poll(&mut ready, PollTimeout::NONE)?;
            let [from_jobs, from_kernel] = ready.map(|ready| ready.any().unwrap_or(false));
            if from_kernel {
                while let Some(signal) = signals.read_signal()? {
                    let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                    self.on_signal(Signal::try_from(number)?)?;
                }
            }
            if from_jobs {
                let length = input.read(&mut read)?;
                lines.take(read.get(..length).unwrap_or_default())?;
                stdout.write_all(&lines.written)?;
                lines.written.clear();
            }
        }
        Ok(())
    }
}

/// Lines with something before each.
struct Lines {
    written: Vec<u8>,
    /// The last bytes were no whole line.
    within: bool,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if !self.within {
                self.written.extend_from_slice(b"2026-01-01T00:00:00Z job ");
            }
            bytes.read_until(b'\n', &mut self.written)?;
            self.within = self.written.last() != Some(&b'\n');
        }
        Ok(())
    }
}
