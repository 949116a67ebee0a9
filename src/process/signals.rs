//! Signals to us: blocked before anything else, read one by one.
//!
//! They stay blocked for ever and are read from a signalfd, not handled by `tokio::signal` as design §7 has it. There is
//! then no moment between "blocked" and "handled" at which one could be lost or kill us, no handler that interrupts a
//! system call, no thread to which one could be delivered by mistake, a signal that was sent while the configuration
//! was loading is simply still pending, and all 64 are had in one registration (tokio refuses some and makes a handler
//! for each). A blocked signal is never discarded by the kernel, not even by PID 1 without a handler. Children get an
//! empty mask whichever way we do it (`spawn.rs`).
//!
//! Three are not blocked. SEGV and BUS have a handler, for a stack that has run over (`guard`); sent by somebody, they do nothing.
//! PIPE is ignored: blocked, it would come back from the signalfd after each broken pipe of ours. TTIN, TTOU and
//! TSTP need not be ignored: blocked, they do not stop us, and the calls that raise them go on (row 15).
//!
//! The kernel keeps at most one of each kind pending, so a storm is merged (row 14); the 31 real-time signals queue
//! up to a limit of the kernel's.

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Kernel};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::unix::AsyncFd;

use super::sys;
use crate::plan::Signal;

/// Blocks the signals, gives SIGCHLD its default meaning and ignores SIGPIPE. The first thing in `main`, before any
/// thread is made: threads inherit the mask, and one that doesn't block a signal would get it.
///
/// An inherited ignored SIGCHLD would make the kernel reap our children by itself and lose their statuses (row 10).
pub fn block_all() -> io::Result<()> {
    taken().thread_set_mask()?;
    sys::set_disposition(libc::SIGCHLD, false)?;
    sys::set_disposition(libc::SIGPIPE, true)?;
    Ok(())
}

/// The signals that we take; KILL and STOP are in the set without effect.
fn taken() -> SigSet {
    let mut set = SigSet::all();
    for own in [Kernel::SIGSEGV, Kernel::SIGBUS, Kernel::SIGPIPE] {
        set.remove(own);
    }
    set
}

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// A child died, stopped or went on: time for [`super::Children::reap`].
    Child,
    /// Any other signal. Those that mean nothing to the caller are to be ignored.
    Other(Signal),
}

/// The signals sent to us, those included that were sent since [`block_all`].
#[derive(Debug)]
pub struct Signals(AsyncFd<OwnedFd>);

impl Signals {
    /// Begins to listen. Needs a runtime with I/O, and [`block_all`] before it.
    pub fn listen() -> io::Result<Self> {
        let fd = SignalFd::with_flags(&taken(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self(sys::watch(fd.into())?))
    }

    /// A signal that has arrived already, without waiting.
    pub fn pending(&mut self) -> Option<Received> {
        loop {
            match read(self.0.get_ref()) {
                Ok(number) if number == libc::SIGCHLD => return Some(Received::Child),
                Ok(number) => {
                    if let Some(signal) = Signal::from_number(number) {
                        return Some(Received::Other(signal));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// The next signal. Cancel-safe: a signal is taken only when it is returned.
    pub async fn next(&mut self) -> Received {
        loop {
            // Fails only when the runtime is going down, and then nobody waits for the answer.
            let Ok(mut guard) = self.0.readable().await else { return std::future::pending().await };
            match guard.try_io(|fd| read(fd.get_ref())) {
                Ok(Ok(number)) if number == libc::SIGCHLD => return Received::Child,
                Ok(Ok(number)) => {
                    if let Some(signal) = Signal::from_number(number) {
                        return Received::Other(signal);
                    }
                }
                // Interrupted, or nothing there after all.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

/// Unblocks what [`block_all`] blocked, for commands that end by themselves and can be interrupted like any program.
pub fn unblock_all() {
    // Fails only for a mask that the kernel doesn't know.
    let _ = taken().thread_unblock();
}

/// Takes one pending signal's number.
fn read(fd: &OwnedFd) -> io::Result<i32> {
    // `struct signalfd_siginfo`: 128 bytes that begin with the number as u32.
    let mut info = [0_u8; 128];
    match nix::unistd::read(fd, &mut info) {
        Ok(_) => {}
        Err(Errno::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => return Err(error.into()),
    }
    Ok(info.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes)))
}
