//! What is compared: how each system is told to run jobs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measures::Trouble;

mod files;
mod pilot;
mod plain;
mod scan;

/// Words of a command.
pub type Words = Vec<String>;

/// What a system shall do.
#[derive(Debug, Default, Clone)]
pub struct Task {
    /// The jobs.
    pub jobs: Vec<Words>,
    /// A check each second of each of them, in their order, or none at all.
    pub checks: Vec<Words>,
    /// Start a job again as soon as it has ended.
    pub restarts: bool,
    /// What becomes of what they write.
    pub output: Output,
    /// End when the jobs have.
    pub ends: bool,
}

/// What becomes of what jobs write.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Whatever the system does by itself.
    #[default]
    Any,
    /// They have the system's own output.
    Passed,
    /// The system reads it and writes it to its own output, by default with a time.
    Relayed,
    /// Likewise, each line as an object.
    Json,
}

/// An init or supervisor.
pub trait System {
    /// Its name.
    fn name(&self) -> &str;
    /// What is counted as its size; `None` without a good answer.
    fn files(&self) -> Option<Vec<PathBuf>>;
    /// How it names its version.
    fn version(&self) -> String;
    /// The unix socket on which it answers HTTP, if it does, where its files are in this directory.
    fn socket(&self, _dir: &Path) -> Option<PathBuf> {
        None
    }
    /// Whether it can write what jobs write as JSON.
    fn writes_json(&self) -> bool {
        false
    }
    /// The words that run the task, with files in the directory. [`Trouble::NotApplicable`] if it can't.
    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble>;
}

/// Everything that is there, the floor first and containerpilot last.
pub fn all(floor: &Path, binary: &Path, against: &[(String, PathBuf)]) -> Vec<Box<dyn System>> {
    let mut systems: Vec<Box<dyn System>> = vec![Box::new(plain::Floor::at(floor))];
    systems.extend(plain::Single::all().map(|system| Box::new(system) as Box<dyn System>));
    systems.extend(scan::S6::find().map(|system| Box::new(system) as Box<dyn System>));
    systems.extend(scan::Runit::find().map(|system| Box::new(system) as Box<dyn System>));
    systems.extend(files::Supervisord::find().map(|system| Box::new(system) as Box<dyn System>));
    systems.extend(files::Horust::find().map(|system| Box::new(system) as Box<dyn System>));
    for (name, file) in against {
        systems.push(Box::new(pilot::ContainerPilot::at(name, file)));
    }
    systems.push(Box::new(pilot::ContainerPilot::at("containerpilot", binary)));
    systems
}

/// A program on `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The first line that a command prints.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(ran) = ran else { return String::new() };
    let said = if ran.stdout.is_empty() { ran.stderr } else { ran.stdout };
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
}

/// The version of Debian's package.
fn packaged(package: &str) -> String {
    first_line("dpkg-query", &["-W", "-f", "${Version}", package])
}

fn not_applicable<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::NotApplicable(why.to_owned()))
}
