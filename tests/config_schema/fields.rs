//! The fields that the schema names, with their paths: `jobs[].health.interval`, `signals.SIGHUP`.

use serde_json::Value as Json;

/// A field.
pub struct Field<'s> {
    pub path: String,
    pub schema: &'s Json,
}

/// All fields. What any key may name (`meta`, `taggedAddresses`) is `*`.
pub fn fields(root: &Json) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    below(root, root, "", &mut fields);
    fields
}

fn below<'s>(root: &'s Json, schema: &'s Json, path: &str, fields: &mut Vec<Field<'s>>) {
    let dot = if path.is_empty() { "" } else { "." };
    for (key, schema) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
        let path = format!("{path}{dot}{key}");
        below(root, schema, &path, fields);
        fields.push(Field { path, schema });
    }
    if let Some(items) = schema.get("items") {
        below(root, items, &format!("{path}[]"), fields);
    }
    if let Some(any) = schema.get("additionalProperties").filter(|any| any.is_object()) {
        below(root, any, &format!("{path}.*"), fields);
    }
    if let Some(pointer) = schema.get("$ref").and_then(Json::as_str) {
        below(root, root.pointer(pointer.trim_start_matches('#')).unwrap(), path, fields);
    }
    for one in schema.get("anyOf").and_then(Json::as_array).into_iter().flatten() {
        below(root, one, path, fields);
    }
}
