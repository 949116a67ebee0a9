//! The JSON Schema of the configuration (draft 2020-12), for editors: `containerpilot config schema`.
//!
//! Decoding is written by hand (`decode`), so no derive could tell the truth about it. Instead the keys of each section are
//! the decoder's own [`Names`], the words and defaults are the constants that the judging uses, and what stands here is
//! only what each key takes and means. It is built when asked for: a table of it would be relocated, and so dirty, in every
//! running process.
//!
//! What can't be said in a schema, or would only make its messages worse (rules between fields, ranges within texts), is
//! left to `config check`.

mod consul;
mod jobs;
mod kind;
mod top;

use serde_json::{Map, Value, json};

use super::decode::Names;
use kind::{TEMPLATE, any_case};

/// What the schema says of itself.
const COMMENT: &str = "About the file as it is written, before its template is rendered, because that is what an editor \
     has: wherever a text may stand, one with {{ in it is taken, whatever it becomes. A rendered file fits as well. A file \
     whose template stands outside of texts is no JSON5 before it is rendered: see `containerpilot -template`. Rules \
     between fields are not in here: `containerpilot config check` knows all of them.";

/// The schema, as a text for people and editors.
pub fn schema() -> String {
    let file = top::file();
    let mut root = Map::new();
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!(concat!("containerpilot ", env!("CARGO_PKG_VERSION"))));
    root.insert("$comment".to_owned(), json!(COMMENT));
    if let Value::Object(file) = file {
        root.extend(file);
    }
    // Once, for some twenty signals that take it.
    root.insert("$defs".to_owned(), json!({"action": top::action()}));
    format!("{:#}\n", Value::Object(root))
}

/// What a key takes, and what it means.
struct Field {
    about: &'static str,
    kind: Value,
    ours: bool,
    default: Option<Value>,
    examples: Vec<Value>,
}

impl Field {
    fn new(about: &'static str, kind: Value) -> Self {
        Self { about, kind, ours: false, default: None, examples: Vec::new() }
    }

    /// The original did not have it.
    fn ours(self) -> Self {
        Self { ours: true, ..self }
    }

    fn default(self, value: impl Into<Value>) -> Self {
        Self { default: Some(value.into()), ..self }
    }

    fn example(mut self, value: impl Into<Value>) -> Self {
        self.examples.push(value.into());
        self
    }

    fn into_schema(self) -> Value {
        let mut schema = Map::new();
        let since = if self.ours { " New in 4.0." } else { "" };
        schema.insert("description".to_owned(), json!([self.about, since].concat()));
        if let Value::Object(kind) = self.kind {
            schema.extend(kind);
        }
        if let Some(default) = self.default {
            schema.insert("default".to_owned(), default);
        }
        if !self.examples.is_empty() {
            schema.insert("examples".to_owned(), self.examples.into());
        }
        Value::Object(schema)
    }
}

/// An object with these keys in any case, as [`Decoder::object`](super::decode::Decoder::object) takes it; `null` is as good
/// as none. A key that `describe` says nothing of takes anything, and a test finds it.
fn object(names: Names, required: &[&str], describe: impl Fn(&str) -> Option<Field>) -> Value {
    let mut object = known(names.fields, describe);
    // In another case, or of ContainerPilot's inside: taken, but nothing that an editor should propose.
    let keys: Vec<&str> = names.fields.iter().chain(names.private).copied().collect();
    object.insert("patternProperties".to_owned(), json!({format!("{}|{TEMPLATE}", any_case(&keys)): true}));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    Value::Object(object)
}

/// An object with these properties, open for more.
fn known(keys: &[&str], describe: impl Fn(&str) -> Option<Field>) -> Map<String, Value> {
    let property = |key: &&str| ((*key).to_owned(), describe(key).map_or(json!(true), Field::into_schema));
    let mut object = Map::new();
    object.insert("type".to_owned(), json!(["object", "null"]));
    object.insert("properties".to_owned(), Value::Object(keys.iter().map(property).collect()));
    object
}
