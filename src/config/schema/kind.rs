//! What the fields of a configuration take, as the weak decoding has it: scalars turn into one another, `null` is nothing.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::duration::GoDuration;

/// Found in every text that a template makes something of.
pub(super) const TEMPLATE: &str = "\\{\\{";

/// What `parse_int` takes.
const WHOLE: &str = "^[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9][0-9]*)$";

/// What `parse_bool` takes.
const SWITCH: &str = "^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)?$";

/// What `parse_go_duration` takes.
const GO_DURATION: &str = "^[+-]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// Any text.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean", "null"]})
}

/// A text that must be there.
pub(super) fn name() -> Value {
    json!({"type": ["string", "number", "boolean"], "minLength": 1})
}

/// A name that Consul must be able to look up.
pub(super) fn service_name() -> Value {
    json!({"type": "string", "pattern": format!("^[a-z][a-zA-Z0-9-]+$|{TEMPLATE}")})
}

/// A whole number.
pub(super) fn whole() -> Value {
    json!({"type": ["number", "string", "boolean", "null"], "pattern": format!("{WHOLE}|{TEMPLATE}")})
}

/// A whole number within bounds, where there are any.
pub(super) fn whole_from(least: i64, most: Option<i64>) -> Value {
    let mut kind = at_least(whole(), least);
    if let (Value::Object(kind), Some(most)) = (&mut kind, most) {
        // What is behind the point is cut off.
        kind.insert("exclusiveMaximum".to_owned(), json!(most.saturating_add(1)));
    }
    kind
}

/// Whole seconds from 1 up that must be there.
pub(super) fn seconds() -> Value {
    json!({"type": ["number", "string", "boolean"], "pattern": format!("{WHOLE}|{TEMPLATE}"), "minimum": 1})
}

/// A duration; nothing is as good as none.
pub(super) fn duration() -> Value {
    let pattern = format!("^$|^[+-]?[0-9]+$|{GO_DURATION}|{TEMPLATE}");
    json!({"type": ["string", "integer", "boolean", "null"], "pattern": pattern})
}

/// A duration that is not below zero.
pub(super) fn wait() -> Value {
    at_least(duration(), 0)
}

/// A duration of at least a millisecond.
pub(super) fn pause() -> Value {
    at_least(duration(), 1)
}

fn at_least(mut kind: Value, least: i64) -> Value {
    if let Value::Object(kind) = &mut kind {
        // What is behind the point is cut off, so that -0.5 is 0.
        let (bound, number) =
            if least > 0 { ("minimum", least) } else { ("exclusiveMinimum", least.saturating_sub(1)) };
        kind.insert(bound.to_owned(), json!(number));
    }
    kind
}

/// A duration as Go reads it: with a unit.
pub(super) fn unit_duration() -> Value {
    json!({"type": ["string", "null"], "pattern": format!("{GO_DURATION}|{TEMPLATE}")})
}

/// A default that is a duration.
pub(super) fn length(duration: Duration) -> Value {
    GoDuration::from(duration).to_string().into()
}

/// A switch.
pub(super) fn switch() -> Value {
    json!({"type": ["boolean", "number", "string", "null"], "pattern": format!("{SWITCH}|{TEMPLATE}")})
}

/// A number with a fraction; no text is one.
pub(super) fn fraction(least: f64, most: f64) -> Value {
    json!({"type": ["number", "null"], "minimum": least, "maximum": most})
}

/// One of these words.
pub(super) fn word(words: &[&str]) -> Value {
    either(&[json!({"enum": words}), templated(), json!({"type": "null"})])
}

/// One of these words, or another text that fits `also`, which no editor needs to propose.
pub(super) fn word_or(words: &[&str], also: &str) -> Value {
    let text = json!({"type": "string", "pattern": format!("{also}|{TEMPLATE}")});
    either(&[json!({"enum": words}), text, json!({"type": "null"})])
}

/// A text that a template makes something of.
pub(super) fn templated() -> Value {
    json!({"type": "string", "pattern": TEMPLATE})
}

/// One of several.
pub(super) fn either(kinds: &[Value]) -> Value {
    json!({"anyOf": kinds})
}

/// A list of these; an empty object is an empty list.
pub(super) fn list(element: &Value) -> Value {
    json!({"type": ["array", "object", "null"], "items": element, "maxProperties": 0})
}

/// Objects in a list; those that are `null` don't count.
pub(super) fn objects(element: &Value) -> Value {
    json!({"type": ["array", "null"], "items": element})
}

/// A command: a text that is split at spaces, or a list.
pub(super) fn command() -> Value {
    let argument = json!({"type": ["string", "number", "boolean"]});
    json!({"type": ["string", "array", "null"], "minLength": 1, "minItems": 1, "items": argument})
}

/// Interfaces to choose an address from.
pub(super) fn interfaces() -> Value {
    json!({"type": ["string", "array", "null"], "items": {"type": "string"}})
}

/// A pattern for these words in any case.
pub(super) fn any_case(words: &[&str]) -> String {
    let mut pattern = "^(".to_owned();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            pattern.push('|');
        }
        for c in word.chars() {
            if c.is_ascii_alphabetic() {
                let _ = write!(pattern, "[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase());
            } else {
                pattern.push(c);
            }
        }
    }
    pattern + ")$"
}
