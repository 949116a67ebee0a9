//! docs/reliability.md against the tests: each fault has a row, each row has its tests, and each of them has been seen to
//! fail. Reads the sources, runs nothing; `scripts/mutants` is what breaks the lines again.

#![expect(clippy::unwrap_used, reason = "a test, also outside its test functions: what it can't read makes it fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROWS: u32 = 86;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The Rust files below a folder, by their path from the root.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// `fn f18_f19_…() {` has the numbers 18 and 19.
fn numbers(name: &str) -> Vec<u32> {
    let number = |word: &str| word.strip_prefix('f').filter(|digits| digits.len() == 2)?.parse().ok();
    name.split('_').map_while(number).collect()
}

/// A line that a test names, which scripts/mutants breaks.
#[derive(Debug)]
struct Mutant {
    test: String,
    file: String,
    line: String,
    broken: String,
}

/// Which rows have which tests: file and name.
type Rows = BTreeMap<u32, BTreeSet<(String, String)>>;

/// The tests that carry a row's number, with the file that each is in, and the lines that tests name.
fn tests() -> (Rows, Vec<Mutant>) {
    let mut rows = Rows::new();
    let mut mutants = Vec::new();
    for path in [sources("src"), sources("tests")].concat() {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let (mut is_test, mut file, mut line, mut broken) = (false, None, None, None);
        for text in text.lines().map(str::trim) {
            is_test |= text == "#[test]" || text.starts_with("#[tokio::test");
            if let Some(named) = text.strip_prefix("// Seen red with ").and_then(|rest| rest.strip_suffix(':')) {
                file = Some(named.to_owned());
            } else if let Some(named) = text.strip_prefix("//-") {
                line = Some(named.trim().to_owned());
            } else if let Some(named) = text.strip_prefix("//+") {
                broken = Some(named.trim().to_owned());
            }
            let text = ["pub ", "async "].iter().fold(text, |text, word| text.strip_prefix(word).unwrap_or(text));
            let Some((name, _)) = text.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) else { continue };
            // In a property's macro the attribute is there, too.
            if std::mem::take(&mut is_test) {
                for row in numbers(name) {
                    rows.entry(row).or_default().insert((path.clone(), name.to_owned()));
                }
            }
            if let Some(file) = file.take() {
                let (line, broken) = (line.take().unwrap(), broken.take().unwrap());
                mutants.push(Mutant { test: name.to_owned(), file, line, broken });
            }
        }
    }
    (rows, mutants)
}

/// The rows of the table: number, the fault in words, tests.
fn table() -> BTreeMap<u32, (String, String)> {
    let text = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, fault, tests] = cells[..] else { continue };
        let Ok(number) = number.parse() else { continue };
        assert!(rows.insert(number, (fault.to_owned(), tests.to_owned())).is_none(), "row {number} is there twice");
    }
    rows
}

/// `tests/faults/events.rs` 3, `src/core/tests/faults.rs` 1: how many tests of the row are in which file.
fn counted(tests: &BTreeSet<(String, String)>) -> String {
    let mut files: BTreeMap<&str, u32> = BTreeMap::new();
    for (file, _) in tests {
        *files.entry(file).or_default() += 1;
    }
    let cells: Vec<String> = files
        .iter()
        .map(
            |(file, count)| {
                if *count == 1 { format!("[{file}](../{file})") } else { format!("[{file}](../{file}) ×{count}") }
            },
        )
        .collect();
    cells.join(", ")
}

#[test]
fn each_fault_has_its_row_and_each_row_its_tests() {
    let (tests, _) = tests();
    let table = table();
    let mut wrong = Vec::new();
    for row in 1..=ROWS {
        let Some(tests) = tests.get(&row) else {
            wrong.push(format!("row {row} has no test"));
            continue;
        };
        match table.get(&row) {
            Some((fault, cell)) if !fault.is_empty() && *cell == counted(tests) => {}
            found => wrong.push(format!("row {row} is {found:?}, its tests are\n    {}", counted(tests))),
        }
    }
    wrong.extend(
        table
            .keys()
            .chain(tests.keys())
            .filter(|row| !(1..=ROWS).contains(*row))
            .map(|row| format!("what is row {row}?")),
    );
    assert!(wrong.is_empty(), "docs/reliability.md:\n{}", wrong.join("\n"));
}

#[test]
fn each_row_has_a_test_that_was_seen_to_fail() {
    let (_, mutants) = tests();
    let proven: BTreeSet<u32> = mutants.iter().flat_map(|mutant| numbers(&mutant.test)).collect();
    let open: Vec<u32> = (1..=ROWS).filter(|row| !proven.contains(row)).collect();
    assert!(open.is_empty(), "no line is named whose loss these rows would notice: {open:?}");
}

#[test]
fn the_lines_that_tests_name_are_there() {
    let (_, mutants) = tests();
    let mut wrong = Vec::new();
    for mutant in &mutants {
        let text = std::fs::read_to_string(root().join(&mutant.file)).unwrap_or_default();
        let found = text.lines().filter(|line| line.trim_start_matches(' ') == mutant.line).count();
        if found != 1 || mutant.line == mutant.broken {
            wrong.push(format!("{}: {} has this line {found} times: {}", mutant.test, mutant.file, mutant.line));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
