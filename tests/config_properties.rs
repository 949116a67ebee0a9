//! Whatever a file holds, reading it ends: with a plan or with problems, never with a panic or after a long time.

#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use containerpilot::config::diagnostic::{Severity, one_line, render, to_json};
use containerpilot::config::interfaces::Address;
use containerpilot::config::json5::decode_text;
use containerpilot::config::{Context, Outcome, Source, compile, show};
use containerpilot::env::Environment;
use containerpilot::plan::{Plan, Secret};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Generous: the suite runs unoptimised.
const LONGEST: Duration = Duration::from_secs(10);

/// The processor time that this thread took so far: a busy machine makes everything late, but not that.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn context() -> Context {
    let env: Environment = [("X", "value"), ("N", "7"), ("E", ""), ("Q", "\"'\\\n{{")].into_iter().collect();
    let addresses = vec![Address { interface: "eth0".to_owned(), ip: [192, 0, 2, 2].into() }];
    Context { env, addresses: addresses.into(), hostname: "host".to_owned() }
}

fn compiled(text: &str, context: &Context, strict: bool) -> Outcome {
    let source = Source { origin: "f".to_owned(), text: text.to_owned() };
    let before = worked();
    let outcome = compile(&source, context, strict);
    let took = worked().saturating_sub(before);
    assert!(took < LONGEST, "{took:?}");
    outcome
}

/// What holds for every outcome.
fn check(text: &str) -> Result<(), TestCaseError> {
    for strict in [true, false] {
        let outcome = compiled(text, &context(), strict);
        let refused = outcome.diagnostics.iter().any(|d| d.severity == Severity::Error);
        prop_assert_eq!(outcome.plan.is_none(), refused, "{:?}", outcome.diagnostics);
        for diagnostic in &outcome.diagnostics {
            prop_assert!(!diagnostic.message.trim().is_empty());
            let of_the_file = diagnostic.message.contains("no UTF-8");
            prop_assert!(!diagnostic.path.is_empty() || refused || of_the_file, "{diagnostic:?}");
            if let Some(span) = diagnostic.span {
                prop_assert!(span.start <= span.end && span.end <= text.len(), "{diagnostic:?}");
                prop_assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?} cuts a character");
            }
            one_line(diagnostic, "f", text);
        }
        let mut sorted = outcome.diagnostics.clone();
        sorted.sort_by_key(|d| d.span);
        prop_assert_eq!(&sorted, &outcome.diagnostics, "out of order");
        render(&outcome.diagnostics, "f", text);
        if let Some(plan) = outcome.plan {
            read_back(&plan)?;
        }
    }
    Ok(())
}

/// What is shown of a plan is the plan, the secret apart, given what it says that only the environment can say.
fn read_back(plan: &Plan) -> Result<(), TestCaseError> {
    let mut plan = plan.clone();
    if let Some(token) = plan.consul.as_mut().and_then(|consul| consul.token.as_mut()) {
        *token = Secret::new("***");
    }
    let shown = show(&plan);
    let again =
        compiled(&shown, &Context { env: noted(&plan), hostname: "host".to_owned(), ..Context::default() }, false);
    prop_assert_eq!(again.plan, Some(plan), "{}\n{:?}", shown, again.diagnostics);
    Ok(())
}

/// The environment that a plan's comments name. A token file counts only where there is no token.
fn noted(plan: &Plan) -> Environment {
    let mut env = Environment::default();
    if let Some(consul) = &plan.consul {
        let values = [
            ("CONSUL_HTTP_TOKEN_FILE", consul.token_file.as_deref().and_then(Path::to_str)),
            ("CONSUL_NAMESPACE", consul.namespace.as_deref()),
            ("CONSUL_PARTITION", consul.partition.as_deref()),
        ];
        for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            env.set(name, value);
        }
    }
    env
}

/// What Consul is told of a service, and what it is asked, survives being shown, whatever the texts are.
#[test]
fn what_consul_is_told_is_shown_so_that_it_can_be_read_back() {
    let text = "(\\PC|[{}\"'\\\\/*\\t\u{9b}\u{2028}\u{202e}]){0,20}";
    let pairs = |key: &'static str| prop::collection::btree_map(key, text, 0..5);
    let numbers = (1_u32..=65_535, 0_u32..=65_535);
    let choice = (pairs("[a-zA-Z0-9_-]{1,12}"), pairs(text), numbers, text, any::<[bool; 4]>());
    let property =
        |(meta, tags, (passing, warning), word, switches): (_, BTreeMap<String, String>, _, String, [bool; 4])| {
            let [after, weights, pause, failing] = switches;
            let keep = |map: BTreeMap<String, String>| map.into_iter().filter(|(key, _)| !key.starts_with("consul-"));
            let meta: BTreeMap<String, String> = keep(meta).collect();
            let tags = keep(tags).filter(|(key, _)| !key.trim().is_empty());
            let tags: BTreeMap<String, Json> =
                tags.map(|(key, _)| (key, json!({ "address": "2001:db8::1", "port": passing }))).collect();
            let mut extras = json!({ "enableTagOverride": pause, "meta": meta, "taggedAddresses": tags });
            if after {
                extras["deregisterCriticalServiceAfter"] = json!("10m");
            }
            if weights {
                extras["weights"] = json!({ "passing": passing, "warning": warning });
            }
            let file = json!({
                "consul": { "address": "c", "failingHeartbeat": failing },
                "jobs": [ {
                    "name": "app", "exec": "x", "port": 80, "interfaces": "static:10.0.0.1", "consul": extras,
                    "health": { "interval": 1, "ttl": 5 }, "pauseInMaintenance": pause,
                } ],
                "watches": [ { "name": "db", "interval": 1, "filter": word } ],
            });
            // No action of the template begins in it, and no control character is there that the dialect refuses.
            let file = file.to_string().replace("{{", "{ {").replace("{{", "{ {");
            let env: Environment =
                [("CONSUL_NAMESPACE", word.as_str()), ("CONSUL_HTTP_TOKEN_FILE", "/nonexistent")].into_iter().collect();
            let outcome = compiled(&file, &Context { env, hostname: "host".to_owned(), ..Context::default() }, false);
            match &outcome.plan {
                Some(plan) => read_back(plan)?,
                None => prop_assert!(false, "{file}\n{:?}", outcome.diagnostics),
            }
            Ok(())
        };
    runner().run(&choice, property).unwrap_or_else(|failure| panic!("{failure}"));
}

fn golden() -> Vec<String> {
    let cases: Vec<Json> = serde_json::from_str(include_str!("golden/configs.json")).unwrap();
    cases.iter().map(|case| case.get("config").and_then(Json::as_str).unwrap().to_owned()).collect()
}

/// Pieces that mean something somewhere.
const PIECES: [&str; 57] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "\\",
    "\n",
    "//",
    "/*",
    "{{",
    "}}",
    "{{ .X }}",
    "{{ .Q }}",
    "{{ .N }}",
    "{{ .E }}",
    "{{ range loop 3 }}",
    "{{ end }}",
    "{{ if .E }}",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1e308",
    "0x7f",
    "Infinity",
    "\u{fffd}",
    "é",
    "\u{2028}",
    "name: ",
    "exec: ",
    "when: ",
    "source: ",
    "once: ",
    "interval: ",
    "restarts: ",
    "\"unlimited\"",
    "backoff: { free: 1 }",
    "main: true",
    "port: 80",
    "consul: ",
    "signals: { SIGHUP: \"ignore\" }",
    "exitCode: \"zero\"",
    "\"global\"",
    "\"healthy\"",
    "tags: ",
    "jobs: ",
    "pauseInMaintenance: true",
    "failingHeartbeat: true",
    "consul: { weights: { warning: 0 } }",
    "consul: { enableTagOverride: true, meta: { \"a-b\": 1 } }",
    "meta: { a: \"{{ .Q }}\" }",
    "taggedAddresses: { wan: \"10.0.0.1\" }",
    "filter: ",
];

/// Exchanges pieces of a text: cut here, put a piece or another part of the text there.
fn mutated(text: &str, edits: &[(prop::sample::Index, usize, usize)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (place, cut, piece) in edits {
        let at = place.index(characters.len() + 1);
        let end = (at + cut).min(characters.len());
        let put: Vec<char> = match PIECES.get(*piece) {
            Some(piece) => piece.chars().collect(),
            None => characters.iter().copied().skip(*piece).take(*cut * 2).collect(),
        };
        characters.splice(at..end, put);
    }
    characters.into_iter().collect()
}

fn cases() -> u32 {
    if std::env::var_os("CONTAINERPILOT_LONG").is_some() { 100_000 } else { 3_000 }
}

#[test]
fn any_bytes_end_in_a_plan_or_in_problems() {
    let mut runner = runner();
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    runner.run(&bytes, |bytes| check(&decode_text(&bytes))).unwrap_or_else(|failure| panic!("{failure}"));
    let words = prop::collection::vec(0..PIECES.len(), 0..40);
    let words = words.prop_map(|words| words.into_iter().map(|word| PIECES[word]).collect::<Vec<_>>().join(" "));
    runner.run(&words, |text| check(&text)).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn mutated_golden_configurations_end_in_a_plan_or_in_problems() {
    let texts = golden();
    let edit = (any::<prop::sample::Index>(), 0_usize..12, 0..PIECES.len() + 40);
    let choice = (0..texts.len(), prop::collection::vec(edit, 1..5));
    let property =
        |(text, edits): (usize, Vec<(prop::sample::Index, usize, usize)>)| check(&mutated(&texts[text], &edits));
    runner().run(&choice, property).unwrap_or_else(|failure| panic!("{failure}"));
}

fn runner() -> proptest::test_runner::TestRunner {
    proptest::test_runner::TestRunner::new(ProptestConfig { cases: cases(), ..ProptestConfig::default() })
}

/// A token, as nobody writes anything else.
const TOKEN: &str = "8f1c2d34-7a5b-4e9f-b0a1-c6d7e8f90123";

/// Files with a token where one stands, and where one stood.
const WITH_TOKEN: [&str; 5] = [
    "{\n  consul: {\n    address: \"localhost:8500\",\n    token: \"TOKEN\",\n  },\n  jobs: [{ name: \"web\", exec: \"true\" }],\n}\n",
    "{ consul: { token: 'TOKEN', address: \"http://x:8500\" }, jobs: [{ name: 'web', exec: 'true', port: 80 }] }",
    "{ \"consul\": { \"address\": \"c\", \"token\": \"TOKEN\" }, \"stopTimeout\": 5 }",
    "{ consul: { address: \"c\",\n // token: \"TOKEN\"\n token: \"{{ .T | default \"TOKEN\" }}\" } }",
    "{ consul: { address: \"c\", token: {{ if .X }}\"TOKEN\"{{ else }}\"x\"{{ end }} }, logging: { level: \"INFO\" } }",
];

/// Where, how many bytes are taken away, and what is put there.
type Edit = (prop::sample::Index, usize, Option<String>);

/// However a file is damaged, no message about it tells the token, if only the word `token` still stands before it.
#[test]
fn f69_no_damage_makes_a_message_tell_the_token() {
    let at = || any::<prop::sample::Index>();
    let piece = "[\"'`:;,=(){}\\[\\]/*|\\\\ \n.#x0$-]|\\{\\{|\\}\\}|//";
    let damage = prop::collection::vec((at(), 0..3_usize, prop::option::of(piece)), 1..4);
    let property = |(file, edits): (&str, Vec<Edit>)| {
        let mut text = file.replace("TOKEN", TOKEN);
        for (at, dropped, put) in edits {
            let start = at.index(text.len());
            let range = start..text.len().min(start + dropped);
            // What stands between two words is damaged; the words themselves are what the promise is about.
            let words = text.match_indices("token").map(|(at, word)| at..at + word.len());
            let kept = words.chain(text.match_indices(TOKEN).map(|(at, word)| at..at + word.len()));
            if kept
                .into_iter()
                .any(|kept| start < kept.end && kept.start < range.end.max(start + 1) && kept.start != range.end)
            {
                continue;
            }
            text.replace_range(range, &put.unwrap_or_default());
        }
        for strict in [true, false] {
            let Outcome { diagnostics, .. } = compiled(&text, &context(), strict);
            let mut told = render(&diagnostics, "f", &text) + &to_json(&diagnostics, "f", &text);
            told.extend(diagnostics.iter().map(|diagnostic| one_line(diagnostic, "f", &text)));
            prop_assert!(!told.contains(TOKEN), "{}\n{}", text, told);
        }
        Ok(())
    };
    let files = prop::sample::select(&WITH_TOKEN[..]);
    let cases = cases().max(1_000);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    runner.run(&(files, damage), property).unwrap_or_else(|failure| panic!("{failure}"));
}

/// A file with thousands of mistakes is told as far as anybody reads it: a hundred, errors first, each with a piece of
/// its own line, and how many more there are.
#[test]
fn f65_thousands_of_problems_are_told_in_a_few_words() {
    let each = |count: usize, unit: &dyn Fn(usize) -> String| (0..count).map(unit).collect::<String>();
    let misspelt = |n: usize| format!("{{name:\"j{n}\",exce:\"true\"}},");
    for (jobs, problems, errors) in [
        (each(30_000, &misspelt), 30_000, 30_000),
        (each(3_000, &|n| misspelt(n) + "\n"), 3_000, 3_000),
        (each(40_000, &|_| "{name:\"j\",exec:\"true\"},".to_owned()), 39_999, 0),
        (each(14_000, &|n| format!("{{name:\"j{n}\",when:{{source:\"k{n}\",once:\"healthy\"}}}},")), 14_000, 14_000),
        // An error behind ten thousand warnings.
        (each(10_000, &|_| "{name:\"j\"},".to_owned()) + "{}", 10_000, 1),
    ] {
        let text = format!("{{ consul: false, jobs: [{jobs}] }}");
        let before = worked();
        let outcome = compiled(&text, &context(), true);
        assert_eq!(outcome.diagnostics.len(), 101);
        let shown = render(&outcome.diagnostics, "f", &text);
        let machine = to_json(&outcome.diagnostics, "f", &text);
        let line = one_line(outcome.diagnostics.last().unwrap(), "f", &text);
        let took = worked().saturating_sub(before);

        let told = errors.min(100);
        let rest = format!("and {} more problems, {} of them errors", problems - 100, errors - told);
        let last = outcome.diagnostics.last().unwrap();
        assert!(last.message == rest && line.ends_with(&rest), "{last:?}");
        let severe = outcome.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        assert_eq!(severe, told + usize::from(errors > told));
        assert_eq!(shown.matches("--> f:").count(), 101);
        // The count is of all, not of those that are told.
        let counts: serde_json::Value = serde_json::from_str(&machine).unwrap();
        assert_eq!((&counts["errors"], &counts["warnings"]), (&errors.into(), &(problems - errors).into()));
        let numbers = shown.lines().last().unwrap().split(|c: char| !c.is_ascii_digit());
        assert_eq!(numbers.filter_map(|word| word.parse::<usize>().ok()).sum::<usize>(), problems);
        assert!(shown.len() < 101 * 800 && machine.len() < 101 * 800, "{} {}", shown.len(), machine.len());
        assert!(shown.lines().all(|line| line.chars().count() < 200));
        assert!(took < LONGEST, "{took:?}");
    }
}

/// Files made to cost much. What took the square of their size would take minutes.
#[test]
fn no_large_file_takes_long() {
    let fill = |unit: &str| unit.repeat((1 << 18) / unit.len() - 64);
    let keys: Vec<String> = (0..15_000).map(|n| format!("key{n}: {n}")).collect();
    let keys = keys.join(", ");
    let texts = [
        format!("{{ jobs: [ {} ] }}", "{ name: \"a\", when: { source: \"b\", once: \"healthy\" } },".repeat(5_000)),
        format!("{{ {keys} }}"),
        format!("{{ {} }}", "consul: 1,".repeat(25_000)),
        format!("{{ jobs: [ {{ {keys} }} ] }}"),
        format!("{{ jobs: [ {} ] }}", fill("null,")),
        format!("{{ jobs: [ {} ] }}", fill("{},")),
        format!("{{ jobs: \"{}\" }}", fill("é")),
        fill("{{ .X }}"),
        format!("{{{{ range loop 1000000 }}}}{}{{{{ end }}}}", "x".repeat(1_000_000)),
    ];
    for text in texts {
        let outcome = compiled(&text, &context(), true);
        let shown = render(&outcome.diagnostics, "f", &text);
        assert!(!shown.is_empty());
    }
}
