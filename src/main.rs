//! The binary: what must be so before anything else, then `app` does what is asked for.
//!
//! Without Rust's own start-up (`no_main`): see `process::begin`.
#![no_main]

use std::ffi::{CStr, OsString, c_char, c_int};
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;

use containerpilot::exit::Exit;
use containerpilot::{app, process};

#[expect(unsafe_code, reason = "the C library calls this, and the vector of words is C's")]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let words = (0..usize::try_from(count).unwrap_or(0)).map(|n| {
        // SAFETY: the vector has `count` texts, which live as long as the program.
        OsString::from_vec(unsafe { CStr::from_ptr(*words.add(n)) }.to_bytes().to_vec())
    });
    let exit = match process::begin() {
        Ok(()) => app::run(words),
        // The kernel refuses nothing of that.
        Err(_) => Exit::Internal,
    };
    // What the library still holds; mostly nothing.
    let _ = std::io::stdout().flush();
    u8::from(exit).into()
}
