//! The documentation tells the truth: every configuration in it is checked, every command in it is run.
//!
//! In `README.md` and `docs/*.md`:
//!
//! - a block marked `json5` is a whole configuration whose first line names it, `// app.json5`. `config check` must find
//!   no error in it, unless its name begins with `broken`: then it must;
//! - a block marked `console` is commands, `$ …`, each followed by all that it prints, as in a folder with the
//!   configurations of that page. Times and pids may be others;
//! - one marked `console with app.json5` is likewise, but typed in a container that runs this configuration of the page, a
//!   new one for each block. What only looks is asked until it shows what it should, since that may take its time. Times,
//!   durations and pids may be others, and so may the widths of columns;
//! - links between the pages lead somewhere.
//!
//! In `examples/`, every configuration is without problems.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test, also outside its test functions: what it can't read makes it fail"
)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{DEADLINE, Launch, Pilot, wait};

/// A fenced block: where, its mark and its text.
struct Block {
    place: String,
    mark: String,
    text: String,
}

fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "md") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn blocks(path: &Path, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(mark), None) => {
                let place = format!("{}:{}", path.file_name().unwrap().to_string_lossy(), index + 1);
                open = Some(Block { place, mark: mark.to_owned(), text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", path.display());
    blocks
}

/// A configuration's name, from its first line.
fn name(block: &Block) -> &str {
    let first = block.text.lines().next().unwrap_or_default();
    let name = first.strip_prefix("// ").and_then(|rest| rest.split([':', ' ']).next());
    name.filter(|name| Path::new(name).extension().is_some_and(|end| end == "json5"))
        .unwrap_or_else(|| panic!("{}: the first line names the file: // app.json5", block.place))
}

#[test]
fn every_configuration_is_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for (path, text) in pages() {
        for block in blocks(&path, &text).iter().filter(|block| block.mark == "json5") {
            let file = dir.path().join(name(block));
            std::fs::write(&file, &block.text).unwrap();
            let checked = support::run(&["config", "check", file.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&checked.stdout);
            let expected = if name(block).starts_with("broken") { 65 } else { 0 };
            assert_eq!(checked.status.code(), Some(expected), "{}\n{said}", block.place);
            assert!(expected != 0 || said.contains("no problems"), "{}\n{said}", block.place);
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} configurations were found");
}

#[test]
fn every_example_is_without_problems() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files: Vec<PathBuf> = std::fs::read_dir(examples)
        .unwrap()
        .map(|example| example.unwrap().path().join("containerpilot.json5"))
        .filter(|file| file.exists())
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let checked = support::run(&["config", "check", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&checked.stdout);
        assert_eq!(said, format!("{}: no problems\n", file.display()));
    }
}

#[test]
fn every_command_prints_what_it_says() {
    let mut seen = 0;
    for (path, text) in pages() {
        let dir = tempfile::tempdir().unwrap();
        let blocks = blocks(&path, &text);
        for block in blocks.iter().filter(|block| block.mark == "json5") {
            std::fs::write(dir.path().join(name(block)), &block.text).unwrap();
        }
        for block in blocks.iter().filter(|block| block.mark == "console") {
            let mut printed = String::new();
            for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                printed += &["$ ", command, "\n", &shell(command, dir.path())].concat();
                seen += 1;
            }
            assert_eq!(steady(&printed), steady(&block.text), "{}: it prints\n{printed}", block.place);
        }
    }
    assert!(seen >= 3, "only {seen} commands were found");
}

/// What a shell prints for a command, with the binary on its `PATH`.
fn shell(command: &str, dir: &Path) -> String {
    printed(Command::new("sh"), command, dir)
}

fn printed(mut shell: Command, command: &str, dir: &Path) -> String {
    let bin = Path::new(support::BINARY).parent().unwrap();
    let output = shell
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(dir)
        .env_clear()
        .env("PATH", format!("{}:{}", bin.display(), support::PATH))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Of the verbs that only look: they may be asked again.
const LOOKS: [&str; 6] = ["status", "why", "logs", "events", "watches", "env"];

#[test]
fn every_transcript_of_a_running_instance_is_what_it_shows() {
    let mut seen = 0;
    for (path, text) in pages() {
        let blocks = blocks(&path, &text);
        for block in &blocks {
            let Some(file) = block.mark.strip_prefix("console with ") else { continue };
            let config = blocks.iter().find(|config| config.mark == "json5" && name(config) == file);
            let config = config.unwrap_or_else(|| panic!("{}: no {file} in this page", block.place));
            let launch = Launch::config(&config.text).setup(&format!("mv containerpilot.json5 {file}"));
            let pilot = launch.args(&["-config", file]).start();
            pilot.wait_stdout("control: serving at ");
            for (command, expected) in commands(&block.text) {
                let looks = command
                    .strip_prefix("containerpilot ")
                    .is_some_and(|line| LOOKS.contains(&line.split(' ').next().unwrap_or_default()));
                let mut shown = inside(&pilot, command);
                let right = |shown: &str| relative(shown) == relative(&expected);
                if looks && !right(&shown) {
                    wait::poll(DEADLINE, || {
                        shown = inside(&pilot, command);
                        right(&shown).then_some(())
                    });
                }
                assert_eq!(relative(&shown), relative(&expected), "{}: {command} shows\n{shown}", block.place);
                seen += 1;
            }
        }
    }
    assert!(seen >= 3, "only {seen} commands were found");
}

/// The commands of a block, each with what it prints.
fn commands(text: &str) -> Vec<(&str, String)> {
    let mut commands: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, String::new())),
            (None, Some((_, printed))) => *printed += &[line, "\n"].concat(),
            (None, None) => panic!("a command comes first: {text}"),
        }
    }
    commands
}

/// What a shell in the container prints.
fn inside(pilot: &Pilot, command: &str) -> String {
    let mut shell = Command::new("nsenter");
    shell.args(["--target", &pilot.pid.to_string(), "--mount", "--pid", "--wd", "--", "sh"]);
    printed(shell, command, pilot.dir())
}

/// The text without what is another one each time: times, durations, pids, and blanks that they move.
fn relative(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let core = word.trim_matches(|c: char| "(),;:.".contains(c));
            let before = words.last().map_or("", String::as_str);
            let kind = if is_clock(core) {
                Some("TIME")
            } else if is_duration(core) {
                Some("SOME")
            } else if ["pid", "(pid", "running", "stopping"].contains(&before) && core.parse::<u32>().is_ok() {
                Some("PID")
            } else {
                None
            };
            match kind {
                // `3d 4h` is one.
                Some("SOME") if before == "SOME" => *words.last_mut().unwrap() = word.replacen(core, "SOME", 1),
                Some(kind) => words.push(word.replacen(core, kind, 1)),
                None => words.push(word.to_owned()),
            }
        }
        words.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// `12:04:11.201`
fn is_clock(word: &str) -> bool {
    word.len() == 12
        && word.chars().zip("00:00:00.000".chars()).all(|(c, form)| match form {
            '0' => c.is_ascii_digit(),
            form => c == form,
        })
}

/// `3.2s`, `200ms`, `4h`
fn is_duration(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    word.starts_with(|c: char| c.is_ascii_digit()) && ["ms", "s", "m", "h", "d"].contains(&unit)
}

#[test]
fn of_a_transcript_only_what_changes_may_change() {
    let shown = "web  running   57  3d 4h  0  healthy 1.2s ago\n12:04:11.201  app  start  (pid 7)\n";
    assert_eq!(relative(shown), "web running PID SOME 0 healthy SOME ago\nTIME app start (pid PID)");
    assert_eq!(relative("a  in 250ms (exit 1, 7th time)"), "a in SOME (exit 1, 7th time)");
    assert_ne!(relative("web  running  57"), relative("web  backoff  57"));
    assert_ne!(relative("web  running  57  1s  0"), relative("web  running  57  1s  1"));
    let two = vec![("a", "1\n2\n".to_owned()), ("b", String::new())];
    assert_eq!(commands("$ a\n1\n2\n$ b\n"), two);
}

/// The text without what is another one each time: the time at the beginning of a line, and pids.
fn steady(text: &str) -> String {
    let is_time = |word: &str| word.len() > 20 && word.starts_with("20") && word.contains('T');
    let words = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        if words.first().is_some_and(|first| is_time(first)) {
            words[0] = "TIME";
            if words.get(2).is_some_and(|pid| pid.parse::<u32>().is_ok()) {
                words[2] = "PID";
            }
        }
        words.join(" ")
    };
    text.lines().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if file.is_dir() {
                continue;
            }
            let there = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}: {target}", path.display()));
            let heading = |line: &str| {
                line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace([',', '?'], "")
            };
            let anchors: BTreeSet<String> = there.lines().filter(|line| line.starts_with('#')).map(heading).collect();
            assert!(anchor.is_empty() || anchors.contains(anchor), "{}: {target}, of {anchors:?}", path.display());
        }
    }
}
