//! What a registration holds, by channel: made of what each channel declares.

use bellhop_core::channel::{Kind, Param, Spec};
use serde_json::{Map, Value, json};

use crate::operation::schema;

/// The shapes of every channel's parameters, and of what saves a registration: `common` is what all channels take.
pub(crate) fn schemas(specs: &[&Spec], common: &Value) -> Map<String, Value> {
    let name = |spec: &Spec| format!("Params.{}", spec.id);
    let mut all: Map<_, _> = specs.iter().map(|spec| (name(spec), params(spec))).collect();
    let branch = |spec: &&Spec| {
        let mut params = vec![schema(&name(spec))];
        if spec.short.is_some() {
            params.push(json!({ "type": "string", "description": "All on one line, as `a;b;c`." }));
        }
        let needs_some = spec.params.iter().any(|param| param.required);
        if !needs_some {
            params.push(json!({ "type": "null" }));
        }
        let required = if needs_some { json!(["params"]) } else { json!([]) };
        json!({ "properties": { "channel": { "const": spec.id }, "params": { "anyOf": params } }, "required": required })
    };
    let mut body = common.clone();
    body["oneOf"] = specs.iter().map(branch).collect();
    all.insert("RegistrationBody".to_owned(), body);
    let mut change = common.clone();
    change["properties"]["params"] = json!({
        "type": ["object", "string", "null"],
        "description": "Merged by name with what is stored, `null` clears; a line takes the place of all.",
    });
    change.as_object_mut().unwrap().remove("required");
    all.insert("RegistrationChange".to_owned(), change);
    all.insert("ChannelSpec".to_owned(), spec());
    all
}

fn params(spec: &Spec) -> Value {
    let properties: Map<_, _> = spec.params.iter().map(|param| (param.name.to_owned(), shape(param))).collect();
    let required: Vec<_> = spec.params.iter().filter(|param| param.required).map(|param| param.name).collect();
    json!({
        "type": "object", "title": spec.label.en, "description": spec.help.en, "externalDocs": { "url": spec.docs },
        "properties": properties, "required": required, "additionalProperties": false,
    })
}

fn shape(param: &Param) -> Value {
    let line = r"^[^\x00-\x1F\x7F-\x9F]*$";
    let item = json!({ "anyOf": [{ "type": "string", "pattern": line }, { "type": "integer" }] });
    let mut shape = match param.kind {
        Kind::Text => json!({ "type": "string", "pattern": line }),
        Kind::LongText => json!({ "type": "string" }),
        Kind::Url => json!({ "type": "string", "pattern": r"^\s*[Hh][Tt][Tt][Pp][Ss]?://" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Headers => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Number => json!({ "type": ["integer", "string"] }),
        Kind::List => json!({ "anyOf": [{ "type": "array", "items": item }, item] }),
        Kind::Object => json!({ "type": "object", "additionalProperties": item }),
    };
    if !param.required {
        shape = json!({ "anyOf": [shape, { "type": "null" }] });
    }
    shape["title"] = param.label.en.into();
    shape["description"] = param.help.en.into();
    if let Some(default) = param.default {
        shape["default"] = default.into();
    }
    if param.secret {
        shape["writeOnly"] = true.into();
    }
    shape
}

/// What `GET /v1/channels` says of one.
fn spec() -> Value {
    let limit = json!({
        "type": ["object", "null"],
        "properties": { "max": { "type": "integer" }, "unit": { "enum": ["bytes", "chars", "utf16"] } },
        "required": ["max", "unit"], "additionalProperties": false,
    });
    let rate = json!({
        "type": ["object", "null"],
        "properties": { "burst": { "type": "integer" }, "every_ms": { "type": "integer" } },
        "required": ["burst", "every_ms"], "additionalProperties": false,
    });
    let kinds = ["text", "long_text", "url", "choice", "bool", "headers", "number", "list", "object"];
    let param = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" }, "label": schema("Text"), "help": schema("Text"), "kind": { "enum": kinds },
            "choices": { "type": "array", "items": { "type": "string" } },
            "required": { "type": "boolean" }, "secret": { "type": "boolean" }, "default": { "type": ["string", "null"] },
            "per_message": { "type": "boolean" },
        },
        "required": ["name", "label", "help", "kind", "required", "secret", "default", "per_message"],
        "additionalProperties": false,
    });
    let limits = json!({
        "type": "object", "properties": { "title": limit, "body": limit, "rate": rate },
        "required": ["title", "body", "rate"], "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "id": schema("Channel"), "label": schema("Text"), "help": schema("Text"),
            "docs": { "type": "string" }, "limits": limits,
            "shows": { "type": "array", "items": schema("Format") },
            "address": { "anyOf": [schema("AddressKind"), { "type": "null" }] },
            "params": { "type": "array", "items": param },
        },
        "required": ["id", "label", "help", "docs", "limits", "shows", "address", "params"],
        "additionalProperties": false,
    })
}
