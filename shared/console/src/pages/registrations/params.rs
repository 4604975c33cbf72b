//! A channel's parameters between the API's JSON and the fields of a form. Pure.

use serde_json::{Map, Value, json};

use crate::{fields::Fields, show};

/// The field of a parameter: its path in the API's body.
pub(super) fn field(param: &str) -> String {
    format!("params.{param}")
}

/// The box by which a secret is taken away, since an empty field leaves it as it is.
pub(super) fn clearing(param: &str) -> String {
    format!("clear.{param}")
}

/// What the form begins with: the parameters as they are, but for secrets, which the API does not show.
pub(super) fn to_fields(spec: &Value, params: &Value) -> Vec<(String, String)> {
    let shown = params_of(spec).filter(|param| param["secret"] != true);
    let with_value = shown.filter_map(|param| {
        let name = show::text(param, "name");
        params.get(name).map(|value| (field(name), written(value)))
    });
    with_value.collect()
}

/// The `params` that a form says. What is left empty is not there; a secret that is left empty stays, where there is one.
pub(super) fn from_fields(spec: &Value, fields: &Fields, is_change: bool) -> Value {
    let mut params = Map::new();
    for param in params_of(spec) {
        let name = show::text(param, "name");
        let field = field(name);
        // a template may begin or end with a blank
        let is_whole = show::text(param, "kind") == "long_text";
        match fields.text(&field).map(|text| if is_whole { fields.get(&field) } else { text }) {
            Some(text) => drop(params.insert(name.to_owned(), read(show::text(param, "kind"), text))),
            None if !is_change => {}
            None if param["secret"] == true && !fields.is_on(&clearing(name)) => {}
            None => drop(params.insert(name.to_owned(), Value::Null)),
        }
    }
    Value::Object(params)
}

/// What the channel declares.
pub(super) fn params_of(spec: &Value) -> impl Iterator<Item = &Value> {
    spec["params"].as_array().into_iter().flatten()
}

/// A value as it stands in a field: lists and objects have a line for each item.
fn written(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(show::value).collect::<Vec<_>>().join("\n"),
        // what lines would make texts of
        Value::Object(members) if !members.iter().all(|(name, value)| is_line(name, value)) => value.to_string(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}: {}", show::value(value))).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => show::value(value),
    }
}

/// Whether a line with a colon says the same.
fn is_line(name: &str, value: &Value) -> bool {
    let is_plain = |text: &str| text.trim() == text && !text.contains('\n');
    is_plain(name) && !name.is_empty() && !name.contains(':') && value.as_str().is_some_and(is_plain)
}

/// The value of a field. What does not fit the kind goes on as text, and the API says what it expects.
fn read(kind: &str, text: &str) -> Value {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    match kind {
        "bool" => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        "number" => number(text),
        "list" => lines().collect(),
        // as the help writes it
        "headers" | "object" if text.starts_with('{') => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        "headers" | "object" => {
            let pairs = lines().map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())));
            match pairs.collect::<Option<Vec<_>>>() {
                // values stay texts: a code may begin with 0
                Some(pairs) => pairs.into_iter().collect(),
                None => json!(text),
            }
        }
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({ "params": [
            {"name": "url", "kind": "url", "secret": true},
            {"name": "note", "kind": "text", "secret": false},
            {"name": "headers", "kind": "headers", "secret": false},
            {"name": "to", "kind": "list", "secret": false},
            {"name": "ttl", "kind": "number", "secret": false},
            {"name": "loud", "kind": "bool", "secret": false},
            {"name": "vars", "kind": "object", "secret": false},
        ] })
    }

    #[test]
    fn what_the_form_begins_with_is_read_back_as_it_was() {
        let params = json!({"note": "x", "headers": {"X-A": "1: 2", "B": "b"}, "to": ["a", "b"], "ttl": 60, "loud": false,
            "vars": {"code": "0042", "to": "+86"}});
        for vars in
            [json!({"count": 3, "of": {"x": null}}), json!({"a:b": "c"}), json!({"text": "line one "}), json!({"a": "b\nc"})]
        {
            let other = json!({"vars": vars});
            assert_eq!(from_fields(&spec(), &Fields::of(to_fields(&spec(), &other)), false), other);
        }
        let blank = json!({"headers": {"X-A": "with a blank "}});
        assert_eq!(from_fields(&spec(), &Fields::of(to_fields(&spec(), &blank)), false), blank);
        let fields = Fields::of(to_fields(&spec(), &params));
        assert_eq!(from_fields(&spec(), &fields, false), params);
    }

    #[test]
    fn a_secret_is_not_shown_and_stays_where_its_field_is_left_empty() {
        let shown = to_fields(&spec(), &json!({"url": {"set": true}, "note": "x"}));
        assert_eq!(shown, [("params.note".to_owned(), "x".to_owned())]);
        let change = from_fields(&spec(), &Fields::of([("params.url", ""), ("params.note", "")]), true);
        assert_eq!((change.get("url"), &change["note"]), (None, &Value::Null));
        let cleared = from_fields(&spec(), &Fields::of([("params.url", ""), ("clear.url", "on")]), true);
        assert_eq!(cleared["url"], Value::Null);
        assert!(cleared.get("url").is_some());
    }

    #[test]
    fn an_object_may_be_written_as_json() {
        assert_eq!(read("object", r#"{"code": "1234", "n": 1}"#), json!({"code": "1234", "n": 1}));
        assert_eq!(read("object", "{no json"), json!("{no json"));
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_api_to_refuse() {
        assert_eq!(read("number", "many"), json!("many"));
        assert_eq!(read("headers", "no colon here"), json!("no colon here"));
        assert_eq!(read("bool", "perhaps"), json!("perhaps"));
    }
}
