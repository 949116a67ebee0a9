//! One problem of a configuration, told so that it can be mended without the manual.
//!
//! Excerpts come from the source as written and never from the rendered text, which may hold secrets out of the
//! environment: who makes a [`Diagnostic`] maps its span back first. Of what the file itself says, what stands behind
//! the word `token` and the passwords of addresses are shown as stars, and messages don't repeat it.

mod passwords;
mod render;
mod secrets;

pub(in crate::config) use passwords::without_passwords;
pub use render::{line_col, one_line, render, to_json};
pub(in crate::config) use secrets::Secrets;

use serde::Serialize;

/// A range of bytes in the *source* of the configuration, before the template was rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Whether a problem refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken; somebody should know.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it refuses the file.
    pub severity: Severity,
    /// The key's path (`jobs[1].health.ttl`), empty for the file as a whole.
    pub path: String,
    /// Where, if it has a place.
    pub span: Option<Span>,
    /// What is wrong, what was found, what is accepted; a lower-case sentence that names the key's path.
    pub message: String,
    /// Said at the marked place (`did you mean …?`), may be empty.
    pub label: String,
    /// The way out, may be empty.
    pub help: String,
    /// How many errors and warnings this one stands for, where it is not about itself: those that are not told one by one.
    #[serde(skip)]
    pub untold: Option<(usize, usize)>,
    /// The exact words of ContainerPilot 3.8, where scripts may look for them; for golden comparison. Not printed.
    #[serde(skip)]
    pub original: Option<String>,
}

/// So long the processor has worked for this thread, for tests of how much work something is.
#[cfg(test)]
fn processor_time() -> std::time::Duration {
    let thread = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(thread).map(std::time::Duration::from).unwrap()
}
