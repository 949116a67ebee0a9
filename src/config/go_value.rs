//! How Go prints a decoded value (`%v`), and the names of types in its messages (v3 §6, §7.3).

use std::collections::BTreeMap;

use super::json5::{Node, Value};
use crate::number::go_format_number;

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
