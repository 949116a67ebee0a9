//! Why a text is refused.

/// Why a text is no JSON5.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SyntaxError {
    /// What sort of refusal.
    pub kind: SyntaxErrorKind,
    /// The offending byte, or the text's length at a premature end.
    pub offset: usize,
    /// Go's words for it: `invalid character 'x' looking for beginning of value`.
    pub reason: String,
    /// What would have been right there, in words for people; a fragment that reads after "expected".
    pub expected: String,
}

/// What sort of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxErrorKind {
    /// The text breaks the grammar at `offset`.
    Syntax,
    /// The bracket at `offset` opens one level too many.
    TooDeep,
    /// The grammar takes the number that begins at `offset`, but it has no value (`.`, `1e309`): the original
    /// complains about it only when the rest of the text is in order, and without a position.
    NotANumber,
}

/// What the parser was about when something else came: Go's words, then ours.
pub(super) struct Context {
    /// Follows "invalid character 'x' ".
    pub go: &'static str,
    /// Follows "expected ".
    pub expected: &'static str,
}

const fn context(go: &'static str, expected: &'static str) -> Context {
    Context { go, expected }
}

pub(super) const VALUE: Context = context("looking for beginning of value", "a value");
pub(super) const KEY: Context = context("looking for beginning of object key", "a key or `}`");
pub(super) const AFTER_KEY: Context = context("after object key", "`:` after the key");
pub(super) const AFTER_PAIR: Context = context("after object key:value pair", "`,` or `}` after the value");
pub(super) const AFTER_ELEMENT: Context = context("after array element", "`,` or `]` after the value");
pub(super) const AFTER_ALL: Context = context("after top-level value", "nothing after the end of the configuration");
pub(super) const STRING: Context = context("in string literal", "the closing quote");
pub(super) const ESCAPE: Context =
    context("in string escape code", r#"one of `bfnrtu\/"'` or a line break after the backslash"#);
pub(super) const UNICODE: Context =
    context("in \\u hexadecimal character escape", "four hexadecimal digits after `\\u`");
pub(super) const BARE_KEY: Context = context("in key literal", "`:` after the key");
pub(super) const NUMBER: Context = context("in numeric literal", "a digit");
pub(super) const EXPONENT: Context = context("in exponent of numeric literal", "a digit of the exponent");
pub(super) const HEX: Context = context("in hex number", "a hexadecimal digit");
pub(super) const COMMENT: Context = context("potentially starting comment", "`//` or `/*`");

/// A byte as Go's messages print it: in single quotes, taken for a Latin-1 character.
pub(super) fn quote_byte(byte: u8) -> String {
    let inner = match byte {
        b'\'' => r"\'".to_owned(),
        b'\\' => r"\\".to_owned(),
        0x07 => r"\a".to_owned(),
        0x08 => r"\b".to_owned(),
        b'\t' => r"\t".to_owned(),
        b'\n' => r"\n".to_owned(),
        0x0b => r"\v".to_owned(),
        0x0c => r"\f".to_owned(),
        b'\r' => r"\r".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        // Latin-1's controls, no-break space and soft hyphen are not printable to Go.
        0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
        _ => char::from(byte).to_string(),
    };
    format!("'{inner}'")
}
