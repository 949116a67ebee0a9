//! The log without a thread of its own: rows 25 and 78, where whoever logs writes as far as that needs no waiting.

use std::io::{PipeReader, PipeWriter, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::cgroup::Group;
use crate::output::{BYSTANDERS, Reader, bystanders_go_on, flood, numbers, wait_stuck};
use crate::support::http::ask_socket;
use crate::support::wait::holds_for;
use crate::support::{DEADLINE, Launch, Pilot, wait_until};

/// Whether this kernel can write into a pipe without waiting for room (Linux 6.4); else there is always a thread.
fn pipes_can() -> bool {
    let (_reader, writer) = std::io::pipe().unwrap();
    containerpilot::nowait::write(std::os::fd::AsFd::as_fd(&writer), b"x") != Err(Errno::EOPNOTSUPP)
}

// Seen red with src/log/output.rs:
//- Ok(written) => {
//+ Ok(written) => { if done > 0 || written > 0 { return AtOnce::Rest(done + written) }
#[test]
fn f78_as_long_as_somebody_reads_there_is_no_thread_for_it() {
    let (reader, writer) = std::io::pipe().unwrap();
    // No line may find it full: the machine may have no processor for the reader.
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(1 << 20)).unwrap();
    let reader = Reader::start(reader);
    let config = format!("{{ consul: false, jobs: [ {BYSTANDERS} {} ] }}", flood("flood", 500, ""));
    let mut pilot = Launch::config(&config).stdout(writer).start();
    wait_until(DEADLINE, || numbers(&reader.text()).len() == 500, "all lines");
    bystanders_go_on(&pilot);
    if pipes_can() {
        assert_eq!(pilot.threads(), 1);
    }
    assert_eq!(pilot.stop().0, 0);
    let output = reader.finish();
    assert_eq!(numbers(&output), (1..=500).collect::<Vec<_>>());
    assert!(output.contains("stopped: "), "the last words are missing");
}

/// So many lines.
const LINES: usize = 3000;

/// A job that writes [`LINES`], and no thread from here on, before anything is stuck.
fn without_a_thread(group: &Group, writer: PipeWriter) -> Pilot {
    let config = format!(
        r#"{{ consul: false, jobs: [ {{ name: "main", exec: ["sleep", "1000"] }}, {} ] }}"#,
        flood("flood", LINES, "")
    );
    let pilot = Launch::config(&config).setup(&group.enter()).stdout(writer).start();
    pilot.wait_process("flood $i");
    wait_until(DEADLINE, || pilot.threads() == 1 || !pipes_can(), "who read the file is gone");
    group.limit_processes(Some(group.processes()));
    pilot
}

// Seen red with src/log/writer.rs:
//- sleep(NO_WRITER).await;
//+ std::future::pending::<()>().await;
#[test]
fn f25_without_a_thread_for_it_lines_wait_for_their_reader_and_none_is_lost() {
    let group = Group::new("pids");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut pilot = without_a_thread(&group, writer);
    wait_stuck(&pilot, "flood");
    let threads = pilot.threads();
    holds_for(Duration::from_secs(2), || pilot.threads() == threads, "there is no thread for it");
    let reader = Reader::start(reader);
    wait_until(DEADLINE, || numbers(&reader.text()).len() >= LINES, "all lines");
    // Once one can be had it is made where it is needed, and not before.
    group.limit_processes(None);
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(numbers(&reader.finish()), (1..=LINES).collect::<Vec<_>>());
}

/// Who has closed the other end costs lines, and nothing else.
#[test]
fn f78_a_reader_who_is_gone_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let config = format!("{{ consul: false, logging: {{ level: 'DEBUG' }}, jobs: [ {BYSTANDERS} ] }}");
    let mut pilot = Launch::config(&config).stdout(writer).start();
    bystanders_go_on(&pilot);
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.stderr(), "");
    pilot.finish();
}

// Seen red with src/log/writer/at_once.rs:
//- if fails {
//+ if false {
#[test]
fn f25_without_a_thread_a_reader_who_is_gone_holds_up_nobody() {
    let group = Group::new("pids");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut pilot = without_a_thread(&group, writer);
    drop(reader);
    pilot.wait_log(&format!("flood {LINES}"));
    group.limit_processes(None);
    assert_eq!(pilot.stop().0, 0);
    assert_eq!(pilot.stderr(), "");
    pilot.finish();
}

/// Reads a pipe to its end and counts the bytes.
fn counting(mut pipe: PipeReader) -> (Arc<AtomicUsize>, JoinHandle<()>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let thread = std::thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(length @ 1..) = pipe.read(&mut chunk) {
            counted.fetch_add(length, Ordering::Relaxed);
        }
    });
    (count, thread)
}

/// Writes as fast as it can, for ever.
const FLOOD: &str = r#"{ name: "flood", exec: ["yes", "a line of output"] },"#;

// Seen red with src/process/signals.rs:
//- Ok(number) if number == libc::SIGCHLD => return Some(Received::Child),
//+ Ok(number) if number == libc::SIGCHLD => {}
#[test]
fn a_flood_that_somebody_reads_starves_no_death_and_no_signal() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (count, reading) = counting(reader);
    let config = format!("{{ consul: false, stopTimeout: 2, jobs: [ {FLOOD} {BYSTANDERS} ] }}");
    let mut pilot = Launch::config(&config).stdout(writer).start();
    for _ in 0..3 {
        bystanders_go_on(&pilot);
    }
    assert_eq!(pilot.stop().0, 0);
    reading.join().unwrap();
    assert!(count.load(Ordering::Relaxed) > 1 << 20, "it was none");
}

// Seen red with src/driver.rs:
//- self.more |= pumped.more;
//+
#[test]
fn a_flood_that_somebody_reads_lets_requests_in_between() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (count, reading) = counting(reader);
    let socket = r#"control: { socket: "{{ .DIR }}/socket" }"#;
    let config = format!("{{ consul: false, {socket}, stopTimeout: 2, jobs: [ {FLOOD} ] }}");
    let mut pilot = Launch::config(&config).stdout(writer).start();
    let came = || count.load(Ordering::Relaxed);
    wait_until(DEADLINE, || came() > 1 << 20, "it floods");
    // In bytes that came meanwhile: they tell how often the loop looked, on a busy machine, too.
    let mut meanwhile: Vec<usize> = (0..21)
        .map(|_| {
            let before = came();
            assert_eq!(ask_socket(&pilot.path("socket"), "GET", "/v3/ping", b"").unwrap().status, 200);
            came() - before
        })
        .collect();
    meanwhile.sort_unstable();
    assert!(meanwhile[10] < 4 << 20, "{meanwhile:?}");
    assert_eq!(pilot.stop().0, 0);
    reading.join().unwrap();
}
