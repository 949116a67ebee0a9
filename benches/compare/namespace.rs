//! An init as PID 1 of new pid and mount namespaces, as a container engine starts it, with the moments of its exec and end.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, clone};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeValLike as _;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execvp};

use crate::measures::Trouble;

/// Nanoseconds of the monotonic clock, the same in all processes.
pub fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.num_nanoseconds()).try_into().unwrap_or(0)
}

/// An init that runs, or has run.
pub struct Init {
    pid: Pid,
    dir: PathBuf,
    children: SignalFd,
    cpu_before: Duration,
    end: Option<End>,
}

/// How it ended.
#[derive(Clone, Copy)]
pub struct End {
    /// When it was gone, and with it everything in its namespace.
    pub at: u64,
    /// Of it and of all that it reaped.
    pub cpu: Duration,
}

impl Init {
    /// Starts it in a directory of its own, where its stamp and errors go. Output goes nowhere unless said.
    pub fn start(words: &[String], dir: &Path, stdout: Option<&OwnedFd>) -> Result<Self, Trouble> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        signals.thread_block()?;
        let children = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let words = words.iter().map(|word| CString::new(word.as_str())).collect::<Result<Vec<_>, _>>();
        let words = words.map_err(|_| Trouble::Failed("a word has a zero byte".to_owned()))?;
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        let output = stdout.map_or_else(|| nothing.as_fd(), OwnedFd::as_fd);
        let (errors, stamp) = (File::create(dir.join("errors"))?, File::create(dir.join("exec"))?);
        let become_init = || -> io::Result<()> {
            set_pdeathsig(Signal::SIGKILL)?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
            mount(Some("proc"), "/proc", Some("proc"), flags, none)?;
            chdir(dir)?;
            dup2_stdin(&nothing)?;
            dup2_stdout(output)?;
            dup2_stderr(&errors)?;
            SigSet::empty().thread_set_mask()?;
            (&stamp).write_all(&now().to_le_bytes())?;
            let Some(program) = words.first() else { return Ok(()) };
            execvp(program, &words)?;
            Ok(())
        };
        let child = || {
            if let Err(error) = become_init() {
                let _ = writeln!(&errors, "can't be started: {error}");
            }
            127
        };
        let mut stack = vec![0; 1 << 20];
        let cpu_before = cpu_of_children();
        let flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
        #[expect(unsafe_code, reason = "a new pid namespace and its first process are one system call")]
        // SAFETY: there is one thread, and memory is not shared.
        let pid = unsafe { clone(Box::new(child), &mut stack, flags, Some(Signal::SIGCHLD as i32)) }?;
        Ok(Self { pid, dir: dir.to_owned(), children, cpu_before, end: None })
    }

    /// Its pid as we see it.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// When it was executed.
    pub fn began(&self) -> Result<u64, Trouble> {
        let bytes = fs::read(self.dir.join("exec"))?;
        let stamp = bytes.try_into().map_err(|_| self.failed("it was not executed"))?;
        Ok(u64::from_le_bytes(stamp))
    }

    /// Sends it a signal. Returns when.
    pub fn signal(&self, signal: Signal) -> Result<u64, Trouble> {
        let at = now();
        kill(self.pid, signal)?;
        Ok(at)
    }

    /// Waits for its end, or not so long.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<End>, Trouble> {
        let begin = Instant::now();
        while self.end.is_none() {
            let left = limit.saturating_sub(begin.elapsed());
            if let WaitStatus::StillAlive = waitpid(self.pid, Some(WaitPidFlag::WNOHANG))? {
                if left.is_zero() {
                    return Ok(None);
                }
                let mut ready = [PollFd::new(self.children.as_fd(), PollFlags::POLLIN)];
                poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX))?;
                while self.children.read_signal()?.is_some() {}
            } else {
                self.end = Some(End { at: now(), cpu: cpu_of_children().saturating_sub(self.cpu_before) });
            }
        }
        Ok(self.end)
    }

    /// Waits for something that its jobs do, at most so long. An error tells what did not come.
    pub fn until<T>(&mut self, limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Trouble> {
        let begin = Instant::now();
        let mut is_gone = false;
        loop {
            if let Some(seen) = look() {
                return Ok(seen);
            }
            // One look after its end: its last job may have done it.
            if is_gone || begin.elapsed() > limit {
                return Err(self.failed(what));
            }
            is_gone = self.wait(Duration::ZERO)?.is_some();
            if !is_gone {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// What went wrong, with its last words.
    pub fn failed(&self, what: &str) -> Trouble {
        let errors = fs::read(self.dir.join("errors")).unwrap_or_default();
        let errors = String::from_utf8_lossy(&errors);
        let errors = errors.trim();
        let cut = errors.char_indices().rev().nth(200).map_or(0, |(at, _)| at);
        let said = errors.get(cut..).unwrap_or_default().replace('\n', " | ");
        Trouble::Failed(if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") })
    }
}

impl Drop for Init {
    /// Kills it, and with it everything in its namespace.
    fn drop(&mut self) {
        if self.end.is_none() && kill(self.pid, Signal::SIGKILL).is_ok() {
            let _ = waitpid(self.pid, None);
        }
    }
}

fn cpu_of_children() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.try_into().unwrap_or(0))
}
