//! The binary. No logic: see [`containerpilot::app`].
fn main() {}
