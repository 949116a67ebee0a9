//! HTTP/1.1 over the socket, as much of it as one request and its answer need: blocking, and bounded in every direction.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

/// The longest head of an answer, and the longest line that says how long the next chunk is.
const LONGEST_HEAD: u64 = 16 << 10;

/// How long somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until this moment, for all of it.
    Until(Instant),
    /// As long as something comes so often.
    Silence(Duration),
}

impl Patience {
    /// For all of it, from now on.
    pub fn from_now(patience: Duration) -> Self {
        #[expect(clippy::disallowed_methods, reason = "not the supervisor: a command that asks it, and may not hang")]
        let now = Instant::now();
        // A clock that can't tell such a moment is asked for a shorter time.
        now.checked_add(patience).map_or(Self::Silence(patience), Self::Until)
    }

    /// The time that is left, which a socket option can't be when it is none.
    fn left(self) -> io::Result<Duration> {
        match self {
            Self::Silence(time) => Ok(time),
            Self::Until(deadline) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "not the supervisor: a command that asks it, and may not hang"
                )]
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
            }
        }
    }
}

/// Connects to the first of these sockets at which somebody serves. All of them together have the time that is left: each
/// an equal part of what those before it did not need, so that one that hangs does not keep from the next.
///
/// # Errors
/// Nobody serves at any of them, or whoever asks may not: why, one after the other.
pub fn dial(places: &[PathBuf], patience: Patience) -> Result<(UnixStream, &Path), Vec<(&Path, Errno)>> {
    let mut tried = Vec::new();
    for (place, still) in places.iter().zip((1..=places.len()).rev()) {
        let part = patience.left().unwrap_or_default() / u32::try_from(still).unwrap_or(u32::MAX);
        match dial_one(place, part) {
            Ok(stream) => return Ok((stream, place)),
            Err(errno) => tried.push((place.as_path(), errno)),
        }
    }
    Err(tried)
}

/// Connects; the time for that is set before, since a full queue makes it wait.
fn dial_one(path: &Path, patience: Duration) -> nix::Result<UnixStream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // None at all would be for ever.
    let micros = patience.max(Duration::from_millis(1)).as_micros();
    let patience = TimeVal::microseconds(i64::try_from(micros).unwrap_or(i64::MAX));
    setsockopt(&socket, sockopt::SendTimeout, &patience)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(socket))
}

/// Sends a request and reads the head of its answer.
///
/// # Errors
/// It did not come, or is none: [`io::ErrorKind::UnexpectedEof`].
pub fn ask(stream: UnixStream, request: &Request<'_>, patience: Patience) -> io::Result<Answer<BufReader<Peer>>> {
    let Request { method, path, body } = request;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: control\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    // Who is refused early may find the socket closed and still has an answer to read.
    let sent = send(&stream, format!("{head}{body}").as_bytes(), patience);
    let answer = Answer::read(BufReader::new(Peer { stream, patience }));
    answer.map_err(|error| sent.err().unwrap_or(error))
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// With its query; already in the form that stands in a request.
    pub path: &'a str,
    /// JSON, or nothing.
    pub body: &'a str,
}

fn send(mut stream: &UnixStream, mut bytes: &[u8], patience: Patience) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(patience.left()?))?;
        match stream.write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The other end of the socket, which is not waited for without a bound.
#[derive(Debug)]
pub struct Peer {
    stream: UnixStream,
    patience: Patience,
}

impl Peer {
    /// Waits so long from here on.
    pub fn be_patient(&mut self, patience: Patience) {
        self.patience = patience;
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.patience.left()?))?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

/// An answer whose head was read. Reading it gives its body.
#[derive(Debug)]
pub struct Answer<R> {
    /// The status.
    pub code: u16,
    source: R,
    framing: Framing,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// The connection ends.
    Close,
    /// So many bytes are to come.
    Length(u64),
    /// So many bytes of the chunk are to come; nothing between two of them.
    Chunk(Option<u64>),
}

impl<R: BufRead> Answer<R> {
    /// Reads the head.
    pub(in crate::control) fn read(mut source: R) -> io::Result<Self> {
        let mut head = source.by_ref().take(LONGEST_HEAD);
        let status = line(&mut head)?;
        let words = status.strip_prefix("HTTP/1.").map(str::split_ascii_whitespace);
        let code = words.and_then(|mut words| words.nth(1)).and_then(|code| code.parse().ok());
        let code = code.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut framing = if matches!(code, 204 | 304) { Framing::Length(0) } else { Framing::Close };
        loop {
            let line = line(&mut head)?;
            if line.is_empty() {
                return Ok(Self { code, source, framing });
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked") {
                framing = Framing::Chunk(None);
            } else if name.eq_ignore_ascii_case("content-length") && framing == Framing::Close {
                framing = value.trim().parse().map_or(Framing::Close, Framing::Length);
            }
        }
    }

    /// What the answer is read from.
    pub fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// What comes of the body, at most `most` bytes of it, and why it is not whole.
    pub fn whole(&mut self, most: u64) -> (Vec<u8>, io::Result<()>) {
        let mut body = Vec::new();
        let read = self.by_ref().take(most.saturating_add(1)).read_to_end(&mut body);
        let too_long = u64::try_from(body.len()).unwrap_or(u64::MAX) > most;
        let whole = match read {
            Ok(_) if too_long => Err(io::Error::new(io::ErrorKind::FileTooLarge, "the answer is too long")),
            read => read.map(drop),
        };
        (body, whole)
    }

    /// The length of the next chunk; 0 behind the last.
    fn next_chunk(&mut self) -> io::Result<u64> {
        let mut lines = self.source.by_ref().take(LONGEST_HEAD);
        let size = line(&mut lines)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "a chunk without a length");
        let length = u64::from_str_radix(digits, 16).map_err(|_| broken())?;
        if length == 0 {
            // Trailers tell nothing that matters here, and a peer that closes before their end has said all.
            while line(&mut lines).is_ok_and(|line| !line.is_empty()) {}
        }
        Ok(length)
    }
}

impl<R: BufRead> Read for Answer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.framing == Framing::Chunk(None) {
            self.framing = match self.next_chunk()? {
                0 => Framing::Length(0),
                length => Framing::Chunk(Some(length)),
            };
        }
        let (Framing::Length(left) | Framing::Chunk(Some(left))) = self.framing else {
            return self.source.read(buffer);
        };
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let read = self.source.read(buffer.get_mut(..room).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        self.framing = match self.framing {
            Framing::Chunk(_) if left == 0 => {
                line(&mut self.source.by_ref().take(LONGEST_HEAD))?;
                Framing::Chunk(None)
            }
            Framing::Chunk(_) => Framing::Chunk(Some(left)),
            _ => Framing::Length(left),
        };
        Ok(read)
    }
}

/// A line of a head, without its end.
fn line(source: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    source.read_until(b'\n', &mut bytes)?;
    let Some(line) = bytes.strip_suffix(b"\n") else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::sys::socket::{Backlog, listen};

    use super::*;

    /// A socket whose queue is full: who connects waits.
    fn full(path: &Path) -> (UnixListener, Vec<UnixStream>) {
        let listener = UnixListener::bind(path).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let mut waiting = Vec::new();
        loop {
            match dial_one(path, Duration::ZERO) {
                Ok(stream) => waiting.push(stream),
                Err(errno) => {
                    assert_eq!(errno, Errno::EAGAIN);
                    return (listener, waiting);
                }
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test measures how long it took")]
    fn all_places_together_have_the_time_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two, good] = ["one", "two", "good"].map(|name| dir.path().join(name));
        let _full = [full(&one), full(&two)];
        let began = Instant::now();
        let hang = [one.clone(), two.clone()];
        let tried = dial(&hang, Patience::from_now(Duration::from_millis(1500))).unwrap_err();
        assert_eq!(tried, [(one.as_path(), Errno::EAGAIN), (two.as_path(), Errno::EAGAIN)]);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1490) && took < Duration::from_millis(2900), "{took:?}");
        // Who serves behind them has time to answer, and is not left out when it is over.
        let _listener = UnixListener::bind(&good).unwrap();
        let places = [one, two, good.clone()];
        let patience = Patience::from_now(Duration::from_millis(2400));
        assert_eq!(dial(&places, patience).unwrap().1, good);
        assert!(patience.left().is_ok());
        assert_eq!(dial(&places, Patience::from_now(Duration::ZERO)).unwrap().1, good);
    }

    /// The status, and the body or the kind of its error.
    fn read(text: &str) -> Option<(u16, Result<String, io::ErrorKind>)> {
        let mut answer = Answer::read(text.as_bytes()).ok()?;
        let (body, whole) = answer.whole(20);
        Some((answer.code, whole.map(|()| String::from_utf8(body).unwrap()).map_err(|error| error.kind())))
    }

    fn body(text: &str) -> Result<String, io::ErrorKind> {
        read(text).unwrap().1
    }

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let fine = |code, body: &str| Some((code, Ok(body.to_owned())));
        assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\n"), fine(200, "\n"));
        assert_eq!(read("HTTP/1.1 422 X\r\nA: b\r\n\r\na\nb\n"), fine(422, "a\nb\n"));
        assert_eq!(read("HTTP/1.0 503\r\nA: b\r\n\r\n"), fine(503, ""));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\nx"), fine(204, ""));
        for broken in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK"] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(10_000));
        assert_eq!(read(&endless), None);
    }

    #[test]
    fn a_length_says_where_the_end_is() {
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef"), Ok("abc".to_owned()));
        let short = body("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc");
        assert_eq!(short, Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(body(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(21))), Err(io::ErrorKind::FileTooLarge));
    }

    #[test]
    fn chunks_are_put_together() {
        let of = |chunks: &str| body(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n{chunks}"));
        assert_eq!(of("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n"), Ok("abc0123456789".to_owned()));
        assert_eq!(of("1\r\na\r\n0\r\n"), Ok("a".to_owned()));
        assert_eq!(of("0\r\n\r\n"), Ok(String::new()));
        assert_eq!(of("3\r\nab"), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(of("3\r\nabc\r\n"), Err(io::ErrorKind::UnexpectedEof));
        for broken in ["x\r\n", "-1\r\na\r\n", "fffffffffffffffff\r\n", "\r\n"] {
            assert_eq!(of(broken), Err(io::ErrorKind::InvalidData), "{broken:?}");
        }
        assert_eq!(of("ffffffffffffffff\r\nabc"), Err(io::ErrorKind::UnexpectedEof));
    }
}
