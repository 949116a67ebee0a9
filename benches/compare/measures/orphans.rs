//! d: a job leaves thousands of orphans to PID 1, as fast as it can.

use std::fs;
use std::time::Duration;

use super::{Figure, Found, Place, Trouble, less, micros};
use crate::load::figures;
use crate::systems::{System, Task};

const LAG: Figure = less('d', "orphans: from the last one to none left", "µs");
const CPU: Figure = less('d', "orphans: CPU of the init for each", "µs");
const LEFT: Figure = less('d', "orphans: left after 10 s", "");
pub const FIGURES: [Figure; 3] = [LAG, CPU, LEFT];

pub fn orphans(system: &dyn System, place: &Place) -> Result<Found, Trouble> {
    let count = place.loads.orphans;
    let job = place.load(&["orphans", &count.to_string(), &place.dir.display().to_string()]);
    let mut init = place.start(system, &Task { jobs: vec![job], ..Task::default() }, None)?;
    let ready = place.dir.join("ready");
    init.until(Duration::from_secs(15), "the job did not start", || ready.exists().then_some(()))?;
    // Whatever else it does at its start is none of this.
    std::thread::sleep(Duration::from_millis(300));
    let before = place.own(&init).cpu();
    fs::write(place.dir.join("go"), "")?;
    let file = place.dir.join("orphans");
    let noted = init.until(Duration::from_mins(2), "the job did not leave its orphans", || figures(&file))?;
    let cpu = place.own(&init).cpu().saturating_sub(before);
    let [_, last, none, left] = *noted.as_slice() else { return Err(init.failed("odd figures")) };
    let mut found = Found::default();
    found.put(&LEFT, left as f64);
    if left == 0 {
        found.put(&LAG, micros(last, none));
        found.put(&CPU, cpu as f64 / 1e3 / f64::from(count));
    } else {
        found.missing.push("some were left after 10 s".to_owned());
    }
    Ok(found)
}
