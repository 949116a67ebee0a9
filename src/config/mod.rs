//! Text in, [`Plan`](crate::plan::Plan) or diagnostics out.
//!
//! ```text
//! load        compile ───────────────────────────────────────────────────────────────────────────┐
//! path ──► Source ──► template::render ──► json5::parse ──► raw (weak decoding) ──► validate ──► Plan │
//!                          │                    │                 │                    │             │
//!                          └────────────────────┴── report: every problem, mapped back to the source ┘
//! ```
//!
//! What files may say is told to editors by `schema`, out of the same keys and words.
//!
//! Parse, don't validate: behind this room nobody asks a question of the file again. All problems are told at once,
//! where they stand in the file as written (never in the rendered text, which may hold secrets), each with what was
//! found and what is accepted. What the original would have said is kept beside it ([`Outcome::original`]).

pub mod context;
pub mod diagnostic;
pub mod duration;
pub mod exec_string;
pub mod go_value;
pub mod interfaces;
pub mod json5;
pub mod load;
pub mod names;
pub mod template;

mod coerce;
mod compile;
mod decode;
mod files;
mod raw;
mod report;
mod schema;
mod show;
mod validate;

pub use compile::{Outcome, compile};
pub use context::{Addresses, Context};
pub use load::{LoadError, Source, read};
pub use schema::schema;
pub use show::show;

use diagnostic::Diagnostic;
use template::TemplateError;

/// What a template that can't be rendered is told as.
pub fn template_problem(error: &TemplateError, source: &str) -> Diagnostic {
    compile::template_problem(error, source)
}
