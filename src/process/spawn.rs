//! One child: group, mask, dispositions, descriptors, environment.
//!
//! `posix_spawn` neither copies our page tables nor runs code of ours in the child, and gives the error of a failed exec
//! back at once. It returns when the exec is done: a program on a file system that hangs blocks us as long (row 31).
//!
//! A child gets a process group of its own, an empty signal mask, the default meaning of every signal (all of them
//! are listed: glibc asks the kernel for each that isn't), the given environment and nothing else, and exactly the descriptors
//! 0, 1 and 2: everything of ours is closed by exec from its creation, so no second spawn can leak it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::look_up;
use super::output::{OutputPipe, Stream};
use super::spawn_error::SpawnError;
use super::sys;
use crate::env::Environment;
use crate::plan::CommandSpec;

/// What all children have in common, made once.
#[derive(Debug)]
pub(super) struct Spawner {
    attributes: PosixSpawnAttr,
    /// Standard input of everybody.
    nothing: OwnedFd,
}

impl Spawner {
    /// Prepares what every spawn uses.
    pub fn new() -> nix::Result<Self> {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_sigdefault(&sys::every_signal())?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
        )?;
        Ok(Self { attributes, nothing: nothing()? })
    }

    /// Starts a command and gives its pid and the read ends of its output, none if the command is `raw`.
    pub fn spawn(&self, command: &CommandSpec, env: &Environment) -> Result<(i32, Vec<OutputPipe>), SpawnError> {
        let file = look_up::find(&command.program, env)?;
        let failed = |errno| SpawnError::exec(&file, errno);
        let words = std::iter::once(&command.program).chain(&command.args);
        let arguments = words.map(|word| c_string(word)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let variables: Vec<&CStr> = env.texts().collect();

        let mut actions = PosixSpawnFileActions::init().map_err(failed)?;
        actions.add_dup2(self.nothing.as_raw_fd(), 0).map_err(failed)?;
        let mut outputs = Vec::new();
        // The child's ends must live until it has them.
        let mut ends = Vec::new();
        if !command.raw {
            for (stream, number) in [(Stream::Stdout, 1), (Stream::Stderr, 2)] {
                let (ours, theirs) = pipe().map_err(|errno| SpawnError::call("pipe2", errno))?;
                actions.add_dup2(theirs.as_raw_fd(), number).map_err(failed)?;
                outputs.push(OutputPipe { fd: ours, stream });
                ends.push(theirs);
            }
        }
        let pid =
            posix_spawn(file.as_path(), &actions, &self.attributes, &arguments, &variables).map_err(failed)?.as_raw();
        Ok((pid, outputs))
    }
}

/// A source of nothing to read: /dev/null, or where there is none, a pipe without a writer.
fn nothing() -> nix::Result<OwnedFd> {
    nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .or_else(|_| nix::unistd::pipe2(OFlag::O_CLOEXEC).map(|(read, _)| read))
}

/// A pipe of which only our end doesn't block. Both ends of `pipe2(O_NONBLOCK)` would, and children don't expect that.
fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    nix::fcntl::fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

/// A C string; a NUL inside is what Go calls an invalid argument.
fn c_string(word: &str) -> nix::Result<CString> {
    CString::new(word).map_err(|_| Errno::EINVAL)
}
