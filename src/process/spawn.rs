//! One child: group, mask, dispositions, descriptors, environment.
//!
//! The child shares our memory until its exec (`clone.rs`), so that nothing is copied and the error of a failed exec is known
//! at once. It begins when the exec is done: a program on a file system that hangs blocks us as long (row 31).
//!
//! A child gets a process group of its own, an empty signal mask, the default meaning of every signal, the given environment and
//! nothing else, and exactly the descriptors 0, 1 and 2: everything of ours is closed by exec from its creation, so no second
//! spawn can leak it.

use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::stat::Mode;

use super::clone::{Cloner, Descriptors, Program};
use super::look_up;
use super::output::{OutputPipe, Stream};
use super::spawn_error::SpawnError;
use super::sys;
use crate::env::Environment;
use crate::plan::CommandSpec;

/// What all children have in common, made once.
#[derive(Debug)]
pub(super) struct Spawner {
    cloner: Cloner,
    /// Standard input of everybody.
    nothing: OwnedFd,
    /// Many descriptors are open, or were once.
    many: bool,
}

/// From this number on a descriptor says that we have many. Then our ends of pipes move up to [`HIGH`] and beyond, so that what a
/// child gets has low numbers and only those must be copied for it (`clone.rs`).
const MANY: RawFd = 32;

/// So many numbers stay for everything that is no end of a pipe of ours.
const HIGH: RawFd = 64;

impl Spawner {
    /// Prepares what every spawn uses. Afterwards the meaning of no signal may change.
    pub fn new() -> nix::Result<Self> {
        Ok(Self { cloner: Cloner::new(), nothing: nothing()?, many: false })
    }

    /// Starts a command and gives its pid and the read ends of its output, none if the command is `raw`.
    pub fn spawn(&mut self, command: &CommandSpec, env: &Environment) -> Result<(i32, Vec<OutputPipe>), SpawnError> {
        let file = look_up::find(&command.program, env)?;
        let failed = |errno| SpawnError::exec(&file, errno);
        let words = std::iter::once(&command.program).chain(&command.args);
        let arguments = words.map(|word| c_string(word.as_bytes())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let path = c_string(file.as_os_str().as_bytes()).map_err(failed)?;
        let program = Program { file: &path, arguments: &arguments, env };
        if command.raw {
            let (input, are_few_of_many) = (self.nothing.as_fd(), self.many);
            let descriptors = Descriptors { input, outputs: None, are_few_of_many };
            return Ok((self.cloner.start(program, descriptors).map_err(failed)?, Vec::new()));
        }
        let no_pipe = |errno| SpawnError::call("pipe2", errno);
        let ((out, theirs_out), (err, theirs_err)) = (self.pipe().map_err(no_pipe)?, self.pipe().map_err(no_pipe)?);
        // Theirs must live until the child has them.
        let outputs = Some([theirs_out.as_fd(), theirs_err.as_fd()]);
        let descriptors = Descriptors { input: self.nothing.as_fd(), outputs, are_few_of_many: self.many };
        let pid = self.cloner.start(program, descriptors).map_err(failed)?;
        let outputs = [(out, Stream::Stdout), (err, Stream::Stderr)];
        Ok((pid, outputs.map(|(fd, stream)| OutputPipe { fd, stream }).into()))
    }

    /// A pipe of which only our end doesn't block. Both ends of `pipe2(O_NONBLOCK)` would, and children don't expect that.
    fn pipe(&mut self) -> nix::Result<(OwnedFd, OwnedFd)> {
        let (mut ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        nix::fcntl::fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        self.many |= ours.as_raw_fd() >= MANY;
        // Where the limit is lower or reached it stays where it is.
        if (MANY..HIGH).contains(&ours.as_raw_fd())
            && let Ok(moved) = sys::duplicate_from(&ours, HIGH)
        {
            ours = moved;
        }
        Ok((ours, theirs))
    }
}

/// A source of nothing to read: /dev/null, or where there is none, a pipe without a writer.
fn nothing() -> nix::Result<OwnedFd> {
    nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .or_else(|_| nix::unistd::pipe2(OFlag::O_CLOEXEC).map(|(read, _)| read))
}

/// A C string; a NUL inside is what Go calls an invalid argument.
fn c_string(word: &[u8]) -> nix::Result<CString> {
    CString::new(word).map_err(|_| Errno::EINVAL)
}
