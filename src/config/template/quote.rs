//! Go's quoted strings and characters, written and read.

use std::fmt::Write as _;

use super::runes::{self, is_print};

/// Which characters a quoted text shows as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// All that can be printed.
    Printable,
    /// ASCII only.
    Ascii,
}

/// `"…"` with Go's escapes; bytes that are no UTF-8 become `\xNN`.
pub(super) fn quote(text: &[u8], show: Show) -> String {
    let mut out = String::from('"');
    for (c, bytes) in runes::runes(text) {
        match bytes {
            [byte] if !byte.is_ascii() => {
                let _ = write!(out, "\\x{byte:02x}");
            }
            _ => escape_into(&mut out, c, '"', show),
        }
    }
    out.push('"');
    out
}

/// A text as Go's `%q` writes it, for messages of the original.
pub(in crate::config) fn go_quote(text: &str) -> String {
    quote(text.as_bytes(), Show::Printable)
}

/// `'…'` with Go's escapes.
pub(super) fn quote_char(c: char, show: Show) -> String {
    let mut out = String::from('\'');
    escape_into(&mut out, c, '\'', show);
    out.push('\'');
    out
}

fn escape_into(out: &mut String, c: char, quote: char, show: Show) {
    let code = u32::from(c);
    let _ = match c {
        _ if c == quote || c == '\\' => write!(out, "\\{c}"),
        _ if is_print(c) && (c.is_ascii() || show == Show::Printable) => write!(out, "{c}"),
        '\x07' => write!(out, "\\a"),
        '\x08' => write!(out, "\\b"),
        '\x0c' => write!(out, "\\f"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\x0b' => write!(out, "\\v"),
        _ if code < 0x80 => write!(out, "\\x{code:02x}"),
        _ if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether a text can stand between backquotes unchanged.
pub(super) fn can_backquote(text: &[u8]) -> bool {
    runes::runes(text).all(|(c, bytes)| {
        let valid = c.is_ascii() || bytes.len() > 1;
        valid && !matches!(c, '\u{feff}' | '`' | '\x7f') && (c >= ' ' || c == '\t')
    })
}

/// The value of a string constant, quotes included in `text`. `None` if it is misspelt.
pub(super) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let quote = *text.first()?;
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    if quote == b'`' {
        // Go drops carriage returns from raw strings.
        return Some(inner.iter().copied().filter(|&byte| byte != b'\r').collect());
    }
    let mut rest = inner;
    let mut out = Vec::with_capacity(inner.len());
    while !rest.is_empty() {
        let (unit, after) = unquote_unit(rest, quote)?;
        match unit {
            Unit::Byte(byte) => out.push(byte),
            Unit::Char(c) => runes::push(&mut out, c),
        }
        rest = after;
    }
    Some(out)
}

/// One character or escape of a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A byte that was spelled as one.
    Byte(u8),
    /// A character.
    Char(char),
}

impl Unit {
    /// Its value as a number.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Byte(byte) => u32::from(byte),
            Self::Char(c) => u32::from(c),
        }
    }
}

/// Reads one character or escape within `quote`s, and gives what follows.
pub(super) fn unquote_unit(text: &[u8], quote: u8) -> Option<(Unit, &[u8])> {
    let (c, length) = runes::decode(text)?;
    let rest = text.get(length..)?;
    if c == char::from(quote) || c == '\n' {
        return None;
    }
    if c != '\\' {
        return Some((Unit::Char(c), rest));
    }
    let (&escape, rest) = rest.split_first()?;
    let char_of = |c: char| Some((Unit::Char(c), rest));
    match escape {
        b'a' => char_of('\x07'),
        b'b' => char_of('\x08'),
        b'f' => char_of('\x0c'),
        b'n' => char_of('\n'),
        b'r' => char_of('\r'),
        b't' => char_of('\t'),
        b'v' => char_of('\x0b'),
        b'\\' => char_of('\\'),
        b'\'' | b'"' if escape == quote => char_of(char::from(escape)),
        b'x' => digits(rest, 2, 16).and_then(|(code, rest)| Some((Unit::Byte(u8::try_from(code).ok()?), rest))),
        b'u' => digits(rest, 4, 16).and_then(|(code, rest)| Some((Unit::Char(char::from_u32(code)?), rest))),
        b'U' => digits(rest, 8, 16).and_then(|(code, rest)| Some((Unit::Char(char::from_u32(code)?), rest))),
        b'0'..=b'7' => {
            let from_escape = text.get(1..)?;
            digits(from_escape, 3, 8).and_then(|(code, rest)| Some((Unit::Byte(u8::try_from(code).ok()?), rest)))
        }
        _ => None,
    }
}

fn digits(text: &[u8], count: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let mut code: u32 = 0;
    for &digit in digits {
        code = code.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?)?;
    }
    Some((code, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        let text = "a\"b\\\n\t\x07\x01é日🚀\u{feff}".as_bytes();
        assert_eq!(quote(text, Show::Printable), r#""a\"b\\\n\t\a\x01é日🚀\ufeff""#);
        for show in [Show::Printable, Show::Ascii] {
            assert_eq!(unquote(quote(text, show).as_bytes()).as_deref(), Some(text));
        }
        assert_eq!(quote(b"\xff", Show::Printable), r#""\xff""#);
        assert_eq!(unquote(br#""\xff\101""#).as_deref(), Some(&b"\xffA"[..]));
        assert_eq!(quote_char('\'', Show::Printable), r"'\''");
    }

    #[test]
    fn misspelt_constants_are_refused() {
        for text in [r#""\q""#, r#""\x4""#, r#""\ud800""#, r#""\400""#, r#""\'""#, r#""\U00110000""#, "\"a\nb\"", "\""]
        {
            assert_eq!(unquote(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn raw_strings_lose_carriage_returns() {
        assert_eq!(unquote(b"`a\r\nb\\n`").as_deref(), Some(&b"a\nb\\n"[..]));
        assert!(can_backquote(b"a\tb"));
        assert!(!can_backquote(b"a`b") && !can_backquote(b"a\nb") && !can_backquote(b"\xff"));
    }
}
