//! Questions to the instance, and its answers as types.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use super::{Failed, Host, Refused};
use crate::api::Refusal;
use crate::control::client::wire::{self, Answer, Patience, Peer, Request};
use crate::duration::elapsed;
use crate::errno::{go_words, go_words_of};

/// An ordinary question takes no longer; a stream begins within that.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that has something to say later sends something so often at least.
const SILENCE: Duration = Duration::from_mins(1);

/// The longest answer that is read: thousands of jobs.
const LONGEST: u64 = 16 << 20;

/// The longest line of a stream that is read: 64 KiB of output, each byte of it escaped, and what stands beside it.
const LONGEST_LINE: u64 = 1 << 20;

/// So much of what is no JSON is shown.
const SHOWN: usize = 200;

/// What somebody waits for at a keyboard.
const HURRY: Duration = Duration::from_secs(1);

/// A running instance.
pub(super) struct Instance<'a> {
    host: &'a Host,
    patience: Duration,
}

/// An answer's head, and who gave it.
struct Heard {
    answer: Answer<BufReader<Peer>>,
    place: PathBuf,
}

impl<'a> Instance<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, patience: PATIENCE }
    }

    /// The same, for who does not wait long.
    pub(super) fn in_a_hurry(&self) -> Self {
        Self { patience: HURRY, ..*self }
    }

    /// `GET`. Here and below the answer may stay what it was, a [`Value`]: machines are handed on what nobody here has to
    /// understand.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        understood(self.ask("GET", path, "")?)
    }

    /// `POST` without a body.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        understood(self.ask("POST", path, "")?)
    }

    /// `POST` with one.
    pub(super) fn send<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failed> {
        understood(self.ask("POST", path, &written(body)?)?)
    }

    /// Likewise, where the answer begins at once and its end may take minutes.
    pub(super) fn send_and_wait<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failed> {
        let mut heard = self.ask("POST", path, &written(body)?)?;
        heard.answer.source_mut().get_mut().be_patient(Patience::Silence(SILENCE));
        understood(heard)
    }

    /// A stream.
    pub(super) fn lines(&self, path: &str) -> Result<Lines, Failed> {
        let mut heard = self.ask("GET", path, "")?;
        if !is_fine(heard.answer.code) {
            return Err(refused(heard));
        }
        heard.answer.source_mut().get_mut().be_patient(Patience::Silence(SILENCE));
        Ok(Lines { source: BufReader::new(heard.answer), place: heard.place })
    }

    /// Asks the first of the sockets at which somebody serves.
    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Heard, Failed> {
        let patience = Patience::from_now(self.patience);
        let dialled = wire::dial(&self.host.places, patience);
        let (stream, place) = dialled.map_err(|tried| Failed::Nobody(nobody(&tried, &self.host.note)))?;
        match wire::ask(stream, &Request { method, path, body }, patience) {
            Ok(answer) => Ok(Heard { answer, place: place.to_owned() }),
            Err(error) => Err(broken(place, &error)),
        }
    }
}

/// Where nobody was, and what to do.
fn nobody(tried: &[(&Path, Errno)], note: &str) -> String {
    let refused = tried.iter().any(|(_, errno)| *errno == Errno::EACCES);
    let mut text =
        if refused { "the running instance may not be asked" } else { "no running instance answers" }.to_owned();
    for (place, errno) in tried {
        let _ = write!(text, "\n  {}: {}", place.display(), go_words(*errno));
    }
    if !note.is_empty() {
        let _ = write!(text, "\n  {note}");
    }
    text += if refused {
        "\n  only root and the user that it runs as may ask it"
    } else {
        "\n  --socket PATH or the variable CONTAINERPILOT_SOCKET names another place"
    };
    text
}

fn written(body: &impl Serialize) -> Result<String, Failed> {
    serde_json::to_string(body).map_err(|error| Failed::Other(format!("the question can't be written: {error}")))
}

fn is_fine(code: u16) -> bool {
    (200..300).contains(&code)
}

/// The answer as a type, or the refusal that it is. What does not depend on the type stands in functions of its own, which
/// are in the binary once.
fn understood<T: DeserializeOwned>(heard: Heard) -> Result<T, Failed> {
    let (json, place) = json(heard)?;
    typed(&json, &place)
}

fn json(mut heard: Heard) -> Result<(Value, PathBuf), Failed> {
    if !is_fine(heard.answer.code) {
        return Err(refused(heard));
    }
    let (body, whole) = heard.answer.whole(LONGEST);
    whole.map_err(|error| broken(&heard.place, &error))?;
    let json: Value = serde_json::from_slice(&body).map_err(|error| puzzled(&heard.place, &error))?;
    // One that came late, when the status was sent already.
    match refusal(json) {
        Ok(refused) => Err(Failed::Refused(refused)),
        Err(json) => Ok((json, heard.place)),
    }
}

fn typed<T: DeserializeOwned>(json: &Value, place: &Path) -> Result<T, Failed> {
    T::deserialize(json).map_err(|error| puzzled(place, &error))
}

/// What an answer refuses, or the answer again.
fn refusal(json: Value) -> Result<Box<Refused>, Value> {
    match json.get("error").map(|_| Refusal::deserialize(&json)) {
        Some(Ok(Refusal { error })) => Ok(Box::new(Refused { error, json })),
        _ => Err(json),
    }
}

/// What a status that is not 2xx says.
fn refused(mut heard: Heard) -> Failed {
    let code = heard.answer.code;
    let (body, _) = heard.answer.whole(LONGEST);
    if let Some(Ok(refused)) = serde_json::from_slice(&body).ok().map(refusal) {
        return Failed::Refused(refused);
    }
    let text = String::from_utf8_lossy(&body);
    let said: String = text.trim().lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    let place = heard.place.display();
    let colon = if said.is_empty() { "" } else { ": " };
    let older = if code == 404 { "; it may be older than this command" } else { "" };
    Failed::Other(format!("the instance at {place} answered {code}{colon}{said}{older}"))
}

fn puzzled(place: &Path, error: &serde_json::Error) -> Failed {
    Failed::Other(format!("the instance at {} answered what is not understood: {error}", place.display()))
}

/// The answer did not come, or not whole.
fn broken(place: &Path, error: &io::Error) -> Failed {
    let place = place.display();
    match error.kind() {
        io::ErrorKind::TimedOut => Failed::Other(format!("the instance at {place} does not answer in time")),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            Failed::Other(format!("the instance at {place} ended the connection before it had answered"))
        }
        _ => Failed::Other(format!("the answer of the instance at {place} can't be read: {}", go_words_of(error))),
    }
}

/// A stream of lines, each a JSON object.
pub(super) struct Lines {
    source: BufReader<Answer<BufReader<Peer>>>,
    place: PathBuf,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A line, which is [`Lines::typed`] yet.
    Line(Value),
    /// Lines that are no more: [`crate::api::Lost`] yet.
    Lost(Value),
    /// Nothing new; the server lives.
    Alive,
    /// The stream is over, in order or not.
    End(io::Result<()>),
}

impl Lines {
    /// Waits for the next line.
    pub(super) fn next(&mut self) -> Result<Next, Failed> {
        let mut line = Vec::new();
        let read = self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let place = self.place.display();
                return Err(Failed::Other(format!("the instance at {place} was silent for {}", elapsed(SILENCE))));
            }
            // What has no end is no line.
            Err(error) => return Ok(Next::End(Err(error))),
            Ok(0) => return Ok(Next::End(Ok(()))),
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && u64::try_from(line.len()).is_ok_and(|length| length >= LONGEST_LINE) {
            return Err(Failed::Other(format!("the instance at {} sent a line without an end", self.place.display())));
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(Next::Alive);
        }
        let json: Value = serde_json::from_slice(line).map_err(|error| puzzled(&self.place, &error))?;
        let json = match refusal(json) {
            Ok(refused) => return Err(Failed::Refused(refused)),
            Err(json) => json,
        };
        if json.get("dropped").is_some() {
            return Ok(Next::Lost(json));
        }
        Ok(Next::Line(json))
    }

    /// The line as what it should be.
    pub(super) fn typed<T: DeserializeOwned>(&self, json: &Value) -> Result<T, Failed> {
        typed(json, &self.place)
    }

    /// Whether the next line is here already, and nobody has to wait for it.
    pub(super) fn has_more(&self) -> bool {
        self.source.buffer().contains(&b'\n')
    }
}

/// A name as it stands in a path.
pub(super) fn encoded(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("web-1.x_y~"), "web-1.x_y~");
        assert_eq!(encoded("a/b ü?#%"), "a%2Fb%20%C3%BC%3F%23%25");
    }

    #[test]
    fn where_nobody_was_is_told() {
        let tried = [(Path::new("/a"), Errno::ENOENT), (Path::new("/b"), Errno::ECONNREFUSED)];
        insta::assert_snapshot!("nobody", nobody(&tried, "CONTAINERPILOT names /x.json5, which can't be used"));
        insta::assert_snapshot!("not_the_owner", nobody(&[(Path::new("/a"), Errno::EACCES)], ""));
    }
}
