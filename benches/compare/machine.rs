//! Where and when: figures of another machine are other figures.

use std::fs;
use std::time::SystemTime;

/// The machine.
#[derive(Debug, serde::Serialize)]
pub struct Machine {
    pub date: String,
    pub processor: String,
    pub processors: usize,
    pub memory_mib: u64,
    pub system: String,
    pub kernel: String,
    /// Of the last minute, before anything was measured.
    pub load: f64,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Self {
        let after = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_matches(|c: char| c.is_whitespace() || ":=\"".contains(c)).to_owned()
        };
        let processor = Some(after("/proc/cpuinfo", "model name")).filter(|name| !name.is_empty());
        let memory = after("/proc/meminfo", "MemTotal:");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(0, Into::into),
            memory_mib: memory.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024,
            system: after("/etc/os-release", "PRETTY_NAME"),
            kernel: kernel.trim().to_owned(),
            load: load(),
        }
    }

    /// Whether others used it: then its figures are worth little.
    pub fn is_busy(&self) -> bool {
        self.load > 0.3 * self.processors as f64
    }
}

/// How many processes wanted to run, in the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}
