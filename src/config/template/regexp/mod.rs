//! Go's regular expressions, for `regexReplaceAll`.
//!
//! Ours and not a library, because of three things that none of them has: Go's syntax with Go's errors (`\Q…\E`,
//! `\pL`, no `a**`), text that need not be UTF-8, and a bound on the work of *all* matches of a replacement, which for
//! an engine of linear time may still be quadratic. Unicode's tables are `regex-syntax`'s.
//!
//! ```text
//!  pattern ─ syntax ─► tree ─ program ─► instructions ─ search ─► groups ─ replace ─► text
//! ```

mod classes;
mod program;
mod replace;
mod search;
mod syntax;
pub(super) mod unicode;

pub(super) use replace::Regexp;
