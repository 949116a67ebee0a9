//! The committed figures, and what is said of new ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where they are, from the root of the repository.
pub const FILE: &str = "tests/cost/figures.json";

/// What to do about a fault.
pub const RENEW: &str = "If it is meant: `scripts/cost --renew` measures again and writes tests/cost/figures.json, to be \
                         committed together with the change and its reason. docs/testing.md has more.";

/// How far instructions may be off, either way, in percent.
const TOLERANCE: u64 = 5;

/// A renewed limit is the next multiple of so many bytes.
const STEP: u64 = 50_000;

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Where instructions were counted: elsewhere, other ones may be needed for the same source.
    pub toolchain: Toolchain,
    pub instructions: Instructions,
    pub system_calls: SystemCalls,
    /// Of the release binary, at most.
    pub bytes: u64,
}

/// What makes instructions out of sources, and what counts them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    pub rustc: String,
    pub host: String,
    /// The version of the C library that is linked, without the distribution's.
    pub libc: String,
    pub valgrind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instructions {
    pub start_up: u64,
    pub one_restart: u64,
    pub ten_thousand_lines: u64,
}

/// Before the first job's exec, at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemCalls {
    /// Of the main thread, from the end of its own exec.
    pub ours: Calls,
    /// Of the child, its exec included.
    pub of_the_child: Calls,
}

/// How often each is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calls(pub BTreeMap<String, u64>);

/// What came of a comparison.
#[derive(Debug)]
pub struct Judged {
    /// For people: every measure.
    pub table: String,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

impl Figures {
    /// Those in the repository.
    pub fn committed() -> Self {
        let text = std::fs::read_to_string(path()).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{FILE}: {error}"))
    }

    /// Writes them there; the limit of bytes with a little room.
    pub fn write(&self) {
        let rounded = Self { bytes: self.bytes.next_multiple_of(STEP), ..self.clone() };
        std::fs::write(path(), serde_json::to_string_pretty(&rounded).unwrap() + "\n").unwrap();
    }

    /// Compares what was measured now with these.
    pub fn compare(&self, now: &Self) -> Judged {
        let mut judged = Judged { table: String::new(), faults: Vec::new() };
        let same = self.toolchain == now.toolchain;
        let mut row = |measure: &str, was: u64, is: u64, fault: Option<String>| {
            let (was, is, off) = (grouped(was), grouped(is), percent(was, is));
            writeln!(judged.table, "{measure:<34} {was:>12} {is:>12} {off:>9}").unwrap();
            judged.faults.extend(fault.map(|fault| format!("{measure}: {fault}")));
        };
        let (were, are) = (&self.instructions, &now.instructions);
        for (measure, was, is) in [
            ("instructions of a start-up", were.start_up, are.start_up),
            ("instructions of one restart", were.one_restart, are.one_restart),
            ("instructions of 10 000 lines", were.ten_thousand_lines, are.ten_thousand_lines),
        ] {
            row(measure, was, is, if same { off(was, is) } else { None });
        }
        let (were, are) = (&self.system_calls, &now.system_calls);
        for (measure, was, is) in [
            ("system calls before the first exec", &were.ours, &are.ours),
            ("system calls of its child", &were.of_the_child, &are.of_the_child),
        ] {
            let names = || format!(" ({})", was.difference(is));
            row(measure, was.sum(), is.sum(), over(was.sum(), is.sum()).map(|fault| fault + &names()));
        }
        row("bytes of the release binary", self.bytes, now.bytes, over(self.bytes, now.bytes));
        judged.table.insert_str(0, &format!("{:<34} {:>12} {:>12}\n", "", "committed", "now"));
        if !same {
            let Toolchain { rustc, host, libc, valgrind } = &now.toolchain;
            let committed = &self.toolchain;
            writeln!(
                judged.table,
                "INSTRUCTIONS ARE NOT JUDGED: those committed are of {}, {}, libc {}, {};\n\
                 here are {rustc}, {host}, libc {libc}, {valgrind}",
                committed.rustc, committed.host, committed.libc, committed.valgrind
            )
            .unwrap();
        }
        judged
    }
}

impl Calls {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// What there is more and less of.
    fn difference(&self, now: &Self) -> String {
        let of = |calls: &Self, name: &str| calls.0.get(name).copied().unwrap_or_default();
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let changed = names.into_iter().filter(|name| of(self, name) != of(now, name));
        let told: Vec<String> =
            changed.map(|name| format!("{name}: {} committed, {} now", of(self, name), of(now, name))).collect();
        told.join(", ")
    }
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

/// What is wrong with a figure that should be about this.
fn off(was: u64, is: u64) -> Option<String> {
    let far = is * 100 > was * (100 + TOLERANCE) || is * 100 < was * (100 - TOLERANCE);
    far.then(|| {
        let (was, is, off) = (grouped(was), grouped(is), percent(was, is));
        format!("{was} committed, {is} now: {off}, at most {TOLERANCE} % either way")
    })
}

/// What is wrong with a figure that should be at most this.
fn over(limit: u64, is: u64) -> Option<String> {
    (is > limit).then(|| format!("at most {}, now {}: {}", grouped(limit), grouped(is), percent(limit, is)))
}

/// How much more or less it is, with one decimal.
fn percent(was: u64, is: u64) -> String {
    let permille = (is.abs_diff(was) * 1000 + was / 2).checked_div(was).unwrap_or(1000);
    let sign = if is < was { '-' } else { '+' };
    format!("{sign}{}.{} %", permille / 10, permille % 10)
}

/// With a space before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut told = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            told.push(' ');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(all: &[(&str, u64)]) -> Calls {
        Calls(all.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect())
    }

    fn some() -> Figures {
        let toolchain = Toolchain {
            rustc: "rustc 1.95.0".to_owned(),
            host: "x86_64-unknown-linux-gnu".to_owned(),
            libc: "2.36".to_owned(),
            valgrind: "valgrind-3.19.0".to_owned(),
        };
        let system_calls =
            SystemCalls { ours: calls(&[("openat", 2), ("mmap", 3)]), of_the_child: calls(&[("execve", 1)]) };
        let instructions = Instructions { start_up: 1000, one_restart: 100, ten_thousand_lines: 20_000_000 };
        Figures { toolchain, instructions, system_calls, bytes: 6_200_000 }
    }

    fn faults(now: &Figures) -> Vec<String> {
        some().compare(now).faults
    }

    #[test]
    fn instructions_may_be_off_by_the_tolerance_either_way() {
        for (is, good) in [(949, false), (950, true), (1000, true), (1050, true), (1051, false)] {
            let mut now = some();
            now.instructions.start_up = is;
            assert_eq!(faults(&now).is_empty(), good, "{is}: {:?}", faults(&now));
        }
        let mut now = some();
        now.instructions.one_restart = 120;
        let wanted = "instructions of one restart: 100 committed, 120 now: +20.0 %, at most 5 % either way";
        assert_eq!(faults(&now), [wanted]);
        now.instructions.ten_thousand_lines = 18_999_999;
        let wanted =
            "instructions of 10 000 lines: 20 000 000 committed, 18 999 999 now: -5.0 %, at most 5 % either way";
        assert_eq!(faults(&now).last().map(String::as_str), Some(wanted));
    }

    #[test]
    fn system_calls_and_bytes_may_only_become_less() {
        let mut now = some();
        (now.system_calls.ours, now.bytes) = (calls(&[("openat", 1)]), 1);
        assert!(faults(&now).is_empty(), "{:?}", faults(&now));
        now.system_calls.ours = calls(&[("openat", 3), ("read", 3)]);
        now.system_calls.of_the_child = calls(&[("execve", 2)]);
        now.bytes = 6_200_001;
        let wanted = [
            "system calls before the first exec: at most 5, now 6: +20.0 % (mmap: 3 committed, 0 now, \
             openat: 2 committed, 3 now, read: 0 committed, 3 now)",
            "system calls of its child: at most 1, now 2: +100.0 % (execve: 1 committed, 2 now)",
            "bytes of the release binary: at most 6 200 000, now 6 200 001: +0.0 %",
        ];
        assert_eq!(faults(&now), wanted);
    }

    #[test]
    fn only_instructions_belong_to_a_toolchain() {
        let change: [fn(&mut Toolchain) -> &mut String; 4] =
            [|on| &mut on.rustc, |on| &mut on.host, |on| &mut on.libc, |on| &mut on.valgrind];
        for part in change {
            let mut now = some();
            *part(&mut now.toolchain) = "another".to_owned();
            now.instructions.start_up = 2000;
            let judged = some().compare(&now);
            assert!(judged.faults.is_empty(), "{:?}", judged.faults);
            assert!(judged.table.contains("+100.0 %"), "it is told all the same: {}", judged.table);
            assert!(judged.table.contains("NOT JUDGED") && judged.table.contains("another"), "{}", judged.table);
            now.bytes = 7_000_000;
            now.system_calls.ours = calls(&[("openat", 6)]);
            assert_eq!(some().compare(&now).faults.len(), 2);
        }
        assert!(!some().compare(&some()).table.contains("NOT JUDGED"));
    }

    #[test]
    fn what_is_committed_can_be_read_and_holds_of_itself() {
        let committed = Figures::committed();
        assert_eq!(committed.compare(&committed).faults, [""; 0]);
        let text = std::fs::read_to_string(path()).unwrap();
        assert_eq!(text, serde_json::to_string_pretty(&committed).unwrap() + "\n", "as it would be written");
    }
}
