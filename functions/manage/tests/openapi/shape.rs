//! The words in which shapes are declared.

use serde_json::{Map, Value, json};

use crate::operation::schema;

/// The first argument may be left out, and `null` says the same.
pub(crate) fn or_null(shape: &Value) -> Value {
    match shape.as_object() {
        Some(fields) if fields.get("type").is_some_and(Value::is_string) && !fields.contains_key("enum") => {
            let mut fields = fields.clone();
            let one = fields["type"].take();
            fields.insert("type".to_owned(), json!([one, "null"]));
            Value::Object(fields)
        }
        _ => json!({ "anyOf": [shape, { "type": "null" }] }),
    }
}

/// An object with these fields and no others.
pub(crate) fn object<'n>(required: &[&str], fields: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    let properties: Map<_, _> = fields.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// One with the fields of another besides; what that requires is required.
pub(crate) fn extended(base: &Value, object: &Value) -> Value {
    let mut whole = base.clone();
    if let (Some(properties), Some(more)) = (whole["properties"].as_object_mut(), object["properties"].as_object()) {
        properties.extend(more.clone());
    }
    let of = |shape: &Value| shape["required"].as_array().cloned().unwrap_or_default();
    let required: Vec<_> = of(base).into_iter().chain(of(object)).collect();
    whole["required"] = required.into();
    whole
}

/// The same, where `null` says that a field is not there; those that have to be there have to be something.
pub(crate) fn lenient(whole: &Value) -> Value {
    let mut lenient = whole.clone();
    let required = whole["required"].as_array().cloned().unwrap_or_default();
    for (name, shape) in lenient["properties"].as_object_mut().into_iter().flatten() {
        let is_nullable =
            shape["type"].as_array().is_some_and(|types| types.contains(&json!("null"))) || shape["anyOf"].is_array();
        if !is_nullable && !required.contains(&json!(name)) {
            *shape = or_null(shape);
        }
    }
    lenient
}

/// The same, where nothing has to be there.
pub(crate) fn partial(whole: &Value) -> Value {
    let mut partial = lenient(whole);
    if let Some(fields) = partial.as_object_mut() {
        fields.remove("required");
    }
    partial
}

pub(crate) fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item })
}

pub(crate) fn at_most(most: usize, item: &Value) -> Value {
    json!({ "type": "array", "items": item, "maxItems": most })
}

pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

pub(crate) fn text() -> Value {
    json!({ "type": "string" })
}

pub(crate) fn flag(default: bool) -> Value {
    json!({ "type": "boolean", "default": default })
}

pub(crate) fn yes_or_no() -> Value {
    json!({ "type": "boolean" })
}

pub(crate) fn number(from: u64, to: u64) -> Value {
    json!({ "type": "integer", "minimum": from, "maximum": to })
}

pub(crate) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(crate) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A whole URL; `http` = of those schemes alone.
pub(crate) fn link(http: bool) -> Value {
    if http {
        json!({ "type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]" })
    } else {
        json!({ "type": "string", "format": "uri", "description": "With a scheme; `javascript:`, `data:` and `vbscript:` are refused." })
    }
}

pub(crate) fn one_or_many(recipients: &Value) -> Value {
    json!({ "anyOf": [schema("Recipient"), recipients] })
}
