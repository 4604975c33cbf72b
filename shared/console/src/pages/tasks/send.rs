//! A message to anybody, at once: a task that runs as soon as it is made, so that its page tells what came of it.

use axum::response::{IntoResponse, Redirect, Response};
use bellhop_core::model::Scope;
use maud::html;
use serde_json::{Value, json};

use super::{
    form::{message, message_fields},
    page_of,
};
use crate::{
    call::Refusal,
    fields::Fields,
    form::Form,
    language::texts,
    layout::Section,
    show::text,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Send", "发送";
    WHAT = "A message to anybody, at once. The page that follows tells what the provider answered.", "立即向任何人发送一条消息。随后的页面会显示服务商的回应。";
    LACKS = "Your key lacks the scope `manage`, which this page needs.", "您的密钥没有此页面所需的 `manage` 权限。";
    NAME = "Message from the console", "控制台消息";
    SEND = "Send", "发送";
}

/// What its messages come from, for lists.
const SOURCE: &str = "console";

/// The most letters of a task's name.
const NAME_LETTERS: usize = 128;

pub(super) async fn show(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    Ok(draw(&visitor, &query, None))
}

pub(super) async fn send(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let mut task = message(&fields);
    let name: String = fields.text("title").unwrap_or(visitor.say(NAME)).chars().take(NAME_LETTERS).collect();
    task.extend([("name", json!(name)), ("source", json!(SOURCE)), ("schedule", json!({ "kind": "now" }))].map(own));
    Ok(match visitor.make("/v1/tasks", &Value::Object(task), &fields).await {
        Ok(task) => Redirect::to(&format!("{}?notice=done", page_of(text(&task, "id")))).into_response(),
        Err(refusal) => draw(&visitor, &fields, Some(&refusal)),
    })
}

fn own((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

fn draw(visitor: &Visitor, fields: &Fields, refusal: Option<&Refusal>) -> Response {
    let form = Form { visitor, fields, refusal };
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        @if visitor.may(Scope::Manage) { (form.draw("/console/send", &message_fields(&form), visitor.say(SEND))) }
        @else { p { (visitor.say(LACKS)) } }
    };
    match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Send, title, content),
        None => visitor.page(Section::Send, title, content),
    }
}
