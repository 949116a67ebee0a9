//! Configurations of real people: each is rendered, taken or refused as the original did.
//!
//! The files belong to their authors and are no part of this repository (their licences differ, some have none), so the
//! test reads them from the folder that `CONTAINERPILOT_CORPUS` names; `.ci/run` sets it where the folder is there.
//! Without the variable there is nothing to test, and the test says so and passes. A variable that names a folder without
//! an index is a failure.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test's way to fail")]

#[path = "config_schema/validator.rs"]
mod validator;

use std::path::{Path, PathBuf};

use containerpilot::config::diagnostic::{self, Diagnostic, Severity};
use containerpilot::config::interfaces::Address;
use containerpilot::config::{Context, LoadError, Outcome, Source, compile, json5, read, schema, template};
use containerpilot::env::Environment;
use serde_json::Value as Json;

/// The index says "accepted", and it is refused here: file, case, reason.
const FACTS_OF_ANOTHER_BUILD: [(&str, &str, &str); 1] = [(
    "v3/052.json5",
    "unset",
    "`port: \"\"` is refused by the decoder that 3.8.0 pins (mapstructure d2dd026), and by the golden vectors; only its \
     versions from November 2020 on take it for 0",
)];

/// Refused by the original for the lack of `consul`, which is none any more (design §4 row 17), and by us for what it
/// would have said next: file, case, path.
const REFUSED_FURTHER_ON: [(&str, &str, &str); 1] = [("v3/077.json5", "set", "jobs[0].health")];

fn text<'a>(json: &'a Json, field: &str) -> Option<&'a str> {
    json.get(field).and_then(Json::as_str)
}

struct Corpus {
    folder: PathBuf,
    index: Vec<Json>,
    rendered: Json,
}

impl Corpus {
    /// The corpus, if somebody has it.
    #[expect(clippy::print_stdout, reason = "a test that does nothing says why")]
    fn find() -> Option<Self> {
        let Some(folder) = std::env::var_os("CONTAINERPILOT_CORPUS").filter(|folder| !folder.is_empty()) else {
            println!("CONTAINERPILOT_CORPUS is not set: the corpus of other people's configurations is not here");
            return None;
        };
        let folder = PathBuf::from(folder);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let index: Vec<Json> = serde_json::from_str(&read("index.json")).unwrap();
        let rendered = serde_json::from_str(&read("rendered.json")).unwrap();
        assert_eq!(index.len(), 259, "the corpus is complete");
        Some(Self { folder, index, rendered })
    }

    /// All cases of the files of some dialects.
    fn cases(&self, dialects: &[&str]) -> Vec<Case<'_>> {
        let mut cases = Vec::new();
        for entry in self.index.iter().filter(|entry| dialects.contains(&text(entry, "dialect").unwrap())) {
            let file = text(entry, "file").unwrap();
            let source = load(&self.folder.join(file)).unwrap();
            for facts in entry.get("cases").and_then(Json::as_array).unwrap() {
                let name = text(facts, "name").unwrap();
                // What is not there is as the file.
                let rendered = self.rendered.get(file).and_then(|rendered| text(rendered, name));
                let rendered = rendered.unwrap_or(&source.text).to_owned();
                cases.push(Case { file, name, facts, rendered, source: source.clone() });
            }
        }
        cases
    }
}

fn load(path: &Path) -> Result<Source, LoadError> {
    read(path.to_str().unwrap())
}

/// A file in an environment.
struct Case<'c> {
    file: &'c str,
    name: &'c str,
    facts: &'c Json,
    source: Source,
    /// What the original's template made of it; the index has only its checksum.
    rendered: String,
}

impl Case<'_> {
    fn is(&self, file: &str, name: &str) -> bool {
        self.file == file && self.name == name
    }

    fn accepted(&self) -> bool {
        self.facts.get("accepted") == Some(&Json::Bool(true))
    }

    /// The host on which the facts were made.
    fn context(&self) -> Context {
        let variables = self.facts.get("env").and_then(Json::as_object).unwrap();
        let env: Environment = variables.iter().map(|(name, value)| (name, value.as_str().unwrap())).collect();
        let addresses =
            [("lo", "127.0.0.1"), ("lo", "::1"), ("eth0", "172.17.0.2"), ("eth0", "fd00:17::2"), ("eth1", "10.20.0.3")];
        let addresses = addresses.map(|(name, ip)| Address { interface: name.to_owned(), ip: ip.parse().unwrap() });
        Context { env, addresses: addresses.to_vec().into(), hostname: "corpus".to_owned() }
    }

    /// What is wrong with how it is rendered.
    fn misrendered(&self) -> Option<String> {
        // Of a file that can't be rendered the original printed nothing.
        text(self.facts, "rendered_sha256")?;
        match template::render(&self.source.text, &self.context().env) {
            Ok(rendered) if rendered.text == self.rendered => None,
            Ok(_) => Some(self.note("rendered otherwise")),
            Err(error) => Some(self.note(&format!("not rendered: {error:?}"))),
        }
    }

    fn note(&self, what: &str) -> String {
        format!("{}, {}: {what}", self.file, self.name)
    }

    fn shown(&self, outcome: &Outcome) -> String {
        self.note(&diagnostic::render(&outcome.diagnostics, &self.source.origin, &self.source.text))
    }
}

fn errors(outcome: &Outcome) -> Vec<&Diagnostic> {
    outcome.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect()
}

/// The original's message as far as ours repeats it: of a syntax error the reason only, as its line and column drift
/// (row 14).
fn comparable(message: &str) -> String {
    let lines: Vec<&str> = message.split(['\n', '|']).map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.first().and_then(|first| first.strip_prefix("parse error at line:col [")?.split_once("]: ")) {
        Some((_, reason)) => reason.to_owned(),
        None => lines.join(" | "),
    }
}

#[test]
fn files_of_version_3_are_rendered_taken_and_refused_as_by_the_original() {
    let Some(corpus) = Corpus::find() else { return };
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for case in corpus.cases(&["v3"]) {
        wrong.extend(case.misrendered());
        let outcome = compile(&case.source, &case.context(), false);
        let other_build = FACTS_OF_ANOTHER_BUILD.iter().any(|(file, name, _)| case.is(file, name));
        match (&outcome.plan, case.accepted() && !other_build) {
            (Some(_), true) => taken += 1,
            (None, false) => refused += 1,
            (Some(_), false) => wrong.push(case.note("taken")),
            (None, true) => wrong.push(case.shown(&outcome)),
        }
        let theirs = text(case.facts, "error").map(comparable);
        let ours = outcome.original.as_deref().map(comparable);
        if theirs != ours && !other_build {
            wrong.push(case.note(&format!("the original says {theirs:?}, we remember {ours:?}")));
        }
        let further = REFUSED_FURTHER_ON.iter().find(|(file, name, _)| case.is(file, name));
        if further.is_some_and(|(_, _, path)| errors(&outcome).iter().all(|error| error.path != *path)) {
            wrong.push(case.shown(&outcome));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((taken, refused), (194, 46));
}

/// Until they are read (part 7), files of version 2 are rendered as they were and refused by name, and nothing else in them
/// is judged. What can't even be rendered or parsed, version 2 refused as well.
#[test]
fn files_of_version_2_are_rendered_as_they_were_and_refused_by_name() {
    let Some(corpus) = Corpus::find() else { return };
    let mut wrong = Vec::new();
    let (mut by_name, mut unreadable) = (0, 0);
    for case in corpus.cases(&["v2", "v1"]) {
        wrong.extend(case.misrendered());
        let outcome = compile(&case.source, &case.context(), false);
        match errors(&outcome).as_slice() {
            [one] if one.message.starts_with("this is a file of ContainerPilot 2 (") => by_name += 1,
            [one] if !case.accepted() && (one.message.contains("syntax error") || one.message.contains("rendered")) => {
                unreadable += 1;
            }
            _ => wrong.push(case.shown(&outcome)),
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((by_name, unreadable), (239, 9));
}

/// Until they are read (part 8), files of nginx-wrapper are refused by their name.
#[test]
fn files_of_the_wrapper_are_refused_by_name() {
    let Some(corpus) = Corpus::find() else { return };
    let files: Vec<&str> = corpus.index.iter().filter_map(|entry| text(entry, "file")).collect();
    let files: Vec<&&str> = files.iter().filter(|file| file.starts_with("wrapper/")).collect();
    assert_eq!(files.len(), 4);
    for file in files {
        assert!(matches!(load(&corpus.folder.join(file)), Err(LoadError::Toml { .. })), "{file}");
    }
}

/// What an editor would say of these files: nothing, where the code takes them.
#[test]
fn files_of_version_3_that_are_taken_fit_the_schema() {
    let Some(corpus) = Corpus::find() else { return };
    let schema: Json = serde_json::from_str(&schema()).unwrap();
    let mut wrong = Vec::new();
    let (mut rendered, mut written) = (0, 0);
    for case in corpus.cases(&["v3"]) {
        let outcome = compile(&case.source, &case.context(), false);
        for (text, count) in [(&case.rendered, &mut rendered), (&case.source.text, &mut written)] {
            let Ok(tree) = json5::parse(text) else { continue };
            let faults = validator::faults(&schema, &validator::json(&tree));
            if outcome.plan.is_some() {
                *count += 1;
                if !faults.is_empty() {
                    wrong.push(case.note(&faults.join(", ")));
                }
            } else if faults.is_empty() && errors(&outcome).iter().any(|e| e.message.starts_with("unknown key")) {
                wrong.push(case.note(&format!("fits: {}", case.shown(&outcome))));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    // Most templates stand outside of texts, and such a file is no JSON5 as it is written.
    assert_eq!((rendered, written), (194, 64));
}
