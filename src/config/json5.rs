//! The JSON5 dialect of the original, with the place of every key and value (v3 §5).
use super::diagnostic::Span;

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
    /// The key, escapes resolved.
    pub key: String,
    /// The key's place.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Why a text is no JSON5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The offending byte, or the text's length at a premature end.
    pub offset: usize,
    /// Go's words for it: `invalid character 'x' looking for beginning of value`.
    pub reason: String,
}

// parse(text: &str) -> Result<Node, SyntaxError>
