//! Go 1.19's text/template with ContainerPilot's functions (v3 §4).
//!
//! ```text
//!  source ─ lex ─► tokens ─ parse, pipeline ─► ast ─ eval, call ─► text + source map
//!                                                     │
//!                    funcs (the table, ours) ─ builtins, compare, escape, regexp ─ printf, verbs, floats
//! ```
//!
//! The one departure from the original is that `{{ .X }}` is the whole value (design §4 row 14). The language has no
//! loops but over finite lists, and everything that it may do is bounded: the size of the result and of all values on
//! the way, the work, and how deeply things stand within each other ([`budget`]). Nothing here panics, waits, or looks
//! at anything but its arguments.
//!
//! Texts are bytes within, because Go's are: an environment need not be UTF-8, and `slice` cuts characters.

mod ast;
mod budget;
mod builtins;
mod call;
mod compare;
mod error;
mod escape;
mod eval;
mod floats;
mod funcs;
mod lex;
mod numbers;
mod parse;
mod pipeline;
mod printf;
mod quote;
mod regexp;
mod render;
mod runes;
mod source_map;
mod token;
mod values;
mod verbs;

#[cfg(test)]
mod tests;

pub(super) use quote::go_quote;

pub use error::{Class, Stage, TemplateError};
pub use render::{Rendered, render, render_bytes};
pub use source_map::SourceMap;
