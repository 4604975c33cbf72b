//! The fields of a report. What is taken out becomes part of the event; what is not, or cannot be, stays and travels on in
//! its `data`. Pure.

use bellhop_core::model::Picture;
use bellhop_http::message::picture;
use serde_json::{Map, Value};

/// What a report says, by name.
pub(crate) struct Said(Map<String, Value>);

impl Said {
    /// `null` counts as not said.
    pub(crate) fn new(mut fields: Map<String, Value>) -> Self {
        fields.retain(|_, value| !value.is_null());
        Self(fields)
    }

    /// Takes out what is there under that name.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// Takes out a text, or a number as its text. What is blank is not there.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |text| Some(text.to_owned())).filter(|text| !text.trim().is_empty())
    }

    /// Takes out what `parse` makes of a text or a number; what it makes nothing of stays.
    pub(crate) fn read<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let parsed = parse(&scalar(self.0.get(name)?)?)?;
        self.0.shift_remove(name);
        Some(parsed)
    }

    /// Takes out an object.
    pub(crate) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.0.get_mut(name) {
            Some(Value::Object(object)) => {
                let object = std::mem::take(object);
                self.0.shift_remove(name);
                Some(object)
            }
            Some(_) | None => None,
        }
    }

    /// Takes out texts: one, or those of a list.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = match self.take(name) {
            Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
            Some(one) => scalar(&one).into_iter().collect::<Vec<_>>(),
            None => Vec::new(),
        };
        texts.into_iter().filter(|text| !text.trim().is_empty()).collect()
    }

    /// Takes out a picture. Instead of one that cannot be read stays why it cannot.
    pub(crate) fn picture(&mut self, name: &str) -> Option<Picture> {
        let decoded = match self.take(name)? {
            Value::String(text) => picture(text.trim()).map_err(|problem| problem.detail),
            _ => Err("expected base64".to_owned()),
        };
        let why = match decoded {
            Ok(Some(picture)) if is_shown(&picture.0) => return Some(picture),
            Ok(None) => return None,
            Ok(Some(_)) => "expected a JPEG, PNG, GIF, WebP or BMP".to_owned(),
            Err(why) => why,
        };
        self.0.insert(name.to_owned(), format!("not kept: {why}").into());
        None
    }

    /// Whether anything is said under that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What was not taken out; the report's own `data`, if that is an object, with the rest beside it.
    pub(crate) fn rest(mut self) -> Map<String, Value> {
        let mut data = self.object("data").unwrap_or_default();
        for (name, value) in self.0 {
            data.entry(name).or_insert(value);
        }
        data
    }
}

/// Providers refuse a message whose picture is none, and nobody would hear of the event.
/// <https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern>
fn is_shown(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"];
    starts.iter().any(|start| bytes.starts_with(start)) || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(value: Value) -> Said {
        Said::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_is_not_taken_out_stays() {
        let mut said = said(json!({"a": 1, "b": "x", "c": null, "d": [], "data": {"b": "inner"}}));
        assert_eq!((said.text("a"), said.text("c"), said.text("d")), (Some("1".into()), None, None));
        assert_eq!(said.read("b", |_| None::<u8>), None);
        assert_eq!(Value::Object(said.rest()), json!({"b": "inner", "d": []}));
    }

    #[test]
    fn texts_are_one_or_many_and_never_blank() {
        for (given, texts) in [(json!("a"), vec!["a"]), (json!([1, "b", "", null]), vec!["1", "b"]), (json!(""), vec![])] {
            assert_eq!(said(json!({ "to": given })).texts("to"), texts);
        }
    }

    #[test]
    fn a_broken_picture_leaves_the_reason_and_not_itself() {
        let mut broken = said(json!({"screenshot": "no picture!"}));
        assert_eq!(broken.picture("screenshot"), None);
        assert_eq!(Value::Object(broken.rest()), json!({"screenshot": "not kept: expected base64, of either alphabet"}));
        let mut text = said(json!({"screenshot": "aGVsbG8="}));
        assert_eq!(text.picture("screenshot"), None);
        assert_eq!(Value::Object(text.rest()), json!({"screenshot": "not kept: expected a JPEG, PNG, GIF, WebP or BMP"}));
        let mut good = said(json!({"screenshot": "data:image/jpeg;base64,/9j/4A=="}));
        assert_eq!(*good.picture("screenshot").unwrap().0, [0xff, 0xd8, 0xff, 0xe0]);
        assert!(good.rest().is_empty());
    }
}
