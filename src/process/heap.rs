//! The heap, whose end is told in one line.
//!
//! Rust gives a program without memory no say: it writes two lines of its own, for which it waits as long as it takes when
//! stderr is full, and aborts. So whoever gets no memory is ended here: one line, a second's wait for its reader at most, and
//! then the abort, which `guard` catches to end the jobs first.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait; all of it is the system's own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;

use super::guard;

/// The system's allocator, and what is said when it has nothing more.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: the system's allocator does it all, with what the caller promises; nobody sees a null pointer.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        had(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        had(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        had(unsafe { System.realloc(memory, layout, size) }, size)
    }
}

/// One heap for all threads, before there is a second one. The C library gives each a heap of its own against their waiting
/// for each other: 128 MB of addresses and some pages, for a thread that writes a log.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: a setting of the allocator, made before other threads are.
        let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

fn had(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        end(size);
    }
    memory
}

#[cold]
fn end(size: usize) -> ! {
    // There is none for a text, either.
    let mut line = [0; 128];
    let mut rest = line.as_mut_slice();
    let _ = writeln!(rest, "containerpilot: out of memory: {size} bytes can't be had, so everything ends");
    let unused = rest.len();
    let used = line.len().saturating_sub(unused);
    if let Some(Ok(text)) = line.get(..used).map(std::str::from_utf8) {
        guard::last_words(text);
    }
    std::process::abort();
}
