//! Control groups of a test's own (version 1), each below the group that the tests themselves run in.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::wait::{DEADLINE, poll, wait_until};

/// A group of one controller. To be made before the [`Pilot`](crate::support::Pilot) that enters it: the end of its
/// scope removes it, and only an empty one can be removed.
pub struct Group(PathBuf);

impl Group {
    /// A new group of this controller (`pids`, `memory`, `freezer`).
    pub fn new(controller: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let below = own.lines().find_map(|line| {
            let (names, path) = line.split_once(':')?.1.split_once(':')?;
            names.split(',').any(|name| name == controller).then(|| path.trim_start_matches('/').to_owned())
        });
        assert!(below.is_some(), "no control groups of version 1 with {controller} here: {own}");
        let mount = PathBuf::from("/sys/fs/cgroup").join(controller);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = mount.join(below.unwrap()).join(format!("pilot-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    /// Writes one of its files.
    pub fn set(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).unwrap();
    }

    /// The first number in one of its files, behind a key where lines have keys.
    pub fn number(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.0.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).unwrap()
    }

    /// A line for [`Launch::setup`](crate::support::Launch::setup) that brings PID 1 into it, and so its children.
    pub fn enter(&self) -> String {
        format!("echo 0 > {}/cgroup.procs || exit 125", self.0.display())
    }

    /// Freezes everybody in it, as `docker pause` does, until what is given is dropped.
    pub fn freeze(&self) -> Frozen<'_> {
        self.set("freezer.state", "FROZEN");
        let frozen = Frozen(self);
        let state = || fs::read_to_string(self.0.join("freezer.state")).is_ok_and(|state| state == "FROZEN\n");
        wait_until(DEADLINE, state, "the group is frozen");
        frozen
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel takes a moment to see that it is empty.
        let gone = poll(Duration::from_secs(10), || fs::remove_dir(&self.0).ok());
        assert!(gone.is_some() || std::thread::panicking(), "{} can't be removed", self.0.display());
    }
}

/// A group that stands still. Its end must come before that of the program, which can't even be killed meanwhile.
pub struct Frozen<'a>(&'a Group);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.set("freezer.state", "THAWED");
    }
}
