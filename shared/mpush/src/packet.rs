//! Packets as they come and go. Pure.

use serde_json::{Map, Value, json};

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The word.
    pub cmd: String,
    /// What belongs to it.
    pub data: Map<String, Value>,
    /// What says who asks, in a request.
    pub auth: Option<String>,
}

impl Command {
    /// From a packet; whatever is not there is empty.
    pub fn of(packet: Value) -> Self {
        let Value::Object(mut fields) = packet else { return Self::empty() };
        let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        let data = match fields.remove("data") {
            Some(Value::Object(data)) => data,
            // in a form, it is a text
            Some(Value::String(json)) => serde_json::from_str(&json).unwrap_or_default(),
            Some(_) | None => Map::new(),
        };
        Self { cmd: text(fields.remove("cmd")).unwrap_or_default(), data, auth: text(fields.remove("auth")) }
    }

    fn empty() -> Self {
        Self { cmd: String::new(), data: Map::new(), auth: None }
    }

    /// A text of the data, if it is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// A word for people.
pub fn info(text: impl Into<String>) -> Value {
    json!({ "cmd": "INFO", "data": text.into() })
}

/// The answer to a sign of life.
pub(crate) fn pong() -> Value {
    json!({ "cmd": "PONG", "data": "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_a_form_has_its_data_as_text() {
        let command = Command::of(json!({"cmd": "MESSAGE", "data": "{\"target\":\"a\"}", "auth": "x.y.z"}));
        assert_eq!((command.text("target"), command.auth.as_deref()), (Some("a"), Some("x.y.z")));
    }

    #[test]
    fn what_is_no_packet_asks_for_nothing() {
        for packet in [json!("not an object"), json!(null), json!([1]), json!({"cmd": 7, "data": 7})] {
            assert_eq!(Command::of(packet), Command::empty());
        }
    }
}
