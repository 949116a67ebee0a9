//! A child between its clone and its program.
//!
//! It shares our memory until it executes its program, and the thread that made it stands still for so long: no page table is
//! copied, and whatever goes wrong there is told at once, in a field of ours. That is what the C library's `posix_spawn` does, too; but
//! it makes a stack each time, and has each child ask for the meaning of all 64 signals, where mostly one has to be changed.
//!
//! Where we have many descriptors, the child's table of them is not a copy of ours either: a thousand jobs have two thousand
//! pipes, and each child would get all of them, for exec to close them again. It begins with ours, and its first call makes it one of its
//! own, with no more in it than what has a low number (`close_range` with `CLOSE_RANGE_UNSHARE`, Linux 5.9). Valgrind does not know
//! such a child, and ends.
//!
//! The child runs on a stack of its own, asks for no memory, takes no lock and can't panic: it only makes system calls.
#![expect(unsafe_code, reason = "a second process in our memory; what it may do is said above")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;

use super::sys;
use crate::env::Environment;

/// Bytes of a child's stack. Some hundred are used.
const STACK: usize = 16 * 1024;

/// The largest number of a signal.
const LAST_SIGNAL: c_int = 64;

/// The size of the kernel's set of signals.
const SET: usize = 8;

/// What is made once for all children.
#[derive(Debug)]
pub(super) struct Cloner {
    stack: Box<[MaybeUninit<u128>]>,
    /// The signals that have another meaning than the default: those that we ignore, or were made to ignore by whoever started us,
    /// and those with a handler. A handler must not run in the child, and exec would change it only then.
    changed: Vec<c_int>,
    /// Whether a child can have a part of our table of descriptors; asked when we have many.
    gives_parts: Option<bool>,
}

/// What a child becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    /// The file.
    pub(super) file: &'a CStr,
    /// Its words, the name included.
    pub(super) arguments: &'a [CString],
    /// Its environment.
    pub(super) env: &'a Environment,
}

/// What a child's first descriptors are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors<'a> {
    pub(super) input: BorrowedFd<'a>,
    /// Standard output and error; ours where there are none.
    pub(super) outputs: Option<[BorrowedFd<'a>; 2]>,
    /// We have so many that those with higher numbers than these are better not copied.
    pub(super) are_few_of_many: bool,
}

/// What the child reads, and writes the reason of its failure to.
struct Shared<'a> {
    file: *const c_char,
    arguments: *const *const c_char,
    variables: *const *const c_char,
    changed: &'a [c_int],
    descriptors: &'a [(c_int, c_int)],
    /// The table of descriptors is ours until it has one without those from here on.
    others: Option<c_int>,
    failed: AtomicI32,
    /// It has no table of its own.
    shares_still: AtomicBool,
}

impl Cloner {
    /// What signals mean is asked here: afterwards nobody may change that.
    pub(super) fn new() -> Self {
        let changed = (1..=LAST_SIGNAL).filter(|signal| is_changed(*signal)).collect();
        Self { stack: Box::new_uninit_slice(STACK / size_of::<u128>()), changed, gives_parts: None }
    }

    /// A child in a group of its own, with no signal blocked, none ignored and these descriptors, that has executed its program.
    ///
    /// # Errors
    /// Of any call on the way; then there is no child.
    pub(super) fn start(&mut self, program: Program<'_>, descriptors: Descriptors<'_>) -> nix::Result<i32> {
        let arguments: Vec<*const c_char> =
            program.arguments.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
        let variables: Vec<*const c_char> = program.env.texts().map(CStr::as_ptr).chain([ptr::null()]).collect();
        let mut moves = [(descriptors.input.as_raw_fd(), 0), (-1, 1), (-1, 2)];
        for ((from, _), output) in moves.iter_mut().skip(1).zip(descriptors.outputs.iter().flatten()) {
            *from = output.as_raw_fd();
        }
        // 0, 1 and 2 are among them.
        let beyond = moves.iter().map(|(from, to)| from.max(to).saturating_add(1)).max();
        let gives_part =
            descriptors.are_few_of_many && *self.gives_parts.get_or_insert_with(can_give_part_of_descriptors);
        let others = beyond.filter(|_| gives_part);
        let shared = Shared {
            file: program.file.as_ptr(),
            arguments: arguments.as_ptr(),
            variables: variables.as_ptr(),
            changed: &self.changed,
            descriptors: &moves,
            others,
            failed: AtomicI32::new(0),
            shares_still: AtomicBool::new(false),
        };
        // It grows downwards.
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        let table = if others.is_some() { libc::CLONE_FILES } else { 0 };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | table;
        // SAFETY: the stack is the child's alone, and this thread goes on only when the child is gone or runs its own program: so
        // all that it points to lives, and is not changed meanwhile.
        let pid = Errno::result(unsafe { libc::clone(child, top, flags, (&raw const shared).cast_mut().cast()) });
        // Who emulates a kernel, or guards it, may not know these flags together.
        if let Err(errno) = pid
            && others.is_some()
            && is_unknown(errno)
        {
            return self.start_with_all(errno, program, descriptors);
        }
        let pid = pid?;
        match shared.failed.load(Ordering::Relaxed) {
            0 => Ok(pid),
            errno => {
                // It is about to exit, or has.
                sys::bury_soon(pid);
                let errno = Errno::from_raw(errno);
                if shared.shares_still.load(Ordering::Relaxed) {
                    // It has done nothing yet.
                    return self.start_with_all(errno, program, descriptors);
                }
                Err(errno)
            }
        }
    }

    /// Likewise, with a copy of all descriptors, since a part can't be had: now, or never.
    fn start_with_all(&mut self, why: Errno, program: Program<'_>, descriptors: Descriptors<'_>) -> nix::Result<i32> {
        if is_unknown(why) {
            self.gives_parts = Some(false);
        }
        self.start(program, Descriptors { are_few_of_many: false, ..descriptors })
    }
}

/// Whether this is what a kernel says that does not know a call, or whoever guards it.
fn is_unknown(errno: Errno) -> bool {
    matches!(errno, Errno::ENOSYS | Errno::EPERM | Errno::EINVAL)
}

/// Whether this kernel is known to give a child a part of our table of descriptors well. Elsewhere each has a copy of all.
pub fn can_give_part_of_descriptors() -> bool {
    nix::sys::utsname::uname().is_ok_and(|names| gives_parts_well(&names.release().to_string_lossy()))
}

/// Whether the kernel of this release gives a part of a table without remains of the rest. Before, a child whose parent had the
/// numbers 64 to 127 all in use got 128 or more after its 63, and whoever set it a low limit none at all (CVE-2024-45025). What
/// distributions have mended in releases of their own numbers can't be told.
fn gives_parts_well(release: &str) -> bool {
    let number = |part: &str| part.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let mut numbers = release.splitn(3, '.').map(|part| number(part).unwrap_or(0_u32));
    let mut next = || numbers.next().unwrap_or(0);
    match (next(), next(), next()) {
        (5, 10, patch) => patch >= 225,
        (5, 15, patch) => patch >= 166,
        (6, 1, patch) => patch >= 107,
        (6, 6, patch) => patch >= 48,
        (6, 10, patch) => patch >= 7,
        (major, minor, _) => (major, minor) >= (6, 11),
    }
}

/// The child's whole life before its program.
extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: what `start` has handed over.
    let shared = unsafe { &*shared.cast::<Shared<'_>>() };
    let Err(errno) = become_the_program(shared);
    // One that has no name is none for nix, and it must be one.
    let number = if errno == Errno::UnknownErrno { libc::EIO } else { errno as i32 };
    shared.failed.store(number, Ordering::Relaxed);
    127
}

fn become_the_program(shared: &Shared<'_>) -> nix::Result<std::convert::Infallible> {
    if let Some(others) = shared.others {
        // First of all: until then a descriptor that is moved is moved for us, too.
        copy_descriptors_below(others).inspect_err(|_| shared.shares_still.store(true, Ordering::Relaxed))?;
    }
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::setpgid(0, 0) })?;
    for signal in shared.changed {
        mean_the_default(*signal)?;
    }
    for (from, to) in shared.descriptors {
        match from {
            -1 => {}
            // Nothing would be done, and exec would close it.
            // SAFETY: a flag of a descriptor.
            from if from == to => drop(Errno::result(unsafe { libc::fcntl(*from, libc::F_SETFD, 0) })?),
            // SAFETY: numbers only; the table of descriptors is the child's own copy.
            from => drop(Errno::result(unsafe { libc::dup2(*from, *to) })?),
        }
    }
    unblock_everything()?;
    // SAFETY: texts that end with NUL and lists that end with null, as the caller has made them.
    Errno::result(unsafe { libc::execve(shared.file, shared.arguments, shared.variables) })?;
    Err(Errno::UnknownErrno)
}

/// Makes the table of descriptors our own, without those from this number on, which nobody copies and nobody closes.
fn copy_descriptors_below(first: c_int) -> nix::Result<()> {
    const UNSHARE: libc::c_uint = 2; // CLOSE_RANGE_UNSHARE
    // SAFETY: numbers only; what is closed is closed in the copy.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, UNSHARE) }).map(drop)
}

/// Whether a signal has another meaning than the default. The C library would refuse to tell of two of them.
fn is_changed(signal: c_int) -> bool {
    // A handler or what stands for one, flags, a restorer and a set: all words. None is larger than eight.
    let mut action = [0_usize; 8];
    let before = action.as_mut_ptr();
    // SAFETY: the kernel writes its structure there, which is smaller.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, ptr::null::<usize>(), before, SET) };
    result == 0 && action.first() != Some(&libc::SIG_DFL)
}

fn mean_the_default(signal: c_int) -> nix::Result<()> {
    let action = [libc::SIG_DFL; 8];
    // SAFETY: the kernel reads its structure from there, which is smaller; the default runs no code.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), ptr::null::<usize>(), SET) };
    Errno::result(result).map(drop)
}

fn unblock_everything() -> nix::Result<()> {
    let nobody = 0_u64;
    // SAFETY: the kernel reads so many bytes from there.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const nobody, ptr::null::<u64>(), SET)
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_table_is_asked_only_of_kernels_that_are_known_to_give_it_well() {
        for good in ["6.18.44-fc-v657", "6.11.0", "7.0.0-rc1", "6.10.7", "6.6.87.2-microsoft-standard-WSL2", "5.15.166"]
        {
            assert!(gives_parts_well(good), "{good}");
        }
        for bad in
            ["6.10.6", "6.9.12", "6.8.0-49-generic", "6.1.0-25-amd64", "5.15.0", "5.14.0-503", "4.4.0", "", "odd", "6"]
        {
            assert!(!gives_parts_well(bad), "{bad}");
        }
    }
}
