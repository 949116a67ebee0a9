//! Control groups of a test's own, each below the group that the tests themselves run in: of version 1 where the controller
//! is mounted so, else of version 2.

#![expect(clippy::panic, reason = "where there are none the test fails, and says what it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::wait::{DEADLINE, poll, wait_until};

/// Which files a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// A group of one controller. To be made before the [`Pilot`](crate::support::Pilot) that enters it: the end of its
/// scope removes it, and only an empty one can be removed.
pub struct Group {
    dir: PathBuf,
    version: Version,
}

impl Group {
    /// A new group of this controller (`memory`, `pids`), or one that can be frozen (`freezer`).
    pub fn new(controller: &str) -> Self {
        let one = Self::of(Version::One, controller);
        let group = one.or_else(|one| Self::of(Version::Two, controller).map_err(|two| format!("{one}; {two}")));
        group.unwrap_or_else(|why| panic!("this test needs a control group of its own with {controller}: {why}"))
    }

    /// Likewise, of this version.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn of(version: Version, controller: &str) -> Result<Self, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let [mounts, own] =
            ["mountinfo", "cgroup"].map(|file| fs::read_to_string(format!("/proc/self/{file}")).unwrap());
        let above = match version {
            Version::One => below_ours(version, controller, &mounts, &own).map(|(_, ours)| ours),
            Version::Two => below_ours(version, controller, &mounts, &own)
                .and_then(|(mount, ours)| with_controller(controller, &mount, &ours)),
        }?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = above.join(format!("pilot-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Self { dir, version })
    }

    /// A folder that is taken for a group, to prove this module.
    pub fn pretended(version: Version, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), version }
    }

    /// A line for [`Launch::setup`](crate::support::Launch::setup) that brings PID 1 into it, and so its children; or for a
    /// job's own shell.
    pub fn enter(&self) -> String {
        format!("echo 0 > {}/cgroup.procs || exit 125", self.dir.display())
    }

    /// So much memory is all that it may have, swapped or not. Controller `memory`.
    pub fn limit_memory(&self, bytes: u64) {
        let (memory, with_swap, most) = match self.version {
            Version::One => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes),
            Version::Two => ("memory.max", "memory.swap.max", 0),
        };
        self.set(memory, &bytes.to_string());
        // A kernel that does not count what is swapped has no such file.
        if self.dir.join(with_swap).exists() {
            self.set(with_swap, &most.to_string());
        }
    }

    /// How many the kernel has killed in it for memory.
    pub fn killed_for_memory(&self) -> u64 {
        match self.version {
            Version::One => self.number("memory.oom_control", "oom_kill "),
            Version::Two => self.number("memory.events", "oom_kill "),
        }
    }

    /// So many processes and threads may be in it, or as many as want to. Controller `pids`.
    pub fn limit_processes(&self, most: Option<u64>) {
        self.set("pids.max", &most.map_or_else(|| "max".to_owned(), |most| most.to_string()));
    }

    /// How many are in it.
    pub fn processes(&self) -> u64 {
        self.number("pids.current", "")
    }

    /// How often another one was refused.
    pub fn refused_processes(&self) -> u64 {
        self.number("pids.events", "max ")
    }

    /// Freezes everybody in it, as `docker pause` does, until what is given is dropped.
    pub fn freeze(&self) -> Frozen<'_> {
        let frozen = Frozen(self);
        self.set_frozen(true);
        wait_until(DEADLINE, || self.is_frozen(), "the group is frozen");
        frozen
    }

    fn set_frozen(&self, frozen: bool) {
        match self.version {
            Version::One => self.set("freezer.state", if frozen { "FROZEN" } else { "THAWED" }),
            Version::Two => self.set("cgroup.freeze", if frozen { "1" } else { "0" }),
        }
    }

    fn is_frozen(&self) -> bool {
        match self.version {
            Version::One => fs::read_to_string(self.dir.join("freezer.state")).is_ok_and(|state| state == "FROZEN\n"),
            Version::Two => self.number("cgroup.events", "frozen ") == 1,
        }
    }

    fn set(&self, file: &str, value: &str) {
        let path = self.dir.join(file);
        fs::write(&path, value).unwrap_or_else(|error| panic!("{value:?} into {}: {error}", path.display()));
    }

    /// The first number in one of its files, behind a key where lines have keys.
    fn number(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.dir.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel takes a moment to see that it is empty.
        let gone = poll(Duration::from_secs(10), || fs::remove_dir(&self.dir).ok());
        assert!(gone.is_some() || std::thread::panicking(), "{} can't be removed", self.dir.display());
    }
}

/// A group that stands still. Its end must come before that of the program, which in version 1 can't even be killed meanwhile.
pub struct Frozen<'a>(&'a Group);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.set_frozen(false);
    }
}

/// Where this version's groups with the controller are mounted, and which of them we are in: from `/proc/self/mountinfo` and
/// `/proc/self/cgroup`.
pub fn below_ours(version: Version, controller: &str, mounts: &str, own: &str) -> Result<(PathBuf, PathBuf), String> {
    let has = |list: &str| list.split(',').any(|name| name == controller);
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut kind = kind.split(' ');
        let (root, mount) = (place.next()?, place.next()?);
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let fits = match version {
            Version::One => name == "cgroup" && has(options),
            Version::Two => name == "cgroup2",
        };
        fits.then(|| (root.to_owned(), PathBuf::from(mount)))
    });
    let Some((root, mount)) = mount else {
        return Err(match version {
            Version::One => format!("no control groups of version 1 with {controller} are mounted"),
            Version::Two => "nor are any of version 2".to_owned(),
        });
    };
    let ours = own.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        let fits = match version {
            Version::One => has(names),
            Version::Two => number == "0" && names.is_empty(),
        };
        fits.then_some(path)
    });
    // In a container only our part of it may be mounted. What is above that is not for us.
    let path = ours.and_then(|path| Path::new(path).strip_prefix(&root).ok()).unwrap_or(Path::new(""));
    let ours = mount.join(path);
    let ours = if ours.is_dir() { ours } else { mount.clone() };
    Ok((mount, ours))
}

/// Our group of version 2, or the nearest one above it, whose children have this controller.
pub fn with_controller(controller: &str, mount: &Path, ours: &Path) -> Result<PathBuf, String> {
    // All can be frozen, but for the root.
    if controller == "freezer" {
        return Ok(ours.to_owned());
    }
    let delegated = |dir: &Path| {
        let file = dir.join("cgroup.subtree_control");
        let is_there = || {
            fs::read_to_string(&file).is_ok_and(|names| names.split_ascii_whitespace().any(|name| name == controller))
        };
        // A group with processes in it gives nothing to those below, but for the root.
        is_there() || (fs::write(&file, format!("+{controller}")).is_ok() && is_there())
    };
    let found = ours.ancestors().take_while(|dir| dir.starts_with(mount)).find(|dir| delegated(dir));
    found.map(Path::to_owned).ok_or_else(|| {
        format!(
            "nor does version 2 have it to give: it is not in cgroup.subtree_control of {} or of a group above it, and can't \
             be written there (run the tests in a group that has {controller} delegated)",
            ours.display()
        )
    })
}
