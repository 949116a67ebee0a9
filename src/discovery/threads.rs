//! The threads on which small files are read: those of tokio's blocking pool.
//!
//! The pool panics when it can't have its first thread (reliability row 25), and the loop must not. So somebody else asks
//! it: a thread that is made for that, where a refusal is an error and a panic is the end of nothing else. The pool keeps
//! what it has got for ever, and with one thread it never panics.

use std::io;
use std::thread;

use nix::errno::Errno;
use tokio::runtime::Handle;

/// The token's file, `/etc/hosts` and `/etc/resolv.conf`: none of them must wait for another's file system.
pub const READERS: usize = 3;

/// The name of the thread that asks the pool. Its panic is no internal error.
pub const ASKER: &str = "asker";

/// It does not do much.
const STACK: usize = 64 * 1024;

/// Sees to it that the pool of this runtime has threads: one at least, the others if they can be had.
pub(super) fn find() -> io::Result<()> {
    let runtime = Handle::current();
    let ask = move || {
        for _ in 0..READERS {
            runtime.spawn_blocking(|| ());
        }
    };
    let asker = thread::Builder::new().name(ASKER.to_owned()).stack_size(STACK).spawn(ask)?;
    // The pool only panics where it gets no thread.
    asker.join().map_err(|_| Errno::EAGAIN.into())
}
