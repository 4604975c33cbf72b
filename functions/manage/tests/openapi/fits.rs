//! Whether a value is of a described shape, as far as this document describes: types, fields, items, words, choices.

use serde_json::Value;

/// Says where `value` is not as `shape` says; `components` holds what shapes refer to.
pub(crate) fn misfit(document: &Value, shape: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = shape["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("no {reference}"));
        if let Some(misfit) = misfit(document, target, value, at) {
            return Some(misfit);
        }
    }
    let alternatives = |word: &str| shape[word].as_array().cloned().unwrap_or_default();
    if let Some(wrong) = alternatives("allOf").iter().find_map(|part| misfit(document, part, value, at)) {
        return Some(wrong);
    }
    for word in ["anyOf", "oneOf"] {
        let choices = alternatives(word);
        let tried: Vec<_> = choices.iter().map(|choice| misfit(document, choice, value, at)).collect();
        let fitting = tried.iter().filter(|misfit| misfit.is_none()).count();
        if !choices.is_empty() && (fitting == 0 || word == "oneOf" && fitting > 1) {
            return Some(format!("{at}: {fitting} of its choices fit: {tried:?}"));
        }
    }
    let words = alternatives("enum");
    if !words.is_empty() && !words.contains(value) || shape.get("const").is_some_and(|only| only != value) {
        return Some(format!("{at}: {value} is none of its words"));
    }
    let types: Vec<_> = match &shape["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|kind| is_of(value, kind)) {
        return Some(format!("{at}: {value} is not {types:?}"));
    }
    match value {
        Value::Array(items) => {
            let inner = shape.get("items")?;
            items.iter().enumerate().find_map(|(n, item)| misfit(document, inner, item, &format!("{at}/{n}")))
        }
        Value::Object(fields) => {
            let missing =
                alternatives("required").into_iter().find(|name| !fields.contains_key(name.as_str().unwrap_or_default()));
            if let Some(missing) = missing {
                return Some(format!("{at}: {missing} is missing"));
            }
            let is_closed = shape["additionalProperties"] == Value::Bool(false);
            fields.iter().find_map(|(name, field)| {
                let at = format!("{at}/{name}");
                match shape["properties"].get(name).or_else(|| shape.get("additionalProperties").filter(|rest| rest.is_object()))
                {
                    Some(inner) => misfit(document, inner, field, &at),
                    None if is_closed => Some(format!("{at}: it is not described")),
                    None => None,
                }
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type: {other}"),
    }
}
