//! The JSON Schema of the configuration tells the truth: what it takes and refuses is what the code takes and refuses.
//!
//! `containerpilot config schema` is asked once; everything else is compared with what `compile` says. The golden
//! configurations are held against it here, the corpus in `tests/corpus.rs`, the documentation in `tests/docs.rs`.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests: what can't be done makes them fail")]

#[path = "../support/mod.rs"]
mod support;

mod fields;
mod golden;
mod probes;
mod validator;

use serde_json::Value as Json;

/// The schema that the binary prints.
fn schema() -> Json {
    let printed = support::run(&["config", "schema"]);
    assert_eq!(printed.status.code(), Some(0));
    assert!(printed.stderr.is_empty());
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[test]
fn it_says_what_it_is_and_about_which_text() {
    let schema = schema();
    assert_eq!(schema.get("$schema").unwrap(), "https://json-schema.org/draft/2020-12/schema");
    let comment = schema.get("$comment").and_then(Json::as_str).unwrap();
    assert!(comment.contains("before its template is rendered"), "{comment}");
}

#[test]
fn every_field_is_described_and_its_default_and_examples_fit() {
    let schema = schema();
    let fields = fields::fields(&schema);
    let mut wrong = Vec::new();
    for fields::Field { path, schema: field } in &fields {
        if field.get("description").and_then(Json::as_str).is_none_or(|text| !text.ends_with('.')) {
            wrong.push(format!("{path}: no description"));
            continue;
        }
        let is_signal = path.starts_with("signals.");
        let examples = field.get("examples").and_then(Json::as_array).cloned().unwrap_or_default();
        if examples.is_empty() && !is_signal {
            wrong.push(format!("{path}: no example"));
        }
        for value in examples.iter().chain(field.get("default")) {
            for fault in validator::faults_of_part(&schema, field, value) {
                wrong.push(format!("{path}: {fault}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(fields.len() > 100, "{}", fields.len());
}
