//! The socket's file (reliability rows 72 and 73, design §4 rows 23, 30 and 32).

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use thiserror::Error;
use tracing::warn;

use crate::errno::go_words;
use crate::plan;

/// The longest path of a socket, in bytes: the kernel's 108 with the zero at the end.
const LONGEST_PATH: usize = 107;

/// The socket's name below `$XDG_RUNTIME_DIR`.
const NAME: &str = "containerpilot.socket";

/// Only the owner may connect.
const MODE: u32 = 0o600;

/// Why there is no control socket, in words that name the path.
#[derive(Debug, Error)]
#[error("no control socket at {}: {reason}", path.display())]
pub struct ControlError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, Error)]
enum Reason {
    #[error("the path has {0} bytes, a socket's may have {LONGEST_PATH}: choose a shorter one with control.socket")]
    TooLong(usize),
    #[error("something else is there that is no socket ({0}): it is not removed")]
    NotASocket(&'static str),
    #[error("somebody serves there: is another instance running?")]
    InUse,
    #[error("a socket is there, and whether it is dead can't be told: {0}")]
    Unknown(String),
    #[error("its directory is not there")]
    NoDirectory,
    #[error("{0}")]
    System(String),
}

impl Reason {
    fn system(errno: Errno) -> Self {
        if errno == Errno::ENOENT { Self::NoDirectory } else { Self::System(go_words(errno)) }
    }

    /// Whether another path may be tried: this one can't be made, but nobody has it either.
    fn is_of_the_place(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::NoDirectory | Self::System(_))
    }
}

/// A bound socket and its file, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) path: PathBuf,
    /// Taken when it is served.
    pub(super) listener: Option<UnixListener>,
    /// Device and inode of our file: what stands there later may be another's. `None` once it is removed.
    identity: Option<(u64, u64)>,
}

impl Socket {
    /// At the configured path; else at the default one, else below `$XDG_RUNTIME_DIR`, else nowhere, with a warning.
    pub(super) fn bind_somewhere(spec: &plan::Control, xdg: Option<&OsStr>) -> Result<Option<Self>, ControlError> {
        let failed = |path: &Path, reason| Err(ControlError { path: path.to_owned(), reason });
        let first = if spec.configured { bind_at(&spec.socket) } else { bind_at_default(&spec.socket) };
        let why = match first {
            Ok(socket) => return Ok(Some(socket)),
            Err(reason) if spec.configured || !reason.is_of_the_place() => return failed(&spec.socket, reason),
            Err(reason) => reason,
        };
        let default = spec.socket.display();
        let Some(other) = in_runtime_dir(xdg) else {
            warn!("no control socket: {default} can't be made: {why}; control.socket names another place");
            return Ok(None);
        };
        match bind_at(&other) {
            Ok(socket) => Ok(Some(socket)),
            Err(reason) if !reason.is_of_the_place() => failed(&other, reason),
            Err(reason) => {
                let other = other.display();
                warn!(
                    "no control socket: {default} can't be made: {why}; nor can {other}: {reason}; \
                     control.socket names another place"
                );
                Ok(None)
            }
        }
    }

    /// Removes the file, if it is still ours. A second time it does nothing.
    pub(super) fn remove(&mut self) {
        if let Some(ours) = self.identity.take()
            && identity(&self.path) == Some(ours)
        {
            // Somebody else's doing if it is gone by now.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Where to look when the default path can't be had.
pub(super) fn in_runtime_dir(xdg: Option<&OsStr>) -> Option<PathBuf> {
    xdg.map(Path::new).filter(|dir| dir.is_absolute()).map(|dir| dir.join(NAME))
}

/// The default path's directory may be missing in an image without files: it is made, as the system's own would be.
fn bind_at_default(path: &Path) -> Result<Socket, Reason> {
    if let Some(directory) = path.parent() {
        // If it can't be made, the bind says why.
        let _ = fs::DirBuilder::new().recursive(true).mode(0o755).create(directory);
    }
    bind_at(path)
}

/// Not tried again and again as v3 did for ten seconds: what is in the way here does not go away by waiting, and a
/// container that does not start should say so.
fn bind_at(path: &Path) -> Result<Socket, Reason> {
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        return Err(Reason::TooLong(length));
    }
    make_room(path)?;
    let listener = listen_at(path).map_err(Reason::system)?;
    // A kernel that ignores the socket's own mode is not ours (gVisor may be); a umask may have taken bits away.
    if fs::symlink_metadata(path).is_ok_and(|file| file.mode() & 0o777 != MODE) {
        let permissions = fs::set_permissions(path, Permissions::from_mode(MODE));
        permissions.map_err(|error| Reason::System(crate::errno::go_words_of(&error)))?;
    }
    Ok(Socket { identity: identity(path), path: path.to_owned(), listener: Some(listener) })
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Removes a dead socket. Anything else stays, and is the reason why there is no room.
fn make_room(path: &Path) -> Result<(), Reason> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Reason::System(crate::errno::go_words_of(&error))),
    };
    if !file.file_type().is_socket() {
        return Err(Reason::NotASocket(kind(&file)));
    }
    match probe(path) {
        // Its queue is full: somebody is alive and has much to do.
        Ok(()) | Err(Errno::EAGAIN | Errno::EINPROGRESS) => Err(Reason::InUse),
        Err(Errno::ENOENT) => Ok(()),
        Err(Errno::ECONNREFUSED) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Reason::System(format!("the dead socket there: {}", crate::errno::go_words_of(&error))))
            }
            _ => Ok(()),
        },
        Err(errno) => Err(Reason::Unknown(go_words(errno))),
    }
}

fn kind(file: &fs::Metadata) -> &'static str {
    let kind = file.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device or FIFO"
    }
}

fn unconnected() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
}

/// Connects, without waiting, and lets go.
fn probe(path: &Path) -> nix::Result<()> {
    let socket = unconnected()?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

/// Binds without a moment in which others could connect: the file gets the mode that the socket has before (`unix_bind` of
/// the kernel), so no umask is touched, which other threads share.
fn listen_at(path: &Path) -> nix::Result<UnixListener> {
    let socket = unconnected()?;
    fchmod(&socket, Mode::from_bits_truncate(MODE))?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::new(128)?)?;
    Ok(UnixListener::from(socket))
}
