//! Standard output: who reads it, and what may be written there.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::render::Look;
use super::{Failed, Host};

/// The width of a terminal that does not know its own.
const USUAL: usize = 80;

/// Where the answers are written.
pub(super) struct Output<'a> {
    to: BufWriter<Stdout>,
    host: &'a Host,
    /// A person looks at it.
    terminal: bool,
    /// The person's terminal knows no escape sequences.
    dumb: bool,
    colour: bool,
}

impl<'a> Output<'a> {
    pub(super) fn of_this_process(host: &'a Host) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = host.env.get("TERM").is_some_and(|term| term == "dumb");
        let no_colour = host.env.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = terminal && !dumb && !no_colour;
        Self { to: BufWriter::new(io::stdout()), host, terminal, dumb, colour }
    }

    /// How things are to be shown here and now: the window may have another size each time.
    pub(super) fn look(&self) -> Look<'_> {
        let columns = self.host.env.get_text("COLUMNS").and_then(|text| text.parse().ok()).filter(|width| *width > 0);
        let width = || columns.or_else(|| Some((self.host.terminal_size)()?.0)).unwrap_or(USUAL);
        Look { width: self.terminal.then(width), colour: self.colour, offset: &self.host.offset, now: now() }
    }

    /// How many rows can be drawn; nothing where nothing can.
    pub(super) fn rows(&self) -> Option<usize> {
        let known = || (self.host.terminal_size)().map_or(usize::MAX, |(_, rows)| rows);
        (self.terminal && !self.dumb).then(known)
    }

    /// Writes a text, which is seen with the next [`Self::flush`].
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failed> {
        self.to.write_all(text.as_bytes()).map_err(|error| failed(&error))
    }

    /// Shows what was written.
    pub(super) fn flush(&mut self) -> Result<(), Failed> {
        self.to.flush().map_err(|error| failed(&error))
    }

    /// Asks whether somebody still reads: who only waits for lines would not find out.
    pub(super) fn ask_reader() -> Result<(), Failed> {
        let stdout = io::stdout();
        let mut asked = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
        match poll(&mut asked, PollTimeout::ZERO) {
            Ok(1..) if asked.iter().any(|fd| fd.revents().is_some_and(|events| events.intersects(gone))) => {
                Err(Failed::ReaderGone)
            }
            _ => Ok(()),
        }
    }
}

/// In seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(0)
}

fn failed(error: &io::Error) -> Failed {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failed::ReaderGone,
        _ => Failed::Other(format!("could not write to stdout: {error}")),
    }
}
