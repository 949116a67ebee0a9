//! The door: a source and an environment in, text and its origins out.

use crate::env::Environment;

use super::error::TemplateError;
use super::source_map::SourceMap;
use super::{eval, parse};

/// A rendered template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text. Bytes that are no UTF-8, which only the environment and `slice` can bring, became U+FFFD.
    pub text: String,
    /// Where each byte of the text came from.
    pub map: SourceMap,
}

/// Renders a configuration template (v3 §4).
///
/// # Errors
///
/// When the source is no template, or rendering it fails or exceeds a limit; the error says where in the source.
pub fn render(source: &str, env: &Environment) -> Result<Rendered, TemplateError> {
    let (bytes, map) = render_bytes(source.as_bytes(), env)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Rendered { text, map }),
        Err(error) => Ok(with_replacements(error.as_bytes(), map)),
    }
}

/// Renders as [`render`] does, but bytes to bytes, whatever they are.
///
/// # Errors
///
/// As [`render`].
pub fn render_bytes(source: &[u8], env: &Environment) -> Result<(Vec<u8>, SourceMap), TemplateError> {
    let rendered = parse::parse(source).and_then(|templates| eval::render(source, &templates, env));
    rendered.map_err(|error| *error)
}

/// Makes text of bytes, and moves the map along.
fn with_replacements(bytes: &[u8], map: SourceMap) -> Rendered {
    let mut text = String::new();
    // Where the text and the bytes stand after each chunk.
    let mut marks = vec![(0, 0)];
    let mut read = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        read += chunk.valid().len();
        marks.push((read, text.len()));
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            read += chunk.invalid().len();
            marks.push((read, text.len()));
        }
    }
    let moved = |old: usize| {
        // The last mark at or before the offset; what follows it corresponds byte by byte, or is replaced as a whole.
        let index = marks.partition_point(|&(before, _)| before <= old).saturating_sub(1);
        let (before, after) = marks.get(index).copied().unwrap_or_default();
        let next = marks.get(index + 1).map_or(text.len(), |&(_, next)| next);
        (after + (old - before)).min(next)
    };
    let map = map.shifted(moved);
    Rendered { text, map }
}
