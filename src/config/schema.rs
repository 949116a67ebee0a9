//! The JSON Schema of the configuration (draft 2020-12), for editors: `containerpilot config schema`.
//!
//! Decoding is written by hand (`decode`), so no derive could tell the truth about it. Instead the keys of each section are
//! the decoder's own [`Names`], the words are those that the judging uses, and what stands here is only what each key takes
//! and means. Tests try every field with values of every type and hold the answers against the code's.
//!
//! It is put together as text when asked for. A table of it would be relocated, and so dirty, in every running process;
//! JSON values and their printing would be 150 kB of code.
//!
//! What can't be said in a schema, or would only make its messages worse (rules between fields, ranges within texts), is
//! left to `config check`.

mod consul;
mod jobs;
mod kind;
mod top;

use super::decode::Names;
use kind::{TEMPLATE, any_case, words};

/// What the schema says of itself.
const COMMENT: &str = "About the file as it is written, before its template is rendered, because that is what an editor \
     has: wherever a text may stand, one with {{ in it is taken, whatever it becomes. A rendered file fits as well. A file \
     whose template stands outside of texts is no JSON5 before it is rendered: see `containerpilot -template`. Rules \
     between fields are not in here: `containerpilot config check` knows all of them.";

/// The schema, as a text for people and editors.
pub fn schema() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (file, action) = (top::file(), indented(&top::action()));
    // Once, for some twenty signals that take it.
    let file = file.strip_prefix('{').unwrap_or(&file);
    format!(
        "{{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\": \"containerpilot {version}\",\n  \
         \"$comment\": \"{COMMENT}\",\n  \"$defs\": {{\"action\": {action}}},{file}\n"
    )
}

/// What a key takes, as the text of a schema; what it means, without anything to escape; its default and examples, as
/// members of the schema.
type Field = (String, &'static str, &'static str);

/// An object with these keys in any case, as [`Decoder::object`](super::decode::Decoder::object) takes it; `null` is as good
/// as none. A key that `describe` says nothing of takes anything, and a test finds it.
fn object(names: Names, required: &[&str], describe: &dyn Fn(&str) -> Option<Field>) -> String {
    // In another case, or of ContainerPilot's inside: taken, but nothing that an editor should propose.
    let keys: Vec<&str> = names.fields.iter().chain(names.private).copied().collect();
    let others = format!("\"{}|{TEMPLATE}\": true", any_case(&keys));
    let required = if required.is_empty() { String::new() } else { format!(",\n  \"required\": {}", words(required)) };
    known(names.fields, describe, &(others, required))
}

/// An object with these properties, and others by pattern; `rest` is what stands at the end.
fn known(keys: &[&str], describe: &dyn Fn(&str) -> Option<Field>, (others, rest): &(String, String)) -> String {
    let property = |key: &&str| {
        let Some((kind, about, more)) = describe(key) else { return format!("\n    \"{key}\": true") };
        let kind = indented(&kind);
        let kind = kind.strip_prefix('{').and_then(|kind| kind.strip_suffix('}')).unwrap_or("");
        let comma = if more.is_empty() { "" } else { ", " };
        format!("\n    \"{key}\": {{\"description\": \"{about}\", {kind}{comma}{more}}}")
    };
    let properties: Vec<String> = keys.iter().map(property).collect();
    format!(
        "{{\n  \"type\": [\"object\", \"null\"],\n  \"properties\": {{{}\n  }},\n  \"patternProperties\": {{{others}}},\n  \
         \"additionalProperties\": false{rest}\n}}",
        properties.join(",")
    )
}

/// A text within another one.
fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}
