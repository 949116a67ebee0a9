//! The kernel's list of processes, where /proc is mounted.

use std::fs;

use super::sys;

/// One process, as `/proc/PID/stat` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Whether it is dead and unreaped.
    pub zombie: bool,
    /// Whether it is about to die: it ends, or a signal that it has not seen yet ends it.
    pub dying: bool,
}

/// The kernel's flag of a process that ends (`PF_EXITING`).
const EXITING: u64 = 4;
/// SIGKILL among the signals that wait, which is how the kernel notes any that is fatal.
const FATAL: u64 = 1 << 8;

/// All processes that we may see, or `None` without a /proc of our own pid namespace: the numbers of another
/// namespace's /proc must never be signalled.
pub(super) fn scan() -> Option<Vec<Entry>> {
    let own = fs::read_link("/proc/self").ok()?;
    if own.to_str()?.parse() != Ok(sys::own_pid()) {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?;
    Some(entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?)).collect())
}

/// `None` for what isn't a process, or is gone by now.
fn read(name: &str) -> Option<Entry> {
    let pid = name.parse().ok()?;
    parse(pid, &fs::read(format!("/proc/{name}/stat")).ok()?)
}

/// `PID (COMMAND) STATE PARENT GROUP …`, where the command may hold anything, parentheses too.
fn parse(pid: i32, stat: &[u8]) -> Option<Entry> {
    let after = stat.iter().rposition(|b| *b == b')')?;
    let mut fields = std::str::from_utf8(stat.get(after + 1..)?).ok()?.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // The ninth of all, and the thirty-first.
    let mut bits = |skipped: usize, bit: u64| {
        let number = fields.nth(skipped).and_then(|field| field.parse().ok()).unwrap_or(0_u64);
        number & bit != 0
    };
    let dying = bits(3, EXITING) | bits(21, FATAL);
    Some(Entry { pid, parent, group, zombie, dying })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_hold_parentheses_and_bytes() {
        let entry = Entry { pid: 7, parent: 3, group: 5, zombie: true, dying: false };
        assert_eq!(parse(7, b"7 (a) S 9 (\xff) Z 3 5 5 0 -1"), Some(entry));
        assert_eq!(parse(7, b"7 (sh"), None);
        let dying = |flags: u64, waiting: u64| {
            let between = "0 ".repeat(21);
            let stat = format!("7 (a) R 3 5 5 0 -1 {flags} {between}{waiting} 0 0 0");
            parse(7, stat.as_bytes()).unwrap().dying
        };
        assert!(!dying(0x0040_0000, 1 << 14) && dying(0x0040_0004, 0) && dying(0x0040_0000, 1 << 8));
    }

    #[test]
    fn we_are_in_it() {
        let own = scan().unwrap().into_iter().find(|entry| entry.pid == sys::own_pid()).unwrap();
        assert!(!own.zombie);
        assert_eq!(own.group, nix::unistd::getpgrp().as_raw());
    }
}
