//! What is known of this process by itself: the `process_*` metrics (v3 §16).

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

use super::number;
use super::page::{Family, Kind};

/// The families of the page. What can't be known, without `/proc` for example, is left out. The kernel's files cost no
/// device and no wait, so they are read on the loop.
pub(super) fn families(started: SystemTime) -> Vec<Family<'static>> {
    let gauge = |name: &'static str, help: &'static str, value: Option<f64>| {
        value.map(|value| Family::new(name, help, Kind::Gauge).single(value))
    };
    let cpu = getrusage(UsageWho::RUSAGE_SELF).ok().map(|used| seconds(used.user_time()) + seconds(used.system_time()));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let began = started.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64());
    let all = [
        cpu.map(|cpu| {
            let help = "Total user and system CPU time spent in seconds.";
            Family::new("process_cpu_seconds_total", help, Kind::Counter).single(cpu)
        }),
        gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| number::of(soft)),
        ),
        gauge("process_open_fds", "Number of open file descriptors.", open_descriptors()),
        gauge("process_resident_memory_bytes", "Resident memory size in bytes.", bytes(&status, "VmRSS:")),
        gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", began),
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", bytes(&status, "VmSize:")),
    ];
    all.into_iter().flatten().collect()
}

fn seconds(time: TimeVal) -> f64 {
    let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
    number::of(u64::try_from(time.tv_sec()).unwrap_or_default()) + number::of(micros) / 1e6
}

/// Without the one that counting takes.
fn open_descriptors() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(number::of(u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX)))
}

/// A line of `/proc/self/status`, in kB there.
fn bytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(number::of(kib.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::super::page::{Format, render};
    use super::*;

    #[test]
    fn all_of_the_original_are_there() {
        let page = render(families(SystemTime::now()), Format::Text);
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_resident_memory_bytes") > 4096.0);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_start_time_seconds") > 1.6e9);
    }
}
