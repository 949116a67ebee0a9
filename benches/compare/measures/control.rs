//! j: how soon a question is answered that clients ask at the same time, beside a hundred jobs.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Figure, Found, Place, Trouble, less};
use crate::job::Jobs;
use crate::load::figures;
use crate::systems::{System, Task};

const JOBS: usize = 100;
const CLIENTS: &str = "8";

const PING: Figure = less('j', "a ping among 8 clients: median", "µs");
const PING_99: Figure = less('j', "a ping among 8 clients: 99 of 100 within", "µs");
const LIST: Figure = less('j', "a list of 100 jobs among 8 clients: median", "µs");
const LIST_99: Figure = less('j', "a list of 100 jobs among 8 clients: 99 of 100 within", "µs");
pub const FIGURES: [Figure; 4] = [PING, PING_99, LIST, LIST_99];

pub fn requests(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let Some(socket) = system.socket(&place.dir) else {
        return Err(Trouble::NotApplicable("no HTTP to ask it by".to_owned()));
    };
    let jobs = Jobs::staying(&place.job, &place.dir)?;
    let task = Task { jobs: vec![jobs.command(); JOBS], ..Task::default() };
    let mut init = place.start(system, &task, None)?;
    init.until(Duration::from_secs(30), "the jobs did not start", || (jobs.count() == JOBS).then_some(()))?;
    std::thread::sleep(Duration::from_secs(1));
    let mut found = Found::default();
    for (name, path, half, most) in [("ping", "/v3/ping", PING, PING_99), ("list", "/v4/jobs", LIST, LIST_99)] {
        let file = place.dir.join(name);
        let mut command = Command::new(&place.load);
        command.args(["load", "ask"]).arg(&socket).args([path, CLIENTS, &place.loads.requests.to_string()]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        let Some(&[middle, late, refused]) = figures(&file).as_deref() else {
            return Err(init.failed("it was not asked"));
        };
        if refused > 0 {
            found.missing.push(format!("{path}: {refused} were refused"));
            continue;
        }
        found.put(&half, middle as f64 / 1e3);
        found.put(&most, late as f64 / 1e3);
    }
    Ok(found)
}
