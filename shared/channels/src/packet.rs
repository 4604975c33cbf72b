//! A message as Mpush clients know it: the packet `MESSAGE`.
//! <https://github.com/kooritea/mpush#%E6%B6%88%E6%81%AF>
//!
//! What came by an Mpush call stands there as it was said; of any other event the title is the text, the message its
//! description, and a link what a click opens (`extra.scheme`); where there is no title, the message is the text.

use bellhop_core::{
    channel::Message,
    model::{Method, Origin, SendType},
};
use serde_json::{Map, Value, json};

/// The packet's `data`.
pub(crate) fn data(message: &Message) -> Value {
    let event = message.event;
    let (send_type, target, method, name) = match &event.origin {
        Some(Origin { send_type, target, method, name }) => (*send_type, target.as_str(), *method, name.as_str()),
        None => (SendType::Personal, message.registration, Method::Http, event.source.as_str()),
    };
    let mid = event.mid.map_or_else(|| event.accepted_at.as_millisecond().to_string(), |mid| mid.to_string());
    let (text, desp) = match (message.title.as_str(), message.body.as_str()) {
        // what shows one line shows this
        ("", body) if event.origin.is_none() => (body, ""),
        said => said,
    };
    json!({
        "sendType": send_type.as_str(),
        "target": target,
        "from": { "method": method.as_str(), "name": name },
        "message": { "text": text, "desp": desp, "extra": extra(message) },
        "mid": mid,
    })
}

/// The whole packet.
pub(crate) fn packet(message: &Message) -> Value {
    json!({ "cmd": "MESSAGE", "data": data(message) })
}

/// What stands beside the text.
pub(crate) fn extra(message: &Message) -> Map<String, Value> {
    let mut extra = match &message.event.data {
        Some(Value::Object(fields)) => fields.clone(),
        Some(_) | None => Map::new(),
    };
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            extra.entry(name).or_insert_with(|| value.into());
        }
    };
    add("scheme", message.url);
    add("image", message.image_url);
    extra
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    #[test]
    fn what_was_said_by_an_mpush_call_stands_there_as_it_was_said() {
        let origin = json!({"send_type": "group", "target": "g1", "method": "websocket", "name": "cB"});
        let fields = json!({"title": "t", "data": {"x": "1"}, "mid": "1795295700009", "origin": origin});
        let job = sample::event("d", fields);
        let expected = json!({"cmd": "MESSAGE", "data": {"sendType": "group", "target": "g1",
            "from": {"method": "websocket", "name": "cB"}, "message": {"text": "t", "desp": "d", "extra": {"x": "1"}},
            "mid": "1795295700009"}});
        assert_eq!(packet(&sample::message(&job)).to_string(), expected.to_string(), "in this order");
    }

    #[test]
    fn any_other_event_is_a_message_to_that_one_with_its_link_to_open() {
        let job = sample::event("403", json!({"title": "签到失败", "url": "https://e.com/"}));
        let data = data(&sample::message(&job));
        assert_eq!(data["message"], json!({"text": "签到失败", "desp": "403", "extra": {"scheme": "https://e.com/"}}));
        assert_eq!((&data["target"], &data["from"]["name"]), (&json!("hook"), &json!("QD/Example/main")));
    }
}
