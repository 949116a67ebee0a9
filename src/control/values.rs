//! The bodies of `/v3/environ` and `/v3/metric` (v3 §15).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::number::go_format_number;

/// A body that is not what the path takes: 422, nothing is applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unprocessable;

/// Variables: an object of strings, where `null` means the empty one. `null` and `{}` are no variables.
pub(super) fn variables(body: &[u8]) -> Result<Vec<(String, String)>, Unprocessable> {
    let value = |value| match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        _ => Err(Unprocessable),
    };
    object(body)?.into_iter().map(|(name, v)| Ok((name, value(v)?))).collect()
}

/// Whether an environment can hold it. What can't be set is skipped, as in v3.
pub(super) fn is_settable(variable: &(String, String)) -> bool {
    let (name, value) = variable;
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}

/// Metrics: an object of anything, each value as Go's `%v` prints it.
pub(super) fn metrics(body: &[u8]) -> Result<Vec<(String, String)>, Unprocessable> {
    Ok(object(body)?.into_iter().map(|(name, value)| (name, go_format(&value))).collect())
}

/// Of a key given twice the last value counts.
fn object(body: &[u8]) -> Result<Map<String, Value>, Unprocessable> {
    serde_json::from_slice(body).map(Option::unwrap_or_default).map_err(|_| Unprocessable)
}

/// The parser bounds the depth.
fn go_format(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => go_format_number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let words: Vec<String> = values.iter().map(go_format).collect();
            format!("[{}]", words.join(" "))
        }
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let words: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}:{}", go_format(value))).collect();
            format!("map[{}]", words.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(found: Result<Vec<(String, String)>, Unprocessable>) -> Result<String, Unprocessable> {
        Ok(found?.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn variables_are_strings_or_null() {
        let of = |body: &str| pairs(variables(body.as_bytes()));
        assert_eq!(of(r#"{"A": "x", "B": null, "C": ""}"#).unwrap(), "A=x,B=,C=");
        assert_eq!(of(r#" {"A": "x", "A": "y"} "#).unwrap(), "A=y");
        for none in ["null", "{}"] {
            assert_eq!(of(none).unwrap(), "");
        }
        let broken = ["", "nonsense", "[]", "\"A\"", "1", "{", "{} {}", r#"{"A": "x", "B": 1}"#];
        for body in
            broken.into_iter().chain([r#"{"A": true}"#, r#"{"A": ["x"]}"#, r#"{"A": {}}"#, "{\"A\": \"\u{1}\"}"])
        {
            assert_eq!(of(body), Err(Unprocessable), "{body}");
        }
        assert_eq!(variables(b"{\"A\": \"\xff\"}"), Err(Unprocessable));
    }

    #[test]
    fn what_no_environment_can_hold_is_known() {
        let is = |name: &str, value: &str| is_settable(&(name.to_owned(), value.to_owned()));
        assert!(is("A", "x=y"));
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
            assert!(!is(name, value), "{name:?} {value:?}");
        }
    }

    #[test]
    fn metrics_are_printed_as_go_does() {
        let of = |body: &str| pairs(metrics(body.as_bytes()));
        let table = [
            ("1.0", "1"),
            ("1000000", "1e+06"),
            ("-2.50", "-2.5"),
            ("18446744073709551615", "1.8446744073709552e+19"),
            ("\" 7 \"", " 7 "),
            ("true", "true"),
            ("null", "<nil>"),
            ("[1, \"a\"]", "[1 a]"),
            (r#"{"b": 2, "a": [null]}"#, "map[a:[<nil>] b:2]"),
        ];
        for (value, expected) in table {
            assert_eq!(of(&format!("{{\"m\": {value}}}")).unwrap(), format!("m={expected}"), "{value}");
        }
        assert_eq!(of("null").unwrap(), "");
        let deep = format!("{{\"m\": {}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        for body in ["", "[]", "{\"m\": 1e999}", &deep] {
            assert_eq!(of(body), Err(Unprocessable));
        }
    }
}
