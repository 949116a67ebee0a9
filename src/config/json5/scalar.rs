//! Strings, keys, numbers, literals.

use super::error::{self, Context, SyntaxError, SyntaxErrorKind};
use super::node::{Value, decode_text};
use super::parse::{Parser, is_space};
use crate::config::diagnostic::Span;

impl Parser<'_> {
    /// `true`, `null`, …, of which the first byte has been recognised.
    pub(super) fn literal(&mut self, word: &'static str, value: Value) -> Result<Value, SyntaxError> {
        self.at += 1;
        for expected in word.bytes().skip(1) {
            if !self.take(expected) {
                let found = error::quote_byte(self.peek().unwrap_or(b' '));
                let expected = char::from(expected);
                let reason = format!("invalid character {found} in literal {word} (expecting '{expected}')");
                return Err(self.error(reason, &format!("`{word}`, or quotes around a text")));
            }
        }
        Ok(value)
    }

    /// A key with its place: a string, or a bare word of ASCII letters, digits, `_` and `$` that no comment may follow.
    pub(super) fn key(&mut self) -> Result<(String, Span), SyntaxError> {
        let start = self.at;
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                let key = self.string(quote)?;
                let span = self.span_from(start);
                // The original's top level goes through other code, which knows no single quotes around keys.
                let raw = quote == b'\'' && self.depth == 1;
                Ok((if raw { self.source(span) } else { key }, span))
            }
            Some(byte) if is_key_byte(byte) && !byte.is_ascii_digit() => {
                self.take_while(is_key_byte);
                let span = self.span_from(start);
                match self.peek() {
                    Some(byte) if byte != b':' && !is_space(byte) => Err(self.unexpected_inside(&error::BARE_KEY)),
                    _ => Ok((self.source(span), span)),
                }
            }
            _ => Err(self.unexpected(&error::KEY)),
        }
    }

    fn source(&self, span: Span) -> String {
        decode_text(self.text.get(span.start..span.end).unwrap_or_default()).into_owned()
    }

    /// A string from its opening quote to the same closing one.
    pub(super) fn string(&mut self, quote: u8) -> Result<String, SyntaxError> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let start = self.at;
            self.take_while(|byte| byte >= 0x20 && byte != quote && byte != b'\\');
            bytes.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(decode_text(&bytes).into_owned());
                }
                Some(b'\\') => self.escape(&mut bytes)?,
                _ => return Err(self.unexpected(&error::STRING)),
            }
        }
    }

    /// An escape from its backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), SyntaxError> {
        self.at += 1;
        let byte = match self.peek() {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'\\' | b'/' | b'"' | b'\'')) => byte,
            Some(b'\n') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'\r') => {
                self.at += 1;
                self.take(b'\n');
                return Ok(());
            }
            Some(b'u') => {
                self.at += 1;
                let c = self.unicode()?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.unexpected_inside(&error::ESCAPE)),
        };
        self.at += 1;
        bytes.push(byte);
        Ok(())
    }

    /// The digits after `\u`, together with a second escape if the two are a surrogate pair. Half a pair is U+FFFD.
    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let unit = self.unicode_digits()?;
        if let Some(c) = char::from_u32(unit) {
            return Ok(c);
        }
        let after_first = self.at;
        if (0xd800..0xdc00).contains(&unit)
            && self.take(b'\\')
            && self.take(b'u')
            && let Ok(low @ 0xdc00..0xe000) = self.unicode_digits()
        {
            let c = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return Ok(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        // No pair: whatever follows is read, or refused, on its own.
        self.at = after_first;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn unicode_digits(&mut self) -> Result<u32, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected_inside(&error::UNICODE)) };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// A number from its first byte. What the grammar takes but has no value is noted, and stands as NaN meanwhile.
    pub(super) fn number(&mut self) -> Result<f64, SyntaxError> {
        let start = self.at;
        self.number_grammar()?;
        let bytes = self.text.get(start..self.at).unwrap_or_default();
        // The grammar takes nothing but ASCII.
        let literal = std::str::from_utf8(bytes).unwrap_or_default();
        Ok(number_value(literal).unwrap_or_else(|| {
            self.not_a_number.get_or_insert_with(|| SyntaxError {
                kind: SyntaxErrorKind::NotANumber,
                offset: start,
                reason: format!("json: cannot unmarshal number {literal} into Go value of type float64"),
                expected: "a number that a 64-bit float can hold".to_owned(),
            });
            f64::NAN
        }))
    }

    fn number_grammar(&mut self) -> Result<(), SyntaxError> {
        let signed = self.take(b'+') || self.take(b'-');
        if signed {
            // The original's quirk: after a sign, dots are read over and then the number begins anew, so that `-.5`
            // is a number but `-.05` is `-.0` followed by a stray `5`.
            self.take_while(|byte| byte == b'.');
        } else if self.take(b'.') {
            return self.fraction();
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if self.take(b'x') || self.take(b'X') {
                    return self.digits(|byte| byte.is_ascii_hexdigit(), &error::HEX);
                }
            }
            Some(b'1'..=b'9') => {
                self.take_while(|byte| byte.is_ascii_digit());
            }
            Some(b'I') if signed => {
                self.literal("Infinity", Value::Null)?;
                return Ok(());
            }
            _ => return Err(self.unexpected_inside(&error::NUMBER)),
        }
        if self.take(b'.') { self.fraction() } else { self.exponent() }
    }

    /// What may follow a dot: digits, if any, and an exponent, if any.
    fn fraction(&mut self) -> Result<(), SyntaxError> {
        self.take_while(|byte| byte.is_ascii_digit());
        self.exponent()
    }

    fn exponent(&mut self) -> Result<(), SyntaxError> {
        if !self.take(b'e') && !self.take(b'E') {
            return Ok(());
        }
        let _signed = self.take(b'+') || self.take(b'-');
        self.digits(|byte| byte.is_ascii_digit(), &error::EXPONENT)
    }

    /// At least one digit.
    fn digits(&mut self, is_digit: fn(u8) -> bool, context: &Context) -> Result<(), SyntaxError> {
        if self.take_while(is_digit) == 0 { Err(self.unexpected_inside(context)) } else { Ok(()) }
    }
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// The value of a literal that the grammar took. Hexadecimal ones must fit 64 signed bits, as in the original.
fn number_value(literal: &str) -> Option<f64> {
    let (negative, magnitude) = match literal.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, literal.strip_prefix('+').unwrap_or(literal)),
    };
    let signed = |value: f64| if negative { -value } else { value };
    if magnitude == "Infinity" {
        return Some(signed(f64::INFINITY));
    }
    if let Some(digits) = magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X")) {
        let value = u64::from_str_radix(digits, 16).ok()?;
        let limit = i64::MIN.unsigned_abs();
        #[expect(clippy::cast_precision_loss, reason = "every number is a 64-bit float, rounded as in the original")]
        return (value < limit || (negative && value == limit)).then(|| signed(value as f64));
    }
    magnitude.parse::<f64>().ok().filter(|value| value.is_finite()).map(signed)
}
