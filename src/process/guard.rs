//! The last resort of a panic: who is alive, known outside of [`super::Children`].
//!
//! A panic hook can't reach the table that the panicking loop owns, so the group ids of unreaped children are kept
//! here as well. The lock is held while a zombie is buried: no number is ever signalled after it was freed (row 9).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::sys;
use crate::plan::Signal;

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

/// Sends TERM and CONT to everything as PID 1, else to the group of every child that lives. For a panic hook (row 22):
/// waits for nothing, allocates nothing, and does nothing where the panic happened in this very module.
pub fn terminate_all_now() {
    if sys::is_pid_one() {
        for signal in [Signal::TERM, Signal::CONT] {
            let _ = sys::kill(-1, Some(signal));
        }
        return;
    }
    // Another thread holds the lock for one system call at most; this one would hold it for ever.
    for _ in 0..100_000 {
        let alive = match ALIVE.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                std::hint::spin_loop();
                continue;
            }
        };
        for signal in [Signal::TERM, Signal::CONT] {
            for pid in alive.iter() {
                let _ = sys::kill(-pid, Some(signal));
            }
        }
        return;
    }
}
