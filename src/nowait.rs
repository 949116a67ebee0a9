//! A write that does not wait for room, into a descriptor that others share.
//!
//! `O_NONBLOCK` would be theirs, too: our children's, and of whoever started us. This is asked for with the one write instead. Not
//! every kernel and not every kind of file can do it; then it says so, and nothing was written. What is waited for all the same is
//! whoever moves bytes through the same pipe at this moment.
#![expect(unsafe_code, reason = "a call that nix does not have")]

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::sync::OnceLock;

use nix::errno::Errno;

/// Writes as much as there is room for.
///
/// # Errors
/// `EAGAIN` where there is no room; `EOPNOTSUPP`, `ENOSYS`, or whatever else a filter of system calls may give, where it can't be
/// known without waiting. All else is about the file.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> nix::Result<usize> {
    let piece = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the kernel only reads so many bytes from there. At -1 it writes where the file is, as `writev` does.
    let written = unsafe { libc::pwritev2(fd.as_raw_fd(), &raw const piece, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(written).map(|written| usize::try_from(written).unwrap_or(0))
}

/// Whether this kernel can do it for pipes: since Linux 6.4, where no filter of system calls forbids it.
pub fn knows_pipes() -> bool {
    static KNOWS: OnceLock<bool> = OnceLock::new();
    let tried = || std::io::pipe().is_ok_and(|(_reader, writer)| write(writer.as_fd(), b"x") == Ok(1));
    *KNOWS.get_or_init(tried)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_full_pipe_is_told_and_not_waited_for() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut written = 0;
        let end = loop {
            match write(writer.as_fd(), &[b'x'; 5000]) {
                Ok(more) => written += more,
                Err(error) => break error,
            }
        };
        if end != Errno::EAGAIN {
            // A kernel that can't do it for pipes: nothing was written, and the log has a thread for that.
            assert_eq!((end, written), (Errno::EOPNOTSUPP, 0));
            return;
        }
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), written);
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error_of_its_own() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!([Errno::EPIPE, Errno::EOPNOTSUPP].contains(&write(writer.as_fd(), b"x").unwrap_err()));
    }
}
