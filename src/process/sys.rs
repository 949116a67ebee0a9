//! The system calls that nix can't express, behind safe functions.
//!
//! With `clone`, `heap`, `pages`, `no_nss` and, outside of this room, `nowait`, the only file of the crate with `unsafe`. What is here and why it isn't nix: its `waitid` fails with EINVAL for ever
//! on a child that a real-time signal ended, its `kill` knows no real-time signals, its `signal` is unsafe itself,
//! tokio's registration of a descriptor is unsafe, epoll is behind a feature that nothing else needs, and it has no terminal's size.
#![expect(unsafe_code, reason = "thin wrappers of system calls; each says why it is sound")]

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal as Kernel, sigaction};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::core::ExitStatus;
use crate::plan::Signal;

/// Our process id.
pub fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// Whether we are the init process of our pid namespace.
pub fn is_pid_one() -> bool {
    own_pid() == 1
}

/// Columns and rows of the terminal that standard output is; nothing when it is none, or does not know.
pub fn terminal_size() -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes at most one `winsize` there.
    let result = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

/// Gives a signal its default meaning, or none.
pub(super) fn set_disposition(signal: libc::c_int, ignore: bool) -> nix::Result<()> {
    let meaning = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: neither meaning runs code of ours.
    let before = unsafe { libc::signal(signal, meaning) };
    if before == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
}

/// Calls this when the program aborts itself: no memory could be had, or a stack has run over. It runs on the thread that
/// fails, whatever that holds, so it must not allocate, nor wait for a lock. What fails in it ends us.
pub(super) fn on_abort(handler: extern "C" fn(libc::c_int)) -> nix::Result<()> {
    set_handler(SigHandler::Handler(handler), SaFlags::empty(), &[Kernel::SIGABRT])
}

/// Likewise when memory is touched that is not ours, as below the end of a stack: see [`FaultStack`].
pub(super) fn on_bad_memory(
    handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void),
) -> nix::Result<()> {
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESTART;
    set_handler(SigHandler::SigAction(handler), flags, &[Kernel::SIGSEGV, Kernel::SIGBUS])
}

fn set_handler(handler: SigHandler, flags: SaFlags, signals: &[Kernel]) -> nix::Result<()> {
    let action = SigAction::new(handler, flags | SaFlags::SA_ONSTACK, SigSet::all());
    for signal in signals {
        // SAFETY: the handlers of this room only make system calls, and come back into nothing that has failed.
        unsafe { sigaction(*signal, &action) }?;
    }
    Ok(())
}

/// Our pid, once it is noted.
static OWN: AtomicI32 = AtomicI32::new(0);

/// Notes our pid, for [`is_a_child`].
pub(super) fn note_own_pid() {
    OWN.store(own_pid(), Ordering::Relaxed);
}

/// Whether this is a child of ours that has not executed its program yet, in our memory.
pub(super) fn is_a_child() -> bool {
    let own = OWN.load(Ordering::Relaxed);
    own != 0 && own != own_pid()
}

/// Whether a signal that came with this is no fault of ours: somebody has sent it, or the kernel tells of memory that is broken
/// and that nobody has touched yet.
pub(super) fn is_no_fault(info: *const libc::siginfo_t) -> bool {
    const MEMORY_BROKEN: libc::c_int = 5; // BUS_MCEERR_AO
    // SAFETY: what the kernel hands to a handler, or nothing.
    let info = unsafe { info.as_ref() };
    info.is_some_and(|info| info.si_code <= 0 || (info.si_signo == libc::SIGBUS && info.si_code == MEMORY_BROKEN))
}

/// A stack for the handler of a fault, on the thread that has made it, for as long as this lives. Without one the kernel ends us
/// where that thread's own stack has run over.
#[derive(Debug)]
pub struct FaultStack {
    memory: Box<[MaybeUninit<u128>]>,
    /// It must end on its thread.
    _here: PhantomData<*const ()>,
}

impl FaultStack {
    /// In bytes. What the kernel puts there may be larger than the stacks of old, and an ending program needs some, too.
    const SIZE: usize = 64 * 1024;

    /// For this thread. Not touched before it is needed.
    ///
    /// # Errors
    /// None that a kernel is known to have.
    pub fn of_this_thread() -> nix::Result<Self> {
        let memory = Box::new_uninit_slice(Self::SIZE / size_of::<u128>());
        let mut stack = Self { memory, _here: PhantomData };
        stack.set(0)?;
        Ok(stack)
    }

    /// For this thread, which lives as long as the program.
    ///
    /// # Errors
    /// None that a kernel is known to have.
    pub fn for_ever() -> nix::Result<()> {
        Self::of_this_thread().map(std::mem::forget)
    }

    fn set(&mut self, flags: libc::c_int) -> nix::Result<()> {
        let stack = libc::stack_t { ss_sp: self.memory.as_mut_ptr().cast(), ss_flags: flags, ss_size: Self::SIZE };
        // SAFETY: the memory lives until this is dropped, which takes the stack away.
        Errno::result(unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) }).map(drop)
    }
}

impl Drop for FaultStack {
    fn drop(&mut self) {
        // Fails only on the stack itself.
        let _ = self.set(libc::SS_DISABLE);
    }
}

/// 0, 1 and 2, open or not: for asking which of them is.
pub(super) fn standard_descriptors() -> [BorrowedFd<'static>; 3] {
    // SAFETY: only asked about, by numbers that are always valid to ask about.
    [0, 1, 2].map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// The end at once: nothing is flushed, nothing is dropped.
pub(super) fn exit_now(status: i32) -> ! {
    // SAFETY: does not come back.
    unsafe { libc::_exit(status) }
}

/// Sends a signal: to a process, to a group (`-pgid`), to everybody (-1). `None` only asks whether one is there.
pub(super) fn kill(target: i32, signal: Option<Signal>) -> nix::Result<()> {
    // SAFETY: takes two numbers, touches no memory of ours.
    Errno::result(unsafe { libc::kill(target, signal.map_or(0, Signal::number)) }).map(drop)
}

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is a zombie.
    Dead(ExitStatus),
    /// It is stopped by this signal.
    Stopped(Signal),
    /// It was stopped, and runs on.
    Continued,
}

/// Somebody who is dead, was stopped or went on; he stays so. `ECHILD` when there is no child at all.
pub(super) fn any_changed() -> nix::Result<Option<(i32, Change)>> {
    wait(libc::P_ALL, 0, libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG | libc::WNOWAIT)
}

/// Takes note of a stop or its end; each is told once, and of several only the last.
pub(super) fn note_stop(pid: i32) -> nix::Result<Option<(i32, Change)>> {
    let id = libc::id_t::try_from(pid).map_err(|_| Errno::ESRCH)?;
    wait(libc::P_PID, id, libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG)
}

/// A dead child, left unreaped. `ECHILD` when there is no child at all.
pub(super) fn any_dead() -> nix::Result<Option<(i32, Change)>> {
    wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// Whether this child does not live: a zombie, or no child of ours. It stays as it is.
pub(super) fn is_dead(pid: i32) -> bool {
    let id = libc::id_t::try_from(pid).unwrap_or_default();
    !matches!(wait(libc::P_PID, id, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT), Ok(None))
}

/// Removes this zombie. Its number is free from here on.
pub(super) fn bury(pid: i32) -> nix::Result<Option<(i32, Change)>> {
    let id = libc::id_t::try_from(pid).map_err(|_| Errno::ESRCH)?;
    wait(libc::P_PID, id, libc::WEXITED | libc::WNOHANG)
}

/// Waits for a child that is about to exit, and removes it. An error means that it is removed already.
pub(super) fn bury_soon(pid: i32) {
    if let Ok(id) = libc::id_t::try_from(pid) {
        let _ = wait(libc::P_PID, id, libc::WEXITED);
    }
}

fn wait(kind: libc::idtype_t, id: libc::id_t, options: libc::c_int) -> nix::Result<Option<(i32, Change)>> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the kernel writes at most one `siginfo_t` there.
        let result = unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) };
        if result == -1 {
            match Errno::last() {
                Errno::EINTR => continue,
                error => return Err(error),
            }
        }
        // SAFETY: plain numbers, zeroed above, so every field is initialised; the accessors read the union's child
        // part, which waitid fills, or zeroes.
        let (pid, status, code) = unsafe {
            let info = info.assume_init();
            (info.si_pid(), info.si_status(), info.si_code)
        };
        if pid == 0 {
            return Ok(None);
        }
        let change = match (code, Signal::from_number(status)) {
            (libc::CLD_STOPPED, Some(signal)) => Change::Stopped(signal),
            (libc::CLD_CONTINUED, _) => Change::Continued,
            (libc::CLD_KILLED | libc::CLD_DUMPED, Some(signal)) => Change::Dead(ExitStatus::Signal(signal)),
            _ => Change::Dead(ExitStatus::Code(status)),
        };
        return Ok(Some((pid, change)));
    }
}

/// Marks every descriptor from 3 up to be closed by exec: what we inherited is not for our children (row 29).
pub(super) fn seal_descriptors() {
    const CLOEXEC: libc::c_uint = 4; // CLOSE_RANGE_CLOEXEC, Linux 5.11.
    // SAFETY: only sets a flag of descriptors.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOEXEC) } == 0 {
        return;
    }
    // An old kernel, or a seccomp profile that doesn't know the call (row 84).
    let listed: Option<Vec<i32>> = std::fs::read_dir("/proc/self/fd").ok().map(|entries| {
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect()
    });
    for fd in listed.unwrap_or_else(|| (3..1024).collect()).into_iter().filter(|fd| *fd > 2) {
        // SAFETY: only sets a flag; a number that isn't open is EBADF.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// The same descriptor once more, closed by exec, with the first free number from this one on.
pub(super) fn duplicate_from(fd: &OwnedFd, least: RawFd) -> nix::Result<OwnedFd> {
    let number = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(least))?;
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Puts a descriptor on the runtime, for reading. Within a runtime.
///
/// # Errors
/// No memory for that, or it is none that can be waited for.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` inside the `AsyncFd` stays open and the same as long as that lives.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// One readiness of an epoll.
pub(super) type Event = libc::epoll_event;

/// A [`Event`] to be overwritten.
pub(super) const NO_EVENT: Event = Event { events: 0, u64: 0 };

/// A new epoll, closed by exec.
pub(super) fn epoll_create() -> nix::Result<OwnedFd> {
    // SAFETY: no memory involved.
    let fd = Errno::result(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Waits for `fd` to be readable; its events carry `token`. It leaves the epoll by being closed.
pub(super) fn epoll_add(epoll: &OwnedFd, fd: &OwnedFd, token: u64) -> nix::Result<()> {
    let mut event = Event { events: libc::EPOLLIN.cast_unsigned(), u64: token };
    // SAFETY: both descriptors are open, the event is only read during the call.
    let result = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event) };
    Errno::result(result).map(drop)
}

/// Fills `events` with what is ready now and says how many.
pub(super) fn epoll_now(epoll: &OwnedFd, events: &mut [Event]) -> nix::Result<usize> {
    let room = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
    loop {
        // SAFETY: the kernel writes at most `room` events, which is at most what the slice has.
        let result = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, 0) };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            other => return other.map(|n| usize::try_from(n).unwrap_or(0)),
        }
    }
}
