//! Durations as Go spells them (v3 §7.1). The error texts are Go 1.19's.

pub use crate::duration::GoDuration;
use crate::duration::{MICROSECOND, MILLISECOND, SECOND};

/// What kind of mistake a duration has; the texts differ between versions of Go, these do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationErrorClass {
    /// Not a duration at all, or out of range.
    InvalidDuration,
    /// A number without a unit.
    MissingUnit,
    /// A unit that Go doesn't know.
    UnknownUnit,
}

impl DurationErrorClass {
    /// The class's name in the golden vectors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidDuration => "invalid-duration",
            Self::MissingUnit => "missing-unit",
            Self::UnknownUnit => "unknown-unit",
        }
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DurationError {
    /// What kind of mistake.
    pub class: DurationErrorClass,
    /// Go 1.19's words: `time: missing unit in duration "5"`.
    pub text: String,
}

/// A job's duration field: nothing is "not set", a bare integer is seconds, everything else is Go's.
///
/// # Errors
/// As [`parse_go_duration`]; an integer too big for a duration is `time: invalid duration "9223372037s"`.
pub fn parse_job_duration(text: &str) -> Result<Option<GoDuration>, DurationError> {
    if text.is_empty() {
        return Ok(None);
    }
    // Go's ParseInt in base 10 takes a sign and digits, as Rust's does.
    match text.parse::<i64>() {
        Ok(seconds) => parse_go_duration(&format!("{seconds}s")).map(Some),
        Err(_) => parse_go_duration(text).map(Some),
    }
}

/// Go's `time.ParseDuration`: an optional sign and one or more decimal numbers with a unit, or a bare `0`.
///
/// # Errors
/// With the class and the words of Go 1.19.
pub fn parse_go_duration(text: &str) -> Result<GoDuration, DurationError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or("")),
        Some(b'+') => (false, text.get(1..).unwrap_or("")),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(GoDuration(0));
    }
    if rest.is_empty() {
        return Err(invalid(text));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (ns, after) = component(rest, text)?;
        rest = after;
        total = total.checked_add(ns).filter(|sum| *sum <= LIMIT).ok_or_else(|| invalid(text))?;
    }
    let signed = if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    signed.map(GoDuration).ok_or_else(|| invalid(text))
}

/// The magnitude of the smallest duration, one more than that of the greatest.
const LIMIT: u64 = 1 << 63;

/// One `<decimal><unit>` at the start of `rest`: its nanoseconds, and what follows.
fn component<'a>(rest: &'a str, text: &str) -> Result<(u64, &'a str), DurationError> {
    let (whole, after_whole) = digits(rest);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid(text));
    }
    // Checked before the unit, as Go does: an endless number is "invalid" even without one.
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| invalid(text))? };
    if whole > LIMIT {
        return Err(invalid(text));
    }
    let unit_end = after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
    let (unit, after) = after_number.split_at_checked(unit_end).unwrap_or((after_number, ""));
    if unit.is_empty() {
        let text = format!("time: missing unit in duration {}", quote(text));
        return Err(DurationError { class: DurationErrorClass::MissingUnit, text });
    }
    let Some(factor) = unit_ns(unit) else {
        let text = format!("time: unknown unit {} in duration {}", quote(unit), quote(text));
        return Err(DurationError { class: DurationErrorClass::UnknownUnit, text });
    };
    let ns = whole.checked_mul(factor).filter(|ns| *ns <= LIMIT).ok_or_else(|| invalid(text))?;
    let ns = ns.checked_add(fraction_ns(fraction, factor)).filter(|ns| *ns <= LIMIT).ok_or_else(|| invalid(text))?;
    Ok((ns, after))
}

/// The fraction's nanoseconds, computed in floating point as Go does, so that the last digit is the same.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go's own arithmetic; the result is below one unit, at most 3.6e12"
)]
fn fraction_ns(digits: &str, factor: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0_f64;
    for digit in digits.bytes().map(|b| u64::from(b.wrapping_sub(b'0'))) {
        // Digits that no longer fit are below any nanosecond: Go reads over them.
        let Some(next) = value.checked_mul(10).and_then(|v| v.checked_add(digit)).filter(|v| *v <= LIMIT) else {
            break;
        };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (factor as f64 / scale)) as u64
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn unit_ns(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // U+00B5, the micro sign, and U+03BC, the Greek letter.
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        _ => return None,
    })
}

fn invalid(text: &str) -> DurationError {
    DurationError {
        class: DurationErrorClass::InvalidDuration,
        text: format!("time: invalid duration {}", quote(text)),
    }
}

/// Go's quoting in messages about time: bytes outside ASCII and control characters in hexadecimal.
fn quote(text: &str) -> String {
    let quoted: String = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=0x7f => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect();
    format!("\"{quoted}\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_jobs_take_nothing_and_bare_seconds() {
        assert_eq!(parse_job_duration(""), Ok(None));
        assert_eq!(parse_job_duration("90"), Ok(Some(GoDuration(90_000_000_000))));
        assert_eq!(parse_go_duration("").unwrap_err().class, DurationErrorClass::InvalidDuration);
        assert_eq!(parse_go_duration("90").unwrap_err().class, DurationErrorClass::MissingUnit);
    }

    #[test]
    fn a_negative_duration_is_used_as_zero() {
        assert_eq!(GoDuration(-5).to_std(), Duration::ZERO);
        assert_eq!(GoDuration(i64::MAX).to_std(), Duration::from_nanos(9_223_372_036_854_775_807));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ns in prop_oneof![any::<i64>(), -2_000_000_000_i64..2_000_000_000]) {
            prop_assert_eq!(parse_go_duration(&GoDuration(ns).to_string()), Ok(GoDuration(ns)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), digits in "[-+.0-9]{0,30}[smhnuµ ]{0,3}[.0-9]{0,3}") {
            for text in [text, digits] {
                let (job, pure) = (parse_job_duration(&text), parse_go_duration(&text));
                prop_assert!(pure.is_err() || pure.ok() == job.ok().flatten());
            }
        }
    }
}
