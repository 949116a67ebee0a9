//! The last resort of a panic or an abort: who is alive, known outside of [`super::Children`], and how they are ended
//! without a loop.
//!
//! A panic hook can't reach the table that the panicking loop owns, so the group ids of unreaped children are kept
//! here as well. The lock is held while a zombie is buried: no number is ever signalled after it was freed (row 9).

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getpgid};

use super::sys::FaultStack;
use super::{proc_table, sys};
use crate::plan::Signal;

/// How long everybody has to die of TERM after a panic, and then of KILL: in steps, since nothing tells us.
const STEPS: usize = 100;
const STEP: Duration = Duration::from_millis(10);
/// Our own fault, as an exit status (design §5).
const INTERNAL: i32 = 70;
/// What is said of it.
const FAULT: &str =
    "containerpilot: internal error, please report it: a stack has run over, or memory was touched that is not ours\n";
/// How long the last words may wait for a reader of stderr, in milliseconds.
const LAST_WORDS: u16 = 1000;
/// A pipe that has any room takes so many bytes without blocking.
const ATOMIC: usize = 4096;

static ALIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn alive() -> MutexGuard<'static, BTreeSet<i32>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a child's group.
pub(super) fn born(pid: i32) {
    alive().insert(pid);
}

/// Buries a zombie and forgets its group in one go. `false` if it couldn't be buried.
pub(super) fn bury(pid: i32) -> bool {
    let mut alive = alive();
    alive.remove(&pid);
    matches!(sys::bury(pid), Ok(Some(_)))
}

/// Signals the group of an unreaped child, and the child itself if it has left for another group (row 33).
pub(super) fn signal_group(pid: i32, signal: Signal) -> bool {
    let group = sys::kill(-pid, Some(signal)).is_ok();
    let away = getpgid(Some(Pid::from_raw(pid))).is_ok_and(|group| group.as_raw() != pid);
    let own = away && sys::kill(pid, Some(signal)).is_ok();
    group || own
}

/// Sends one signal to everything but us that `wanted` says yes to: see [`super::Children::sweep`]. PID 1 asks nobody.
pub(super) fn signal_everything_else(signal: Signal, mut wanted: impl FnMut(i32) -> bool) {
    if sys::is_pid_one() {
        let _ = sys::kill(-1, Some(signal));
        return;
    }
    let alive = alive();
    for pid in alive.iter().filter(|pid| wanted(**pid)) {
        signal_group(*pid, signal);
    }
    // Children that we didn't start. One of ours stays pinned to its number, so signalling it is safe.
    let own = sys::own_pid();
    let ours = |entry: &proc_table::Entry| entry.parent == own && !alive.contains(&entry.pid);
    for orphan in proc_table::scan().unwrap_or_default().into_iter().filter(ours) {
        if !wanted(orphan.pid) {
            continue;
        }
        // A group that somebody else leads may hold processes that are none of ours.
        let target = if orphan.group == orphan.pid { -orphan.pid } else { orphan.pid };
        let _ = sys::kill(target, Some(signal));
    }
}

/// An abort ends our children first, as a panic does, and then us with 70: where no memory can be had, or a stack has run
/// over. The kernel would not let PID 1 die of SIGABRT, and who is not PID 1 would leave everybody behind.
///
/// # Errors
/// None that a kernel is known to have.
pub fn end_children_on_abort() -> nix::Result<()> {
    sys::on_abort(end_on_abort)
}

/// So does memory that is touched and is not ours: the end of a stack that has run over, mostly. On other threads than this that
/// takes a [`FaultStack`].
///
/// # Errors
/// None that a kernel is known to have.
pub(super) fn end_children_on_fault() -> nix::Result<()> {
    FaultStack::for_ever()?;
    sys::on_bad_memory(end_on_fault)
}

extern "C" fn end_on_fault(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if !sys::is_no_fault(info) {
        end_now(FAULT);
    }
}

/// Whether an abort is ending everything: the loop may be another thread, which goes on meanwhile.
static ABORTING: AtomicBool = AtomicBool::new(false);

/// Whether nobody may be started any more.
pub(super) fn is_aborting() -> bool {
    ABORTING.load(Ordering::Relaxed)
}

extern "C" fn end_on_abort(_: i32) {
    // Whoever aborts has said why.
    end_now("");
}

/// In the handler of a signal: without memory, and without a lock that this very thread may hold.
fn end_now(words: &str) -> ! {
    if sys::is_a_child() {
        // What it shares with us is not its own to end.
        sys::exit_now(127);
    }
    if !ABORTING.swap(true, Ordering::Relaxed) {
        signal_all_now(&[Signal::TERM, Signal::CONT]);
        // Nobody knows how long a reader takes.
        last_words(words);
        // As PID 1 without a child there is nobody at all; else groups may have members yet.
        let is_over = if sys::is_pid_one() { within_steps(nobody_is_left) } else { within_steps(all_are_zombies) };
        if !(is_over && sys::is_pid_one()) {
            signal_all_now(&[Signal::KILL]);
            within_steps(nobody_is_left);
        }
        sys::exit_now(INTERNAL);
    }
    // Two threads may fail at once: the other one ends us, unless it has failed once more.
    for _ in 0..5 * STEPS {
        pause();
    }
    sys::exit_now(INTERNAL)
}

/// Whether this comes to be within [`STEPS`].
fn within_steps(is_so: fn() -> bool) -> bool {
    (0..STEPS).any(|step| {
        if step > 0 {
            pause();
        }
        is_so()
    })
}

/// Reaps for this: no number may be signalled any more.
fn nobody_is_left() -> bool {
    loop {
        match sys::any_dead() {
            Ok(Some((pid, _))) => drop(sys::bury(pid)),
            Ok(None) => return false,
            Err(error) => return error == Errno::ECHILD,
        }
    }
}

/// Where they stay zombies: their numbers must go on meaning them until the last signal (row 9).
fn all_are_zombies() -> bool {
    try_alive().is_none_or(|alive| alive.iter().all(|pid| sys::is_dead(*pid)))
}

fn pause() {
    #[expect(clippy::disallowed_methods, reason = "nothing else waits for this thread any more")]
    std::thread::sleep(STEP);
}

/// Sends TERM and CONT to everything as PID 1, else to the group of every child that lives. For a panic hook (row 22):
/// waits for nothing, allocates nothing, and does nothing where the panic happened in this very module.
pub fn terminate_all_now() {
    signal_all_now(&[Signal::TERM, Signal::CONT]);
}

fn signal_all_now(signals: &[Signal]) {
    if sys::is_pid_one() {
        for signal in signals {
            let _ = sys::kill(-1, Some(*signal));
        }
        return;
    }
    let Some(alive) = try_alive() else { return };
    for signal in signals {
        for pid in alive.iter() {
            let _ = sys::kill(-pid, Some(*signal));
        }
    }
}

/// Another thread holds the lock for one system call at most; this one would hold it for ever.
fn try_alive() -> Option<MutexGuard<'static, BTreeSet<i32>>> {
    for _ in 0..100_000 {
        match ALIVE.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}

/// Writes to stderr without the log and its locks, for a panic hook and for a start that fails while every signal is
/// blocked. Waits at most a second for somebody who has stopped reading, and loses what he would not take.
pub fn last_words(text: &str) {
    let stderr = io::stderr();
    for piece in text.as_bytes().chunks(ATOMIC) {
        let look = || poll(&mut [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(LAST_WORDS));
        // Once more where a signal has come between.
        let room = look().or_else(|error| if error == Errno::EINTR { look() } else { Err(error) });
        // A pipe with room takes a piece whole, or says that it is broken.
        if !room.is_ok_and(|ready| ready > 0) || nix::unistd::write(&stderr, piece).is_err() {
            return;
        }
    }
}

/// After a panic and [`terminate_all_now`], when the loop is gone: gives everybody a second to die, kills the rest and
/// reaps. Takes two seconds at most, also where somebody does not even die of KILL.
pub fn end_everything() {
    if !reap_until_nobody_is_left(Signal::TERM) {
        reap_until_nobody_is_left(Signal::KILL);
    }
}

/// Whether nobody was left within [`STEPS`].
fn reap_until_nobody_is_left(signal: Signal) -> bool {
    for _ in 0..STEPS {
        let mut died = false;
        loop {
            match sys::any_dead() {
                Ok(Some((pid, _))) if bury(pid) => died = true,
                Ok(_) => break,
                Err(error) => return error == Errno::ECHILD,
            }
        }
        // KILL for those too who were just forked. TERM once for each; a death may have brought us new orphans.
        if signal == Signal::KILL || (died && !sys::is_pid_one()) {
            signal_everything_else(signal, |_| true);
        }
        pause();
    }
    false
}
