//! The documentation tells the truth: every configuration in it is checked, every command in it is run.
//!
//! In `README.md` and `docs/*.md`:
//!
//! - a block marked `json5` is a whole configuration whose first line names it, `// app.json5`. `config check` must find
//!   no error in it, unless its name begins with `broken`: then it must;
//! - a block marked `console` is commands, `$ …`, each followed by all that it prints, as in a folder with the
//!   configurations of that page. Times and pids may be others;
//! - what a `json5` block without an error makes, fits the schema for editors;
//! - one marked `console with app.json5` is likewise, but typed in a container that runs this configuration of the page, a
//!   new one for each block. What only looks is asked until it shows what it should, since that may take its time. Times,
//!   durations and pids may be others, and so may the widths of columns;
//! - links between the pages lead somewhere.
//!
//! The tables of `docs/configuration.md` name the fields that the schema names, with its defaults; the templates of
//! `docs/templates.md` give what stands beside them.
//!
//! In `examples/`, every configuration is without problems.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test, also outside its test functions: what it can't read makes it fail"
)]

#[path = "config_schema/fields.rs"]
mod fields;
mod support;
#[path = "config_schema/validator.rs"]
mod validator;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use containerpilot::config::{json5, schema, template};
use containerpilot::env::Environment;
use serde_json::Value as Json;
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
    let schema: Json = serde_json::from_str(&schema()).unwrap();
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
            if expected == 0 {
                assert_eq!(faults(&schema, &block.text), Vec::<String>::new(), "{}", block.place);
            }
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} configurations were found");
}

/// What the schema has against a configuration, rendered without any variable.
fn faults(schema: &Json, text: &str) -> Vec<String> {
    let rendered = template::render(text, &Environment::default()).unwrap();
    validator::faults(schema, &validator::json(&json5::parse(&rendered.text).unwrap()))
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
        let schema: Json = serde_json::from_str(&schema()).unwrap();
        assert_eq!(
            faults(&schema, &std::fs::read_to_string(&file).unwrap()),
            Vec::<String>::new(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn every_command_prints_what_it_says() {
    // Some of them take seconds: all pages at once.
    let seen: usize = std::thread::scope(|scope| {
        let pages: Vec<_> = pages().into_iter().map(|page| scope.spawn(move || commands_of(&page))).collect();
        pages.into_iter().map(|page| page.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).sum()
    });
    assert!(seen > 20, "only {seen} commands were found");
}

/// Runs the commands of a page; how many there were.
fn commands_of((path, text): &(PathBuf, String)) -> usize {
    let mut seen = 0;
    let dir = tempfile::tempdir().unwrap();
    let blocks = blocks(path, text);
    for block in blocks.iter().filter(|block| block.mark == "json5") {
        std::fs::write(dir.path().join(name(block)), &block.text).unwrap();
    }
    for block in blocks.iter().filter(|block| block.mark == "console") {
        let commands: Vec<&str> = block.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let print = || commands.iter().map(|command| ["$ ", command, "\n", &shell(command, dir.path())].concat());
        let mut printed: String = print().collect();
        // They show what happens within so many seconds, as it does where nothing else is going on.
        for _ in 0..if commands.iter().any(|command| takes_its_time(command)) { 2 } else { 0 } {
            if steady(&printed) != steady(&block.text) {
                printed = print().collect();
            }
        }
        assert_eq!(steady(&printed), steady(&block.text), "{}: it prints\n{printed}", block.place);
        seen += commands.len();
    }
    seen
}

/// Whether a command waits for something to happen meanwhile.
fn takes_its_time(command: &str) -> bool {
    command.starts_with("timeout ") || command.contains("sleep ")
}

/// What a shell prints for a command within a minute, with the binary on its `PATH`. It has a `/run` and
/// a network of its own, so that somebody else's control socket or port is not in the way, and nothing that it started
/// outlives it.
fn shell(command: &str, dir: &Path) -> String {
    let mut outside = Command::new("timeout");
    outside.args([
        "--foreground",
        "-s",
        "KILL",
        "60",
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
    ]);
    outside.args(["--kill-child", "sh"]);
    let script = format!("mount -t tmpfs none /run && ip link set lo up && exec 2>&1 && {{ {command}\n}}");
    printed(outside, &script, dir)
}

fn printed(mut shell: Command, script: &str, dir: &Path) -> String {
    let bin = Path::new(support::BINARY).parent().unwrap();
    let output = shell
        .args(["-c", script])
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
    printed(shell, &format!("exec 2>&1; {command}"), pilot.dir())
}

/// The text without what is another one each time: times, durations, pids, and blanks that they move.
fn relative(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let core = word.trim_matches(|c: char| "(),;:.".contains(c));
            let before = words.last().map_or("", String::as_str);
            // A line of yesterday's has its date, when midnight comes in between.
            let is_date = word.len() == 5 && word.split('-').all(|part| part.len() == 2 && part.parse::<u8>().is_ok());
            let kind = if is_date {
                Some("DATE")
            } else if is_clock(core) {
                Some("TIME")
            } else if is_duration(core) {
                Some("SOME")
            } else if ["pid", "(pid", "running", "stopping"].contains(&before) && core.parse::<u32>().is_ok() {
                Some("PID")
            } else if before == "failed" && core.parse::<u32>().is_ok() {
                Some("COUNT")
            } else {
                None
            };
            match kind {
                Some("TIME") if before == "DATE" => *words.last_mut().unwrap() = word.replacen(core, "TIME", 1),
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
    assert_eq!(relative("11-23 00:04:11.201  app"), "TIME app");
    assert_eq!(relative("a  in 250ms (exit 1, 7th time)"), "a in SOME (exit 1, 7th time)");
    assert_ne!(relative("web  running  57"), relative("web  backoff  57"));
    assert_ne!(relative("web  running  57  1s  0"), relative("web  running  57  1s  1"));
    let two = vec![("a", "1\n2\n".to_owned()), ("b", String::new())];
    assert_eq!(commands("$ a\n1\n2\n$ b\n"), two);
}

/// The text without what is another one each time: the time at the beginning of a line, pids, and what a busy machine adds.
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
    let is_late =
        |line: &str| ["and held up everything else", "more to do than it can"].iter().any(|end| line.ends_with(end));
    text.lines().filter(|line| !is_late(line)).map(words).collect::<Vec<_>>().join("\n")
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
                line.trim_start_matches('#')
                    .trim()
                    .to_lowercase()
                    .replace(' ', "-")
                    .replace([',', '`', '.', '/', '?'], "")
            };
            let anchors: BTreeSet<String> = there.lines().filter(|line| line.starts_with('#')).map(heading).collect();
            assert!(anchor.is_empty() || anchors.contains(anchor), "{}: {target}, of {anchors:?}", path.display());
        }
    }
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// The text between backticks, if a cell is nothing else.
fn code(cell: &str) -> Option<&str> {
    let code = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!code.contains('`')).then_some(code)
}

/// In a table with the columns `template` and `gives`, each template gives that. White space at the ends does not show.
#[test]
fn every_template_gives_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md");
    let text = std::fs::read_to_string(page).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("template");
    let (mut columns, mut seen) = (None, 0);
    for line in text.lines() {
        let cells = if line.starts_with('|') { cells(line) } else { Vec::new() };
        let at = |name: &str| cells.iter().position(|cell| cell == name);
        if let (Some(template), Some(gives)) = (at("template"), at("gives")) {
            columns = Some((template, gives));
        } else if cells.is_empty() {
            columns = None;
        } else if let Some((template, gives)) = columns.filter(|_| !line.starts_with("|---")) {
            let pairs = cells[template].split("`, `").zip(cells[gives].split("`, `"));
            for (template, gives) in pairs.map(|(a, b)| (a.trim_matches('`'), b.trim_matches('`'))) {
                assert_eq!(rendered(template, &file), gives, "{template}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} templates were found");
}

fn rendered(template: &str, file: &Path) -> String {
    std::fs::write(file, template).unwrap();
    let output = Command::new(support::BINARY)
        .args(["-template", "-config"])
        .arg(file)
        .env_clear()
        .envs([("NAME", "Template"), ("PARTS", "a:b:c"), ("COUNT", "3"), ("EMPTY", ""), ("my-var", "dash")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{template}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Each function that templates have is in the page about them.
#[test]
fn every_function_of_templates_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/templates.md")).unwrap();
    let source = std::fs::read_to_string(root.join("src/config/template/funcs.rs")).unwrap();
    let table = source.split("static FUNCTIONS").nth(1).unwrap().split("];").next().unwrap();
    let names: Vec<&str> = table.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let words = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
        assert!(page.lines().any(|line| line.contains('`') && words(line)), "{name} is not in docs/templates.md");
    }
}

/// A row of the reference: the default, since when, and an example.
struct Row {
    default: String,
    since: String,
    example: String,
}

/// The fields in `docs/configuration.md`: the tables that follow a line `Fields of …`.
fn documented() -> BTreeMap<String, Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let (mut section, mut rows) = (None, BTreeMap::new());
    for line in std::fs::read_to_string(page).unwrap().lines() {
        if let Some(rest) = line.strip_prefix("Fields of ") {
            let path = rest.split('`').nth(1).unwrap_or_default();
            section = Some(if path.is_empty() { String::new() } else { format!("{path}.") });
        } else if !line.starts_with('|') && !line.is_empty() {
            section = None;
        }
        let (Some(section), true) = (&section, line.starts_with("| `")) else { continue };
        let [field, kind, default, since, about, example] = cells(line).try_into().unwrap_or_else(|_| panic!("{line}"));
        assert!(!kind.is_empty() && !about.is_empty() && example.contains('`'), "something is missing: {line}");
        let path = format!("{section}{}", code(&field).unwrap());
        assert!(rows.insert(path, Row { default, since, example }).is_none(), "twice: {line}");
    }
    rows
}

/// A path without the names of signals, which the reference has once for all.
fn path_of(path: &str) -> String {
    match path.strip_prefix("signals.") {
        Some(rest) => rest.split_once('.').map_or("signals.*".to_owned(), |(_, field)| format!("signals.*.{field}")),
        None => path.to_owned(),
    }
}

/// Numbers are equal however they are written: the reference says 2 where the schema has 2.0.
fn same(a: &Json, b: &Json) -> bool {
    a == b || a.is_number() && a.as_f64() == b.as_f64()
}

#[test]
fn the_reference_has_the_fields_of_the_schema() {
    let schema: Json = serde_json::from_str(&schema()).unwrap();
    let fields = fields::fields(&schema);
    let documented = documented();
    let paths: BTreeSet<String> = fields.iter().map(|field| path_of(&field.path)).collect();
    let rows: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(rows, paths, "documented, in the schema");
    for field in &fields {
        let row = &documented[&path_of(&field.path)];
        let described = field.schema["description"].as_str().unwrap();
        let since = if described.ends_with("New in 4.0.") { "4.0" } else { "v3" };
        assert_eq!(row.since, since, "{}", field.path);
        let example = json5::parse(&format!("{{ it: {} }}", row.example.trim_matches('`'))).unwrap();
        let faults = validator::faults_of_part(&schema, field.schema, &validator::json(&example)["it"]);
        assert!(faults.is_empty(), "{}: {faults:?}", field.path);
        let of_one_signal = field.path.starts_with("signals.");
        if let Some(default) = field.schema.get("default").filter(|_| !of_one_signal) {
            let said = code(&row.default).and_then(|said| serde_json::from_str::<Json>(said).ok());
            assert!(said.is_some_and(|said| same(&said, default)), "{}: {}, not {default}", field.path, row.default);
        }
    }
}

/// Each metric of the program, as the source spells it, is in the page about telemetry, and no other one.
#[test]
fn every_metric_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |text: &str| -> BTreeSet<String> {
        let whole = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
        let names = text.split("containerpilot_").skip(1).map(whole);
        // The parts of a histogram or a summary are one metric.
        names
            .map(|name| ["_bucket", "_count", "_sum"].iter().fold(name, |n, end| n.trim_end_matches(end).to_owned()))
            .collect()
    };
    let mut source = String::new();
    for entry in std::fs::read_dir(root.join("src/telemetry")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("tests.rs") {
            // Only what stands in quotes: `containerpilot_*` in a comment is no name.
            let text = std::fs::read_to_string(path).unwrap();
            source += &text.split('"').skip(1).step_by(2).collect::<Vec<_>>().join("\n");
        }
    }
    let documented = names(&std::fs::read_to_string(root.join("docs/telemetry.md")).unwrap());
    let known: BTreeSet<String> = names(&source).into_iter().filter(|name| !name.is_empty()).collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(documented, known, "documented, in the source");
}
