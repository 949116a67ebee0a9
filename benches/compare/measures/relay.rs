//! h: lines that a job writes, to who reads the system's output: passed on as they are, and through the system.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::{Figure, Found, Place, Trouble, less, micros, more};
use crate::load::{LINE, figures};
use crate::systems::{Output, System, Task};

const LIMIT: Duration = Duration::from_mins(1);

const RAW: Figure = more('h', "log passed on: rate", "MB/s");
const RAW_CPU: Figure = less('h', "log passed on: CPU of the init", "s/GB");
const RATE: Figure = more('h', "log relayed, 64 KiB a write: rate", "MB/s");
const CPU: Figure = less('h', "log relayed, 64 KiB a write: CPU of the init", "s/GB");
const LOST: Figure = less('h', "log relayed: lines lost", "");
const LINES: Figure = more('h', "log relayed, a line a write: rate", "MB/s");
const LINES_CPU: Figure = less('h', "log relayed, a line a write: CPU of the init", "s/GB");
const JSON: Figure = more('h', "log relayed as JSON, 64 KiB a write: rate", "MB/s");
const JSON_CPU: Figure = less('h', "log relayed as JSON, 64 KiB a write: CPU of the init", "s/GB");
pub const FIGURES: [Figure; 9] = [RAW, RAW_CPU, RATE, CPU, LOST, LINES, LINES_CPU, JSON, JSON_CPU];

/// What came of one stream.
struct Stream {
    /// MB/s.
    rate: f64,
    /// Seconds a GB.
    cpu: f64,
    lost: f64,
}

pub fn relay(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let mut found = Found::default();
    let bytes = place.loads.log;
    // What is passed on costs next to nothing: more of it, to see anything.
    let raw = stream(system, &place.within("passed")?, Output::Passed, bytes * 5, 65_536).map(|stream| {
        found.put(&RAW, stream.rate);
        found.put(&RAW_CPU, stream.cpu);
    });
    found.part("passed on", raw)?;
    let blocks = stream(system, &place.within("blocks")?, Output::Relayed, bytes, 65_536).map(|stream| {
        found.put(&RATE, stream.rate);
        found.put(&CPU, stream.cpu);
        found.put(&LOST, stream.lost);
    });
    if found.part("relayed", blocks)? {
        let lines = stream(system, &place.within("lines")?, Output::Relayed, bytes / 2, LINE)?;
        found.put(&LINES, lines.rate);
        found.put(&LINES_CPU, lines.cpu);
    }
    if system.writes_json() {
        let json = stream(system, &place.within("json")?, Output::Json, bytes, 65_536)?;
        found.put(&JSON, json.rate);
        found.put(&JSON_CPU, json.cpu);
    }
    Ok(found)
}

fn stream(system: &dyn System, place: &Place, output: Output, bytes: usize, a_write: usize) -> Result<Stream, Trouble> {
    let (written, read) = (place.dir.join("written"), place.dir.join("read"));
    let job = place.load(&["lines", &bytes.to_string(), &a_write.to_string(), &written.display().to_string()]);
    let (from, to) = pipe2(OFlag::O_CLOEXEC)?;
    let task = Task { jobs: vec![job], output, ..Task::default() };
    // First whether it can: there is nothing to clean up then.
    system.command(&place.dir, &task)?;
    let sink = Sink::start(place, &read.display().to_string(), from)?;
    let mut init = place.start(system, &task, Some(&to))?;
    drop(to);
    let ended = init.until(LIMIT, "the end of the log did not come", || figures(&read))?;
    let cpu = place.own(&init).cpu();
    let sent = init.until(LIMIT, "the job did not end its log", || figures(&written))?;
    drop((init, sink));
    let (&[first, _, lines, bytes], &[last, came]) = (sent.as_slice(), ended.as_slice()) else {
        return Err(Trouble::Failed("odd figures".to_owned()));
    };
    let rate = bytes as f64 / micros(first, last).max(1.0);
    Ok(Stream { rate, cpu: cpu as f64 / bytes as f64, lost: lines.saturating_sub(came) as f64 })
}

/// Who reads the output, outside.
struct Sink(Child);

impl Sink {
    fn start(place: &Place, file: &str, from: OwnedFd) -> Result<Self, Trouble> {
        let mut command = Command::new(&place.load);
        command.args(["load", "sink", file]).stdin(File::from(from)).stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
