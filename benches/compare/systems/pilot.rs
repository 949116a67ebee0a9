//! containerpilot itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Output, System, Task, Words, first_line};
use crate::measures::Trouble;

/// The binary that is measured.
pub struct ContainerPilot {
    name: String,
    program: PathBuf,
    version: String,
}

impl ContainerPilot {
    pub fn at(name: &str, program: &Path) -> Self {
        let line = first_line(&program.display().to_string(), &["-version"]);
        let version = line.split_whitespace().find(|word| word.contains('.')).unwrap_or_default().to_owned();
        Self { name: name.to_owned(), program: program.to_owned(), version }
    }

    /// Whether it is the original, which wants a Consul and knows no `backoff`.
    fn is_old(&self) -> bool {
        self.version.starts_with('3')
    }
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("socket")
}

impl System for ContainerPilot {
    fn name(&self) -> &str {
        &self.name
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.program.clone()])
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn socket(&self, dir: &Path) -> Option<PathBuf> {
        Some(socket(dir))
    }

    fn writes_json(&self) -> bool {
        true
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        let is_old = self.is_old();
        let job = |(n, exec): (usize, &Words)| {
            let mut job = json!({ "name": format!("j{n}"), "exec": exec, "restarts": "never" });
            if let Some(job) = job.as_object_mut() {
                if task.restarts {
                    job.insert("restarts".to_owned(), json!("unlimited"));
                    if !is_old {
                        // By default it spaces the starts of a job that ends at once.
                        job.insert("backoff".to_owned(), json!(false));
                    }
                }
                if let Some(check) = task.checks.get(n) {
                    job.insert("health".to_owned(), json!({ "exec": check, "interval": 1, "ttl": 3 }));
                }
                if task.output == Output::Passed {
                    job.insert("logging".to_owned(), json!({ "raw": true }));
                }
            }
            job
        };
        let jobs: Vec<_> = task.jobs.iter().enumerate().map(job).collect();
        // Nobody asks that Consul anything.
        let consul = if is_old { json!("localhost:8500") } else { json!(false) };
        let format = if task.output == Output::Json { "json" } else { "default" };
        let text = json!({
            "consul": consul,
            "logging": { "format": format },
            "control": { "socket": socket(dir) },
            "jobs": jobs,
        });
        let file = dir.join("app.json5");
        fs::write(&file, text.to_string())?;
        Ok([self.program.as_path(), "-config".as_ref(), &file].map(|word| word.display().to_string()).to_vec())
    }
}
