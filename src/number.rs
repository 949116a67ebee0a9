//! Numbers as Go prints them, and counts for people: a leaf, since configurations, metrics and what is posted to the control
//! socket all hold some (v3 §6, §15), and everybody tells how many.

/// A number as the original's decoder turns it into a string field: shortest decimals that give the same number, never
/// an exponent (`FormatFloat(f, 'f', -1, 64)`): `5`, `0.5`, `1000000`, `+Inf`.
pub fn number_as_string(number: f64) -> String {
    not_finite(number).map_or_else(|| format!("{number}"), str::to_owned)
}

/// A number as Go's `%v`: like [`number_as_string`], but with an exponent of at least two digits below 1e-4 and from
/// 1e+06 up.
pub fn go_format_number(number: f64) -> String {
    if let Some(word) = not_finite(number) {
        return word.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(e) if !(-4..6).contains(&e) => {
            let sign = if e < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", e.unsigned_abs())
        }
        _ => number_as_string(number),
    }
}

fn not_finite(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("+Inf")
    } else if number == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// `1 job`, `2 jobs`, `2 processes`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_v_uses_exponents_outside_1e_minus_4_to_1e6() {
        let table: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (8080.0, "8080"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e100, "1e+100"),
            (-2.5e-7, "-2.5e-07"),
            (f64::NAN, "NaN"),
        ];
        for (number, want) in table {
            assert_eq!(go_format_number(*number), *want);
        }
    }

    #[test]
    fn strings_of_numbers_have_no_exponent() {
        assert_eq!(number_as_string(1e22), "10000000000000000000000");
        assert_eq!(number_as_string(1e-7), "0.0000001");
        assert_eq!(number_as_string(-0.0), "-0");
        assert_eq!(number_as_string(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn nouns_are_counted() {
        assert_eq!([count(0, "job"), count(1, "process"), count(2, "process")], ["0 jobs", "1 process", "2 processes"]);
    }
}
