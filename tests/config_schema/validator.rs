//! As much of JSON Schema (draft 2020-12) as the schema of configurations uses. A keyword that it does not know is a
//! failure, so that none is overlooked.

use std::cell::RefCell;
use std::collections::HashMap;

use containerpilot::config::json5::{Node, Value};
use regex_lite::Regex;
use serde_json::{Map, Value as Json};

/// What only tells people something.
const ANNOTATIONS: [&str; 7] = ["$schema", "$comment", "$defs", "title", "description", "default", "examples"];

/// What is wrong with a value: the place and the reason, nothing where it fits.
pub fn faults(root: &Json, value: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    check(root, root, value, "", &mut faults);
    faults
}

/// The same for a part of the schema.
pub fn faults_of_part(root: &Json, schema: &Json, value: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    check(root, schema, value, "", &mut faults);
    faults
}

fn check(root: &Json, schema: &Json, value: &Json, at: &str, faults: &mut Vec<String>) {
    let rules = match schema {
        Json::Bool(true) => return,
        Json::Bool(false) => return faults.push(format!("{at}: nothing may stand here")),
        Json::Object(rules) => rules,
        other => panic!("no schema: {other}"),
    };
    for (keyword, rule) in rules {
        let wrong = match (keyword.as_str(), value) {
            (known, _) if ANNOTATIONS.contains(&known) => false,
            ("$ref", _) => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, at, faults);
                false
            }
            ("type", _) => !types(rule).iter().any(|name| is_of_type(value, name)),
            ("enum", _) => !rule.as_array().unwrap().contains(value),
            ("const", _) => rule != value,
            ("anyOf", _) => !rule.as_array().unwrap().iter().any(|one| fits(root, one, value)),
            ("not", _) => fits(root, rule, value),
            ("pattern", Json::String(text)) => !matches(rule.as_str().unwrap(), text),
            ("minLength", Json::String(text)) => text.chars().count() < size(rule),
            ("maxLength", Json::String(text)) => text.chars().count() > size(rule),
            ("minimum", Json::Number(number)) => number.as_f64() < rule.as_f64(),
            ("maximum", Json::Number(number)) => number.as_f64() > rule.as_f64(),
            ("exclusiveMinimum", Json::Number(number)) => number.as_f64() <= rule.as_f64(),
            ("exclusiveMaximum", Json::Number(number)) => number.as_f64() >= rule.as_f64(),
            ("minItems", Json::Array(elements)) => elements.len() < size(rule),
            ("items", Json::Array(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    check(root, rule, element, &format!("{at}[{index}]"), faults);
                }
                false
            }
            ("maxProperties", Json::Object(members)) => members.len() > size(rule),
            ("required", Json::Object(members)) => {
                rule.as_array().unwrap().iter().any(|key| !members.contains_key(key.as_str().unwrap()))
            }
            ("propertyNames", Json::Object(members)) => {
                members.keys().any(|key| !fits(root, rule, &Json::String(key.clone())))
            }
            // All three at once.
            ("properties" | "patternProperties" | "additionalProperties", Json::Object(members)) => {
                if rules.keys().find(|key| key.ends_with("roperties") && *key != "maxProperties") == Some(keyword) {
                    check_members(root, rules, members, at, faults);
                }
                false
            }
            (
                "pattern"
                | "minLength"
                | "maxLength"
                | "minimum"
                | "maximum"
                | "exclusiveMinimum"
                | "exclusiveMaximum"
                | "minItems"
                | "items"
                | "maxProperties"
                | "required"
                | "propertyNames"
                | "properties"
                | "patternProperties"
                | "additionalProperties",
                _,
            ) => false,
            (unknown, _) => panic!("{at}: a keyword that this validator does not know: {unknown}"),
        };
        if wrong {
            faults.push(format!("{at}: {value} does not fit {keyword} {rule}"));
        }
    }
}

fn check_members(
    root: &Json,
    rules: &Map<String, Json>,
    members: &Map<String, Json>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let named = rules.get("properties").and_then(Json::as_object);
    let patterns = rules.get("patternProperties").and_then(Json::as_object);
    for (key, value) in members {
        let at = format!("{at}.{key}");
        let named = named.and_then(|named| named.get(key));
        let patterns =
            patterns.into_iter().flatten().filter(|(pattern, _)| matches(pattern, key)).map(|(_, rule)| rule);
        let mut found: Vec<&Json> = named.into_iter().chain(patterns).collect();
        if found.is_empty() {
            found.extend(rules.get("additionalProperties"));
        }
        for rule in found {
            check(root, rule, value, &at, faults);
        }
    }
}

fn fits(root: &Json, schema: &Json, value: &Json) -> bool {
    faults_of_part(root, schema, value).is_empty()
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        let made = || Regex::new(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        known.entry(pattern.to_owned()).or_insert_with(made).is_match(text)
    })
}

fn size(rule: &Json) -> usize {
    rule.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap()
}

/// The types that a schema names.
pub fn types(rule: &Json) -> Vec<&str> {
    match rule {
        Json::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        name => vec![name.as_str().unwrap()],
    }
}

fn is_of_type(value: &Json, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type: {other}"),
    }
}

/// Of equal keys the last one counts. JSON has no numbers beyond all bounds.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(on) => Json::Bool(*on),
        Value::Number(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => Json::String(text.clone()),
        Value::Array(nodes) => nodes.iter().map(json).collect(),
        Value::Object(members) => members.iter().map(|member| (member.key.clone(), json(&member.value))).collect(),
    }
}
