//! The command line's end of the socket: one request, one answer, blocking, no runtime (v3 §2.1).

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;
use serde_json::{Map, Value};
use thiserror::Error;

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

    /// What stands before an error, in v3's words; two of them are its slips.
    pub fn failure(&self) -> &'static str {
        match self {
            Self::Reload | Self::Environ(_) | Self::Metric(_) => "-reload: failed to run subcommand",
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
    #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that asks it, and may not hang")]
    let deadline = Instant::now() + PATIENCE;
    let mut unreachable = None;
    for place in places {
        match dial(place) {
            Ok(stream) => return talk(&stream, question, deadline),
            Err(errno) => unreachable = unreachable.or(Some((place.clone(), errno))),
        }
    }
    let (socket, errno) = unreachable.unwrap_or((PathBuf::new(), Errno::ENOENT));
    Err(ClientError::Unreachable { verb: go_verb(question), path: question.path(), socket, errno })
}

fn go_verb(question: &Question) -> &'static str {
    if question.method() == "GET" { "Get" } else { "Post" }
}

/// Connects; the time for that is set before, since a full queue makes it wait.
fn dial(path: &Path) -> nix::Result<UnixStream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let patience = TimeVal::new(i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX), 0);
    setsockopt(&socket, sockopt::SendTimeout, &patience)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(socket))
}

fn talk(stream: &UnixStream, question: &Question, deadline: Instant) -> Result<(), ClientError> {
    let (verb, path) = (go_verb(question), question.path());
    let no_answer = |reason: String| ClientError::NoAnswer { verb, path, reason };
    let body = question.body();
    let head = format!(
        "{} {path} HTTP/1.1\r\nHost: control\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        question.method(),
        body.len()
    );
    // Who is refused early may find the socket closed and still has an answer to read.
    let sent = send(stream, format!("{head}{body}").as_bytes(), deadline);
    let mut answer = Vec::new();
    let received = receive(stream, &mut answer, deadline);
    let Some((code, message)) = parse(&answer) else {
        let failed = sent.and(received).err();
        return Err(no_answer(failed.as_ref().map_or_else(|| "EOF".to_owned(), in_words)));
    };
    match code {
        200..=299 => Ok(()),
        422 if message == "Unprocessable Entity" => Err(ClientError::Unprocessable),
        _ if message.is_empty() => Err(ClientError::Refused { code, message: format!("the server answered {code}") }),
        _ => Err(ClientError::Refused { code, message }),
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("no answer within {}s", PATIENCE.as_secs()),
        _ => go_words_of(error),
    }
}

/// The time that is left, which a socket option can't be when it is none.
fn left(deadline: Instant) -> io::Result<Duration> {
    #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that asks it, and may not hang")]
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn send(mut stream: &UnixStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive(stream: &UnixStream, answer: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
    let mut rest = stream.take(LONGEST);
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match rest.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => answer.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The status and the body of an answer, without the white space around it.
pub(super) fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let line = head.strip_prefix("HTTP/1.")?;
    let code = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((code, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let of = |text: &str| parse(text.as_bytes());
        assert_eq!(of("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\n"), Some((200, String::new())));
        assert_eq!(of("HTTP/1.1 422 X\r\nA: b\r\n\r\na\nb\n"), Some((422, "a\nb".to_owned())));
        assert_eq!(of("HTTP/1.0 503\r\nA: b\r\n\r\n"), Some((503, String::new())));
        for broken in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert_eq!(of(broken), None, "{broken:?}");
        }
    }
}
