//! The operator's console: the verbs of the command line, over `/v4` of the control socket.
//!
//! ```text
//!  cli::Verb ──► verbs ──► client ──► control::client::wire ──► the instance's socket
//!                  │          │
//!                  │          └─ api: what it answered, or a refusal
//!                  └──► render: pure, from api and the width of the terminal to text ──► output
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `client` | questions and their answers: typed, bounded; streams line by line |
//! | `output` | standard output, and whether it is a terminal |
//! | `render` | what people see |
//! | `verbs` | one verb after the other |
//!
//! Invariants: whatever a server sends, it is shown or told to be wrong, never a panic and never more than a bounded piece of
//! it at once; nothing that a job writes can steer the operator's terminal; whoever reads us may go away at any time, and that
//! is no error. Runs in a process of its own: here one may block.

mod client;
mod output;
mod render;
mod verbs;

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::Value;

use self::client::Instance;
use self::output::Output;
use crate::api;
use crate::cli::Verb;
use crate::env::Environment;
use crate::exit::Exit;

/// What is known of the place where the console runs: what it can't find out without rooms that it may not name.
pub struct Host {
    /// Where the control socket may be, in the order in which to look.
    pub places: Vec<PathBuf>,
    /// Why it is looked for there, if that needs a word when nobody answers.
    pub note: String,
    /// Our environment.
    pub env: Environment,
    /// Columns and rows of the terminal that is standard output.
    pub terminal_size: fn() -> Option<(usize, usize)>,
    /// What has to be added to UTC for local time at a moment, in seconds since 1970 and in seconds.
    pub offset: Box<dyn Fn(i64) -> i32>,
}

/// Why nothing came of it.
#[derive(Debug)]
enum Failed {
    /// Whoever read our output has gone away.
    ReaderGone,
    /// The instance refuses.
    Refused(Box<Refused>),
    /// The instance is not there.
    Nobody(String),
    /// Nothing was reloaded: in words, and as it came.
    NotReloaded(String, Value),
    /// Something else, in words.
    Other(String),
    /// It makes no sense here, in words.
    Usage(String),
}

/// A refusal, as it came and as it is understood.
#[derive(Debug)]
struct Refused {
    /// For us.
    error: api::Error,
    /// For machines: with keys that we don't know.
    json: Value,
}

/// Carries out a verb.
pub fn run(verb: Verb, host: &Host) -> Exit {
    let mut output = Output::of_this_process(host);
    let done = verbs::carry_out(verb, &Instance::new(host), &mut output);
    // A refusal has something to print, too, and stays one if nobody reads it.
    let shown = output.flush();
    let done = done.and_then(|exit| shown.map(|()| exit));
    match done {
        Ok(exit) => exit,
        Err(Failed::ReaderGone) => Exit::Success,
        Err(Failed::Usage(text)) => {
            complain(&format!("containerpilot: {text}"));
            Exit::Usage
        }
        Err(Failed::Refused(refused)) => {
            complain(&format!("containerpilot: {}", render::refusal(&refused.error)));
            Exit::Failure
        }
        Err(Failed::NotReloaded(text, _)) => {
            complain(&text);
            Exit::Failure
        }
        Err(Failed::Nobody(text) | Failed::Other(text)) => {
            complain(&format!("containerpilot: {text}"));
            Exit::Failure
        }
    }
}

/// Writes to stderr, as far as somebody reads it; a text may hold what a server sent.
fn complain(text: &str) {
    let lines = text.lines().map(|line| format!("{}\n", render::visible(line)));
    // There is nobody to tell when that fails.
    let _ = io::stderr().lock().write_all(lines.collect::<String>().as_bytes());
}
