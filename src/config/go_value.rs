//! How Go prints a decoded value: `%v`, `FormatFloat`, and the names of types in its messages (v3 §6, §7.3).

use std::collections::BTreeMap;

use super::json5::{Node, Value};

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

/// A value as Go's `%v` prints it: strings as they are, `[a b]`, `map[k:v]` with sorted keys, `<nil>`.
///
/// Recursion is bounded by the parser's depth limit.
pub fn go_format(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => go_format_number(*n),
        Value::String(s) => s.clone(),
        Value::Array(nodes) => {
            let words: Vec<String> = nodes.iter().map(|node| go_format(&node.value)).collect();
            format!("[{}]", words.join(" "))
        }
        Value::Object(members) => {
            // Of keys given twice the last one counts.
            let map: BTreeMap<&str, &Node> = members.iter().map(|m| (m.key.as_str(), &m.value)).collect();
            let words: Vec<String> =
                map.iter().map(|(key, node)| format!("{key}:{}", go_format(&node.value))).collect();
            format!("map[{}]", words.join(" "))
        }
    }
}

/// The Go type that the original's parser makes of a value, as its messages name it: `float64`, `[]interface {}`.
pub const fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
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
}
