//! containerpilot beside other inits and supervisors, and beside the least that any of them must do, on your machine.
//!
//! `cargo run --release --example compare`, as root. What is measured and how is in `docs/performance.md`.
//!
//! ```text
//!  main ─► session: rounds of measures, each over all systems ─► report: the table
//!              measures::* ─► systems::*    what to run
//!                          ─► namespace     as PID 1 of a new namespace, with stamps
//!                          ─► observe       what the kernel says of it meanwhile
//!  copies of this program, in there: floor (an init), load (jobs that make work); job: the smallest job, in assembly
//! ```
//!
//! Without Rust's own start-up (`no_main`): it asks the kernel for a dozen things that the floor has no need of.
#![no_main]
#![expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "figures for people; and a program that measures has clocks, pauses and children of its own"
)]

use std::ffi::{CStr, CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;

mod figures;
mod floor;
mod job;
mod load;
mod machine;
mod measures;
mod namespace;
mod observe;
mod options;
mod report;
mod session;
mod systems;

#[expect(unsafe_code, reason = "the C library calls this, and the argument vector is C's")]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let words = (0..usize::try_from(count).unwrap_or(0)).map(|n| {
        // SAFETY: the vector has `count` strings, which live as long as the program.
        unsafe { CStr::from_ptr(*words.add(n)) }.to_owned()
    });
    let words: Vec<CString> = words.collect();
    match words.get(1).map(CString::as_bytes) {
        Some(b"floor") => floor::run(words.get(2..).unwrap_or_default()),
        Some(b"load") => load::run(words.get(2..).unwrap_or_default()),
        _ => {
            let words: Vec<OsString> = words.into_iter().map(|word| OsString::from_vec(word.into_bytes())).collect();
            options::read(words).map_or_else(|status| status, |options| session::run(&options))
        }
    }
}
