//! How times, states and other values of the API are shown.

use bellhop_core::{
    channel::Text,
    model::{Language, State},
};
use maud::{Markup, html};
use serde_json::Value;

use crate::{language::texts, visitor::Visitor};

texts! {
    QUEUED = "queued", "排队中";
    SENDING = "sending", "发送中";
    RETRYING = "retrying", "重试中";
    DELIVERED = "delivered", "已送达";
    CONFIRMED = "confirmed", "已确认";
    FAILED = "failed", "失败";
    DROPPED = "dropped", "已丢弃";
}

/// A time of the API. A script puts the reader's own zone in its place.
pub(crate) fn time(value: &Value) -> Markup {
    html! {
        @match value.as_str() {
            Some(at) => { time datetime=(at) { (readable(at)) } }
            None => { "–" }
        }
    }
}

/// `2026-11-23 05:56:02 UTC`.
fn readable(at: &str) -> String {
    let seconds = at.split(['.', 'Z']).next().unwrap_or_default();
    if at.ends_with('Z') { format!("{} UTC", seconds.replace('T', " ")) } else { at.to_owned() }
}

/// The state of a delivery: told by a word, and by a colour beside it.
pub(crate) fn state(visitor: &Visitor, state: &Value) -> Markup {
    let word = value(state);
    let known = State::ALL.into_iter().find(|known| known.as_str() == word);
    let text = known.map_or(word.as_str(), |known| visitor.say(state_text(known)));
    mark(known.map_or("", State::as_str), text)
}

/// What people call a state.
pub(crate) fn state_text(state: State) -> Text {
    match state {
        State::Queued => QUEUED,
        State::Sending => SENDING,
        State::Retrying => RETRYING,
        State::Delivered => DELIVERED,
        State::Confirmed => CONFIRMED,
        State::Failed => FAILED,
        State::Dropped => DROPPED,
    }
}

/// A word with a colour: `class` is one of the style's `state-…`.
pub(crate) fn mark(class: &str, text: &str) -> Markup {
    html! { span class={ "state state-" (class) } { (text) } }
}

/// A value as people read it: a text as it is, anything else as JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// A member that is a text; empty if it is none.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// A text of the API in both languages.
pub(crate) fn said<'a>(visitor: &Visitor, texts: &'a Value) -> &'a str {
    match visitor.language {
        Language::English => text(texts, "en"),
        Language::Chinese => text(texts, "zh"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_to_the_second_with_its_zone() {
        assert_eq!(readable("2026-11-23T05:56:02.123Z"), "2026-11-23 05:56:02 UTC");
        assert_eq!(readable("2026-11-23T05:56:02Z"), "2026-11-23 05:56:02 UTC");
        assert_eq!(readable("soon"), "soon");
    }
}
