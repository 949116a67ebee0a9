//! The first moments, in place of Rust's own start-up.
//!
//! That one asks the kernel for a dozen things before `main`, and reads `/proc/self/maps` for the place of the stack: as long as a
//! small init takes for all. What of it is needed is here:
//!
//! - The descriptors 0, 1 and 2 are open, whatever we were given: else the first file that we open would be somebody's output.
//! - Signals are blocked ([`block_all`]), and SIGPIPE is ignored.
//! - A stack that has run over, or memory that is not ours, ends the jobs before us ([`guard`](super::guard)).

use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use super::guard::end_children_on_fault;
use super::heap::share_one_heap;
use super::signals::block_all;
use super::sys;

/// To be called before anything else, by the only thread.
///
/// # Errors
/// None that a kernel is known to have.
pub fn begin() -> io::Result<()> {
    sys::note_own_pid();
    share_one_heap();
    open_missing();
    block_all()?;
    Ok(end_children_on_fault()?)
}

/// Opens what of the first three descriptors is closed. Where there is no `/dev/null`, a directory keeps the place: it can
/// neither be read nor written.
fn open_missing() {
    let first: [BorrowedFd<'static>; 3] = sys::standard_descriptors();
    let mut asked = first.map(|fd| PollFd::new(fd, PollFlags::empty()));
    let answered = poll(&mut asked, PollTimeout::ZERO).is_ok();
    for (fd, asked) in first.into_iter().zip(asked) {
        let is_told = asked.revents().is_some_and(|events| events.contains(PollFlags::POLLNVAL));
        if is_told || (!answered && fcntl(fd, FcntlArg::F_GETFD).is_err()) {
            // The lowest that is free is this one. It is meant to be inherited, as those are.
            let opened =
                open("/dev/null", OFlag::O_RDWR, Mode::empty()).or_else(|_| open("/", OFlag::O_RDONLY, Mode::empty()));
            let _ = opened.map(IntoRawFd::into_raw_fd);
        }
    }
}
