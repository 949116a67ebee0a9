//! Text in, [`Plan`](crate::plan::Plan) or diagnostics out.
pub mod diagnostic;
pub mod duration;
pub mod exec_string;
pub mod go_value;
pub mod interfaces;
pub mod json5;
pub mod names;
pub mod template;
