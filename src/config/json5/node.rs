//! What the parser gives.

use std::borrow::Cow;

use crate::config::diagnostic::Span;

/// A value and where it stands in the text that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Its place.
    pub span: Span,
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Every number is a 64-bit float, as in the original.
    Number(f64),
    /// A string, escapes resolved.
    String(String),
    /// `[…]`
    Array(Vec<Node>),
    /// `{…}` in file order; duplicate keys are kept here (the last one counts).
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key, escapes resolved. At the top level a key in single quotes keeps its quotes and escapes, and so is
    /// unknown to everybody: the original does that, and only there.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// The original's message for a top-level value that is neither an object nor `null`, else `None`.
pub fn top_level_error(node: &Node) -> Option<String> {
    let reason = unmarshal_reason(&node.value)?;
    Some(format!("could not parse configuration: {reason}"))
}

/// Go's words for a value that can't be the whole configuration.
pub(super) fn unmarshal_reason(value: &Value) -> Option<String> {
    let kind = match value {
        Value::Null | Value::Object(_) => return None,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

/// Bytes of a configuration as text: every byte that is no UTF-8 becomes U+FFFD, as the original's strings have it.
///
/// One for each byte, where [`String::from_utf8_lossy`] would make one of several.
pub fn decode_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
    }
    Cow::Owned(text)
}
