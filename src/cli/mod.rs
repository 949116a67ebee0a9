//! The command line: v3's flags as Go's `flag` package reads them, and the newer verbs.
//!
//! v3 §2. A verb counts only as the very first argument (design §6); everything else is flags. The flags are read
//! by `flags`, not by clap, because Go's rules are others: `-name` and `--name` are one, `-flag=false` works, the first
//! word that is no flag ends them. The way to a running supervisor (`-config F`) costs nothing but that loop.
//!
//! | file | subject |
//! |---|---|
//! | `flags` | v3's flags, and the usage text |
//! | `verbs` | the verbs and their flags, for clap |
//! | `ask` | what the verbs ask for, as values |
//! | `complete`, `manual` | the shells' completions and the manual page, made from the same description |

mod ask;
mod complete;
mod flags;
mod manual;
mod verbs;

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

pub use self::ask::{Act, Verb};
use crate::nearest::nearest;

/// What the program is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Supervise. Holds the path if the command line names one.
    Run {
        /// `-config`.
        config: Option<PathBuf>,
        /// Words behind the flags, which v3 ignores.
        ignored: Vec<OsString>,
    },
    /// Print the version.
    Version,
    /// Print this text to stderr, as Go does it, and succeed.
    Help(String),
    /// Print this text to stdout: a verb's help, completions, the manual page.
    Print(String),
    /// Render the configuration's template.
    Template {
        /// `-config`.
        config: Option<PathBuf>,
        /// `-out`; `None` is stdout.
        out: Option<PathBuf>,
    },
    /// Ask a running instance through its control socket.
    Ask {
        /// `-config`: names the file that names the socket.
        config: Option<PathBuf>,
        /// What.
        ask: Ask,
    },
    /// `config check FILE`
    Check {
        /// The file.
        file: PathBuf,
        /// For machines.
        json: bool,
    },
    /// `config show FILE`
    Show {
        /// The file.
        file: PathBuf,
    },
    /// `config schema`
    Schema,
    /// A verb that asks the running instance.
    Console {
        /// `--socket`.
        socket: Option<PathBuf>,
        /// What.
        verb: Verb,
    },
}

/// What a running instance is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// `-reload`
    Reload,
    /// `-maintenance enable`, or `disable`
    Maintenance(bool),
    /// `-putenv NAME=VALUE`, each
    PutEnv(Vec<(String, String)>),
    /// `-putmetric NAME=VALUE`, each
    PutMetric(Vec<(String, String)>),
    /// `-ping`
    Ping,
}

/// Why a command line was not understood: the whole text for stderr.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

/// The verb that a word probably means that is none.
pub fn nearest_verb(word: &str) -> Option<&'static str> {
    nearest(word, verbs::WORDS)
}

/// Reads the words behind the program's name.
pub fn parse(program: &str, words: &[OsString]) -> Result<Command, UsageError> {
    match words.first().and_then(|word| word.to_str()) {
        Some(word) if verbs::is_verb(word) => verbs::read(program, words),
        // v3 would start here, in spite of the word: nobody means that.
        Some(word @ ("help" | "version")) => Err(UsageError(format!("{word} is a flag: {program} -{word}\n"))),
        _ => flags::read(program, words),
    }
}

/// Said of a word that would have to be a text. Paths are taken as they are.
#[expect(clippy::unnecessary_debug_formatting, reason = "what is no text is seen only in its escaped form")]
fn no_text(word: &OsStr) -> String {
    format!("this word of the command line is not UTF-8: {word:?}\n")
}
