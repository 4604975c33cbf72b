//! From bytes to a value to a request, each step with errors that say where. Pure.
//!
//! Promises: a key that comes twice is refused rather than settled silently, also inside free-form fields; an error names
//! the field as a path such as `events[3].result` and what is expected there, and never repeats a value.

use std::fmt;

use bellhop_core::{Code, Problem, Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// The most characters of a field's path that an error repeats.
const LONGEST_PATH: usize = 200;

/// Parses a body. Nesting beyond 128 levels is refused like other malformed JSON.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| Problem::new(Code::MalformedJson, format!("the body is not JSON: {error}")))
}

/// Reads a request out of a value. The value has to be an object.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if !value.is_object() {
        return Err(Problem::new(Code::InvalidField, "expected a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        explain(if path == "." { "" } else { &path }, &error.into_inner().to_string())
    })
}

/// Turns serde's sentence into a problem. The sentences are serde's own ([`de::Error`]); those about a value repeat it in
/// front of what was expected, so only that part is told.
fn explain(path: &str, sentence: &str) -> Problem {
    let expected = sentence.rsplit_once(", expected ").map(|(_, expected)| format!("expected {}", in_json(expected)));
    let starts = |starts: &[&str]| starts.iter().any(|start| sentence.starts_with(start));
    if starts(&["unknown field `"]) {
        return problem(Code::UnknownField, path, &expected.unwrap_or_else(|| "no field is known here".to_owned()));
    }
    if let Some(field) = sentence.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let field = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return problem(Code::MissingField, &field, "it has to be there");
    }
    if starts(&["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"]) {
        return problem(Code::InvalidField, path, &expected.unwrap_or_else(|| "expected another value".to_owned()));
    }
    problem(Code::InvalidField, path, sentence)
}

/// Serde's words for types, in those of JSON.
fn in_json(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" => "an object",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn problem(code: Code, path: &str, detail: &str) -> Problem {
    let path: String = path.chars().take(LONGEST_PATH).collect();
    if path.is_empty() { Problem::new(code, detail) } else { Problem::field(code, path, detail) }
}

/// Builds a [`Value`] and refuses keys that come twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                let key: String = key.chars().take(LONGEST_PATH).collect();
                return Err(de::Error::custom(format!("the key `{key}` comes twice")));
            }
            let value = map.next_value_seed(Strict)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// `"a"` or `["a", "b"]`: callers with one thing to say need no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

/// A time in RFC 3339. Its refusal, unlike the library's, does not repeat what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let moment = String::deserialize(deserializer)?.parse().map(Self);
        moment.map_err(|_| de::Error::custom("expected a time such as `2025-02-01T12:34:56Z`"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its refusal matters")]
        inner: Option<Inner>,
        #[expect(dead_code, reason = "only its refusal matters")]
        to: Option<OneOrMany>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its refusal matters")]
        word: String,
        #[expect(dead_code, reason = "only its refusal matters")]
        flag: Option<bool>,
    }

    fn refusal(value: Value) -> (Code, String, String) {
        let problem = read::<Outer>(value).unwrap_err();
        (problem.code, problem.field.unwrap_or_default(), problem.detail)
    }

    #[test]
    fn an_unknown_field_is_named_with_its_path_and_the_known_ones() {
        let (code, path, detail) = refusal(json!({"inner": {"word": "x", "wrod": 1}}));
        assert_eq!((code, path.as_str()), (Code::UnknownField, "inner.wrod"));
        assert_eq!(detail, "expected `word` or `flag`");
        assert_eq!(refusal(json!({"odd`, key": 1})).1, "odd`, key");
    }

    #[test]
    fn a_missing_field_is_named_with_its_path() {
        let (code, path, _) = refusal(json!({"inner": {}}));
        assert_eq!((code, path.as_str()), (Code::MissingField, "inner.word"));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_path_and_not_repeated() {
        let (code, path, detail) = refusal(json!({"inner": {"word": "x", "flag": "s3cret, expected"}}));
        assert_eq!((code, path.as_str()), (Code::InvalidField, "inner.flag"));
        assert_eq!(detail, "expected a boolean");
        let (code, path, detail) = refusal(json!({"to": ["a", 5]}));
        assert_eq!((code, path.as_str()), (Code::InvalidField, "to[1]"));
        assert_eq!(detail, "expected a string");
    }

    #[test]
    fn only_an_object_is_a_request() {
        for value in [json!([]), json!("x"), json!(null), json!([{"word": "x"}])] {
            assert_eq!(refusal(value).0, Code::InvalidField);
        }
    }

    #[test]
    fn malformed_json_is_refused_with_its_place() {
        for (bytes, place) in [
            (&b"{\n  \"a\": }"[..], "line 2 column 8"),
            (b"", "line 1 column 0"),
            (b"{\"a\":1} x", "line 1 column 9"),
            (b"{\"a\":\"\0\"}", "line 1 column 7"),
            (b"{\"a\":\"\xff\"}", "line 1 column "),
            (b"{\"a\":\"\\ud800\"}", "line 1 column "),
            (b"{\"a\":1e999}", "line 1 column "),
            (b"{\"d\":{\"a\":1,\"a\":2}}", "the key `a` comes twice at line 1 column "),
        ] {
            let problem = parse(bytes).unwrap_err();
            assert_eq!(problem.code, Code::MalformedJson);
            assert!(problem.detail.contains(place), "{}", problem.detail);
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_no_harm() {
        let deep = "[".repeat(200_000);
        assert_eq!(parse(deep.as_bytes()).unwrap_err().code, Code::MalformedJson);
        let deep = "{\"a\":".repeat(200_000);
        assert_eq!(parse(deep.as_bytes()).unwrap_err().code, Code::MalformedJson);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_json_is_read_as_it_stands(value in any_json()) {
            prop_assert_eq!(parse(&serde_json::to_vec(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(parse(&bytes).is_ok(), serde_json::from_slice::<Strictly>(&bytes).is_ok());
        }
    }

    /// The same reading by serde's front door.
    struct Strictly;
    impl<'de> Deserialize<'de> for Strictly {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Strict.deserialize(deserializer).map(|_| Self)
        }
    }
}
