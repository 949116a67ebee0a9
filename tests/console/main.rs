//! The operator's console: the real binary against a stand-in for the instance, which answers what a test wants, right or
//! wrong. What the real instance answers is another test's matter.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests: what can't be done makes them fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod answers;
mod container;
mod places;
mod real;
mod stand_in;
mod streams;
mod terminal;
mod trouble;
mod words;
