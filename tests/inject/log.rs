//! What PID 1 has written, and what of it is not as promised.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What stands in the log.
#[derive(Default)]
pub struct Log {
    /// Lines that are none.
    torn: Vec<String>,
    /// Warnings and errors of our own, but for how jobs ended and what a busy machine makes late.
    pub told: Vec<String>,
    /// The numbers that `steady` counted.
    ticks: Vec<u64>,
    /// So many lines were lost, by the log's own words.
    lost: u64,
    /// The pids of each command, in the order of their starts.
    started: BTreeMap<String, Vec<u64>>,
    ended: BTreeMap<String, usize>,
    /// So many runs of `period` were not done at the next one, which is when they are killed.
    cut_short: usize,
    /// By its own words it was held up for a second or more: a check may have been killed for that.
    held_up: bool,
    /// Who said something: name and pid.
    spoke: BTreeSet<(String, u64)>,
}

impl Log {
    /// Reads the lines, which are JSON.
    pub fn read(text: &str) -> Self {
        let mut log = Self::default();
        for line in text.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                log.torn.push(line.to_owned());
                continue;
            };
            let word = |key: &str| line[key].as_str().unwrap_or_default();
            let message = word("msg");
            let pid = line["pid"].as_u64().unwrap_or_default();
            if line.get("job").is_some() {
                log.spoke.insert((word("job").to_owned(), pid));
                log.ticks.extend(message.strip_prefix("tick ").and_then(|number| number.parse::<u64>().ok()));
                continue;
            }
            if let Some(name) = message.strip_suffix(".Run start") {
                log.started.entry(name.to_owned()).or_default().push(pid);
            } else if let Some((name, _)) = message.split_once(" exited with") {
                *log.ended.entry(name.to_owned()).or_default() += 1;
            } else if let Some((lines, _)) = message.split_once(" log line") {
                log.lost += lines.parse::<u64>().unwrap_or_default();
            }
            let is_end = message.contains(" exited with error: ");
            log.held_up |= message.starts_with("timers are ");
            log.cut_short += usize::from(message.starts_with("period timeout after "));
            let of_a_check = message.starts_with("check.steady timeout after ") || message == "steady is unhealthy";
            let is_of_load = ["the start of ", "timers are ", "period timeout after "]
                .iter()
                .any(|begin| message.starts_with(begin))
                || (of_a_check && log.held_up)
                || message.contains(" still runs when ")
                || message.ends_with(" late: the machine or we were held up");
            if ["warning", "error"].contains(&word("level")) && !is_end && !is_of_load {
                log.told.push(message.to_owned());
            }
        }
        log
    }

    /// What is wrong.
    pub fn judge(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.torn.iter().map(|line| format!("no line of the log: {line}")).collect();
        let last = self.ticks.iter().max().copied().unwrap_or_default();
        let missing = (0..=last).filter(|tick| !self.ticks.contains(tick)).count() as u64;
        if missing > self.lost {
            wrong.push(format!("{missing} lines of steady are missing, {} are told", self.lost));
        }
        if self.ticks.windows(2).any(|two| two[0] >= two[1]) {
            wrong.push("lines of steady came in another order or twice".to_owned());
        }
        for (name, starts) in &self.started {
            let (starts, ends) = (starts.len(), self.ended.get(name).copied().unwrap_or_default());
            if starts.abs_diff(ends) as u64 > self.lost {
                wrong.push(format!("{name} was started {starts} times and ended {ends} times"));
            }
        }
        for name in ["again", "period"] {
            // The last one may have been stopped before it said anything.
            let starts = self.started.get(name).map(|pids| pids.split_last().map_or(&[][..], |(_, pids)| pids));
            let silent = starts.into_iter().flatten().filter(|pid| !self.spoke.contains(&(name.to_owned(), **pid)));
            let told = self.told.iter().filter(|told| told.contains(&format!("the output of {name} ")));
            let silent: Vec<&u64> = silent.collect();
            if silent.len() > told.count() + self.cut_short + usize::try_from(self.lost).unwrap() {
                wrong.push(format!("what {name} wrote is missing, and nobody said so: pids {silent:?}"));
            }
        }
        if self.started.get("steady").is_none_or(|starts| starts.len() != 1) {
            wrong.push("steady was not started once".to_owned());
        }
        for (index, told) in self.told.iter().enumerate() {
            if self.told.iter().take(index).any(|before| before == told) {
                wrong.push(format!("told twice: {told}"));
            }
            if told.contains("internal error") {
                wrong.push(told.clone());
            }
        }
        wrong
    }

    /// Which of these jobs were not started once, or said nothing.
    pub fn judge_last(&self, names: impl Iterator<Item = String>) -> Option<String> {
        let spoke = |name: &str| self.spoke.iter().filter(|(job, _)| job == name).count();
        let starts = |name: &str| self.started.get(name).map_or(0, Vec::len);
        let wrong: Vec<String> = names.filter(|name| starts(name) != 1 || spoke(name) != 1).collect();
        // Either line of one may be among those that are lost.
        (wrong.len() as u64 > self.lost).then(|| format!("not once started and heard: {wrong:?}, {} lost", self.lost))
    }
}
