//! Numbers as the original reads them, with Go's `strconv.ParseFloat` (v3 §16).

/// Why a text is no number, in the words of Go's library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotANumber {
    /// It is not written like one.
    Syntax,
    /// It is larger than any 64-bit float.
    Range,
}

impl NotANumber {
    /// What Go's error says behind the text.
    pub fn words(self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        }
    }
}

/// A decimal number with Go's spellings: `+5`, `.5`, `5.`, `1e3`, `1_000`, `Inf`, `+infinity`, `NaN`. Not hexadecimal,
/// which the Go of the original's release did not read either.
pub(super) fn parse(text: &str) -> Result<f64, NotANumber> {
    let plain = without_underscores(text).ok_or(NotANumber::Syntax)?;
    let unsigned = plain.trim_start_matches(['+', '-']);
    // Rust takes a sign before it, Go doesn't.
    if unsigned.eq_ignore_ascii_case("nan") && unsigned.len() < plain.len() {
        return Err(NotANumber::Syntax);
    }
    let number: f64 = plain.parse().map_err(|_| NotANumber::Syntax)?;
    let is_spelled_so = unsigned.starts_with(['i', 'I']);
    if number.is_infinite() && !is_spelled_so { Err(NotANumber::Range) } else { Ok(number) }
}

/// Underscores stand between two digits and nowhere else.
fn without_underscores(text: &str) -> Option<String> {
    let mut before = None;
    let mut rest = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        if c == '_' {
            let between = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            if !between(before) || !between(rest.peek().copied()) {
                return None;
            }
        } else {
            plain.push(c);
        }
        before = Some(c);
    }
    Some(plain)
}

/// A count as a sample. Past 2⁵³ the last digits are rounded, as Prometheus itself does.
#[expect(clippy::cast_precision_loss, reason = "every sample is a 64-bit float")]
pub(super) fn of(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, number) in
            [("+5", 5.0), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1_000", 1000.0), ("-InF", f64::NEG_INFINITY)]
        {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
        assert!(parse("NaN").is_ok_and(f64::is_nan));
        for text in ["", " 1", "abc", "0x10", "1_", "_1", "1__0", "1_.5", "+nan", "-NaN", "1e", ".", "1,5", "++1"] {
            assert_eq!(parse(text), Err(NotANumber::Syntax), "{text:?}");
        }
        assert_eq!(parse("-1e400"), Err(NotANumber::Range));
    }
}
