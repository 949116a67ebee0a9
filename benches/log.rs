//! What a log line costs: its shape on the loop's thread, its place among what is kept, and its way through the writer
//! thread into a pipe.
//!
//! `cargo bench --bench log`. Prints nanoseconds a line; no statistics, no baseline.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement by hand")]

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::time::{Instant, SystemTime};

use containerpilot::block::Block;
use containerpilot::kept::{Kept, Line, LogStream};
use containerpilot::log::{Formatter, Log, Origin, Record, Speaker, Zone};
use containerpilot::plan::{Level, LogFormat, LogOutput, Logging};

const LINES: u32 = 1_000_000;
const PLAIN: &str =
    "10.0.3.7 - - [22/Nov/2026:06:52:00 +0000] GET /index.html HTTP/1.1 200 612 curl/7.88.1 0.004 upstream";

fn main() {
    let mut report = std::io::stdout();
    let quotes = PLAIN.replace("GET /index.html HTTP/1.1", "\"GET /index.html HTTP/1.1\"");
    for format in [LogFormat::Default, LogFormat::Text, LogFormat::Json] {
        for (what, line) in [("plain", PLAIN), ("with quotes", quotes.as_str())] {
            let mut formatter = Formatter::new(format, None, Zone::utc());
            let mut out = Vec::new();
            let before = Instant::now();
            for _ in 0..LINES {
                out.clear();
                formatter
                    .write(&Record::line(SystemTime::now(), Origin::Job("web"), Some(42), line.as_bytes()), &mut out);
            }
            let each = before.elapsed() / LINES;
            writeln!(report, "format {format:?}, {what}, {} bytes: {each:?} a line", line.len()).unwrap();
        }
    }
    for jobs in [1, 50] {
        let kept = Kept::new();
        let names: Vec<String> = (0..jobs).map(|n| format!("job-{n}")).collect();
        let (stream, pid, level, text) = (Some(LogStream::Stdout), Some(42), Level::Info, PLAIN.as_bytes());
        let before = Instant::now();
        for name in names.iter().cycle().take(LINES as usize) {
            kept.line(&Line { job: name, check: false, stream, pid, level, time: SystemTime::now(), text });
        }
        let each = before.elapsed() / LINES;
        writeln!(report, "kept, {jobs} jobs in turn, the clock included: {each:?} a line").unwrap();
    }
    for format in [LogFormat::Default, LogFormat::Json] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let output = LogOutput::File(format!("/proc/self/fd/{}", writer.as_raw_fd()).into());
        let (log, guard) = Log::start(&Logging { level: Level::Info, format, output }, Kept::new()).unwrap();
        let read = std::thread::spawn(move || {
            let (mut bytes, mut buffer) = (0_usize, vec![0; 65_536]);
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                bytes += n;
            }
            bytes
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let before = Instant::now();
        runtime.block_on(async {
            for _ in 0..LINES {
                let web = Speaker { origin: Origin::Job("web"), pid: Some(42), stream: None };
                while log.lines(SystemTime::now()).push(web, Block::of(PLAIN.as_bytes())) == 0 {
                    log.room().await;
                }
            }
        });
        drop((guard, log));
        let took = before.elapsed();
        // The thread closes its end when it has nothing more to do.
        drop(writer);
        let bytes = read.join().unwrap();
        writeln!(report, "{format:?} through a pipe: {:?} a line, {} MB in {took:?}", took / LINES, bytes / 1_000_000)
            .unwrap();
    }
}
