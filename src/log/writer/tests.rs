use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe;

use super::*;
use crate::kept::{Begin, Lines, LogStream, Reader};
use crate::log::{Origin, Speaker};
use crate::plan::{LogFormat, LogOutput};

const LINE: &str = "a line of an ordinary length, as a web server writes one for each request that it answers";

fn logging(output: PathBuf) -> Logging {
    Logging { level: Level::Info, format: LogFormat::Default, output: LogOutput::File(output) }
}

/// A log into a pipe, and the reader's end. The writer's comes with the guard, and must live as long: the log knows
/// the pipe by its number, which else would come to mean another test's file.
fn piped() -> (Log, (LogGuard, OwnedFd), File) {
    let (reader, writer): (OwnedFd, OwnedFd) = pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
    let (log, guard) = Log::start(&logging(path), Kept::new()).unwrap();
    (log, (guard, writer), reader.into())
}

fn say(log: &Log, message: &str) {
    log.own(&Record::own(SystemTime::now(), Level::Info, message));
}

/// The log's queue is full.
#[derive(Debug, PartialEq)]
struct Full;

fn job_says(log: &Log, line: &str) -> Result<(), Full> {
    let web = Speaker { origin: Origin::Job("web"), pid: Some(7), stream: None };
    let taken = log.lines(SystemTime::now()).push(web, Block::of(line.as_bytes()));
    if taken == line.len() { Ok(()) } else { Err(Full) }
}

/// Lets a job write until none of its lines is taken any more, the writer being stuck with those that it took. Gives their
/// number.
fn fill(log: &Log, guard: &(LogGuard, OwnedFd)) -> u64 {
    let mut accepted = 0_u64;
    loop {
        let is_stuck = poll(&mut [PollFd::new(guard.1.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO) == Ok(0);
        while job_says(log, &format!("{accepted} {LINE}")) == Ok(()) {
            accepted += 1;
            assert!(accepted < 100_000, "never refused");
        }
        // It looks so between two of its writes, too.
        if is_stuck {
            std::thread::park_timeout(Duration::from_millis(50));
            if job_says(log, &format!("{accepted} {LINE}")) == Err(Full) {
                return accepted;
            }
            accepted += 1;
        }
        // On a busy machine it may not have had the processor yet.
        std::thread::yield_now();
    }
}

/// Runs this and tells how long it took.
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let before = SystemTime::now();
    let result = run();
    (result, before.elapsed().unwrap())
}

/// Reads lines, without their time, until this one comes.
fn read_until(reader: &mut File, last: &str) -> Vec<String> {
    read_while(reader, |text| !text.ends_with(&format!("{last}\n")))
}

/// Reads lines, without their time, while what came is not enough.
fn read_while(reader: &mut File, not_enough: impl Fn(&str) -> bool) -> Vec<String> {
    let mut text = String::new();
    let mut bytes = vec![0; 65_536];
    while not_enough(&text) {
        let n = reader.read(&mut bytes).unwrap();
        assert!(n > 0, "the end came too early");
        text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
    text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// How many lines this text says are lost. A writer that comes to the processor now and then says it in several pieces.
fn told_lost(text: &str) -> u64 {
    let number = |line: &str| {
        let line = line.strip_suffix(": the log output was blocked")?;
        let line = line.strip_suffix(" log lines were lost").or_else(|| line.strip_suffix(" log line was lost"))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    text.lines().filter_map(number).sum()
}

fn within<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), future).await.ok() })
}

#[test]
fn a_blocked_output_costs_our_lines_counted_and_said_and_never_time() {
    let (log, guard, mut reader) = piped();
    let mut slowest = Duration::ZERO;
    for n in 0..30_000 {
        slowest = slowest.max(timed(|| say(&log, &format!("{n} {LINE}"))).1);
    }
    let lost = log.lost();
    assert!((1..29_000).contains(&lost), "{lost}");
    // Who waits does so for ever, as nobody reads.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let (done, took) = timed(|| log.flush(Duration::from_millis(100)));
    assert!(!done && took < Duration::from_secs(5), "{took:?}");

    let lines = read_while(&mut reader, |text| told_lost(text) < lost);
    assert_eq!(told_lost(&lines.join("\n")), lost);
    // All that was accepted, in order, and a notice wherever others are missing.
    let mut next = 0;
    for line in lines {
        let missing = told_lost(&line);
        if missing == 0 {
            assert_eq!(line, format!("{next} {LINE}"));
        }
        next += missing.max(1);
    }
    assert_eq!(next, 30_000);
    say(&log, "and on");
    assert_eq!(read_until(&mut reader, "and on"), ["and on"]);
    assert_eq!(log.lost(), lost);
    assert!(log.flush(Duration::from_secs(5)));
    drop(guard);
}

#[test]
fn a_blocked_output_pushes_jobs_back_and_leaves_room_for_us() {
    let (log, guard, mut reader) = piped();
    let accepted = usize::try_from(fill(&log, &guard)).unwrap();
    say(&log, "our own word");
    assert_eq!(job_says(&log, "x"), Err(Full));
    assert_eq!(log.lost(), 0);
    let reader = std::thread::spawn(move || read_until(&mut reader, "web 7 again"));
    assert_eq!(within(log.room()), Some(()));
    assert_eq!(job_says(&log, "again"), Ok(()));
    let lines = reader.join().unwrap();
    assert_eq!(lines.len(), accepted + 2);
    assert_eq!(lines[accepted..], ["our own word", "web 7 again"]);
    assert_eq!(log.lost(), 0);
}

#[test]
fn room_that_came_before_anybody_waited_is_not_missed() {
    let (log, guard, mut reader) = piped();
    fill(&log, &guard);
    say(&log, "end");
    read_until(&mut reader, "end");
    assert_eq!(within(log.room()), Some(()));
}

#[test]
fn every_line_of_a_flood_arrives_in_order() {
    let (log, _guard, mut reader) = piped();
    let reader = std::thread::spawn(move || read_until(&mut reader, "end"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for n in 0..50_000 {
            while job_says(&log, &format!("{n}")) == Err(Full) {
                log.room().await;
            }
        }
    });
    say(&log, "end");
    let lines = reader.join().unwrap();
    assert_eq!(lines.len(), 50_001);
    assert!(lines.iter().take(50_000).enumerate().all(|(n, line)| *line == format!("web 7 {n}")));
    assert_eq!(log.lost(), 0);
}

#[test]
fn the_end_waits_a_second_for_a_blocked_output_and_no_longer() {
    let (log, guard, _reader) = piped();
    fill(&log, &guard);
    let ((), took) = timed(|| drop(guard));
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(2500), "{took:?}");
    // After the end nobody waits for a log that will never be written.
    assert_eq!(job_says(&log, "late"), Ok(()));
    say(&log, "late");
    assert_eq!(log.lost(), 2);
    assert_eq!(within(log.room()), Some(()));
}

#[test]
fn a_closed_pipe_is_survived() {
    let (log, guard, reader) = piped();
    drop(reader);
    for _ in 0..3 {
        say(&log, "nobody hears this");
        assert!(log.flush(Duration::from_secs(5)));
    }
    assert_eq!(log.lost(), 3);
    let ((), took) = timed(|| drop(guard));
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn a_full_device_is_survived() {
    let (log, _guard) = Log::start(&logging("/dev/full".into()), Kept::new()).unwrap();
    say(&log, "one");
    assert_eq!(job_says(&log, "two"), Ok(()));
    assert!(log.flush(Duration::from_secs(5)));
    assert_eq!(log.lost(), 2);
}

#[test]
fn a_rotated_file_is_followed_without_being_told() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
    let (log, _guard) = Log::start(&logging(path.clone()), Kept::new()).unwrap();
    say(&log, "0");
    assert!(log.flush(Duration::from_secs(5)));
    std::fs::rename(&path, &old).unwrap();
    let deadline = SystemTime::now() + Duration::from_secs(5);
    let mut written = 1;
    while !path.exists() {
        assert!(SystemTime::now() < deadline, "not followed");
        say(&log, &format!("{written}"));
        written += 1;
        assert!(log.flush(Duration::from_secs(5)));
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let both = std::fs::read_to_string(&old).unwrap() + &std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = both.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, (0..written).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn reopening_and_switching_happen_between_the_lines_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let [a, moved, b] = ["a", "a.1", "b"].map(|name| dir.path().join(name));
    let (log, guard) = Log::start(&logging(a.clone()), Kept::new()).unwrap();
    say(&log, "1");
    assert!(log.flush(Duration::from_secs(5)));
    std::fs::rename(&a, &moved).unwrap();
    say(&log, "2");
    log.reopen();
    say(&log, "3");
    let json = Logging { format: LogFormat::Json, output: LogOutput::File(b.clone()), level: Level::Warn };
    log.reconfigure(&json).unwrap();
    say(&log, "below the new level");
    log.own(&Record::own(SystemTime::UNIX_EPOCH, Level::Fatal, "4"));
    // A bad one changes nothing.
    let error = log.reconfigure(&logging(dir.path().join("no/log"))).unwrap_err();
    assert!(matches!(error, LogError::File { .. }));
    log.own(&Record::own(SystemTime::UNIX_EPOCH, Level::Warn, "5"));
    drop(guard);
    let read = |path| std::fs::read_to_string(path).unwrap();
    assert!(read(&moved).lines().map(|line| line.split_once(' ').unwrap().1).eq(["1", "2"]));
    assert!(read(&a).ends_with(" 3\n") && read(&a).lines().count() == 1);
    assert!(read(&b).starts_with("{\"level\":\"fatal\",\"msg\":\"4\",\"time\":\"1970"));
    assert!(read(&b).contains("\n{\"level\":\"warning\",\"msg\":\"5\""));
    assert_eq!(read(&b).lines().count(), 2);
}

#[test]
fn a_storm_of_reopening_takes_no_memory_while_the_output_is_blocked() {
    let (log, guard, mut reader) = piped();
    fill(&log, &guard);
    for _ in 0..1000 {
        log.reopen();
    }
    say(&log, "ours");
    log.reopen();
    let queued = log.0.lock().queue.len();
    assert_eq!(queued, 3, "lines, one that reopens, and lines");
    say(&log, "end");
    read_until(&mut reader, "end");
    assert!(log.flush(Duration::from_secs(5)));
}

// Seen red with src/log/writer/thread.rs:
//- state.spare.clear(IDLE_MEMORY);
//+
#[test]
fn what_a_flood_took_is_given_back_though_a_line_comes_now_and_then() {
    let (log, guard, mut reader) = piped();
    fill(&log, &guard);
    say(&log, "end");
    read_until(&mut reader, "end");
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    assert!(log.flush(Duration::from_secs(5)));
    let kept = || log.0.lock().spare.memory();
    let begin = SystemTime::now();
    while kept() > IDLE_MEMORY {
        assert_eq!(job_says(&log, "now and then"), Ok(()));
        assert!(begin.elapsed().unwrap() < Duration::from_secs(30), "{} bytes", kept());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn changes_without_a_line_between_them_take_the_place_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: usize| dir.path().join(number.to_string());
    let (log, guard, reader) = piped();
    fill(&log, &guard);
    for number in 0..1000 {
        log.reconfigure(&logging(at(number))).unwrap();
        log.reopen();
    }
    let queued = log.0.lock().queue.len();
    assert_eq!(queued, 3, "lines, the last of the changes, and one that reopens");
    // With lines between them they are few.
    let mut made = 0;
    while log.reconfigure(&logging(at(made))).is_ok() {
        say(&log, "between");
        made += 1;
        assert!(made < 100, "never refused");
    }
    assert_eq!(made, 4);
    let error = log.reconfigure(&logging(at(made))).unwrap_err();
    assert!(matches!(error, LogError::Stuck));
    drop(reader);
    assert!(log.flush(Duration::from_secs(5)));
    drop(guard);
    assert_eq!(std::fs::read_to_string(at(3)).unwrap().lines().count(), 1);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_in_the_words_of_the_original() {
    let error = Log::start(&logging("/nonexistent-directory/x.log".into()), Kept::new()).unwrap_err();
    let wanted = "Error initializing log file '/nonexistent-directory/x.log': open /nonexistent-directory/x.log: no \
                  such file or directory";
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn a_new_file_has_the_mode_that_the_umask_leaves() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let reference = File::create(dir.path().join("reference")).unwrap();
    let path = dir.path().join("log");
    let (_log, _guard) = Log::start(&logging(path.clone()), Kept::new()).unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode, reference.metadata().unwrap().permissions().mode());
}

#[test]
fn a_terminal_gets_colour_and_may_hang_up() {
    use nix::fcntl::OFlag;
    use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
    let mut master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let mut logging = logging(ptsname_r(&master).unwrap().into());
    logging.format = LogFormat::Text;
    let (log, guard) = Log::start(&logging, Kept::new()).unwrap();
    say(&log, "hello");
    assert!(log.flush(Duration::from_secs(5)));
    let (mut bytes, mut n) = ([0; 200], 0);
    while !bytes[..n].ends_with(b"\n") {
        n += master.read(&mut bytes[n..]).unwrap();
    }
    let wanted = format!("\x1b[36mINFO\x1b[0m[0000] hello{} \r\n", " ".repeat(39));
    assert_eq!(String::from_utf8_lossy(&bytes[..n]), wanted);
    drop(master);
    say(&log, "nobody sees this");
    assert_eq!(job_says(&log, "nor this"), Ok(()));
    assert!(log.flush(Duration::from_secs(5)));
    assert_eq!(log.lost(), 2);
    drop(guard);
}

/// All lines that are kept: whose, and what.
fn kept(log: &Log) -> Vec<(String, String)> {
    let mut reader = log.kept().lines(None, Begin::From(1), false).unwrap();
    let mut lines = Vec::new();
    loop {
        let page = reader.page();
        lines.extend(page.items.into_iter().map(|line| (line.job, line.text)));
        if page.over {
            return lines;
        }
    }
}

#[test]
fn what_is_logged_is_kept_and_nothing_below_the_level() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _guard) = Log::start(&logging(dir.path().join("log")), Kept::new()).unwrap();
    say(&log, "ours");
    log.own(&Record::own(SystemTime::now(), Level::Debug, "too much"));
    log.own(&Record { origin: Origin::Job("web"), ..Record::own(SystemTime::now(), Level::Warn, "about it") });
    assert_eq!(job_says(&log, "its own"), Ok(()));
    let stream = Some(LogStream::Stderr);
    let check = Speaker { origin: Origin::Check("check.web"), pid: Some(8), stream };
    assert_eq!(log.lines(SystemTime::now()).push(check, Block::of(b"checked\n")), 8);
    let wanted = [("", "ours"), ("", "about it"), ("web", "its own"), ("web", "checked")];
    assert_eq!(kept(&log), wanted.map(|(job, text)| (job.to_owned(), text.to_owned())));
    let last = newest_of_web(&log);
    assert_eq!((last.check, last.stream, last.pid, last.level.as_str()), (true, stream, Some(8), "info"));
}

fn newest_of_web(log: &Log) -> <Lines as Reader>::Item {
    let mut lines = log.kept().lines(Some("web"), Begin::Last(1), false).unwrap();
    lines.page().items.pop().unwrap()
}

#[test]
fn the_lines_of_jobs_are_kept_also_where_the_level_is_too_high_for_them() {
    let quiet = Logging { level: Level::Error, ..logging("/dev/null".into()) };
    let (log, _guard) = Log::start(&quiet, Kept::new()).unwrap();
    assert_eq!(job_says(&log, "its own"), Ok(()));
    assert_eq!(kept(&log).len(), 1);
}

#[test]
fn a_line_that_is_refused_is_kept_when_it_is_taken_and_ours_at_once() {
    let (log, guard, mut reader) = piped();
    let accepted = fill(&log, &guard);
    let number = || newest_of_web(&log).seq;
    assert_eq!(number(), accepted);
    assert_eq!(job_says(&log, "again"), Err(Full));
    assert_eq!(number(), accepted);
    while log.lost() == 0 {
        say(&log, LINE);
    }
    say(&log, "not even written");
    assert_eq!(kept(&log).last().unwrap().1, "not even written");
    read_while(&mut reader, |text| told_lost(text) == 0);
    assert_eq!(job_says(&log, "again"), Ok(()));
    assert_eq!(number(), accepted + 1);
}
