//! `exec`: a string or an array becomes arguments (v3 §7.3).

use super::go_value::go_format;
use super::json5::{Node, Value};

const ZERO_LENGTH: &str = "received zero-length argument";

/// A command given as one string: white space at both ends cut, then split at every single space.
///
/// No quoting, no escapes, no shell; two spaces make an empty argument, tabs separate nothing. Always at least one
/// argument, which may be empty (its start fails).
pub fn split(text: &str) -> Vec<String> {
    text.trim().split(' ').map(str::to_owned).collect()
}

/// The arguments that an `exec` stands for; `None` if there is none (`null`). Elements of an array that are no strings
/// are printed as Go's `%v` does.
///
/// # Errors
/// The original's words for an empty command and for any other type.
pub fn from_node(node: &Node) -> Result<Option<Vec<String>>, String> {
    match &node.value {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() => Ok(Some(split(text))),
        Value::Array(nodes) if !nodes.is_empty() => {
            Ok(Some(nodes.iter().map(|element| go_format(&element.value)).collect()))
        }
        _ => Err(ZERO_LENGTH.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_spaces_separate() {
        assert_eq!(split("\u{a0} echo  'a b'\tc\n"), ["echo", "", "'a", "b'\tc"]);
        assert_eq!(split("   "), [""]);
    }
}
