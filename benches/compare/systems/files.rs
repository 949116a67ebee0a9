//! Those with configuration files of their own kind.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Output, System, Task, Words, find, first_line, not_applicable};
use crate::measures::Trouble;

/// supervisord, in Python.
pub struct Supervisord {
    program: PathBuf,
}

impl Supervisord {
    pub fn find() -> Option<Self> {
        Some(Self { program: find("supervisord")? })
    }
}

impl System for Supervisord {
    fn name(&self) -> &'static str {
        "supervisord"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        None
    }

    fn version(&self) -> String {
        first_line("supervisord", &["--version"])
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        if !task.checks.is_empty() {
            return not_applicable("checks nothing");
        }
        if task.ends {
            return not_applicable("does not end with its jobs");
        }
        if task.output == Output::Passed {
            return not_applicable("always reads what jobs write");
        }
        let place = dir.display();
        let mut text = format!(
            "[supervisord]\nnodaemon=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\n\
             childlogdir={place}\nminfds=16000\nminprocs=4000\n"
        );
        let output = if task.output == Output::Relayed { "/dev/fd/1" } else { "NONE" };
        for (n, job) in task.jobs.iter().enumerate() {
            let _ = write!(
                text,
                "[program:j{n}]\ncommand={}\nautorestart={}\nstartsecs=0\nstartretries=1000000\nstopsignal=TERM\n\
                 stdout_logfile={output}\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n",
                job.join(" "),
                task.restarts
            );
        }
        let file = dir.join("supervisord.conf");
        fs::write(&file, text)?;
        Ok([self.program.as_path(), "-n".as_ref(), "-c".as_ref(), &file]
            .map(|word| word.display().to_string())
            .to_vec())
    }
}

/// Horust, in Rust.
pub struct Horust {
    program: PathBuf,
}

impl Horust {
    pub fn find() -> Option<Self> {
        Some(Self { program: find("horust")? })
    }
}

impl System for Horust {
    fn name(&self) -> &'static str {
        "horust"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.program.clone()])
    }

    fn version(&self) -> String {
        first_line("horust", &["--version"]).trim_start_matches("horust ").to_owned()
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        if !task.checks.is_empty() {
            return not_applicable("checks nothing");
        }
        if task.output == Output::Relayed {
            return not_applicable("no relay of output");
        }
        let services = dir.join("services");
        fs::create_dir_all(&services)?;
        let strategy = if task.restarts { "always" } else { "never" };
        for (n, job) in task.jobs.iter().enumerate() {
            let text = format!(
                "command = \"{}\"\nstart-delay = \"0s\"\n[restart]\nstrategy = \"{strategy}\"\nbackoff = \"0s\"\n\
                 attempts = 0\n[termination]\nsignal = \"TERM\"\nwait = \"5s\"\n",
                job.join(" ")
            );
            fs::write(services.join(format!("j{n}.toml")), text)?;
        }
        let words = [self.program.as_path(), "--services-path".as_ref(), &services, "--uds-folder-path".as_ref(), dir];
        Ok(words.map(|word| word.display().to_string()).to_vec())
    }
}
