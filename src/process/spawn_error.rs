//! Why a command could not be started: the original's words first, then what a person needs to know (row 23).

use std::fmt;
use std::path::Path;

use nix::errno::Errno;

use super::{interpreter, look_up};
use crate::core::Lack;
use crate::errno::go_words;

/// A command that could not be started.
///
/// Displayed as the original does, `exec: "x": executable file not found in $PATH` or `fork/exec /no/such: no such
/// file or directory`, with an addition in parentheses where the bare words mislead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnError {
    /// What kind of fault it is.
    pub kind: SpawnErrorKind,
    /// What was tried: `fork/exec /no/such`.
    tried: String,
    /// Go's words for the error number.
    words: String,
    /// The addition.
    hint: Option<String>,
}

/// The kinds of faults of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpawnErrorKind {
    /// There is no such file (ENOENT), or none on PATH.
    NotFound,
    /// The file, or a directory on the way to it, may not be executed (EACCES).
    NotExecutable,
    /// The file is neither a program for this machine nor a script with a `#!` line (ENOEXEC).
    BadFormat,
    /// The program that the script or ELF file needs is missing or not executable.
    BadInterpreter {
        /// That program, as the file names it.
        interpreter: String,
    },
    /// Arguments and environment are too big (E2BIG).
    TooBig,
    /// Somebody has the file open for writing (ETXTBSY).
    Busy,
    /// A part of the path is no directory (ENOTDIR).
    NotADirectory,
    /// A limit on processes is reached (EAGAIN).
    OutOfProcesses,
    /// No memory (ENOMEM).
    OutOfMemory,
    /// A limit on open files is reached (EMFILE, ENFILE).
    OutOfDescriptors,
    /// Anything else.
    Other,
}

impl SpawnError {
    /// No file of this name on PATH; `unusable` is one without an execute bit.
    pub(super) fn not_on_path(program: &str, unusable: Option<&Path>) -> Self {
        Self {
            kind: if unusable.is_some() { SpawnErrorKind::NotExecutable } else { SpawnErrorKind::NotFound },
            // Go quotes the name with its own escapes; for names that anybody uses they are Rust's.
            tried: format!("exec: {program:?}"),
            words: "executable file not found in $PATH".to_owned(),
            hint: unusable.map(|file| format!("{} is not executable", file.display())),
        }
    }

    /// Fork or exec of this file failed.
    pub(super) fn exec(file: &Path, errno: Errno) -> Self {
        let mut error = Self::call(&format!("fork/exec {}", file.display()), errno);
        match errno {
            Errno::ENOENT | Errno::EACCES if look_up::judge(file).is_ok() => {
                if let Some(fault) = interpreter::fault(file) {
                    error.hint = Some(fault.to_string());
                    error.kind = SpawnErrorKind::BadInterpreter { interpreter: fault.interpreter };
                }
            }
            Errno::ENOEXEC => error.hint = interpreter::why_no_program(file).map(str::to_owned),
            _ => {}
        }
        error
    }

    /// A system call of ours failed on the way.
    pub(super) fn call(what: &str, errno: Errno) -> Self {
        let kind = match errno {
            Errno::ENOENT => SpawnErrorKind::NotFound,
            Errno::EACCES => SpawnErrorKind::NotExecutable,
            Errno::ENOEXEC => SpawnErrorKind::BadFormat,
            Errno::E2BIG => SpawnErrorKind::TooBig,
            Errno::ETXTBSY => SpawnErrorKind::Busy,
            Errno::ENOTDIR => SpawnErrorKind::NotADirectory,
            Errno::EAGAIN => SpawnErrorKind::OutOfProcesses,
            Errno::ENOMEM => SpawnErrorKind::OutOfMemory,
            Errno::EMFILE | Errno::ENFILE => SpawnErrorKind::OutOfDescriptors,
            _ => SpawnErrorKind::Other,
        };
        Self { kind, tried: what.to_owned(), words: go_words(errno), hint: None }
    }

    /// What is not free right now, if it is for want of that: trying again soon may help (rows 24 and 28).
    pub fn lacks(&self) -> Option<Lack> {
        match self.kind {
            SpawnErrorKind::OutOfProcesses => Some(Lack::Processes),
            SpawnErrorKind::OutOfMemory => Some(Lack::Memory),
            SpawnErrorKind::OutOfDescriptors => Some(Lack::Descriptors),
            _ => None,
        }
    }

    /// The status a shell would report: 127 for a program that isn't there, else 126 (design §5).
    pub fn exit_code(&self) -> i32 {
        match self.kind {
            SpawnErrorKind::NotFound | SpawnErrorKind::NotADirectory => 127,
            _ => 126,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tried, self.words)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SpawnError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_passes_by_itself() {
        for errno in [Errno::ENOENT, Errno::EACCES, Errno::E2BIG, Errno::ETXTBSY, Errno::EIO] {
            assert!(SpawnError::call("x", errno).lacks().is_none(), "{errno}");
        }
        for errno in [Errno::EAGAIN, Errno::ENOMEM, Errno::EMFILE, Errno::ENFILE] {
            assert!(SpawnError::call("x", errno).lacks().is_some(), "{errno}");
        }
    }
}
