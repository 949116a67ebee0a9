//! Signals to us: blocked before anything else, read in their order.
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

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Kernel};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::sys;
use crate::plan::Signal;

/// Bytes of a `struct signalfd_siginfo`, which begins with the signal's number as u32.
const INFO: usize = 128;
/// Signals of one read, at most.
const AT_ONCE: usize = 8;

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
pub struct Signals {
    fd: AsyncFd<OwnedFd>,
    /// Taken from the kernel and not told yet: those of one read.
    taken: VecDeque<i32>,
}

impl Signals {
    /// Begins to listen. Needs a runtime with I/O, and [`block_all`] before it.
    pub fn listen() -> io::Result<Self> {
        let fd = SignalFd::with_flags(&taken(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd: sys::watch(fd.into())?, taken: VecDeque::new() })
    }

    /// Takes what has arrived where the runtime may not have heard of it, since nobody has waited for it meanwhile.
    pub fn look(&mut self) {
        // None there, mostly.
        let _ = take(self.fd.get_ref(), &mut self.taken);
    }

    /// A signal that has arrived already, as far as the runtime has heard, without waiting. It hears only while it is waited for: who
    /// calls this again and again must do that between, or [`Self::look`].
    pub fn pending(&mut self) -> Option<Received> {
        let Self { fd, taken } = self;
        if taken.is_empty() {
            let _ = fd.try_io(Interest::READABLE, |fd| take(fd, taken));
        }
        told(taken)
    }

    /// The next signal. Cancel-safe: a signal is taken only when it is returned, or is there for the next call.
    pub async fn next(&mut self) -> Received {
        let Self { fd, taken } = self;
        loop {
            if let Some(received) = told(taken) {
                return received;
            }
            // Fails only when the runtime is going down, and then nobody waits for the answer.
            let Ok(mut guard) = fd.readable().await else { return std::future::pending().await };
            // Interrupted, or nothing there after all.
            let _ = guard.try_io(|fd| take(fd.get_ref(), taken));
        }
    }
}

/// Unblocks what [`block_all`] blocked, for commands that end by themselves and can be interrupted like any program.
pub fn unblock_all() {
    // Fails only for a mask that the kernel doesn't know.
    let _ = taken().thread_unblock();
}

/// The first of them that is a signal.
fn told(taken: &mut VecDeque<i32>) -> Option<Received> {
    let is_told = |number| match number {
        libc::SIGCHLD => Some(Received::Child),
        other => Signal::from_number(other).map(Received::Other),
    };
    std::iter::from_fn(|| taken.pop_front()).find_map(is_told)
}

/// Takes the numbers of those that are pending, as many as one read gives. Tells `WouldBlock` when these were all.
fn take(fd: &OwnedFd, taken: &mut VecDeque<i32>) -> io::Result<()> {
    let mut room = [0_u8; AT_ONCE * INFO];
    let read = match nix::unistd::read(fd, &mut room) {
        Ok(read) => room.get(..read).unwrap_or_default(),
        Err(Errno::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => return Err(error.into()),
    };
    taken.extend(read.chunks_exact(INFO).filter_map(|info| info.first_chunk()).copied().map(i32::from_ne_bytes));
    // Whoever comes now is news.
    if read.len() < room.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}
