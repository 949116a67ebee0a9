//! Why there is no log, and whose fault it is.

use thiserror::Error;

use super::output::Output;
use crate::errno::{go_words_of, remedy};
use crate::plan::LogOutput;

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file can't be opened; in the original's words.
    #[error("Error initializing log file '{path}': open {path}: {why}")]
    File {
        /// The configured path.
        path: String,
        /// The reason, as Go spells it: `no such file or directory`.
        why: String,
    },
    /// No thread can be had (a limit on the number of processes, mostly).
    #[error("failed to start the log's writer thread: {}{}", go_words_of(.0), remedy(.0))]
    Thread(#[source] std::io::Error),
    /// Not the file, but we have no descriptor for it.
    #[error("failed to open the log: {}{}", go_words_of(.0), remedy(.0))]
    Lack(#[source] std::io::Error),
    /// The output is blocked, and changes of it wait for that already.
    #[error("its output is blocked, and too many changes wait for that")]
    Stuck,
}

/// Opens what the configuration names.
pub(super) fn open(output: &LogOutput) -> Result<Output, LogError> {
    Output::open(output).map_err(|error| {
        if !remedy(&error).is_empty() {
            return LogError::Lack(error);
        }
        let path = match output {
            LogOutput::Stdout => "/dev/stdout".into(),
            LogOutput::Stderr => "/dev/stderr".into(),
            LogOutput::File(path) => path.to_string_lossy().into_owned(),
        };
        let why = go_words_of(&error);
        LogError::File { path, why }
    })
}
