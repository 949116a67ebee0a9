//! The command line's end of the socket: one request, one answer, blocking, no runtime (v3 §2.1).

pub mod wire;

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use serde_json::{Map, Value};
use thiserror::Error;

use self::wire::{Patience, Request};
use super::socket::in_runtime_dir;
use crate::errno::{go_words, go_words_of};

/// All of it takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read.
const LONGEST: u64 = 1 << 20;

/// What is asked for. The server's [`super::Request`] says what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `-reload`
    Reload,
    /// `-maintenance enable`, or `disable`.
    Maintenance(bool),
    /// `-putenv`, in their order; of a name given twice the last value counts.
    Environ(Vec<(String, String)>),
    /// `-putmetric`, likewise.
    Metric(Vec<(String, String)>),
    /// `-ping`
    Ping,
}

impl Question {
    fn method(&self) -> &'static str {
        if *self == Self::Ping { "GET" } else { "POST" }
    }

    fn path(&self) -> &'static str {
        match self {
            Self::Reload => "/v3/reload",
            Self::Maintenance(true) => "/v3/maintenance/enable",
            Self::Maintenance(false) => "/v3/maintenance/disable",
            Self::Environ(_) => "/v3/environ",
            Self::Metric(_) => "/v3/metric",
            Self::Ping => "/v3/ping",
        }
    }

    fn body(&self) -> String {
        match self {
            Self::Environ(pairs) | Self::Metric(pairs) => {
                let texts = pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
                Value::Object(texts.collect::<Map<_, _>>()).to_string()
            }
            _ => String::new(),
        }
    }

    /// What stands before an error: v3's words, but that it took two of these flags for `-reload`.
    pub fn failure(&self) -> &'static str {
        match self {
            Self::Reload => "-reload: failed to run subcommand",
            Self::Environ(_) => "-putenv: failed to run subcommand",
            Self::Metric(_) => "-putmetric: failed to run subcommand",
            Self::Maintenance(_) => "-maintenance: failed to run subcommand",
            Self::Ping => "-ping: failed",
        }
    }
}

/// Why nothing came of it.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody could be asked.
    #[error("{verb} http://control{path}: dial unix {}: connect: {}", socket.display(), go_words(*errno))]
    Unreachable {
        /// As Go spells the method here.
        verb: &'static str,
        /// What was asked for.
        path: &'static str,
        /// Where.
        socket: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The answer did not come, or not whole.
    #[error("{verb} http://control{path}: {reason}")]
    NoAnswer {
        /// As Go spells the method here.
        verb: &'static str,
        /// What was asked for.
        path: &'static str,
        /// Why.
        reason: String,
    },
    /// 422 without a reason.
    #[error("unprocessable entity received by control server")]
    Unprocessable,
    /// The server said no (design §4 row 19).
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// Its words, which may have many lines; its status if it had none.
        message: String,
    },
}

/// Where the socket may be, in the order in which to look: the configured path alone, else the default one, else below
/// `$XDG_RUNTIME_DIR` (design §4 row 30).
pub fn places(spec: &crate::plan::Control, xdg_runtime_dir: Option<&OsStr>) -> Vec<PathBuf> {
    let other = in_runtime_dir(xdg_runtime_dir).filter(|_| !spec.configured);
    std::iter::once(spec.socket.clone()).chain(other).collect()
}

/// Asks the first of these sockets at which somebody serves.
///
/// # Errors
/// Nobody serves there (the first path is the one that is told), or what was asked for was not done.
pub fn ask(places: &[PathBuf], question: &Question) -> Result<(), ClientError> {
    let patience = Patience::from_now(PATIENCE);
    match wire::dial(places, patience) {
        Ok((stream, _)) => talk(stream, question, patience),
        Err(tried) => {
            let (socket, errno) =
                tried.first().map_or((PathBuf::new(), Errno::ENOENT), |(at, errno)| (at.into(), *errno));
            Err(ClientError::Unreachable { verb: go_verb(question), path: question.path(), socket, errno })
        }
    }
}

fn go_verb(question: &Question) -> &'static str {
    if question.method() == "GET" { "Get" } else { "Post" }
}

fn talk(stream: UnixStream, question: &Question, patience: Patience) -> Result<(), ClientError> {
    let (verb, path) = (go_verb(question), question.path());
    let request = Request { method: question.method(), path, body: &question.body() };
    let mut answer = wire::ask(stream, &request, patience).map_err(|error| ClientError::NoAnswer {
        verb,
        path,
        reason: in_words(&error),
    })?;
    // A refusal that comes in part is one.
    let (body, _) = answer.whole(LONGEST);
    let (code, message) = (answer.code, String::from_utf8_lossy(&body).trim().to_owned());
    match code {
        200..=299 => Ok(()),
        422 if message == "Unprocessable Entity" => Err(ClientError::Unprocessable),
        _ if message.is_empty() => Err(ClientError::Refused { code, message: format!("the server answered {code}") }),
        _ => Err(ClientError::Refused { code, message }),
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer within {}s", PATIENCE.as_secs()),
        io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        _ => go_words_of(error),
    }
}
