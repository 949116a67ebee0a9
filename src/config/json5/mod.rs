//! The JSON5 dialect of the original, with the place of every key and value (v3 §5, §3.1).
//!
//! A parser of bytes, not of characters, because the original is one: its messages name single bytes and its columns
//! count them. It accepts exactly what the original accepts, including the quirks that golden vectors show, but for
//! three things: a block comment ends at its `*/` (design §4 row 14), reported positions are right (row 14), and
//! nesting is limited to [`MAX_DEPTH`] (row 26), which also bounds the recursion.
//!
//! | file | subject |
//! | --- | --- |
//! | `node.rs` | what comes out |
//! | `parse.rs` | structure: values, objects, arrays, white space and comments |
//! | `scalar.rs` | strings, keys, numbers, literals |
//! | `error.rs` | why a text is refused, in Go's words and in ours |
//! | `report.rs` | the original's printed report; a diagnostic |

mod error;
mod node;
mod parse;
mod report;
mod scalar;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use node::{Member, Node, Value, decode_text, top_level_error};
pub use parse::{MAX_DEPTH, parse, parse_bytes};
pub use report::{diagnostic, original_report, original_report_bytes};

#[cfg(test)]
mod tests;
