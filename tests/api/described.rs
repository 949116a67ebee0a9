//! `docs/openapi.json`: what it says is what is there, and nothing is there of which it does not tell.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use serde_json::Value;

use containerpilot::control::ROUTES;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
});

/// Holds an answer against the description.
#[track_caller]
pub fn check(method: &str, path: &str, status: u16, answer: &Value) {
    let path = path.split('?').next().unwrap();
    let operation = &operation(method, path);
    let response = operation.map_or(&Value::Null, |operation| &operation["responses"][status.to_string()]);
    let error = &DESCRIPTION["components"]["schemas"]["Error"];
    let schema = match &response["content"]["application/json"]["schema"] {
        // Any request may be refused so, as the description says at its top.
        Value::Null => {
            assert!([400, 403, 404, 405, 408, 413, 500, 503].contains(&status), "{method} {path} {status}: {answer}");
            error
        }
        schema => schema,
    };
    let faults = faults(schema, answer, "");
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:?} in {answer}");
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |described: &str| {
        let (mut described, mut given) = (described.split('/'), path.split('/'));
        loop {
            match (described.next(), given.next()) {
                (None, None) => return true,
                (Some("{name}"), Some(_)) => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let (_, item) = paths.iter().find(|(described, _)| fits(described))?;
    item.get(method.to_ascii_lowercase())
}

/// The part of JSON Schema that the description uses.
pub fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        let known = &DESCRIPTION["components"]["schemas"][name];
        assert!(known.is_object(), "{name} is not described");
        return faults(known, value, at);
    }
    let mut found = Vec::new();
    let is_right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{at}: unknown type {other:?}"),
    };
    if !is_right {
        found.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{at}: {value} is none of {words:?}"));
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str())
        && !(text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T')
    {
        found.push(format!("{at}: {text} is no moment"));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(schema) => found.extend(faults(schema, inner, &format!("{at}.{key}"))),
            None => found.push(format!("{at}.{key} is not described")),
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{at}.{required} is missing"));
        }
    }
    for (n, inner) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(faults(&schema["items"], inner, &format!("{at}[{n}]")));
    }
    found
}

#[test]
fn the_description_has_the_routes_of_the_code_and_no_others() {
    let ours: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path)| ((*path).to_owned(), method.to_ascii_lowercase())).collect();
    let mut described = BTreeSet::new();
    for (path, item) in DESCRIPTION["paths"].as_object().unwrap() {
        described.extend(item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
    }
    assert_eq!(ours, described);
}

#[test]
fn what_is_not_described_is_found() {
    let overview = serde_json::json!({ "job": "a", "summary": 3, "facts": [{ "say": "b" }] });
    let schema = serde_json::json!({ "$ref": "#/components/schemas/Why" });
    let found = faults(&schema, &overview, "");
    assert_eq!(
        found,
        [".summary: 3 is no \"string\"", ".facts[0].say is not described", ".facts[0].\"says\" is missing",]
    );
}
