use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::time::UNIX_EPOCH;

use nix::unistd::pipe;

use super::super::{Formatter, Record, Zone};
use super::*;
use crate::plan::{Level, LogFormat};

fn batch(lines: &[&str]) -> Batch {
    let mut formatter = Formatter::new(LogFormat::Default, None, Zone::utc());
    let mut batch = Batch::default();
    for line in lines {
        batch.push(&mut formatter, &Record::own(UNIX_EPOCH, Level::Info, line));
    }
    batch
}

fn tell(notice: &Notice) -> Vec<u8> {
    match notice {
        Notice::Lost(lines, why) => format!("[{lines} {why:?}]\n"),
        Notice::NotReopened(_, why) => format!("[stale {why:?}]\n"),
    }
    .into_bytes()
}

/// How many of these lines were lost.
fn written(output: &mut Output, lines: &[&str], now: Instant) -> u64 {
    output.write(&batch(lines), now, &Pulse::default(), tell)
}

fn opened(path: &Path) -> Output {
    Output::open(&LogOutput::File(path.to_owned())).unwrap()
}

/// What the lines say, without their time.
fn said(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.replace("1970-01-01T00:00:00Z ", "")).collect()
}

#[expect(clippy::disallowed_methods, reason = "a clock to count from")]
fn start() -> Instant {
    Instant::now()
}

fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_pipe_that_somebody_made_nonblocking_is_waited_for() {
    let (mut reader, writer): (File, OwnedFd) = pipe().map(|(r, w)| (r.into(), w)).unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let wanted = bytes.clone();
    let thread = std::thread::spawn(move || put(writer.as_fd(), &bytes, &Pulse::default()));
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(()));
    assert!(read == wanted);
}

#[test]
fn a_renamed_file_is_followed_within_a_second_and_a_deleted_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
    let mut output = opened(&path);
    let t = start();
    assert_eq!(written(&mut output, &["one"], t), 0);
    std::fs::rename(&path, &old).unwrap();
    assert_eq!(written(&mut output, &["two"], t + Duration::from_millis(999)), 0);
    assert_eq!(written(&mut output, &["three"], t + after(1)), 0);
    assert_eq!(said(&old), ["one", "two"]);
    assert_eq!(said(&path), ["three"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(written(&mut output, &["four"], t + after(2)), 0);
    assert_eq!(said(&path), ["four"]);
    // The path may come to be another file that somebody else has made.
    std::fs::rename(&path, &old).unwrap();
    std::fs::write(&path, "theirs\n").unwrap();
    output.reopen(t + after(2));
    assert_eq!(written(&mut output, &["five"], t + after(2)), 0);
    assert_eq!(said(&path), ["theirs", "five"]);
}

#[test]
fn a_file_that_cannot_be_opened_again_is_tried_every_five_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, away) = (dir.path().join("logs"), dir.path().join("away"));
    std::fs::create_dir(&logs).unwrap();
    let path = logs.join("log");
    let mut output = opened(&path);
    let t = start();
    assert_eq!(written(&mut output, &["one"], t), 0);
    // The file only moved: nothing is lost, and it is said once.
    std::fs::rename(&logs, &away).unwrap();
    assert_eq!(written(&mut output, &["two"], t + after(1)), 0);
    assert_eq!(written(&mut output, &["three"], t + after(6)), 0);
    assert_eq!(said(&away.join("log")), ["one", "[stale ENOENT]", "two", "three"]);
    assert!(!logs.exists(), "no directory may be created");
    // Now it has no name any more: its lines would be lost without anybody knowing.
    std::fs::remove_file(away.join("log")).unwrap();
    assert_eq!(written(&mut output, &["four", "five"], t + after(11)), 2);
    std::fs::rename(&away, &logs).unwrap();
    assert_eq!(written(&mut output, &["six"], t + after(15)), 1);
    assert_eq!(written(&mut output, &["seven"], t + after(16)), 0);
    assert_eq!(said(&path), ["[3 ENOENT]", "seven"]);
}

#[test]
fn two_failures_without_a_line_between_them_are_still_told() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, away) = (dir.path().join("logs"), dir.path().join("away"));
    std::fs::create_dir(&logs).unwrap();
    let path = logs.join("log");
    let mut output = opened(&path);
    let t = start();
    assert_eq!(written(&mut output, &["one"], t), 0);
    std::fs::rename(&logs, &away).unwrap();
    output.reopen(t);
    output.reopen(t);
    assert_eq!(written(&mut output, &["two"], t), 0);
    // Told once, also if it fails once more for the same reason.
    output.reopen(t);
    assert_eq!(written(&mut output, &["three"], t), 0);
    assert_eq!(said(&away.join("log")), ["one", "[stale ENOENT]", "two", "three"]);
}

#[test]
fn a_full_device_takes_nothing_and_breaks_nothing() {
    let mut output = opened(Path::new("/dev/full"));
    let t = start();
    assert_eq!(written(&mut output, &["one", "two"], t), 2);
    assert_eq!(written(&mut output, &["three"], t + after(9)), 1);
    assert_eq!(output.failing.as_ref().map(|f| (f.lines, f.why)), Some((3, Errno::ENOSPC)));
}

#[test]
fn a_directory_is_an_error_and_a_named_pipe_without_a_reader_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let error = Output::open(&LogOutput::File(dir.path().to_owned())).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::EISDIR as i32));
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut output = opened(&path);
    let t = start();
    assert_eq!(written(&mut output, &["nobody listens"], t), 1);
    let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    assert_eq!(written(&mut output, &["too early"], t + after(4)), 1);
    assert_eq!(written(&mut output, &["heard"], t + after(5)), 0);
    let mut bytes = vec![0; 100];
    let n = reader.read(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes[..n]), "[2 ENXIO]\n1970-01-01T00:00:00Z heard\n");
    // Nobody reads any more, then somebody does again.
    drop(reader);
    assert_eq!(written(&mut output, &["into the void"], t + after(6)), 1);
    let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    assert_eq!(written(&mut output, &["again"], t + after(6)), 0);
    let n = reader.read(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes[..n]), "[1 EPIPE]\n1970-01-01T00:00:00Z again\n");
}

/// A file system of 16 KiB, gone at the end of the test.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        let dir = tempfile::tempdir().unwrap();
        let options = Some("size=16k");
        // Only root may; elsewhere /dev/full has to do.
        mount(Some("tmpfs"), dir.path(), Some("tmpfs"), MsFlags::empty(), options).ok().map(|()| Self(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_file_system_costs_whole_lines_and_is_told_when_there_is_space() {
    let Some(tiny) = Tiny::mount() else {
        return;
    };
    let (path, filler) = (tiny.0.path().join("log"), tiny.0.path().join("filler"));
    std::fs::write(&filler, vec![0; 8192]).unwrap();
    let mut output = opened(&path);
    let t = start();
    let long = "x".repeat(1500);
    let lines = [long.as_str(); 8];
    let lost = written(&mut output, &lines, t);
    assert!((2..8).contains(&lost), "{lost}");
    assert_eq!(written(&mut output, &["more"], t), 1);
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(written(&mut output, &["after"], t), 0);
    let said = said(&path);
    let whole = said.iter().filter(|line| **line == long).count() as u64;
    assert_eq!(whole, 8 - lost);
    // The line that was cut ends where it was cut.
    assert_eq!(said[said.len() - 2..], [format!("[{} ENOSPC]", lost + 1), "after".to_owned()]);
    assert!(said[said.len() - 3].starts_with('x') && said[said.len() - 3].len() < 1500);
}
