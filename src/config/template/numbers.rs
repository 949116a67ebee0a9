//! Number constants: every type that can hold the value gets it, as Go's untyped constants do.

use super::error::Class;
use super::quote::{Show, quote, unquote_unit};
use super::token::Kind;

/// A number constant and all it can be.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Number {
    /// As a signed integer.
    pub(super) int: Option<i64>,
    /// As an unsigned integer.
    pub(super) uint: Option<u64>,
    /// As a float.
    pub(super) float: Option<f64>,
    /// Real and imaginary part.
    pub(super) complex: Option<(f64, f64)>,
    /// As it stands in the source.
    pub(super) text: String,
}

impl Number {
    /// Reads a constant. The error is Go's text and its class.
    pub(super) fn parse(text: &[u8], kind: Kind) -> Result<Self, (Class, String)> {
        let mut number = Self { text: String::from_utf8_lossy(text).into_owned(), ..Self::default() };
        if kind == Kind::CharConstant {
            let inner = text.get(1..).unwrap_or_default();
            let (unit, tail) =
                unquote_unit(inner, b'\'').ok_or_else(|| (Class::BadConstant, "invalid syntax".to_owned()))?;
            if tail != b"'" {
                return Err((Class::BadConstant, format!("malformed character constant: {}", number.text)));
            }
            let code = unit.code();
            number.int = Some(i64::from(code));
            number.uint = Some(u64::from(code));
            number.float = Some(f64::from(code));
            return Ok(number);
        }
        let illegal = || (Class::BadNumber, format!("illegal number syntax: {}", quote(text, Show::Printable)));
        let plain = std::str::from_utf8(text).map_err(|_| illegal())?;
        if kind == Kind::Complex {
            // `1+2i`: the second sign that is no exponent's parts them.
            number.complex = Some(parse_complex(plain).ok_or_else(illegal)?);
            number.simplify_complex();
            return Ok(number);
        }
        if let Some(imaginary) = plain.strip_suffix('i').and_then(parse_float) {
            number.complex = Some((0.0, imaginary));
            number.simplify_complex();
            return Ok(number);
        }
        number.uint = parse_uint(plain);
        number.int = parse_int(plain);
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        if number.int.is_some() || number.uint.is_some() {
            number.float = number.int.map(to_float).or(number.uint.map(unsigned_to_float));
        } else if let Some(float) = parse_float(plain) {
            if !plain.contains(['.', 'e', 'E', 'p', 'P']) {
                let quoted = quote(text, Show::Printable);
                return Err((Class::BadNumber, format!("integer overflow: {quoted}")));
            }
            number.float = Some(float);
            number.int = exact_int(float);
        }
        if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
            return Err(illegal());
        }
        Ok(number)
    }

    /// A complex number without an imaginary part is a float, too, and perhaps an integer.
    fn simplify_complex(&mut self) {
        if let Some((real, imaginary)) = self.complex
            && imaginary == 0.0
        {
            self.float = Some(real);
            self.int = exact_int(real);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go's conversion loses the same bits")]
fn to_float(int: i64) -> f64 {
    int as f64
}

#[expect(clippy::cast_precision_loss, reason = "Go's conversion loses the same bits")]
fn unsigned_to_float(uint: u64) -> f64 {
    uint as f64
}

/// The integer that a float is, if it is one.
fn exact_int(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the original below")]
    let int = float as i64;
    #[expect(clippy::float_cmp, reason = "exactness is the question")]
    let exact = to_float(int) == float && float.abs() < 9.2e18;
    exact.then_some(int)
}

/// A text's sign, base and digits: `0x`, `0o`, `0b`, a leading zero for octal, underscores between digits.
fn split_integer(text: &str) -> Option<(bool, u32, String)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.contains('_') && !underscores_are_right(digits) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (base, rest) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?)
    } else {
        (10, lower.as_str())
    };
    Some((negative, base, rest.replace('_', "")))
}

fn parse_magnitude(base: u32, digits: &str) -> Option<u64> {
    // The standard library takes a sign of its own.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, base).ok() }
}

/// Go's `ParseUint` with base 0: no sign at all.
fn parse_uint(text: &str) -> Option<u64> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    let (_, base, digits) = split_integer(text)?;
    parse_magnitude(base, &digits)
}

/// Go's `ParseInt` with base 0.
fn parse_int(text: &str) -> Option<i64> {
    let (negative, base, digits) = split_integer(text)?;
    let magnitude = parse_magnitude(base, &digits)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// An underscore stands between digits, or between the base and a digit.
fn underscores_are_right(digits: &str) -> bool {
    let lower = digits.to_ascii_lowercase();
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| lower.starts_with(prefix));
    let hexadecimal = lower.starts_with("0x");
    let mut before = if prefixed { '0' } else { '^' };
    for c in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        let class = match c {
            '0'..='9' => '0',
            'a'..='f' if hexadecimal => '0',
            '_' => '_',
            _ => '!',
        };
        if (class == '_' && before != '0') || (class == '!' && before == '_') {
            return false;
        }
        before = class;
    }
    before != '_'
}

/// Go's `ParseFloat`: decimal or hexadecimal; a value beyond the range is refused.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.contains('_') && !underscores_are_right(unsigned) {
        return None;
    }
    let digits = unsigned.replace('_', "").to_ascii_lowercase();
    let magnitude = match digits.strip_prefix("0x") {
        Some(hexadecimal) => parse_hex_float(hexadecimal)?,
        // What the lexer lets through; the standard library knows `inf` as well.
        None if digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-')) => {
            digits.parse::<f64>().ok()?
        }
        None => return None,
    };
    if !magnitude.is_finite() {
        return None;
    }
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// `1.8p3`, without prefix and sign. The exponent is obligatory.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let mut exponent = exponent.parse::<i64>().ok()?.clamp(-100_000, 100_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u64 = 0;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let fractional = index >= whole.len();
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            exponent -= if fractional { 4 } else { 0 };
        } else {
            // Below the precision: only whether something is there matters for rounding.
            bits |= u64::from(digit != 0);
            exponent += if fractional { 0 } else { 4 };
        }
    }
    let mut value = unsigned_to_float(bits);
    while exponent != 0 && value != 0.0 && value.is_finite() {
        let step = exponent.clamp(-1000, 1000);
        value *= 2.0_f64.powi(i32::try_from(step).ok()?);
        exponent -= step;
    }
    Some(value)
}

/// `1+2i`: a real and an imaginary part.
fn parse_complex(text: &str) -> Option<(f64, f64)> {
    let body = text.strip_suffix('i')?;
    let hexadecimal = body.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let exponent_marks: &[u8] = if hexadecimal { b"pP" } else { b"eE" };
    let bytes = body.as_bytes();
    let split = (1..bytes.len()).find(|&index| {
        let sign = matches!(bytes.get(index), Some(b'+' | b'-'));
        sign && !bytes.get(index - 1).is_some_and(|before| exponent_marks.contains(before))
    })?;
    let (real, imaginary) = body.split_at_checked(split)?;
    Some((parse_float(real)?, parse_float(imaginary)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        let kind = if text.starts_with('\'') {
            Kind::CharConstant
        } else if text.ends_with('i') && text.get(1..).unwrap().contains(['+', '-']) {
            Kind::Complex
        } else {
            Kind::Number
        };
        Number::parse(text.as_bytes(), kind).unwrap()
    }

    #[test]
    fn integers_in_every_base() {
        for (text, value) in
            [("0", 0), ("-0", 0), ("017", 15), ("0o17", 15), ("0x_1F", 31), ("0b101", 5), ("1_000", 1000), ("+5", 5)]
        {
            assert_eq!(number(text).int, Some(value), "{text}");
        }
        assert_eq!(number("-9223372036854775808").int, Some(i64::MIN));
        assert_eq!((number("9223372036854775808").int, number("18446744073709551615").uint), (None, Some(u64::MAX)));
    }

    #[test]
    fn floats_and_complex_numbers() {
        for (text, value) in [(".5", 0.5), ("5.", 5.0), ("1_000.5", 1000.5), ("0x1p4", 16.0), ("0x1.8p-1", 0.75)] {
            assert_eq!(number(text).float, Some(value), "{text}");
        }
        assert_eq!(number("1e3").int, Some(1000));
        assert_eq!(number("1+2i").complex, Some((1.0, 2.0)));
        assert_eq!(number("1e+2-3e-1i").complex, Some((100.0, -0.3)));
        assert_eq!(number("0i").int, Some(0));
        assert_eq!(number("'\\x41'").int, Some(65));
    }

    #[test]
    fn misspelt_numbers_are_refused() {
        for text in ["0x", "1__0", "-", "1e400", "08", "18446744073709551616", "0x1.8", "_1", "1_", "0x1p", "1e", "."] {
            assert!(Number::parse(text.as_bytes(), Kind::Number).is_err(), "{text}");
        }
        for text in ["''", "'ab'", "'\\\"'"] {
            assert!(Number::parse(text.as_bytes(), Kind::CharConstant).is_err(), "{text}");
        }
    }
}
