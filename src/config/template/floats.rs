//! Go's texts of floating-point numbers, without their signs.

use super::budget::MAX_TEXT;

/// An `f64` has no more digits than this behind its point, or in front of it; the rest is zeros.
const MOST_DIGITS: usize = 1100;

/// A finite number that is not negative, in the format of the verb `b`, `e`, `f`, `g` or `x`, or their capitals.
/// Without a precision, as many digits as tell it from all others.
pub(super) fn format(number: f64, verb: char, precision: Option<usize>) -> String {
    match verb {
        'b' => binary(number),
        'e' => scientific(number, precision),
        'E' => scientific(number, precision).to_uppercase(),
        'f' => fixed(number, precision),
        'G' => general(number, precision).to_uppercase(),
        'x' => hexadecimal(number, precision),
        'X' => hexadecimal(number, precision).to_uppercase(),
        _ => general(number, precision),
    }
}

/// Digits with their point after the first, and the decimal exponent.
fn decimal(number: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        Some(precision) => format!("{number:.*e}", precision.min(MOST_DIGITS)),
        None => format!("{number:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

fn zeros(wanted: usize) -> String {
    // More would be refused by the printer anyway.
    "0".repeat(wanted.saturating_sub(MOST_DIGITS).min(MAX_TEXT + 1))
}

/// `1.5e+00`.
fn scientific(number: f64, precision: Option<usize>) -> String {
    let (digits, exponent) = decimal(number, precision);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{}e{sign}{:02}", zeros(precision.unwrap_or(0)), exponent.unsigned_abs())
}

/// `1.5`.
fn fixed(number: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{number:.*}{}", precision.min(MOST_DIGITS), zeros(precision)),
        None => format!("{number}"),
    }
}

/// The shorter of the two before, without zeros at the end.
fn general(number: f64, precision: Option<usize>) -> String {
    let significant = precision.map(|precision| precision.clamp(1, MOST_DIGITS));
    let (digits, exponent) = decimal(number, significant.map(|digits| digits - 1));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The exponent from which on it is written as one. Go wants fewer for a precision that is not used up.
    let mut threshold = significant.map_or(6, |digits| i32::try_from(digits).unwrap_or(i32::MAX));
    if significant.is_some() && threshold > count && count > exponent {
        threshold = count;
    }
    if exponent < -4 || exponent >= threshold {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs());
    }
    place_point(digits, exponent)
}

/// Digits `d.ddd × 10^exponent` written without an exponent.
fn place_point(digits: &str, exponent: i32) -> String {
    let Ok(before) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    };
    if before == 0 {
        return format!("0.{digits}");
    }
    match digits.split_at_checked(before) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{fraction}"),
        None => format!("{digits}{}", "0".repeat(before - digits.len())),
    }
}

/// The 53 bits of the mantissa and the exponent of the last of them.
fn bits(number: f64) -> (u64, i64) {
    let raw = number.to_bits();
    let mantissa = raw & ((1 << 52) - 1);
    let exponent = i64::try_from((raw >> 52) & 0x7ff).unwrap_or(0);
    if exponent == 0 { (mantissa, -1074) } else { (mantissa | 1 << 52, exponent - 1075) }
}

/// `4503599627370496p-52`.
fn binary(number: f64) -> String {
    let (mantissa, exponent) = bits(number);
    format!("{mantissa}p{exponent:+}")
}

/// `0x1.8p+00`.
fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = bits(number);
    exponent = if mantissa == 0 { 0 } else { exponent + 52 };
    // The first bit becomes the only one before the point; 60 bits behind it.
    while mantissa != 0 && mantissa >> 52 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    let mut scaled = u128::from(mantissa) << 8;
    if let Some(kept) = precision.filter(|&precision| precision < 15) {
        // To the nearest, to even.
        let dropped = 60 - 4 * kept;
        let half = 1_u128 << (dropped - 1);
        let below = scaled & ((half << 1) - 1);
        scaled >>= dropped;
        if below > half || (below == half && scaled & 1 == 1) {
            scaled += 1;
        }
        scaled <<= dropped;
        if scaled >> 61 != 0 {
            scaled >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", scaled & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) if precision < 15 => digits.get(..precision).unwrap_or_default().to_owned(),
        Some(precision) => format!("{digits}{}", "0".repeat((precision - 15).min(MAX_TEXT + 1))),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{digits}p{sign}{:02}", scaled >> 60, exponent.unsigned_abs())
}

/// What `#` does: there is a point, and `g` keeps its zeros.
pub(super) fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E'] };
    let (number, tail) = match text.find(marks) {
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => (text, ""),
    };
    let mut out = number.to_owned();
    let wanted = if matches!(verb, 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    // Digits count from the first that is not zero; the prefix of `x` counts with its letter, as in Go.
    let counted = number.chars().filter(|&c| c != '.').skip_while(|&c| c == '0').count();
    let lone_zero = usize::from(number == "0");
    if !number.contains('.') {
        out.push('.');
    } else if number.is_empty() {
        out.push('0');
    }
    let missing = wanted.saturating_sub(counted + lone_zero).min(MAX_TEXT + 1);
    format!("{out}{}{tail}", "0".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected texts are Go 1.19's.
    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (number, verb, precision, text) in [
            (0.0, 'g', None, "0"),
            (1.0, 'g', None, "1"),
            (123_456.789, 'g', None, "123456.789"),
            (0.0001, 'g', None, "0.0001"),
            (0.00001, 'g', None, "1e-05"),
            (1234.5, 'g', Some(3), "1.23e+03"),
            (100.0, 'g', Some(3), "100"),
            (1000.0, 'g', Some(3), "1e+03"),
            (5e-324, 'g', None, "5e-324"),
            (1.5, 'e', None, "1.5e+00"),
            (2.5, 'f', Some(0), "2"),
            (0.1, 'f', None, "0.1"),
            (1.0, 'b', None, "4503599627370496p-52"),
            (3.5, 'x', None, "0x1.cp+01"),
            (1.0, 'x', None, "0x1p+00"),
            (0.0, 'x', None, "0x0p+00"),
            (1.999, 'x', Some(1), "0x1.0p+01"),
            (1.0, 'X', Some(2), "0X1.00P+00"),
        ] {
            assert_eq!(format(number, verb, precision), text, "{number} %{verb} {precision:?}");
        }
    }

    #[test]
    fn a_long_precision_is_zeros() {
        assert_eq!(format(0.5, 'f', Some(5000)).len(), 5002);
        assert_eq!(format(0.5, 'e', Some(5000)).len(), 5006);
    }

    #[test]
    fn sharp_asks_for_a_point() {
        assert_eq!(with_point("1", 'g', None), "1.00000");
        assert_eq!(with_point("0", 'g', None), "0.00000");
        assert_eq!(with_point("1e+06", 'g', None), "1.00000e+06");
        assert_eq!(with_point("2", 'f', Some(0)), "2.");
    }
}
