//! What is measured: a letter each, with its figures.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::figures::Figure;
use crate::namespace::Init;
use crate::options::Loads;
use crate::systems::{System, Task};

mod checks;
mod control;
mod idle;
mod many;
mod orphans;
mod relay;
mod restarts;
mod size;
mod start;
mod stop;

/// Why a system has no figure.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is not made for that.
    #[error("{0}")]
    NotApplicable(String),
    /// It should have worked.
    #[error("failed: {0}")]
    Failed(String),
    /// The machine refuses something to us.
    #[error("failed: {0}")]
    Io(#[from] io::Error),
    /// Likewise.
    #[error("failed: {0}")]
    System(#[from] Errno),
}

/// What one round gave.
#[derive(Debug, Default)]
pub struct Found {
    /// Figures by their labels.
    pub values: Vec<(&'static str, f64)>,
    /// What is missing, and why.
    pub missing: Vec<String>,
}

impl Found {
    fn put(&mut self, figure: &Figure, value: f64) {
        self.values.push((figure.label, value));
    }

    /// Takes a part over; one that a system can't do is noted. Returns whether it is there.
    fn part(&mut self, what: &str, part: Result<(), Trouble>) -> Result<bool, Trouble> {
        match part {
            Ok(()) => Ok(true),
            Err(Trouble::NotApplicable(why)) => {
                self.missing.push(format!("{what}: {why}"));
                Ok(false)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// Where a round happens.
#[derive(Debug, Clone)]
pub struct Place {
    /// A directory of this round.
    pub dir: PathBuf,
    /// The smallest job.
    pub job: PathBuf,
    /// This program, for jobs that make work.
    pub load: PathBuf,
    /// Where both of them are, and no init.
    pub jobs: PathBuf,
    /// How much of everything.
    pub loads: Loads,
}

impl Place {
    /// A new directory in this one.
    fn within(&self, name: &str) -> io::Result<Self> {
        let dir = self.dir.join(name);
        fs::create_dir_all(&dir)?;
        Ok(Self { dir, ..self.clone() })
    }

    /// Starts a system here.
    fn start(&self, system: &dyn System, task: &Task, stdout: Option<&OwnedFd>) -> Result<Init, Trouble> {
        Init::start(&system.command(&self.dir, task)?, &self.dir, stdout)
    }

    /// The words of a load.
    fn load(&self, words: &[&str]) -> Vec<String> {
        let before = [self.load.display().to_string(), "load".to_owned()];
        before.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// A measure of one system.
pub type OfOne = fn(&dyn System, &Place) -> Result<Found, Trouble>;
/// A measure of all of them.
pub type OfAll = fn(&[&dyn System], &Place) -> Vec<Result<Found, Trouble>>;

/// How a measure is taken.
pub enum How {
    /// One system after the other, so often in a round.
    InTurn(u32, OfOne),
    /// All systems at the same time: they are idle.
    Together(OfAll),
    /// It is always the same.
    Once(OfOne),
}

/// A measure.
pub struct Measure {
    /// Its letter.
    pub letter: char,
    /// What it is about.
    pub title: &'static str,
    /// How it is taken.
    pub how: How,
}

/// All measures.
pub const ALL: [Measure; 11] = [
    Measure { letter: 'a', title: "start of a job", how: How::InTurn(3, start::start) },
    Measure { letter: 'b', title: "run of a job that exits", how: How::InTurn(3, start::run) },
    Measure { letter: 'c', title: "idle", how: How::Together(idle::idle) },
    Measure { letter: 'd', title: "orphans", how: How::InTurn(1, orphans::orphans) },
    Measure { letter: 'e', title: "end on SIGTERM", how: How::InTurn(1, stop::stop) },
    Measure { letter: 'f', title: "restarts", how: How::InTurn(1, restarts::restarts) },
    Measure { letter: 'g', title: "many jobs", how: How::InTurn(1, many::many) },
    Measure { letter: 'h', title: "log", how: How::InTurn(1, relay::relay) },
    Measure { letter: 'i', title: "size", how: How::Once(size::size) },
    Measure { letter: 'j', title: "requests", how: How::InTurn(1, control::requests) },
    Measure { letter: 'k', title: "health checks", how: How::InTurn(1, checks::checks) },
];

/// All figures, in the order of the table.
pub const FIGURES: &[&[Figure]] = &[
    &start::FIGURES,
    &idle::FIGURES,
    &orphans::FIGURES,
    &stop::FIGURES,
    &restarts::FIGURES,
    &many::FIGURES,
    &relay::FIGURES,
    &size::FIGURES,
    &control::FIGURES,
    &checks::FIGURES,
];

/// Less is better.
const fn less(letter: char, label: &'static str, unit: &'static str) -> Figure {
    Figure { letter, label, unit, more: false }
}

/// More is better.
const fn more(letter: char, label: &'static str, unit: &'static str) -> Figure {
    Figure { letter, label, unit, more: true }
}

/// From a moment to a later one, in microseconds.
fn micros(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e3
}
