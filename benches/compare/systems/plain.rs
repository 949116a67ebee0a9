//! Those that take their job from the command line, and the floor.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Output, System, Task, Words, find, first_line, not_applicable};
use crate::measures::Trouble;

/// The least that an init can do: a copy of this program.
pub struct Floor {
    program: PathBuf,
}

impl Floor {
    pub fn at(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }
}

impl System for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        None
    }

    fn version(&self) -> String {
        String::new()
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        let file = dir.join("jobs");
        fs::write(&file, lines_of(&task.jobs))?;
        let mut words = vec![self.program.display().to_string(), "floor".to_owned()];
        words.extend(task.restarts.then(|| "-r".to_owned()));
        words.extend((task.output == Output::Relayed).then(|| "-p".to_owned()));
        if !task.checks.is_empty() {
            let checks = dir.join("checks");
            fs::write(&checks, lines_of(&task.checks))?;
            words.extend(["-c".to_owned(), checks.display().to_string()]);
        }
        words.push(file.display().to_string());
        Ok(words)
    }
}

fn lines_of(commands: &[Words]) -> String {
    commands.iter().map(|words| words.join(" ") + "\n").collect()
}

/// An init that runs one command.
pub struct Single {
    name: &'static str,
    program: PathBuf,
}

impl Single {
    /// Those that are there.
    pub fn all() -> impl Iterator<Item = Self> {
        let names = ["tini", "dumb-init", "catatonit"].into_iter();
        names.filter_map(|name| Some(Self { name, program: find(name)? }))
    }
}

impl System for Single {
    fn name(&self) -> &'static str {
        self.name
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.program.clone()])
    }

    fn version(&self) -> String {
        let line = first_line(self.name, &["--version"]);
        let version = line.split_whitespace().find(|word| word.contains('.')).unwrap_or_default();
        version.trim_start_matches('v').trim_end_matches("_catatonit").to_owned()
    }

    fn command(&self, _: &Path, task: &Task) -> Result<Words, Trouble> {
        if !task.checks.is_empty() {
            return not_applicable("checks nothing");
        }
        let [job] = task.jobs.as_slice() else { return not_applicable("one job only") };
        if task.restarts {
            return not_applicable("starts nothing again");
        }
        if task.output == Output::Relayed {
            return not_applicable("no relay of output");
        }
        let mut words = vec![self.program.display().to_string(), "--".to_owned()];
        words.extend_from_slice(job);
        Ok(words)
    }
}
