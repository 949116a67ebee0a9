//! Where bytes go: to a standard descriptor, or into a file that follows its own rotation.
//!
//! An output never gives up. What can't be written is counted, and the first lines that can be written again say how
//! many are missing and why (reliability row 79).

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, SFlag, fstat, makedev};

use super::batch::Batch;
use super::pulse::Pulse;
use crate::nowait;
use crate::plan::LogOutput;

/// How often at most a file's path is compared with what is open.
const FOLLOW: Duration = Duration::from_secs(1);
/// How long after a failure a file is opened again, if there are lines for it.
const RETRY: Duration = Duration::from_secs(5);
/// The kernel never mixes a write of so many bytes into a pipe with another's (`PIPE_BUF`).
const ATOMIC: usize = 4096;
/// No write is larger. A reader that takes so much within two seconds is slow, but does not count as stuck: each write that
/// ends is noted.
const LARGEST: usize = 64 * 1024;

/// A destination of log lines, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
    /// Whether it is a pipe.
    pipe: bool,
    /// Whether others (raw jobs, their children) may write there, too.
    pub(super) shared: bool,
    /// What has failed since the last line that got through.
    failing: Option<Failing>,
}

#[derive(Debug)]
enum Target {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(Followed),
}

/// Lines lost in a row, and the first reason.
#[derive(Debug)]
struct Failing {
    lines: u64,
    why: Errno,
    /// The output ends in the middle of a line.
    torn: bool,
}

/// What came of a try to write at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtOnce {
    /// All of it is written, but for so many lines that are lost.
    Done(u64),
    /// So many bytes are written. For the others somebody has to wait, or to say something before them.
    Rest(usize),
}

/// What has to be said in the log itself before its next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// So many lines are missing here, because of this error.
    Lost(u64, Errno),
    /// The file of this path can't be opened any more; lines still go to the one that was renamed.
    NotReopened(PathBuf, Errno),
}

impl Output {
    /// Opens the output. Never creates a directory. A named pipe that nobody reads yet is no error.
    pub(super) fn open(output: &LogOutput) -> io::Result<Self> {
        let target = match output {
            LogOutput::Stdout => Target::Stdout(io::stdout()),
            LogOutput::Stderr => Target::Stderr(io::stderr()),
            LogOutput::File(path) => Target::File(Followed::open(path)?),
        };
        let pipe = is_pipe(&target);
        Ok(Self { target, pipe, shared: true, failing: None })
    }

    /// Whether people look at it.
    fn is_terminal(&self) -> bool {
        match &self.target {
            Target::Stdout(stdout) => stdout.is_terminal(),
            Target::Stderr(stderr) => stderr.is_terminal(),
            Target::File(followed) => followed.file.as_ref().is_some_and(File::is_terminal),
        }
    }

    /// The moment from which a terminal's seconds are counted, if it is one and colour is welcome.
    pub(super) fn colours_since(&self, start: SystemTime) -> Option<SystemTime> {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        (self.is_terminal() && !refused).then_some(start)
    }

    /// What is wrong with it, as far as it was tried.
    pub(super) fn trouble(&self) -> Option<Errno> {
        let path = match &self.target {
            Target::File(followed) => Some(followed.why).filter(|why| *why != Errno::UnknownErrno),
            Target::Stdout(_) | Target::Stderr(_) => None,
        };
        self.failing.as_ref().map(|failing| failing.why).or(path)
    }

    /// Closes a file and opens its path again, whatever is there now.
    pub(super) fn reopen(&mut self, now: Instant) {
        if let Target::File(followed) = &mut self.target {
            followed.reopen(now);
            self.moved();
        }
    }

    /// Whether lines can be tried to be written at once: into a pipe or into nothing, where this kernel can do that. A file that we
    /// have opened has to be followed, and any file may be held by somebody who writes there, too, as long as he likes.
    pub(super) fn takes_at_once(&self) -> bool {
        let Some(fd) = self.target.fd().ok().filter(|_| !matches!(self.target, Target::File(_))) else { return false };
        if self.pipe {
            nowait::knows_pipes() && !is_opened(fd)
        } else {
            is_nothing(fd) && nowait::write(fd, b"\n") == Ok(1)
        }
    }

    /// Whether the last lines could not be written.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Counts all these lines as lost, of an output that fails.
    pub(super) fn loses(&mut self, batch: &Batch) -> u64 {
        let why = self.failing.as_ref().map_or(Errno::EIO, |failing| failing.why);
        self.fails(batch, 0, why)
    }

    /// Writes lines as far as that needs no waiting.
    pub(super) fn write_at_once(&mut self, batch: &Batch) -> AtOnce {
        let Some(fd) = self.target.fd().ok().filter(|_| self.failing.is_none()) else {
            return AtOnce::Rest(0);
        };
        let mut done = 0;
        for chunk in batch.chunks(self.most()) {
            match nowait::write(fd, chunk) {
                Ok(written) => {
                    done += written;
                    if written < chunk.len() {
                        return AtOnce::Rest(done);
                    }
                }
                Err(
                    why @ (Errno::EPIPE | Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG | Errno::EIO | Errno::EBADF),
                ) => {
                    return AtOnce::Done(self.fails(batch, done, why));
                }
                Err(_) => return AtOnce::Rest(done),
            }
        }
        AtOnce::Done(0)
    }

    /// Waits until it takes something, or not so long.
    pub(super) fn wait_for_room(&self, at_most: Duration) {
        if let Ok(fd) = self.target.fd() {
            // Whatever it answers, the next write tells.
            let _ = poll(
                &mut [PollFd::new(fd, PollFlags::POLLOUT)],
                PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX),
            );
        }
    }

    /// The largest piece: the kernel must not mix it with what others write.
    fn most(&self) -> usize {
        if self.pipe && self.shared { ATOMIC } else { LARGEST }
    }

    /// Writes all lines, however long that takes. `tell` prints what has to be said before them. Gives the number of
    /// lines that are lost. Each piece that is taken is told to the pulse.
    pub(super) fn write(
        &mut self,
        batch: &Batch,
        now: Instant,
        pulse: &Pulse,
        mut tell: impl FnMut(&Notice) -> Vec<u8>,
    ) -> u64 {
        if let Target::File(followed) = &mut self.target
            && followed.follow(now)
        {
            self.moved();
        }
        let result = self.say(pulse, &mut tell).map_err(|why| (0, why)).and_then(|()| {
            let fd = self.target.fd().map_err(|why| (0, why))?;
            let mut done = 0;
            for chunk in batch.chunks(self.most()) {
                put(fd, chunk, pulse).map_err(|(n, why)| (done + n, why))?;
                done += chunk.len();
            }
            Ok(())
        });
        result.err().map_or(0, |(written, why)| self.fails(batch, written, why))
    }

    /// So many bytes are written, and the next could not be. Says how many lines that loses.
    fn fails(&mut self, batch: &Batch, written: usize, why: Errno) -> u64 {
        let (complete, torn) = batch.complete_within(written);
        let lost = batch.lines() - complete;
        match &mut self.failing {
            // Still: not even the notice got through.
            Some(failing) => failing.lines += lost,
            failing @ None => *failing = Some(Failing { lines: lost, why, torn }),
        }
        lost
    }

    /// Says what is missing, or wrong with the file.
    fn say(&mut self, pulse: &Pulse, tell: &mut impl FnMut(&Notice) -> Vec<u8>) -> Result<(), Errno> {
        if let Some(failing) = &mut self.failing {
            let fd = self.target.fd()?;
            let mut line = tell(&Notice::Lost(failing.lines, failing.why));
            if failing.torn {
                line.insert(0, b'\n');
            }
            put(fd, &line, pulse).map_err(|(written, why)| {
                failing.torn |= written > 0;
                why
            })?;
            self.failing = None;
        }
        if let Target::File(followed) = &mut self.target
            && followed.stale
        {
            followed.stale = false;
            let line = tell(&Notice::NotReopened(followed.path.clone(), followed.why));
            put(self.target.fd()?, &line, pulse).map_err(|(_, why)| why)?;
        }
        Ok(())
    }

    /// After a file has been opened again.
    fn moved(&mut self) {
        self.pipe = is_pipe(&self.target);
        if let Some(failing) = &mut self.failing {
            failing.torn = false;
        }
    }
}

impl Target {
    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        match self {
            Self::Stdout(stdout) => Ok(stdout.as_fd()),
            Self::Stderr(stderr) => Ok(stderr.as_fd()),
            Self::File(followed) => followed.file.as_ref().map(File::as_fd).ok_or(followed.why),
        }
    }
}

/// Whether it is `/dev/null`.
fn is_nothing(fd: BorrowedFd<'_>) -> bool {
    let is_null = |stat: FileStat| {
        SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR && stat.st_rdev == makedev(1, 3)
    };
    fstat(fd).is_ok_and(is_null)
}

/// Whether a path was opened, as that of a named pipe: there the kernel can't do without waiting what it can for others. It tells
/// by a flag that it gives to all that is opened, and that says nothing else where files may be large anyway.
fn is_opened(fd: BorrowedFd<'_>) -> bool {
    const LARGE_FILE: i32 = 0o100_000;
    const LARGE_FILE_ARM: i32 = 0o400_000;
    let flag = if cfg!(target_arch = "aarch64") { LARGE_FILE_ARM } else { LARGE_FILE };
    fcntl(fd, FcntlArg::F_GETFL).is_ok_and(|flags| flags & flag != 0)
}

fn is_pipe(target: &Target) -> bool {
    let mode = target.fd().and_then(fstat).map(|stat| SFlag::from_bits_truncate(stat.st_mode));
    mode.is_ok_and(|mode| mode & SFlag::S_IFMT == SFlag::S_IFIFO)
}

/// Writes all bytes, in pieces. On an error tells how many were written before it.
///
/// Descriptors are left as they are: they are shared with our children, and with whoever started us. If one of those
/// has set `O_NONBLOCK`, we wait for room by poll.
fn put(fd: BorrowedFd<'_>, bytes: &[u8], pulse: &Pulse) -> Result<(), (usize, Errno)> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..)
        && !rest.is_empty()
    {
        match nix::unistd::write(fd, rest.get(..LARGEST).unwrap_or(rest)) {
            Ok(0) => return Err((done, Errno::EIO)),
            Ok(n) => {
                done += n;
                pulse.beat();
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                // Whatever it answers, the next write tells.
                let _ = poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], PollTimeout::NONE);
            }
            Err(why) => return Err((done, why)),
        }
    }
    Ok(())
}

/// A file that is appended to, under a path that may come to mean another file.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    /// `None` while it can't be opened.
    file: Option<File>,
    /// Why it can't be opened; `UnknownErrno` while it can.
    why: Errno,
    /// The path can't be opened any more, the renamed file can still be written, and nobody knows yet.
    stale: bool,
    /// When the path is looked at next, if there is a line to write then.
    next: Option<Instant>,
    /// A descriptor that is given up for the file when no other is left (reliability row 28). Had from the first line on.
    spare: Option<File>,
}

impl Followed {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, why) = match open_file(path) {
            Ok(file) => (Some(file), Errno::UnknownErrno),
            Err(error) if waits_for_a_reader(path, &error) => (None, Errno::ENXIO),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), file, why, stale: false, next: None, spare: None })
    }

    /// Opens the file anew if its path means another file now. At most once a second, as long as that works; it costs
    /// one `stat`. Tells whether it did.
    fn follow(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        let same = self.file.as_ref().is_some_and(|file| is_at(file, &self.path));
        if same {
            self.next = Some(now + FOLLOW);
            self.have_spare();
            return false;
        }
        self.reopen(now);
        true
    }

    fn have_spare(&mut self) {
        if self.spare.is_none() {
            self.spare = File::open("/dev/null").ok();
        }
    }

    /// Opens the path, whatever else is open.
    fn open_again(&mut self) -> io::Result<File> {
        let opened = open_file(&self.path);
        let none_left = |error: &io::Error| {
            let why = error.raw_os_error().map(Errno::from_raw);
            matches!(why, Some(Errno::EMFILE | Errno::ENFILE))
        };
        if opened.as_ref().is_err_and(none_left) && self.spare.take().is_some() {
            return open_file(&self.path);
        }
        opened
    }

    fn reopen(&mut self, now: Instant) {
        match self.open_again() {
            Ok(file) => {
                self.file = Some(file);
                self.why = Errno::UnknownErrno;
                self.stale = false;
                self.next = Some(now + FOLLOW);
            }
            Err(error) => {
                let why = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                // Said once for each reason, also if it fails again before there is a line to say it with.
                self.stale |= self.why != why;
                self.why = why;
                self.next = Some(now + RETRY);
                // A file that was only renamed still takes lines, one without a name would swallow them.
                if self.file.as_ref().is_none_or(|file| file.metadata().is_ok_and(|m| m.nlink() == 0)) {
                    self.file = None;
                    self.stale = false;
                }
            }
        }
        // The file before is closed by now.
        self.have_spare();
    }
}

/// Whether this open file is what the path means.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Opens for appending, with mode 0666 less the umask if it must be created (v3 §17).
fn open_file(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK a named pipe that nobody reads would stop PID 1 for good. The open file is ours alone, so
    // it can be taken back.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().append(true).create(true).custom_flags(flags.bits()).open(path)?;
    let status = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(status - OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// Whether the only thing wrong with a path is that it is a named pipe without a reader.
fn waits_for_a_reader(path: &Path, error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ENXIO as i32)
        && std::fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo())
}

#[cfg(test)]
mod tests;
