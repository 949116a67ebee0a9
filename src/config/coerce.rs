//! How the original turned one scalar into another, byte for byte (v3 §6): Go's `ParseInt`, `ParseBool` and the
//! conversion of floats on amd64.

use super::template::go_quote;

/// A text as Go's `ParseInt(text, 0, 64)` of Go 1.19: base by prefix (`0x`, `0o`, `0b`, `0`), underscores between digits
/// where there is a prefix.
///
/// # Errors
/// In Go's words.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    let failed = |why: &str| format!("strconv.ParseInt: parsing {}: {why}", go_quote(text));
    let syntax = || failed("invalid syntax");
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (base, digits) = match lower.split_at_checked(2) {
        Some(("0x", rest)) => (16, rest),
        Some(("0o", rest)) => (8, rest),
        Some(("0b", rest)) => (2, rest),
        _ => match lower.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => (8, rest),
            _ => (10, lower.as_str()),
        },
    };
    // Go takes `0x_1` and `0_1` but no underscore at the end, none doubled, and none in a bare decimal number.
    let misplaced = digits.ends_with('_') || digits.contains("__") || (base == 10 && digits.contains('_'));
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if misplaced || plain.is_empty() || !plain.chars().all(|c| c.is_digit(base)) {
        return Err(syntax());
    }
    let range = || failed("value out of range");
    let magnitude = u64::from_str_radix(&plain, base).map_err(|_| range())?;
    let value = if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    value.ok_or_else(range)
}

/// A text as a switch: Go's `ParseBool`, and nothing at all is off.
///
/// # Errors
/// In Go's words.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", go_quote(text))),
    }
}

/// A number cut to an integer. What fits no integer becomes the smallest one, as the original did on amd64.
#[expect(clippy::cast_possible_truncation, reason = "checked just before")]
pub(super) fn truncate(number: f64) -> i64 {
    // The first float above i64::MAX; i64::MIN itself is one.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_base_from_their_prefix() {
        let table: &[(&str, i64)] = &[
            ("0", 0),
            ("8080", 8080),
            ("+5", 5),
            ("-5", -5),
            ("010", 8),
            ("0x50", 80),
            ("0X50", 80),
            ("0b101", 5),
            ("0o17", 15),
            ("0x_1f", 31),
            ("1_0", -1),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, want) in table {
            let got = parse_int(text);
            if *text == "1_0" {
                assert!(got.is_err());
            } else {
                assert_eq!(got, Ok(*want), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_integer_is_told_in_gos_words() {
        for text in ["", "-", "0x", "08", "80a", " 80", "1.5", "0x1_", "0__1", "5s"] {
            assert_eq!(parse_int(text), Err(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")));
        }
        assert_eq!(
            parse_int("99999999999999999999"),
            Err("strconv.ParseInt: parsing \"99999999999999999999\": value out of range".to_owned())
        );
    }

    #[test]
    fn floats_are_cut_toward_zero_and_the_unfitting_becomes_the_smallest() {
        assert_eq!(truncate(1.9), 1);
        assert_eq!(truncate(-1.9), -1);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(truncate(odd), i64::MIN);
        }
    }
}
