//! See `containerpilot::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| containerpilot::fuzzing::template(bytes));
