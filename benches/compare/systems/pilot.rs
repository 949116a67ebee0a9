//! containerpilot itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Output, System, Task, Words, first_line};
use crate::measures::Trouble;

/// The binary that is measured.
pub struct ContainerPilot {
    program: PathBuf,
}

impl ContainerPilot {
    pub fn at(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }
}

impl System for ContainerPilot {
    fn name(&self) -> &'static str {
        "containerpilot"
    }

    fn files(&self) -> Option<Vec<PathBuf>> {
        Some(vec![self.program.clone()])
    }

    fn version(&self) -> String {
        let line = first_line(&self.program.display().to_string(), &["-version"]);
        line.split_whitespace().find(|word| word.contains('.')).unwrap_or_default().to_owned()
    }

    fn command(&self, dir: &Path, task: &Task) -> Result<Words, Trouble> {
        let job = |(n, exec): (usize, &Words)| {
            let mut job = json!({ "name": format!("j{n}"), "exec": exec });
            if let Some(job) = job.as_object_mut() {
                if task.restarts {
                    job.insert("restarts".to_owned(), json!("unlimited"));
                    // By default it spaces the starts of a job that ends at once.
                    job.insert("backoff".to_owned(), json!(false));
                }
                if task.output == Output::Passed {
                    job.insert("logging".to_owned(), json!({ "raw": true }));
                }
            }
            job
        };
        let jobs: Vec<_> = task.jobs.iter().enumerate().map(job).collect();
        let text = json!({ "consul": false, "control": { "socket": dir.join("socket") }, "jobs": jobs });
        let file = dir.join("app.json5");
        fs::write(&file, text.to_string())?;
        Ok([self.program.as_path(), "-config".as_ref(), &file].map(|word| word.display().to_string()).to_vec())
    }
}
