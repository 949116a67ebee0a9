//! One child: group, mask, dispositions, descriptors, environment.
//!
//! The child shares our memory until its exec (`clone.rs`), so that nothing is copied and the error of a failed exec is known
//! at once. It begins when the exec is done: a program on a file system that hangs blocks us as long (row 31).
//!
//! A child gets a process group of its own, an empty signal mask, the default meaning of every signal, the given environment and
//! nothing else, and exactly the descriptors 0, 1 and 2: everything of ours is closed by exec from its creation, so no second
//! spawn can leak it.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::stat::Mode;

use super::clone::{Cloner, Descriptors, Program};
use super::look_up;
use super::output::{OutputPipe, Stream};
use super::spawn_error::SpawnError;
use crate::env::Environment;
use crate::plan::CommandSpec;

/// What all children have in common, made once.
#[derive(Debug)]
pub(super) struct Spawner {
    cloner: Cloner,
    /// Standard input of everybody.
    nothing: OwnedFd,
}

impl Spawner {
    /// Prepares what every spawn uses. Afterwards the meaning of no signal may change.
    pub fn new() -> nix::Result<Self> {
        Ok(Self { cloner: Cloner::new(), nothing: nothing()? })
    }

    /// Starts a command and gives its pid and the read ends of its output, none if the command is `raw`.
    pub fn spawn(&mut self, command: &CommandSpec, env: &Environment) -> Result<(i32, Vec<OutputPipe>), SpawnError> {
        let file = look_up::find(&command.program, env)?;
        let failed = |errno| SpawnError::exec(&file, errno);
        let words = std::iter::once(&command.program).chain(&command.args);
        let arguments = words.map(|word| c_string(word.as_bytes())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let path = c_string(file.as_os_str().as_bytes()).map_err(failed)?;
        let program = Program { file: &path, arguments: &arguments, env };
        let input = self.nothing.as_fd();
        if command.raw {
            let descriptors = Descriptors { input, outputs: None };
            return Ok((self.cloner.start(program, descriptors).map_err(failed)?, Vec::new()));
        }
        let no_pipe = |errno| SpawnError::call("pipe2", errno);
        let ((out, theirs_out), (err, theirs_err)) = (pipe().map_err(no_pipe)?, pipe().map_err(no_pipe)?);
        // Theirs must live until the child has them.
        let descriptors = Descriptors { input, outputs: Some([theirs_out.as_fd(), theirs_err.as_fd()]) };
        let pid = self.cloner.start(program, descriptors).map_err(failed)?;
        let outputs = [(out, Stream::Stdout), (err, Stream::Stderr)];
        Ok((pid, outputs.map(|(fd, stream)| OutputPipe { fd, stream }).into()))
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
fn c_string(word: &[u8]) -> nix::Result<CString> {
    CString::new(word).map_err(|_| Errno::EINVAL)
}
