//! Text in, [`Plan`](crate::plan::Plan) or diagnostics out.
pub mod diagnostic;
pub mod json5;
pub mod template;
