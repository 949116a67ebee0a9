//! Jobs that make work, as hidden modes of this program.
//!
//! - `load orphans N DIR`: when `DIR/go` is there, leaves N orphans to PID 1 and looks until it has reaped them all;
//! - `load lines BYTES CHUNK FILE`: writes lines of 100 bytes, so many bytes a write (0: a line a write), then an end mark;
//! - `load sink FILE`: reads lines up to that mark, and whatever comes after;
//! - `load ask SOCKET PATH CLIENTS N FILE`: asks N times for each client, all clients at the same time.
//!
//! The two in the middle stay until they are ended. Each writes its figures to its file, all at once.

use std::ffi::CString;
use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use crate::namespace::now;
use crate::observe;

/// The length of a line, its end included.
pub const LINE: usize = 100;
/// No line has it, and every relay lets it through as it is, in JSON, too.
const END: u8 = b'~';

/// Runs it. Returns the exit status.
pub fn run(words: &[CString]) -> i32 {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str().ok()).collect();
    let done = match *words.as_slice() {
        ["orphans", count, dir] => {
            count.parse().map_err(io::Error::other).and_then(|count| orphans(count, dir.as_ref()))
        }
        ["lines", bytes, chunk, file] => bytes
            .parse()
            .and_then(|bytes| Ok((bytes, chunk.parse()?)))
            .map_err(io::Error::other)
            .and_then(|(bytes, chunk)| lines(bytes, chunk, file.as_ref())),
        ["sink", file] => sink(file.as_ref()),
        ["ask", socket, path, clients, count, file] => clients
            .parse()
            .and_then(|clients| Ok((clients, count.parse()?)))
            .map_err(io::Error::other)
            .and_then(|(clients, count)| ask(socket.as_ref(), path, clients, count, file.as_ref())),
        _ => return 2,
    };
    i32::from(done.is_err())
}

/// What a load has written down, if it has.
pub fn figures(file: &Path) -> Option<Vec<u64>> {
    fs::read_to_string(file).ok()?.split_whitespace().map(|word| word.parse().ok()).collect()
}

fn note(file: &Path, figures: &[u64]) -> io::Result<()> {
    let words: Vec<String> = figures.iter().map(u64::to_string).collect();
    let mut aside = PathBuf::from(file);
    aside.set_extension("part");
    fs::write(&aside, words.join(" "))?;
    fs::rename(&aside, file)
}

/// SIGTERM ends it.
fn stay() -> ! {
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}

fn orphans(count: u64, dir: &Path) -> io::Result<()> {
    let children = || observe::children(1).len();
    fs::write(dir.join("ready"), "")?;
    while !dir.join("go").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let before = children();
    let first = now();
    let mut left = count;
    while left > 0 {
        if leave_an_orphan() {
            left -= 1;
        } else {
            // No process is to be had: PID 1 is behind.
            thread::sleep(Duration::from_micros(200));
        }
    }
    let last = now();
    // A look at many children keeps the kernel from giving PID 1 any: few looks while there are many.
    let patience = last + 10_000_000_000;
    let mut unreaped = children().saturating_sub(before);
    while unreaped > 0 && now() < patience {
        thread::sleep(Duration::from_micros(if unreaped > 500 { 2000 } else { 100 }));
        unreaped = children().saturating_sub(before);
    }
    note(&dir.join("orphans"), &[first, last, now(), unreaped as u64])?;
    stay()
}

/// A child that leaves a child and ends.
#[expect(unsafe_code, reason = "nothing else makes orphans")]
fn leave_an_orphan() -> bool {
    // SAFETY: there is one thread, and the children only fork and exit.
    unsafe {
        match fork() {
            Ok(ForkResult::Child) => {
                let _ = fork();
                libc::_exit(0)
            }
            Ok(ForkResult::Parent { child }) => waitpid(child, None).is_ok(),
            Err(_) => false,
        }
    }
}

fn lines(bytes: usize, chunk: usize, file: &Path) -> io::Result<()> {
    let in_a_write = (chunk / LINE).max(1);
    let line = |n: usize| {
        let text =
            b"abcdefghijklmnopqrstuvwxyz0123456789 ".iter().cycle().skip(n % 37).step_by(7).take(LINE - 1).copied();
        text.chain([b'\n'])
    };
    let block: Vec<u8> = (0..in_a_write).flat_map(line).collect();
    let writes = bytes.div_ceil(block.len());
    let mut output = plain_stdout()?;
    let first = now();
    for _ in 0..writes {
        output.write_all(&block)?;
    }
    output.write_all(&[END, b'\n'])?;
    note(file, &[first, now(), (writes * in_a_write) as u64, (writes * block.len()) as u64])?;
    stay()
}

fn sink(file: &Path) -> io::Result<()> {
    let mut input = fs::File::from(std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?);
    let mut buffer = vec![0; 1 << 20];
    let (mut lines, mut ended) = (0, false);
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut bytes = buffer.get(..length).unwrap_or_default();
        if ended {
            continue;
        }
        if let Some(end) = bytes.iter().rposition(|byte| *byte == END) {
            bytes = bytes.get(..end).unwrap_or_default();
            ended = true;
        }
        while !bytes.is_empty() {
            let rest = bytes;
            let length = bytes.skip_until(b'\n')?;
            lines += u64::from(rest.get(..length).is_some_and(|line| line.ends_with(b"\n")));
        }
        if ended {
            note(file, &[now(), lines])?;
        }
    }
}

/// Notes how long the middle one took and 99 of 100, in nanoseconds, and how many were not answered with 200.
fn ask(socket: &Path, path: &str, clients: usize, count: usize, file: &Path) -> io::Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: socket\r\nConnection: close\r\n\r\n");
    let one = || -> io::Result<(u64, bool)> {
        let begin = now();
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok((now().saturating_sub(begin), answer.starts_with(b"HTTP/1.1 200 ")))
    };
    let answers: Vec<(u64, bool)> = thread::scope(|scope| {
        let client = || (0..count).map(|_| one().unwrap_or((0, false))).collect::<Vec<_>>();
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap_or_default()).collect()
    });
    let refused = answers.iter().filter(|(_, good)| !good).count();
    let mut times: Vec<u64> = answers.iter().map(|(took, _)| *took).collect();
    times.sort_unstable();
    let at = |hundredth: usize| times.get(times.len() * hundredth / 100).copied().unwrap_or(0);
    note(file, &[at(50), at(99), refused as u64])
}

/// Without Rust's buffer, which looks for ends of lines.
fn plain_stdout() -> io::Result<fs::File> {
    Ok(fs::File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?))
}
