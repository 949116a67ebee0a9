//! The doors between the rooms, as design §2 draws them: who may name whom. Reads the sources, runs nothing.
//!
//! A room is a file or a folder directly below `src`. When this test fails, either the new dependency belongs somewhere
//! else, or [`DOORS`] gets a line in the same commit that says why.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test, also outside its test functions: what it can't read makes it fail"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which rooms a room may name beside itself.
///
/// ```text
/// main → app → driver → {process, discovery, probe, control, telemetry, log, handoff} → core → plan
///        app → config → plan          control, telemetry → http          app → console → control
///        control, log → kept            api, block, env, duration, errno, leaf, nearest, nowait, number, regular,
///                                                                                    shell, visible: leaves
/// ```
const DOORS: &[(&str, &[&str])] = &[
    ("main", &["app", "cli", "exit", "process"]),
    ("api", &[]),
    (
        "app",
        &[
            "api",
            "cli",
            "config",
            "console",
            "control",
            "core",
            "discovery",
            "driver",
            "env",
            "errno",
            "exit",
            "handoff",
            "kept",
            "leaf",
            "log",
            "plan",
            "process",
            "telemetry",
        ],
    ),
    ("cli", &["exit", "nearest"]),
    ("console", &["api", "cli", "control", "duration", "env", "errno", "exit", "number", "shell", "visible"]),
    (
        "driver",
        &[
            "api",
            "block",
            "control",
            "core",
            "discovery",
            "duration",
            "env",
            "exit",
            // `reload.watch`: its changes are inputs of the loop, like a signal's.
            "file_watch",
            "handoff",
            "kept",
            "log",
            "plan",
            "probe",
            "process",
            "telemetry",
            "timers",
        ],
    ),
    ("timers", &["core"]),
    ("config", &["duration", "env", "errno", "nearest", "number", "plan", "regular", "visible"]),
    ("process", &["block", "core", "duration", "env", "errno", "plan"]),
    ("discovery", &["core", "duration", "errno", "leaf", "plan", "regular"]),
    ("probe", &["core", "duration", "plan"]),
    ("control", &["api", "core", "duration", "errno", "http", "kept", "nearest", "number", "plan"]),
    ("telemetry", &["core", "duration", "errno", "http", "leaf", "number", "plan"]),
    ("kept", &["api", "block", "plan"]),
    ("log", &["block", "core", "duration", "errno", "kept", "nowait", "plan", "regular", "visible"]),
    ("handoff", &["core", "plan"]),
    ("http", &["errno", "leaf"]),
    ("file_watch", &["errno", "leaf"]),
    // Numbers only to count: `2 jobs`; and how a command is written.
    ("core", &["duration", "number", "plan", "shell"]),
    ("plan", &[]),
    ("block", &[]),
    ("duration", &[]),
    ("env", &[]),
    ("errno", &[]),
    ("exit", &[]),
    // In no release: it asserts what holds of those who read what comes from outside.
    ("fuzzing", &["config", "control", "core", "discovery", "env", "plan", "telemetry"]),
    ("leaf", &[]),
    ("nearest", &[]),
    ("nowait", &[]),
    ("number", &[]),
    ("regular", &[]),
    ("shell", &[]),
    ("visible", &[]),
];

/// The longest file, in lines without its tests.
const LONGEST: usize = 450;

/// Files that may be longer, each with its reason.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Paths that `core` must not name: it has no clock, no I/O, no thread, no runtime.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "nix",
    "libc",
    "tracing",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::env",
    "std::thread",
    "std::process",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "rand",
];

/// A system call that nobody wraps, and that is about no process.
const ITS_OWN_CALL: &str = "nowait";

/// What of `std::process` names no process: an exit status of our own.
const OUR_OWN_EXIT: &[&str] = &["ExitCode", "Termination"];

#[test]
fn the_rooms_keep_their_doors() {
    let files = sources();
    assert!(files.len() > 5, "the sources were found: {files:?}");
    let faults: Vec<String> = files.iter().flat_map(|(file, text)| faults(file, text)).collect();
    assert!(faults.is_empty(), "{} forbidden:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn no_file_is_too_long_to_have_one_subject() {
    let mut long = Vec::new();
    for (file, text) in sources() {
        let lines = lines_of_code(&text);
        let limit = LONG_FILES.iter().find(|(name, ..)| *name == file).map_or(LONGEST, |(_, limit, _)| *limit);
        if lines > limit {
            long.push(format!("{file}: {lines} lines without tests, at most {limit}"));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_doors_have_no_cycle() {
    let doors: BTreeMap<&str, &[&str]> = DOORS.iter().copied().collect();
    assert_eq!(doors.len(), DOORS.len(), "a room is listed twice");
    // Whoever names only rooms that are done is done; a cycle never is.
    let mut done: Vec<&str> = Vec::new();
    while done.len() < doors.len() {
        let next = doors.iter().filter(|(room, _)| !done.contains(room));
        let ready: Vec<&str> =
            next.filter(|(_, to)| to.iter().all(|t| done.contains(t))).map(|(room, _)| *room).collect();
        assert!(!ready.is_empty(), "a cycle, or a room without a line, beside {done:?}");
        done.extend(ready);
    }
}

/// The program's sources without test files, by path from the package's root.
fn sources() -> Vec<(String, String)> {
    fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "tests" {
                collect(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (relative(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// What a source names that it must not.
fn faults(file: &str, text: &str) -> Vec<String> {
    let below = file.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    let mut module: Vec<&str> = below.split('/').filter(|part| *part != "mod").collect();
    let room = module.remove(0);
    if room == "lib" {
        return Vec::new(); // The list of rooms itself.
    }
    let Some((_, doors)) = DOORS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{file}: the room `{room}` has no line in DOORS")];
    };
    let depth = module.len() + 1;
    let submodules = submodules(text);
    let mut found = Vec::new();
    for (line, is_use, path) in paths(text) {
        let mut complain = |what: &str| found.push(format!("{file}:{line}: `{}`: {what}", path.join("::")));
        if let Some(other) = target_room(room, depth, &path)
            && other != room
            && DOORS.iter().any(|(name, _)| *name == other)
            && !doors.contains(&other)
        {
            complain(&format!("no door from `{room}` to `{other}`"));
        }
        let starts =
            |prefix: &str| prefix.split("::").eq(path.iter().take(prefix.split("::").count()).map(String::as_str));
        if room != "process" {
            let own_exit = ["main", "app", "exit"].contains(&room)
                && path.get(2).is_some_and(|name| OUR_OWN_EXIT.contains(&&**name));
            if path.iter().any(|part| part == "waitpid" || part == "waitid") {
                complain("only `process` waits");
            } else if (starts("libc") && room != ITS_OWN_CALL) || (starts("std::process") && !own_exit) {
                complain("only `process` names processes");
            }
        }
        if room == "core" {
            let clock = |who: &str| path.windows(2).any(|pair| pair[0] == who && pair[1] == "now");
            if NOT_IN_CORE.iter().any(|name| starts(name)) || clock("Instant") || clock("SystemTime") {
                complain("`core` is pure");
            }
            let first = path.first().map_or("", String::as_str);
            let known = ["std", "core", "serde", "crate", "super", "self"].contains(&first);
            if is_use && !known && !is_type(first) && !submodules.iter().any(|name| name == first) {
                complain("`core` imports `plan`, std and serde only");
            }
        }
    }
    found
}

/// The modules that a source declares (`mod event;`), whose names may begin a path.
fn submodules(text: &str) -> Vec<String> {
    let tokens = tokens(&without_text(text));
    tokens.windows(2).filter(|pair| pair[0].1 == "mod").map(|pair| pair[1].1.clone()).collect()
}

/// Whether a first segment is a type (`use Restarts::Unlimited`) and not a crate.
fn is_type(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The room that a path leads to, if it begins at the crate's root. `depth` is that of the module it stands in.
fn target_room<'a>(room: &'a str, depth: usize, path: &'a [String]) -> Option<&'a str> {
    let first = path.first()?.as_str();
    if first == "crate" || (room == "main" && first == "containerpilot") {
        return path.get(1).map(String::as_str);
    }
    let ups = path.iter().take_while(|part| *part == "super").count();
    if ups >= depth && ups > 0 { path.get(ups).map(String::as_str) } else { None }
}

/// The lines of a source without its test items.
fn lines_of_code(text: &str) -> usize {
    let blank = |t: &str| t.lines().filter(|line| line.contains(TEST_MARK)).count();
    let marked = without_tests(&without_text(text));
    text.lines().count() - blank(&marked)
}

/// Stands on each line of a removed test item.
const TEST_MARK: char = '\u{1}';

/// The source with comments, strings and characters made blank; lines stay where they are.
fn without_text(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => i += chars[i..].iter().take_while(|c| **c != '\n').count(),
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            'r' if !is_word(at(i.wrapping_sub(1))) || at(i.wrapping_sub(1)) == 'b' => {
                let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
                i += 1;
                if at(i + hashes) == '"' {
                    i += hashes + 1;
                    while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                        i += 1;
                    }
                    i += 1 + hashes;
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            // A character, not a lifetime.
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            _ => {
                out.push(at(i));
                i += 1;
                continue;
            }
        }
        let end = i.min(chars.len());
        if end == start + 1 && at(start) == 'r' {
            out.push('r');
        } else {
            out.extend(chars[start..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The blanked source with each item behind `#[cfg(test)]` replaced by marks.
fn without_tests(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..begin]);
        let item = &rest[begin..];
        let mut depth = 0_usize;
        let end = item.char_indices().skip("#[cfg(test)]".len()).find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && (c == '}' || c == ';')).then_some(at + 1)
        });
        let end = end.unwrap_or(item.len());
        out.push(TEST_MARK);
        out.extend(item[..end].matches('\n').flat_map(|_| ['\n', TEST_MARK]));
        rest = &item[end..];
    }
    out + rest
}

/// All paths of a source outside tests: line, whether in a `use`, segments. The braces of a `use` are multiplied out.
fn paths(text: &str) -> Vec<(usize, bool, Vec<String>)> {
    let mut tokens = tokens(&without_tests(&without_text(text)));
    tokens.push((0, String::new()));
    let token = |i: usize| tokens.get(i).map_or("", |(_, t)| t.as_str());
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let line = tokens[i].0;
        if token(i) == "use" && token(i + 1) != "<" {
            i += 1;
            let mut all = Vec::new();
            i = use_tree(&tokens, i, &[], &mut all);
            found.extend(all.into_iter().map(|path| (line, true, path)));
        } else if token(i).starts_with(is_word) && token(i.wrapping_sub(1)) != "." {
            let mut path = vec![token(i).to_owned()];
            while token(i + 1) == "::" && token(i + 2).starts_with(is_word) {
                path.push(token(i + 2).to_owned());
                i += 2;
            }
            if path.len() > 1 {
                found.push((line, false, path));
            }
            i += 1;
        } else {
            i += 1;
        }
    }
    found
}

/// Reads one branch of a `use` from token `i`; gives the token behind it.
fn use_tree(tokens: &[(usize, String)], mut i: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let token = |i: usize| tokens.get(i).map_or("", |(_, t)| t.as_str());
    let mut path = before.to_vec();
    loop {
        match token(i) {
            "::" => i += 1,
            "{" => {
                i += 1;
                while !["}", ""].contains(&token(i)) {
                    i = use_tree(tokens, i, &path, found);
                    if token(i) == "," {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "as" => i += 2,
            word if word.starts_with(is_word) || word == "*" => {
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                i += 1;
            }
            _ => {
                found.push(path);
                return i;
            }
        }
    }
}

/// Words, `::` and single signs, each with its line.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((index + 1, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// The checker finds what it should, and only that.
mod checker {
    use super::{faults, lines_of_code, paths};

    fn fault(file: &str, text: &str) -> String {
        faults(file, text).join("\n")
    }

    #[test]
    fn a_room_that_looks_up_is_found() {
        assert_eq!(
            fault("src/core/job.rs", "use crate::plan::JobSpec;\nuse crate::process::Children;"),
            "src/core/job.rs:2: `crate::process::Children`: no door from `core` to `process`"
        );
        assert!(
            fault("src/log/writer.rs", "fn f() { crate::driver::run() }").contains("no door from `log` to `driver`")
        );
        assert!(fault("src/config/load.rs", "use crate::core::Event;").contains("no door"));
        assert!(fault("src/process/spawn.rs", "use crate::log::Record;").contains("no door"));
        assert!(fault("src/plan.rs", "use crate::env::Environment;").contains("no door"));
    }

    #[test]
    fn open_doors_are_no_fault() {
        assert_eq!(fault("src/process/children.rs", "use crate::core::{ChildId, ExitStatus}; use crate::env;"), "");
        assert_eq!(fault("src/app.rs", "use crate::{config, driver::{self, Driver}, log};"), "");
        assert_eq!(
            fault("src/main.rs", "use std::process::ExitCode; fn main() -> ExitCode { containerpilot::app::run() }"),
            ""
        );
        assert_eq!(fault("src/core/world.rs", "use crate::core::event; use super::job; use std::sync::Arc;"), "");
        // Not an import: which lifetimes an `impl Trait` captures.
        assert_eq!(fault("src/core/world.rs", "fn ids(&self) -> impl Iterator<Item = u32> + use<> { 0..1 }"), "");
    }

    #[test]
    fn a_room_may_export_its_own_modules() {
        assert_eq!(fault("src/core/mod.rs", "mod event;\npub use event::{Event, GLOBAL};"), "");
        assert!(
            fault("src/core/mod.rs", "// mod event;\npub use event::{Event, GLOBAL};").contains("std and serde only")
        );
    }

    #[test]
    fn braces_and_super_hide_nothing() {
        assert!(fault("src/core/a.rs", "use crate::{plan::{self, Plan}, driver as d};").contains("`crate::driver`"));
        assert!(fault("src/core/a.rs", "use super::super::log::Log;").contains("no door from `core` to `log`"));
        assert!(fault("src/config/template/eval.rs", "use super::super::super::core::X;").contains("no door"));
        assert_eq!(fault("src/config/template/eval.rs", "use super::super::json5::Value;"), "");
        assert!(fault("src/driver.rs", "use super::config::Loaded;").contains("no door from `driver` to `config`"));
        assert!(fault("src/main.rs", "fn main() { containerpilot::driver::run() }").contains("no door"));
    }

    #[test]
    fn only_process_waits_and_spawns() {
        for text in [
            "use nix::sys::wait::waitpid;",
            "fn f() { nix::sys::wait::waitid(a, b) }",
            "use std::process::Command;",
            "use std::{io, process::{self, Child}};",
            "fn f() { std::process::abort() }",
            "const TERM: i32 = libc::SIGTERM;",
        ] {
            assert!(fault("src/driver.rs", text).contains("only `process`"), "{text}");
            assert_eq!(fault("src/process/children.rs", text), "", "{text}");
        }
        assert!(fault("src/driver.rs", "use std::process::ExitCode;").contains("only `process`"));
    }

    #[test]
    fn the_core_has_no_clock_and_no_world_outside() {
        for text in [
            "use tokio::time::sleep;",
            "fn f() { std::fs::read(x) }",
            "fn f() { Instant::now() }",
            "fn f() { std::time::SystemTime::now() }",
            "use tracing::info;",
            "use serde_json::Value;",
        ] {
            assert!(fault("src/core/world.rs", text).contains("`core` "), "{text}");
        }
    }

    #[test]
    fn a_room_without_a_line_is_found() {
        assert!(fault("src/helpers/mod.rs", "").contains("no line in DOORS"));
    }

    #[test]
    fn comments_strings_and_tests_are_not_read() {
        let text = r##"
            //! See [`crate::driver`]. 'a
            /* crate::driver /* nested */ crate::driver */
            const A: &str = "crate::driver \" crate::driver"; const B: &[u8] = br#"crate::driver"#; const C: char = '"';
            fn f<'a>(x: &'a str) -> &'a str { let q = '\''; x }
            #[cfg(test)]
            mod tests { use crate::driver::Driver; fn g() { if true { } } }
            use crate::plan::Plan;
            #[cfg(test)]
            mod more;
            use crate::driver::Loop;"##;
        let line = text.lines().count();
        assert_eq!(
            fault("src/core/a.rs", text),
            format!("src/core/a.rs:{line}: `crate::driver::Loop`: no door from `core` to `driver`")
        );
    }

    #[test]
    fn words_with_an_r_survive() {
        let found = paths("fn for_r() { crate::r::r#type(); her::err() }");
        assert_eq!(found[0].2, ["crate", "r", "r"]);
        assert_eq!(found.last().unwrap().2, ["her", "err"]);
    }

    #[test]
    fn lines_are_counted_without_tests() {
        assert_eq!(lines_of_code("a\nb\n#[cfg(test)]\nmod tests {\n    c\n}\n"), 2);
        assert_eq!(lines_of_code("a\n\n// b\n"), 3);
    }
}
