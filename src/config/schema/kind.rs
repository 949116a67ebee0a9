//! What the fields of a configuration take, as the weak decoding has it: scalars turn into one another, `null` is nothing.
//! Each is the text of a schema; patterns are written as within JSON.

use std::fmt::Write;

/// Found in every text that a template makes something of.
pub(super) const TEMPLATE: &str = r"\\{\\{";

/// What `parse_int` takes.
const WHOLE: &str = "^[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9][0-9]*)$";

/// What `parse_bool` takes.
const SWITCH: &str = "^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)?$";

/// What `parse_go_duration` takes.
const GO_DURATION: &str = r"^[+-]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// Any text.
pub(super) fn text() -> String {
    r#"{"type": ["string", "number", "boolean", "null"]}"#.to_owned()
}

/// A text that must be there.
pub(super) fn name() -> String {
    r#"{"type": ["string", "number", "boolean"], "minLength": 1}"#.to_owned()
}

/// A text that is not empty where it is there.
pub(super) fn path() -> String {
    r#"{"type": ["string", "number", "boolean", "null"], "minLength": 1}"#.to_owned()
}

/// A name that Consul must be able to look up.
pub(super) fn service_name() -> String {
    matching("^[a-z][a-zA-Z0-9-]+$")
}

/// A text of this form, or one that a template makes.
pub(super) fn matching(pattern: &str) -> String {
    format!(r#"{{"type": "string", "pattern": "{pattern}|{TEMPLATE}"}}"#)
}

/// A whole number; `bounds` are members of the schema.
pub(super) fn whole(bounds: &str) -> String {
    format!(r#"{{"type": ["number", "string", "boolean", "null"], "pattern": "{WHOLE}|{TEMPLATE}"{bounds}}}"#)
}

/// What is behind the point is cut off, so that -0.5 is 0.
pub(super) const FROM_0: &str = r#", "exclusiveMinimum": -1"#;

/// A whole number from 1 up.
const FROM_1: &str = r#", "minimum": 1"#;

/// A port, or another number of 16 bits, 0 not among them.
pub(super) const SIXTEEN_BITS: &str = r#", "minimum": 1, "exclusiveMaximum": 65536"#;

/// Whole seconds from 1 up that must be there.
pub(super) fn seconds() -> String {
    format!(r#"{{"type": ["number", "string", "boolean"], "pattern": "{WHOLE}|{TEMPLATE}"{FROM_1}}}"#)
}

/// A duration; nothing is as good as none. `bounds` are members of the schema.
fn bounded(bounds: &str) -> String {
    format!(
        r#"{{"type": ["string", "integer", "boolean", "null"], "pattern": "^$|^[+-]?[0-9]+$|{GO_DURATION}|{TEMPLATE}"{bounds}}}"#
    )
}

/// A duration, whatever its length.
pub(super) fn duration() -> String {
    bounded("")
}

/// A duration that is not below zero.
pub(super) fn wait() -> String {
    bounded(FROM_0)
}

/// A duration of at least a millisecond.
pub(super) fn pause() -> String {
    bounded(FROM_1)
}

/// A duration as Go reads it: with a unit.
pub(super) fn unit_duration() -> String {
    format!(r#"{{"type": ["string", "null"], "pattern": "{GO_DURATION}|{TEMPLATE}"}}"#)
}

/// A switch.
pub(super) fn switch() -> String {
    format!(r#"{{"type": ["boolean", "number", "string", "null"], "pattern": "{SWITCH}|{TEMPLATE}"}}"#)
}

/// A number with a fraction; no text is one.
pub(super) fn fraction(least: u16, most: u16) -> String {
    format!(r#"{{"type": ["number", "null"], "minimum": {least}, "maximum": {most}}}"#)
}

/// Words as a list.
pub(super) fn words(words: &[&str]) -> String {
    format!("[\"{}\"]", words.join("\", \""))
}

/// One of these words, exactly.
pub(super) fn one_of(list: &[&str]) -> String {
    format!(r#"{{"enum": {}}}"#, words(list))
}

/// One of these words, what a template makes, or nothing.
pub(super) fn word(list: &[&str]) -> String {
    either(&[one_of(list), templated(), NOTHING.to_owned()])
}

/// One of these words, or another text that fits `also`, which no editor needs to propose.
pub(super) fn word_or(list: &[&str], also: &str) -> String {
    either(&[one_of(list), matching(also), NOTHING.to_owned()])
}

/// `null`.
pub(super) const NOTHING: &str = r#"{"type": "null"}"#;

/// `false`.
pub(super) const OFF: &str = r#"{"const": false}"#;

/// A text that a template makes something of.
pub(super) fn templated() -> String {
    format!(r#"{{"type": "string", "pattern": "{TEMPLATE}"}}"#)
}

/// One of several.
pub(super) fn either(kinds: &[String]) -> String {
    format!(r#"{{"anyOf": [{}]}}"#, kinds.join(", "))
}

/// A list of these; an empty object is an empty list.
pub(super) fn list(element: &str) -> String {
    format!(r#"{{"type": ["array", "object", "null"], "maxProperties": 0, "items": {element}}}"#)
}

/// Objects in a list; those that are `null` don't count.
pub(super) fn objects(element: &str) -> String {
    format!(r#"{{"type": ["array", "null"], "items": {element}}}"#)
}

/// A command: a text that is split at spaces, or a list.
pub(super) fn command() -> String {
    let argument = r#"{"type": ["string", "number", "boolean"]}"#;
    format!(r#"{{"type": ["string", "array", "null"], "minLength": 1, "minItems": 1, "items": {argument}}}"#)
}

/// Interfaces to choose an address from: a list, and a text where the original took one.
pub(super) fn interfaces(text: &str) -> String {
    format!(r#"{{"type": [{text}"array", "null"], "items": {{"type": "string"}}}}"#)
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
