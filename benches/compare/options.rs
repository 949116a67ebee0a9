//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures containerpilot beside other inits and supervisors, each really PID 1 of a new pid namespace.
///
/// Needs root. Of tini, dumb-init, catatonit, s6, runit, supervisord and horust those are taken that PATH has.
#[derive(Parser, Debug)]
#[command(name = "compare", version = None::<&str>)]
pub struct Options {
    /// Measures, by their letters: a,f
    #[arg(long, value_delimiter = ',', value_name = "LETTERS")]
    pub only: Vec<char>,
    /// Systems, by their names: containerpilot,floor,tini
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub systems: Vec<String>,
    /// Another containerpilot beside it, with a name; of versions 3 and 4. Several are fine
    #[arg(long, value_name = "NAME=FILE", value_parser = named)]
    pub against: Vec<(String, PathBuf)>,
    /// How often each measure is taken of each system
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Small loads and two rounds: to see that it works, not for figures
    #[arg(long)]
    pub quick: bool,
    /// Also write all values to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The binary to measure, instead of a release build of these sources
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
}

/// How much is done in each measure.
#[derive(Debug, Clone, Copy)]
pub struct Loads {
    /// Orphans left to PID 1.
    pub orphans: u32,
    /// Jobs at once, in the measure of many.
    pub many: usize,
    /// Bytes of log.
    pub log: usize,
    /// How long idleness is looked at.
    pub idle: Duration,
    /// How long restarts are counted.
    pub restarts: Duration,
    /// Requests of each client.
    pub requests: u32,
    /// Jobs that are checked each second.
    pub checks: usize,
    /// How long their checks are looked at.
    pub checked: Duration,
}

impl Options {
    /// How often.
    pub fn rounds(&self) -> u32 {
        if self.quick { self.rounds.min(2) } else { self.rounds }
    }

    /// How much.
    pub fn loads(&self) -> Loads {
        let (idle, restarts) = (Duration::from_secs(5), Duration::from_secs(3));
        if self.quick {
            let (idle, restarts, checked) = (idle / 5, restarts / 3, Duration::from_secs(2));
            Loads { orphans: 2000, many: 200, log: 10_000_000, idle, restarts, requests: 100, checks: 100, checked }
        } else {
            let checked = Duration::from_secs(10);
            let (orphans, many, log) = (20_000, 1000, 100_000_000);
            Loads { orphans, many, log, idle, restarts, requests: 1000, checks: 1000, checked }
        }
    }
}

fn named(word: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = word.split_once('=').ok_or("no '=' after the name")?;
    let file = std::fs::canonicalize(file).map_err(|error| format!("{file}: {error}"))?;
    Ok((name.to_owned(), file))
}

/// Reads the command line.
///
/// # Errors
/// The exit status, when there is nothing to measure: the usage was asked for or is needed.
pub fn read(words: Vec<OsString>) -> Result<Options, i32> {
    Options::try_parse_from(words).map_err(|error| {
        let _ = error.print();
        error.exit_code()
    })
}
