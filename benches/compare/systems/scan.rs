//! Those that scan a directory and have a process for each job.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Output, System, Task, Words, find, not_applicable, packaged};
use crate::measures::Trouble;

/// Writes an executable file, and the directories that it is in.
fn script(path: &Path, text: &str) -> Result<(), Trouble> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// A script that becomes the command: its interpreter where there is one argument, so that no shell is in between.
fn becoming(words: &[String]) -> String {
    match words {
        [program, argument] => format!("#!{program} {argument}\n"),
        _ => format!("#!/bin/sh\nexec {}\n", words.join(" ")),
    }
}

/// s6-svscan as PID 1, an s6-supervise for each job.
pub struct S6 {
    svscan: PathBuf,
    supervise: PathBuf,
}

impl S6 {
    pub fn find() -> Option<Self> {
        Some(Self { svscan: find("s6-svscan")?, supervise: find("s6-supervise")? })
    }
}

impl System for S6 {
    fn name(&self) -> &'static str {
        "s6"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.svscan.clone(), self.supervise.clone()])
    }

    fn version(&self) -> String {
        packaged("s6")
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        if !task.checks.is_empty() {
            return not_applicable("checks nothing");
        }
        if task.restarts {
            return not_applicable("waits a second between two starts, on purpose");
        }
        let scan = dir.join("scan");
        for (n, job) in task.jobs.iter().enumerate() {
            let place = scan.join(format!("j{n}"));
            script(&place.join("run"), &becoming(job))?;
            if task.ends {
                script(&place.join("finish"), &format!("#!/bin/sh\nexec s6-svscanctl -t {}\n", scan.display()))?;
            }
            if task.output == Output::Relayed {
                script(&place.join("log/run"), "#!/bin/sh\nexec s6-log T 1\n")?;
            }
        }
        let words = ["-c", "4000", "-t0"].map(str::to_owned);
        Ok([vec![self.svscan.display().to_string()], words.to_vec(), vec![scan.display().to_string()]].concat())
    }
}

/// runsvdir as PID 1, a runsv for each job.
pub struct Runit {
    runsvdir: PathBuf,
    runsv: PathBuf,
}

impl Runit {
    pub fn find() -> Option<Self> {
        Some(Self { runsvdir: find("runsvdir")?, runsv: find("runsv")? })
    }
}

impl System for Runit {
    fn name(&self) -> &'static str {
        "runit"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.runsvdir.clone(), self.runsv.clone()])
    }

    fn version(&self) -> String {
        packaged("runit")
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        if !task.checks.is_empty() {
            return not_applicable("checks nothing");
        }
        if task.restarts {
            return not_applicable("waits a second between two starts, on purpose");
        }
        if task.ends {
            return not_applicable("never ends by itself");
        }
        if task.output == Output::Relayed {
            return not_applicable("its logger writes files only");
        }
        if task.jobs.len() > 990 {
            return not_applicable("takes at most 1000 jobs");
        }
        let services = dir.join("services");
        for (n, job) in task.jobs.iter().enumerate() {
            script(&services.join(format!("j{n}/run")), &becoming(job))?;
        }
        // It waits a second with a directory that has changed in this one.
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::open(&services)?.set_times(FileTimes::new().set_modified(long_ago))?;
        Ok(vec![self.runsvdir.display().to_string(), services.display().to_string()])
    }
}
