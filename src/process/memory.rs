//! Whether the kernel killed for want of memory: the counter of our own memory group (row 26).
//!
//! Only a hint: the counter tells neither whom it was nor when. It is read once at the first start and then only when a
//! child died of a SIGKILL that isn't ours, so a healthy container pays two small reads in its life.

use std::fs;
use std::path::{Path, PathBuf};

/// The counter, as far as it can be found.
#[derive(Debug, Default)]
pub(super) struct OomKills {
    begun: bool,
    file: Option<PathBuf>,
    seen: u64,
}

impl OomKills {
    /// Notes what was before us. To be called often, does something once.
    pub fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.look();
        }
    }

    /// Whether somebody of our memory group was killed for want of memory since the last look.
    pub fn more(&mut self) -> bool {
        let before = self.seen;
        self.look();
        self.seen > before
    }

    fn look(&mut self) {
        if self.file.is_none() {
            let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            self.file = candidates(&groups).into_iter().find(|file| counter(file).is_some());
        }
        if let Some(count) = self.file.as_deref().and_then(counter) {
            self.seen = count;
        }
    }
}

/// Where our counter may be, by what `/proc/self/cgroup` says: our group below the place where containers have the
/// hierarchy mounted, or that place itself, where a container sees nothing but its own group.
fn candidates(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (mount, file, path) in groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "" => Some(("/sys/fs/cgroup", "memory.events", path)),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Some(("/sys/fs/cgroup/memory", "memory.oom_control", path))
            }
            _ => None,
        }
    }) {
        let below = path.trim_start_matches('/');
        files.extend([Path::new(mount).join(below).join(file), Path::new(mount).join(file)]);
    }
    files
}

/// The line `oom_kill N`, which both versions of control groups have.
fn counter(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_looked_for_in_both_versions() {
        let files = |text| candidates(text).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
        let second = ["/sys/fs/cgroup/a/b/memory.events", "/sys/fs/cgroup/memory.events"];
        assert_eq!(files("0::/a/b\n"), second);
        let first = ["/sys/fs/cgroup/memory/docker/x/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control"];
        assert_eq!(files("9:name=systemd:/\n8:cpu,memory:/docker/x\n7:pids:/y\n"), first);
        assert_eq!(files("1:name=memory:/\nnonsense\n"), [""; 0]);
        assert_eq!(files(""), [""; 0]);
    }

    #[test]
    fn growth_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory.events");
        let write =
            |count: u64| fs::write(&file, format!("low 0\noom 7\noom_kill {count}\noom_group_kill 0\n")).unwrap();
        write(3);
        let mut kills = OomKills { file: Some(file.clone()), ..OomKills::default() };
        kills.begin();
        assert!(!kills.more(), "what was before us is not ours");
        write(5);
        kills.begin();
        assert!(kills.more());
        assert!(!kills.more());
        fs::remove_file(&file).unwrap();
        assert!(!kills.more());
    }
}
