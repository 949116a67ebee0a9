//! Rows 78–81: where output goes when nobody takes it, and what jobs may write.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::support::process::look;
use crate::support::wait::{holds_for, poll};
use crate::support::{DEADLINE, Launch, Pilot, Signal, count, long_lane, wait_until};

/// Jobs that have nothing to do with output: a job that starts ever again, and one with a health check.
pub const BYSTANDERS: &str = r#"
    { name: "tick", exec: ["sh", "-c", "echo tick >> $LOG"], when: { interval: "50ms" } },
    { name: "checked", exec: ["sleep", "1000"],
      health: { exec: ["sh", "-c", "echo check >> $LOG"], interval: 1, ttl: 5 } },
"#;

/// A pipe that nobody reads and that takes no byte more.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (unread, mut full) = std::io::pipe().unwrap();
    fcntl(&full, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while full.write(&[b'x'; 512]).is_ok() {}
    fcntl(&full, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (unread, full)
}

/// The bystanders' lives go on: each of them is seen anew.
#[track_caller]
pub fn bystanders_go_on(pilot: &Pilot) {
    let (ticks, checks) = (pilot.logged("tick"), pilot.logged("check"));
    pilot.wait_logged("tick", ticks + 10);
    pilot.wait_logged("check", checks + 2);
}

/// How long the lane's number of lines may take.
fn patience() -> Duration {
    if long_lane() { DEADLINE * 20 } else { DEADLINE }
}

/// A pipe's reader that takes everything, in a thread of its own.
pub struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    pub fn start(mut pipe: PipeReader) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut chunk = vec![0; 65536];
            while let Ok(n @ 1..) = pipe.read(&mut chunk) {
                all.lock().unwrap().extend_from_slice(chunk.get(..n).unwrap());
            }
        });
        Self { bytes, thread }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything, when all writers are gone.
    pub fn finish(self) -> String {
        self.thread.join().unwrap();
        let bytes = self.bytes.lock().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Writes numbered lines of a kilobyte, about a mebibyte a second, so many; says every hundredth in the log.
pub fn flood(name: &str, lines: usize, more: &str) -> String {
    let perl = r#"$| = 1; open(L, ">>", $ENV{LOG});
        for $i (1 .. LINES) {
            printf("line %08d %s\n", $i, "x" x 1000);
            $i % 100 or syswrite(L, "NAME $i\n");
            select(undef, undef, undef, 0.001);
        }"#;
    let perl = perl.replace("LINES", &lines.to_string()).replace("NAME", name);
    format!("{{ name: '{name}', exec: ['perl', '-e', {perl:?}], {more} }},")
}

/// Waits until a flood is held up inside its `write`.
#[track_caller]
pub fn wait_stuck(pilot: &Pilot, name: &str) {
    let flood = pilot.wait_process(&format!("{name} $i"));
    let writes = || {
        let call = fs::read_to_string(format!("/proc/{}/syscall", flood.pid)).unwrap_or_default();
        call.starts_with(&format!("{} 0x1 ", libc::SYS_write))
    };
    let stuck = || poll(Duration::from_millis(500), || (!writes()).then_some(())).is_none();
    wait_until(DEADLINE, stuck, "the flood waits for the reader");
}

/// The numbers of the lines that a flood wrote, as they stand in the output.
pub fn numbers(output: &str) -> Vec<usize> {
    output.lines().filter_map(|line| line.split_once(" line ")?.1.split(' ').next()?.parse().ok()).collect()
}

// Seen red with src/log/writer/queue.rs:
//- let Some(room) = JOBS_LIMIT.checked_sub(self.bytes).filter(|room| *room > 0) else { return 0 };
//+ let room = usize::MAX;
#[test]
fn f78_a_stuck_standard_output_holds_up_only_who_writes_to_it() {
    let (reader, writer) = std::io::pipe().unwrap();
    let lines = 3000;
    let config = format!("{{ consul: false, jobs: [ {BYSTANDERS} {} ] }}", flood("flood", lines, ""));
    let mut pilot = Launch::config(&config).stdout(writer).start();
    wait_stuck(&pilot, "flood");
    bystanders_go_on(&pilot);
    wait_stuck(&pilot, "flood");
    bystanders_go_on(&pilot);
    // What fits into its own pipe, our queue twice, and the pipe that nobody reads, is about 1200 lines.
    let hundreds = pilot.log().iter().filter(|line| line.starts_with("flood")).count();
    assert!(hundreds < 16, "the flood is not held up");
    assert!(pilot.rss_kib() < 64 * 1024, "{} KiB", pilot.rss_kib());
    // The reader comes back: nothing that the job wrote is missing, and its order is kept.
    let reader = Reader::start(reader);
    pilot.wait_log(&format!("flood {lines}"));
    wait_until(DEADLINE, || numbers(&reader.text()).len() >= lines, "all lines");
    assert_eq!(pilot.stop().0, 0);
    let output = reader.finish();
    assert_eq!(numbers(&output), (1..=lines).collect::<Vec<_>>());
    assert!(output.contains("stopped: "), "the last words are missing");
}

// Seen red with src/log/writer.rs:
//- state.dropped += 1;
//+
#[test]
fn f78_our_own_lines_are_dropped_and_counted_and_that_is_said_on_recovery() {
    let (reader, writer) = std::io::pipe().unwrap();
    // A name so long that a hundred of our lines about it are a mebibyte.
    let name = format!("n{}", "o".repeat(10_000));
    let config = format!(
        "{{ consul: false, logging: {{ level: 'DEBUG' }}, jobs: [
            {BYSTANDERS}
            {{ name: '{name}', exec: ['sh', '-c', 'echo noise >> $LOG'], when: {{ interval: '20ms' }} }},
        ] }}"
    );
    let mut pilot = Launch::config(&config).stdout(writer).start();
    pilot.wait_logged("noise", 200);
    bystanders_go_on(&pilot);
    assert!(pilot.rss_kib() < 64 * 1024, "{} KiB", pilot.rss_kib());
    let reader = Reader::start(reader);
    let notice = " log lines were lost: the log output was blocked\n";
    wait_until(DEADLINE, || reader.text().contains(notice), "the loss is said");
    wait_until(DEADLINE, || reader.text().split(notice).nth(1).is_some_and(|rest| rest.len() > 200_000), "it goes on");
    assert_eq!(pilot.stop().0, 0);
    let output = reader.finish();
    let told: Vec<&str> = output.lines().filter(|line| line.ends_with(notice.trim_end())).collect();
    // On a busy machine the reader may be too slow once more.
    let line = told.first().unwrap();
    let lost: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
    // Each run of the noise is several lines; a hundred were taken at most.
    assert!(lost > 200, "{line}");
}

#[test]
fn f78_a_stop_is_bounded_though_nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    let config = format!(
        "{{ consul: false, stopTimeout: 1, jobs: [ {BYSTANDERS} {} {} ] }}",
        flood("flood", 1_000_000, ""),
        flood("raw", 1_000_000, "logging: { raw: true }"),
    );
    let mut pilot = Launch::config(&config).stdout(writer).start();
    wait_stuck(&pilot, "flood");
    bystanders_go_on(&pilot);
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    // A second for what the dead flood left in its pipe, one for the last lines, and some for a busy machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
    pilot.finish();
    drop(reader);
}

#[test]
fn f78_the_last_output_of_the_dead_is_lost_to_the_byte_when_nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    // It fits into its pipe, so it ends although nobody takes it.
    let late = format!("yes {} | head -n 600; echo wrote >> $LOG", "x".repeat(99));
    let config = format!(
        "{{ consul: false, jobs: [
            {}
            {{ name: 'late', exec: ['sh', '-c', {late:?}], when: {{ source: 'SIGHUP' }} }},
            {{ name: 'then', exec: ['sh', '-c', 'echo then >> $LOG'], when: {{ source: 'late', once: 'exitSuccess' }} }},
        ] }}",
        flood("flood", 3000, "")
    );
    let pilot = Launch::config(&config).stdout(writer).start();
    wait_stuck(&pilot, "flood");
    pilot.signal(Signal::SIGHUP);
    pilot.wait_log("wrote");
    pilot.wait_log("then");
    let reader = Reader::start(reader);
    pilot.wait_log("flood 3000");
    wait_until(DEADLINE, || numbers(&reader.text()).len() >= 3000, "all lines of the one that lives");
    assert_eq!(pilot.finish(), 0);
    let output = reader.finish();
    assert!(output.contains("the last 60000 bytes of late's output were lost"), "the loss is not told");
    assert!(!output.contains("holds its output open"), "it is dead, and so is everybody who could write");
}

#[test]
fn f78_a_named_pipe_as_log_file_is_waited_for_and_followed() {
    let config = format!(
        "{{ consul: false, logging: {{ output: '{{{{ .DIR }}}}/pipe' }}, jobs: [
            {BYSTANDERS}
            {{ name: 'talk', exec: ['sh', '-c', 'while :; do echo hi; sleep 0.02; done'] }},
        ] }}"
    );
    let pilot = Launch::config(&config).setup("mkfifo $DIR/pipe").start();
    bystanders_go_on(&pilot);
    // Opens at once, and a read that has nothing says so.
    let mut pipe = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(pilot.path("pipe")).unwrap();
    let mut bytes = Vec::new();
    let talk = || {
        // The error is that there is nothing more now.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).contains(" hi\n")
    };
    wait_until(DEADLINE, talk, "lines in the pipe");
    drop(pipe);
    let text = String::from_utf8(bytes).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.contains("log lines were lost: writing failed: "), "{first}");
    bystanders_go_on(&pilot);
    assert_eq!(pilot.finish(), 0);
}

/// Runs bystanders and a talker; they all go on, and a stop is in time.
#[track_caller]
fn survives(launch: impl FnOnce(Launch) -> Launch) {
    let config = format!(
        "{{ consul: false, logging: {{ level: 'DEBUG' }}, jobs: [
            {BYSTANDERS}
            {{ name: 'talk', exec: ['sh', '-c', 'while :; do echo hi && echo said >> $LOG; sleep 0.02; done'] }},
            {{ name: 'descriptors', exec: ['sh', '-c', 'ls -x /proc/self/fd >> $LOG'] }},
        ] }}"
    );
    let mut pilot = launch(Launch::config(&config)).start();
    pilot.wait_logged("said", 20);
    bystanders_go_on(&pilot);
    pilot.wait_logged("said", 40);
    // 3 is the directory that `ls` reads.
    pilot.wait_log("0  1  2  3");
    let (code, took) = pilot.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
    pilot.finish();
}

#[test]
fn f79_a_closed_pipe_as_standard_output_is_survived() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    survives(|launch| launch.stdout(writer));
}

#[test]
fn f79_a_full_disk_as_standard_output_is_survived() {
    survives(|launch| launch.stdout(File::options().write(true).open("/dev/full").unwrap()));
}

#[test]
fn f79_standard_descriptors_that_are_closed_are_survived() {
    survives(|launch| launch.setup("exec 0<&- 1>&- 2>&-"));
}

#[test]
fn f79_a_read_only_standard_output_is_survived() {
    survives(|launch| launch.stdout(File::open("/dev/null").unwrap()));
}

/// A path of the test's directory as PID 1 sees it, behind its own mounts.
fn inside(pilot: &Pilot, name: &str) -> std::path::PathBuf {
    Path::new(&format!("/proc/{}/root{}", pilot.pid, pilot.path(name).display())).to_owned()
}

/// A job that writes so many numbered lines, with pauses, and says when it is done.
fn counter(lines: usize) -> String {
    let perl = r#"$| = 1; for $i (1 .. LINES) {
            printf("line %06d %s\n", $i, "x" x 80);
            select(undef, undef, undef, 0.002);
            if (-e "enough") { $last = $i; last }
        }
        open(L, ">>", $ENV{LOG}); print L "last ", $last // LINES, "\n";"#
        .replace("LINES", &lines.to_string());
    format!("{{ name: 'counter', exec: ['perl', '-e', {perl:?}] }},")
}

/// Lets the counter end and gives the number of its last line.
#[track_caller]
fn enough(pilot: &Pilot) -> usize {
    File::create(pilot.path("enough")).unwrap();
    let last = || pilot.log().iter().find_map(|line| line.strip_prefix("last ")?.parse().ok());
    wait_until(DEADLINE, || last().is_some(), "the counter's end");
    last().unwrap()
}

/// How many lines the notices say are lost.
fn said_to_be_lost(output: &str) -> usize {
    let lost = |line: &str| line.split_once(" log line")?.0.rsplit(' ').next()?.parse::<usize>().ok();
    output.lines().filter(|line| line.contains(" lost: ")).filter_map(lost).sum()
}

// Seen red with src/log/output.rs:
//- Some(failing) => failing.lines += lost,
//+ Some(_) => {}
#[test]
fn f79_a_full_disk_under_the_log_file_costs_lines_that_are_counted() {
    let config = format!(
        "{{ consul: false, logging: {{ output: '{{{{ .DIR }}}}/small/log' }}, jobs: [
            {{ name: 'keep', exec: ['sleep', '1000'] }}, {} ] }}",
        counter(1_000_000)
    );
    let pilot =
        Launch::config(&config).setup("mkdir $DIR/small && mount -t tmpfs -o size=16k tmpfs $DIR/small").start();
    let log = inside(&pilot, "small/log");
    wait_until(DEADLINE, || fs::metadata(&log).is_ok_and(|file| file.len() == 16 * 1024), "the disk is full");
    holds_for(Duration::from_millis(300), || !fs::read_to_string(&log).unwrap().contains("lost"), "it stays full");
    let target = pilot.pid.to_string();
    let remount = ["mount", "-o", "remount,size=16m", pilot.path("small").to_str().unwrap()].map(str::to_owned);
    let done = Command::new("nsenter").args(["--target", &target, "--mount", "--"]).args(remount).status().unwrap();
    assert!(done.success());
    let notice = "log lines were lost: writing failed: no space left on device\n";
    wait_until(DEADLINE, || fs::read_to_string(&log).unwrap().contains(notice), "the loss is said");
    let last = enough(&pilot);
    let complete = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        (text.lines().filter(|line| line.ends_with(&"x".repeat(80))).count(), said_to_be_lost(&text))
    };
    wait_until(DEADLINE, || complete().0 + complete().1 >= last, "all lines are written or lost");
    let (written, gone) = complete();
    // Every line that was lost is one of the job's: we had nothing to say meanwhile.
    assert_eq!(written + gone, last, "{written} written, {gone} lost");
    assert!(gone > 1, "{gone}");
    pilot.finish();
}

// Seen red with src/log/output.rs:
//- let same = self.file.as_ref().is_some_and(|file| is_at(file, &self.path));
//+ let same = true;
#[test]
fn f79_a_log_file_that_is_rotated_is_followed_without_loss() {
    let config = format!(
        "{{ consul: false, logging: {{ output: '{{{{ .DIR }}}}/app.log' }}, jobs: [ {BYSTANDERS} {} ] }}",
        counter(1_000_000)
    );
    let pilot = Pilot::start(&config);
    let rotations = count(3, 30);
    for rotation in 1..=rotations {
        let old = pilot.path(&format!("app.log.{rotation}"));
        wait_until(DEADLINE, || !pilot.read("app.log").is_empty(), "lines in the log file");
        fs::rename(pilot.path("app.log"), &old).unwrap();
        wait_until(DEADLINE, || pilot.path("app.log").exists(), "a new log file");
    }
    let last = enough(&pilot);
    let all =
        || (1..=rotations).map(|n| pilot.read(&format!("app.log.{n}"))).collect::<String>() + &pilot.read("app.log");
    wait_until(DEADLINE, || numbers(&all()).len() >= last, "all lines");
    assert_eq!(numbers(&all()), (1..=last).collect::<Vec<_>>());
    assert_eq!(said_to_be_lost(&all()), 0);
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn f79_a_log_file_that_is_deleted_or_truncated_is_written_on() {
    let config = format!(
        "{{ consul: false, logging: {{ output: '{{{{ .DIR }}}}/app.log' }}, jobs: [ {BYSTANDERS} {} ] }}",
        counter(1_000_000)
    );
    let pilot = Pilot::start(&config);
    for _ in 0..count(2, 20) {
        wait_until(DEADLINE, || pilot.read("app.log").lines().count() > 20, "lines in the log file");
        fs::remove_file(pilot.path("app.log")).unwrap();
        wait_until(DEADLINE, || pilot.read("app.log").lines().count() > 20, "lines in the new log file");
        // As `copytruncate` does it: the next line stands at the beginning, not behind a hole.
        File::create(pilot.path("app.log")).unwrap();
        wait_until(DEADLINE, || pilot.read("app.log").lines().count() > 20, "lines in the truncated log file");
        assert!(!pilot.read("app.log").contains('\0'));
    }
    bystanders_go_on(&pilot);
    assert_eq!(pilot.finish(), 0);
}

#[test]
fn f79_a_log_file_whose_directory_goes_comes_back_with_it() {
    let config = format!(
        "{{ consul: false, logging: {{ output: '{{{{ .DIR }}}}/logs/app.log' }}, jobs: [ {BYSTANDERS} {} ] }}",
        counter(1_000_000)
    );
    let pilot = Launch::config(&config).setup("mkdir $DIR/logs").start();
    wait_until(DEADLINE, || !pilot.read("logs/app.log").is_empty(), "lines in the log file");
    // The log may make its file anew in between.
    wait_until(DEADLINE, || fs::remove_dir_all(pilot.path("logs")).is_ok(), "the directory goes");
    bystanders_go_on(&pilot);
    fs::create_dir(pilot.path("logs")).unwrap();
    let notice = "log lines were lost: writing failed: no such file or directory";
    wait_until(DEADLINE, || pilot.read("logs/app.log").contains(notice), "the loss is said");
    let last = enough(&pilot);
    wait_until(DEADLINE, || numbers(&pilot.read("logs/app.log")).last() == Some(&last), "the last line");
    assert_eq!(pilot.finish(), 0);
}

/// The flags of an open file.
fn flags(pid: i32, number: i32) -> i32 {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
    let octal = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    i32::from_str_radix(octal, 8).unwrap()
}

#[test]
fn f79_no_descriptor_that_is_shared_with_children_becomes_non_blocking() {
    let (input, _input) = std::io::pipe().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let (error_reader, error_writer) = std::io::pipe().unwrap();
    let config = format!(
        "{{ consul: false, stopTimeout: 1, jobs: [
            {} {}
            {{ name: 'quiet', exec: ['sleep', '1000'], logging: {{ raw: true }} }},
            {{ name: 'tamed', exec: ['sleep', '2000'] }},
        ] }}",
        flood("flood", 1_000_000, ""),
        flood("raw", 1_000_000, "logging: { raw: true }")
    );
    let pilot = Launch::config(&config).stdin(input).stdout(writer).stderr(error_writer).start();
    wait_stuck(&pilot, "flood");
    for process in ["sleep 1000", "sleep 2000"].map(|name| pilot.wait_process(name)) {
        for number in 0..=2 {
            assert_eq!(flags(process.pid, number) & libc::O_NONBLOCK, 0, "{} of {}", number, process.command);
        }
    }
    for number in 0..=2 {
        assert_eq!(flags(pilot.pid, number) & libc::O_NONBLOCK, 0, "{number} of PID 1");
    }
    pilot.finish();
    drop((reader, error_reader));
}

#[test]
fn f79_an_output_that_somebody_else_made_non_blocking_loses_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    let lines = 3000;
    let config = format!("{{ consul: false, jobs: [ {BYSTANDERS} {} ] }}", flood("flood", lines, ""));
    let pilot = Launch::config(&config).stdout(writer).start();
    wait_stuck(&pilot, "flood");
    let before = pilot.cpu_time();
    bystanders_go_on(&pilot);
    let cpu = pilot.cpu_time().saturating_sub(before);
    assert!(cpu < Duration::from_secs(1), "it tries again and again: {cpu:?}");
    let reader = Reader::start(reader);
    wait_until(DEADLINE, || numbers(&reader.text()).len() >= lines, "all lines");
    assert_eq!(pilot.finish(), 0);
    assert_eq!(numbers(&reader.finish()), (1..=lines).collect::<Vec<_>>());
}

/// What stands behind the stamp, the job's name and the pid.
fn payload<'a>(line: &'a [u8], job: &str) -> Option<&'a [u8]> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let found = words.nth(1)?;
    words.next()?.iter().all(u8::is_ascii_digit).then_some(())?;
    (found == job.as_bytes()).then(|| words.next()).flatten()
}

/// The lines of standard output, one at a time: there may be a hundred megabytes.
fn each_line(pilot: &Pilot, mut see: impl FnMut(&[u8])) {
    let mut output = BufReader::new(File::open(pilot.path("stdout")).unwrap());
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).unwrap() > 0 {
        see(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
}

// Seen red with src/process/lines.rs:
//- Some(if text.len() > LONGEST { Block::piece(cut_between_characters(text)) } else { Block::of(line) })
//+ Some(if text.len() > LONGEST { Block::of(cut_between_characters(text)) } else { Block::of(line) })
#[test]
fn f80_an_endless_line_comes_in_marked_pieces_and_bounded_memory() {
    let bytes = count(10_000_000, 100_000_000);
    let config = format!(
        "{{ consul: false, jobs: [ {{ name: 'long', exec: ['sh', '-c', 'head -c {bytes} /dev/zero | tr \"\\\\0\" x; echo written >> $LOG; exec sleep 1000'] }} ] }}"
    );
    let mut pilot = Pilot::start(&config);
    let mut most = 0;
    wait_until(
        patience(),
        || {
            most = most.max(pilot.rss_kib());
            pilot.logged("written") == 1
        },
        "the line is written",
    );
    assert!(most < 64 * 1024, "{most} KiB");
    pilot.wait_process("sleep 1000");
    assert_eq!(pilot.stop().0, 0);
    let (mut pieces, mut total, mut wrong) = (Vec::new(), 0, 0);
    each_line(&pilot, |line| {
        let Some(piece) = payload(line, "long") else { return };
        let text = piece.strip_suffix(b" [cut]").unwrap_or(piece);
        pieces.push((text.len(), text.len() < piece.len()));
        total += text.len();
        wrong += text.iter().filter(|byte| **byte != b'x').count();
    });
    let (last, before) = pieces.split_last().unwrap();
    assert!(before.iter().all(|piece| *piece == (64 * 1024, true)), "{:?}", before.first());
    // The pieces end with the end of the stream, and only there the mark is missing.
    assert!(last.0 <= 64 * 1024 && !last.1, "{last:?}");
    assert_eq!((total, wrong), (bytes, 0));
    pilot.finish();
}

/// Makes a file of [`ODD`] for the jobs.
fn make_odd() -> String {
    let mut printf = "printf '".to_owned();
    for byte in ODD {
        write!(printf, "\\{byte:03o}").unwrap();
    }
    printf + "' > $DIR/odd"
}

/// Everything that is no plain text, and the end of the stream in the middle of a line.
const ODD: &[u8] = b"nul \0 here\ninvalid \xff\xfe \xc3\x28 utf-8\nansi \x1b[31mred\x1b[0m \x07\ncr \r in it\nwindows\r\n\npartial \xe2\x82";

#[test]
fn f80_odd_bytes_are_kept_and_the_last_partial_line_too() {
    let launch = Launch::config(
        r#"{ consul: false, jobs: [ { name: "odd", exec: ["cat", "odd"] }, { name: "err", exec: ["sh", "-c", "cat odd >&2"] } ] }"#,
    );
    let mut pilot = launch.setup(&make_odd()).start();
    assert_eq!(pilot.wait_exit(), 0);
    let expected: Vec<Vec<u8>> =
        ODD.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect();
    for job in ["odd", "err"] {
        let mut got = Vec::new();
        each_line(&pilot, |line| got.extend(payload(line, job).map(<[u8]>::to_vec)));
        assert_eq!(got, expected, "{job}");
    }
    pilot.finish();
}

#[test]
fn f80_odd_bytes_are_escaped_in_text_and_replaced_in_json() {
    for format in ["text", "json"] {
        let config = format!(
            "{{ consul: false, logging: {{ format: '{format}' }}, jobs: [ {{ name: 'odd', exec: ['cat', 'odd'] }} ] }}"
        );
        let mut pilot = Launch::config(&config).setup(&make_odd()).start();
        assert_eq!(pilot.wait_exit(), 0);
        let output = String::from_utf8(fs::read(pilot.path("stdout")).unwrap()).expect("UTF-8");
        assert!(output.chars().all(|c| c == '\n' || !c.is_control()), "{output:?}");
        let lines: Vec<&str> = output.lines().filter(|line| line.contains("odd") && line.contains("pid")).collect();
        assert_eq!(lines.len(), 7, "{output}");
        if format == "json" {
            let messages: Vec<serde_json::Value> =
                lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(messages[1]["msg"], "invalid \u{fffd}\u{fffd} \u{fffd}( utf-8");
            assert_eq!(messages[6]["msg"].as_str().unwrap().trim_end_matches('\u{fffd}'), "partial ");
        } else {
            assert!(lines[1].contains(r#"msg="invalid \xff\xfe \xc3( utf-8""#), "{}", lines[1]);
        }
        pilot.finish();
    }
}

#[test]
fn f80_very_many_lines_arrive_complete_in_order_and_in_bounded_memory() {
    let lines = count(200_000, 2_000_000);
    let config = format!(
        "{{ consul: false, jobs: [
            {{ name: 'many', exec: ['sh', '-c', 'seq {lines}; echo written >> $LOG; exec sleep 1000'] }},
            {BYSTANDERS}
        ] }}"
    );
    let pilot = Pilot::start(&config);
    let mut most = 0;
    wait_until(
        patience(),
        || {
            most = most.max(pilot.rss_kib());
            pilot.logged("written") == 1
        },
        "the lines are written",
    );
    assert!(most < 64 * 1024, "{most} KiB");
    // Afterwards there is nothing more to do.
    let before = pilot.cpu_time();
    bystanders_go_on(&pilot);
    let cpu = pilot.cpu_time().saturating_sub(before);
    assert!(cpu < Duration::from_secs(1), "{cpu:?}");
    let (mut next, mut wrong) = (1, None);
    let check = |line: &[u8]| {
        let Some(number) = payload(line, "many") else { return };
        let number: usize = String::from_utf8_lossy(number).parse().unwrap();
        if number != next && wrong.is_none() {
            wrong = Some((next, number));
        }
        next = number + 1;
    };
    let end = format!(" {lines}\n");
    wait_until(patience(), || pilot.stdout().contains(&end), "the last line");
    each_line(&pilot, check);
    assert_eq!((next, wrong), (lines + 1, None));
    pilot.finish();
}

#[test]
fn f80_a_raw_job_inherits_the_descriptors_themselves() {
    let (reader, writer) = std::io::pipe().unwrap();
    // The configured output is another: raw means our own descriptors.
    let pilot = Launch::config(
        r#"{ consul: false, logging: { output: "{{ .DIR }}/app.log", format: "json" }, jobs: [
            { name: "raw", logging: { raw: true },
              exec: ["sh", "-c", "printf 'a\\0b\\033[1m\\377\\r\\nno end'; printf oops >&2; exec sleep 1000"] },
            { name: "tamed", exec: ["sh", "-c", "echo tamed; exec sleep 2000"] },
        ] }"#,
    )
    .stdout(writer)
    .start();
    let (raw, tamed) = (pilot.wait_process("sleep 1000"), pilot.wait_process("sleep 2000"));
    // Before, its shell moves its own descriptors.
    wait_until(DEADLINE, || look(raw.pid).is_some_and(|raw| raw.command == "sleep 1000"), "it has said all");
    let of =
        |pid: i32, number: i32| fs::metadata(format!("/proc/{pid}/fd/{number}")).map(|m| (m.dev(), m.ino())).unwrap();
    for number in [1, 2] {
        assert_eq!(of(raw.pid, number), of(pilot.pid, number));
        assert_ne!(of(tamed.pid, number), of(pilot.pid, number));
    }
    wait_until(DEADLINE, || pilot.stderr() == "oops", "what it wrote to standard error");
    wait_until(DEADLINE, || pilot.read("app.log").contains("tamed"), "the other job's line in the file");
    let log = pilot.read("app.log");
    assert_eq!(pilot.finish(), 0);
    let mut bytes = Vec::new();
    let mut reader = reader;
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"a\0b\x1b[1m\xff\r\nno end");
    assert!(!log.contains("no end"), "{log}");
}

// Seen red with src/driver/running.rs:
//- self.log.share();
//+
#[test]
fn f80_raw_jobs_and_the_log_leave_each_others_lines_whole_in_one_pipe() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let lines = count(10_000, 100_000);
    let perl = format!("for (1 .. {lines}) {{ syswrite(STDOUT, 'raw ' . ('r' x 95) . chr(10)) }}");
    let config = format!(
        "{{ consul: false, jobs: [
            {{ name: 'raw', exec: ['perl', '-e', {perl:?}], logging: {{ raw: true }} }},
            {{ name: 'log', exec: ['sh', '-c', 'yes {} | head -n {lines}'] }},
        ] }}",
        "l".repeat(95)
    );
    let mut pilot = Launch::config(&config).stdout(writer).start();
    let mut output = Vec::new();
    // In small bites, so that the pipe is full all the time and writes end in the middle of what they have.
    let mut bite = [0; 512];
    while let n @ 1.. = reader.read(&mut bite).unwrap() {
        output.extend_from_slice(&bite[..n]);
    }
    assert_eq!(pilot.wait_exit(), 0);
    let output = String::from_utf8(output).unwrap();
    let (raw, log) = (format!("raw {}", "r".repeat(95)), format!(" {}", "l".repeat(95)));
    let of_raw = output.lines().filter(|line| **line == *raw).count();
    let of_log = output.lines().filter(|line| line.ends_with(&log) && !line.contains('r')).count();
    assert_eq!((of_raw, of_log), (lines, lines));
}

// Seen red with src/driver/reaping.rs:
//- let pumped = self.read(|outputs, sink| outputs.pump_child(death.id, LAST_OUTPUT, sink));
//+ let pumped = (self.inbox.push_back(Input::Exited { child: death.id, status: death.status }), Pumped::default()).1;
#[test]
fn f81_all_that_a_job_wrote_precedes_the_word_of_its_end() {
    // Both streams, in one line and in many, with and without an end, and one who goes at once.
    let kinds = [
        "echo last $N; exit 3",
        "echo last $N >&2; exit 3",
        "printf %s \"last $N\"; exit 3",
        "seq 1 2000; echo last $N; exit 3",
        "(exec >&2; seq 1 2000; echo last $N) | cat; exit 3",
    ];
    let runs = count(200, 1000);
    let mut jobs = String::new();
    for n in 0..20 {
        let script = kinds[n % kinds.len()].replace("$N", &n.to_string());
        let restarts = runs / 20 - 1;
        writeln!(jobs, "{{ name: 'job{n}', exec: ['sh', '-c', {script:?}], restarts: {restarts} }},").unwrap();
    }
    let mut pilot = Pilot::start(&format!("{{ consul: false, jobs: [ {jobs} ] }}"));
    assert_eq!(pilot.wait_exit_within(patience()), 3);
    let output = pilot.stdout();
    for n in 0..20 {
        let (last, end) = (format!("last {n}"), format!(" job{n} exited with error: exit status 3"));
        let of_it =
            |line: &&str| line.ends_with(&end) || (line.contains(&format!(" job{n} ")) && line.ends_with(&last));
        let order: Vec<bool> = output.lines().filter(of_it).map(|line| line.ends_with(&end)).collect();
        // Output, end, output, end, …
        assert_eq!(order, [false, true].repeat(runs / 20), "job{n}");
    }
    pilot.finish();
}

#[test]
fn f78_a_start_that_fails_does_not_wait_for_a_reader_of_its_error() {
    let (unread, full) = full_pipe();
    let mut pilot = Launch::config("{ jobs: 1, nonsense: 2 }").stderr(full).start();
    assert_eq!(pilot.wait_exit_within(Duration::from_secs(10)), 65);
    drop(unread);
    pilot.finish();
}
