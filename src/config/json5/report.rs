//! The original's printed report of a syntax error (v3 §3.1), and ours.

use super::error::{self, Context, SyntaxError, SyntaxErrorKind};
use super::node::decode_text;
use crate::config::diagnostic::{Diagnostic, Severity, Span};

/// The original's report: `parse error at line:col [L:C]: <reason>`, the line before, the line itself, and a marker.
///
/// Lines and columns count from 1, columns in bytes; at a premature end they are the last byte's. They are right, which
/// the original's often were not (design §4 row 14). A number without a value is reported without a position.
pub fn original_report(text: &str, error: &SyntaxError) -> String {
    decode_text(&original_report_bytes(text.as_bytes(), error)).into_owned()
}

/// [`original_report`] for bytes that may be no UTF-8, which it repeats as they are.
pub fn original_report_bytes(text: &[u8], error: &SyntaxError) -> Vec<u8> {
    if error.kind == SyntaxErrorKind::NotANumber {
        return format!("could not parse configuration: {}", error.reason).into_bytes();
    }
    // At a premature end the last byte there is; none at all is column 0.
    let offset = error.offset.min(text.len().saturating_sub(1));
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line_index = before.split(|byte| *byte == b'\n').count() - 1;
    let column = if text.is_empty() { 0 } else { offset - line_start + 1 };

    let line = line_index + 1;
    let mut report = format!("parse error at line:col [{line}:{column}]: {}\n", error.reason).into_bytes();
    if text.is_empty() {
        return report;
    }
    let lines = text.split(|byte| *byte == b'\n').enumerate().skip(line_index.saturating_sub(1));
    for (index, shown) in lines.take(if line_index == 0 { 1 } else { 2 }) {
        report.extend_from_slice(format!("{:5}: ", index + 1).as_bytes());
        report.extend_from_slice(shown.strip_suffix(b"\r").unwrap_or(shown));
        report.push(b'\n');
    }
    report.extend(std::iter::repeat_n(b'-', 6 + column));
    report.push(b'^');
    report
}

/// The error for people: what was expected, what was found, at the offending character; at a premature end behind the
/// last word there is. Its span is in `text`, as the error's offset is.
pub fn diagnostic(text: &str, error: &SyntaxError) -> Diagnostic {
    let rest = text.get(error.offset..).unwrap_or_default();
    let found = rest.chars().next();
    let start = if found.is_some() { error.offset } else { text.trim_end().len() };
    let end = start + found.map_or(0, char::len_utf8);
    let (message, end) = match error.kind {
        SyntaxErrorKind::Syntax => {
            (format!("syntax error: expected {}, found {}", error.expected, describe(found)), end)
        }
        SyntaxErrorKind::TooDeep => (format!("nested too deeply: expected {}", error.expected), end),
        SyntaxErrorKind::NotANumber => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
            let literal = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len())).unwrap_or_default();
            (format!("expected {}, found `{literal}`", error.expected), start + literal.len())
        }
    };
    Diagnostic {
        severity: Severity::Error,
        path: String::new(),
        span: Some(Span { start, end }),
        message,
        label: String::new(),
        help: help(text, error, found).to_owned(),
        untold: None,
        original: Some(original_report(text, error)),
    }
}

/// A character as a person would call it.
fn describe(found: Option<char>) -> String {
    match found {
        None => "the end of the file".to_owned(),
        Some('\n' | '\r') => "a line break".to_owned(),
        Some('\t') => "a tab".to_owned(),
        Some(' ') => "a space".to_owned(),
        Some('\u{feff}') => "a byte order mark".to_owned(),
        Some(c) if c.is_control() || (c.is_whitespace() && c != ' ') => format!("U+{:04X}", u32::from(c)),
        Some(c) => format!("`{c}`"),
    }
}

/// The way out of the usual mistakes.
fn help(text: &str, error: &SyntaxError, found: Option<char>) -> &'static str {
    if error.kind != SyntaxErrorKind::Syntax {
        return "";
    }
    let is = |context: &Context| error.reason.ends_with(context.go);
    let follows_digit = text.get(..error.offset).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
    match found {
        Some('\u{feff}') => "save the file as UTF-8 without a byte order mark",
        Some('#') => "comments begin with `//`",
        Some(',') if is(&error::VALUE) || is(&error::KEY) => "one comma too many?",
        Some('\n' | '\r') if is(&error::STRING) => {
            "a string ends on its line; put a backslash before a line break that is meant to be skipped"
        }
        Some('\t') if is(&error::STRING) => "write a tab in a string as `\\t`",
        Some('/') if is(&error::BARE_KEY) => "put a space between the key and the comment",
        Some(_) if is(&error::BARE_KEY) || is(&error::KEY) => {
            "a key with other characters than ASCII letters, digits, `_` and `$` needs quotes"
        }
        Some(c) if is(&error::VALUE) && (c.is_alphabetic() || matches!(c, '$' | '_' | '/')) => "texts need quotes",
        Some(c) if is(&error::AFTER_PAIR) || is(&error::AFTER_ELEMENT) => {
            let begins_something = c.is_alphabetic() || matches!(c, '"' | '\'' | '_' | '$' | '{' | '[');
            match (follows_digit, begins_something) {
                (true, _) if c.is_alphabetic() || c == '%' => "a number with a unit needs quotes",
                (_, true) => "a comma missing before it?",
                _ => "",
            }
        }
        _ => "",
    }
}
