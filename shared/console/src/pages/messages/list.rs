//! Events and deliveries, the newest first.

use axum::response::Response;
use bellhop_core::model::State;
use maud::html;
use serde_json::Value;

use super::{DELIVERIES, DELIVERIES_PATH, EVENTS, PATH, page_of, place_of, views};
use crate::{
    call::segment,
    fields::Fields,
    filter::{channels, choice, filters, narrowed, times},
    form::{Field, Form},
    language::texts,
    layout::Section,
    show::{self, state_text, text, time},
    table::{pager, table},
    visitor::{Stop, Visitor},
};

texts! {
    WHEN = "Accepted", "接收时间";
    SAYS = "Text", "内容";
    SOURCE = "Source", "来源";
    TYPE = "Type", "类型";
    RESULT = "Result", "结果";
    SUCCESS = "success", "成功";
    FAILURE = "failure", "失败";
    PARTIAL = "success in part", "部分成功";
    Q = "Search", "搜索";
    Q_HELP = "In source, title and text, in capitals or not", "在来源、标题和内容中查找，不区分大小写";
    EVENT = "Event", "事件";
    STATE = "State", "状态";
    REGISTRATION = "Registration", "推送注册";
    CHANNEL = "Channel", "渠道";
    TRIES = "Attempts", "尝试次数";
    NEXT = "Next attempt", "下次尝试";
    SHORT = "A page looks through 200 events, and 1,000 deliveries, at most: one with few or none may be followed by others.",
            "每页最多查找 200 个事件、1,000 条投递：结果很少或为空时，下一页仍可能有内容。";
}

const EVENT_FILTERS: [&str; 6] = ["q", "source", "type", "result", "from", "to"];

const DELIVERY_FILTERS: [&str; 6] = ["event", "state", "registration", "channel", "from", "to"];

/// How many deliveries a full page has.
const USUAL: usize = 50;

/// How many letters of a text a list shows.
const LETTERS: usize = 80;

pub(super) async fn events(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let (page, refusal) = narrowed(&visitor, &format!("/v1/events{}", query.query(&with_cursor(EVENT_FILTERS)))).await?;
    let form = Form { visitor: &visitor, fields: &query, refusal: refusal.as_ref() };
    let results = [("success", SUCCESS), ("failure", FAILURE), ("partial", PARTIAL)];
    let results = results.map(|(word, label)| (word, visitor.say(label)));
    let fields = html! {
        (form.field(&Field::line("q", visitor.say(Q)).help(visitor.say(Q_HELP))))
        (form.field(&Field::line("source", visitor.say(SOURCE))))
        (form.field(&Field::line("type", visitor.say(TYPE))))
        (choice(&form, "result", visitor.say(RESULT), &results))
        (times(&form))
    };
    let result = |event: &Value| results.iter().find(|(word, _)| event["result"] == *word).map_or("–", |(_, label)| label);
    let row = |event: &Value| {
        html! {
            tr {
                th scope="row" { a href=(page_of(text(event, "id"))) { (time(&event["accepted_at"])) } }
                td { (headline(event)) }
                td { (text(event, "source")) }
                td { (text(event, "type")) }
                td { (result(event)) }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [WHEN, SAYS, SOURCE, TYPE, RESULT].map(|head| visitor.say(head));
    let title = visitor.say(EVENTS);
    let content = html! {
        h1 { (title) }
        (views(&visitor, PATH))
        (filters(&form, PATH, &fields))
        (table(&visitor, title, &heads, &rows))
        (pager(&visitor, PATH, &query, &EVENT_FILTERS, &page))
        @if !query.query(&["q", "source", "type", "result"]).is_empty() { p.help { (visitor.say(SHORT)) } }
    };
    Ok(answer(&form, title, content))
}

pub(super) async fn deliveries(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let path = format!("/v1/deliveries{}", query.query(&with_cursor(DELIVERY_FILTERS)));
    let (page, refusal) = narrowed(&visitor, &path).await?;
    let form = Form { visitor: &visitor, fields: &query, refusal: refusal.as_ref() };
    let states = State::ALL.map(|state| (state.as_str(), visitor.say(state_text(state))));
    let channels = channels(&visitor).await?;
    let channels: Vec<_> = channels.iter().map(|(id, label)| (id.as_str(), label.as_str())).collect();
    let fields = html! {
        (form.field(&Field::line("event", visitor.say(EVENT))))
        (choice(&form, "state", visitor.say(STATE), &states))
        (form.field(&Field::line("registration", visitor.say(REGISTRATION))))
        (choice(&form, "channel", visitor.say(CHANNEL), &channels))
        (times(&form))
    };
    let row = |delivery: &Value| {
        let (event, registration) = (text(delivery, "event"), text(delivery, "registration"));
        html! {
            tr {
                th scope="row" { a href=(place_of(event, text(delivery, "id"))) { (time(&delivery["accepted_at"])) } }
                td { a href={ "/console/registrations/" (segment(registration)) } { (registration) } }
                td { (text(delivery, "channel")) }
                td { (show::state(&visitor, &delivery["state"])) " " code { (text(delivery, "reason")) } }
                td { (delivery["attempts"].as_array().map_or(0, Vec::len)) }
                td { (time(&delivery["next_attempt_at"])) }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [WHEN, REGISTRATION, CHANNEL, STATE, TRIES, NEXT].map(|head| visitor.say(head));
    let title = visitor.say(DELIVERIES);
    let content = html! {
        h1 { (title) }
        (views(&visitor, DELIVERIES_PATH))
        (filters(&form, DELIVERIES_PATH, &fields))
        (table(&visitor, title, &heads, &rows))
        (pager(&visitor, DELIVERIES_PATH, &query, &DELIVERY_FILTERS, &page))
        @if page.next_cursor.is_some() && rows.len() < USUAL { p.help { (visitor.say(SHORT)) } }
    };
    Ok(answer(&form, title, content))
}

fn answer(form: &Form, title: &str, content: maud::Markup) -> Response {
    match form.refusal {
        Some(refusal) => form.visitor.refused_page(refusal, Section::Messages, title, content),
        None => form.visitor.page(Section::Messages, title, content),
    }
}

fn with_cursor<const N: usize>(filters: [&'static str; N]) -> Vec<&'static str> {
    filters.into_iter().chain(["cursor"]).collect()
}

/// An event in a few words: its title, or how its text begins.
pub(super) fn headline(event: &Value) -> String {
    let said = Some(text(event, "title")).filter(|title| !title.is_empty()).unwrap_or_else(|| text(event, "message"));
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("–");
    match line.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_headline_is_the_title_or_how_the_text_begins() {
        assert_eq!(headline(&json!({ "title": "Hello", "message": "…" })), "Hello");
        assert_eq!(headline(&json!({ "message": "\n first\nsecond" })), " first");
        assert_eq!(headline(&json!({ "message": "二".repeat(81) })), format!("{}…", "二".repeat(80)));
        assert_eq!(headline(&json!({ "message": "" })), "–");
    }
}
