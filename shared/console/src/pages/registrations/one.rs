//! One registration: what it is, what came of it, and what can be done with it.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::{channel::Text, model::Scope};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{PATH, api_path, channels, find, groups, page_of, state};
use crate::{
    call::{Refusal, segment},
    fields::Fields,
    form::{Control, Field, Form, button, confirmed},
    language::texts,
    layout::Section,
    pages::messages::place_of,
    show::{self, mark, said, text, time},
    table::table,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    CHANNEL = "Channel", "渠道";
    STATE = "State", "状态";
    GROUPS = "Groups", "分组";
    DESCRIPTION = "Description", "说明";
    DEFAULT = "Default of its channel", "渠道默认";
    CHANGED = "Changed", "修改时间";
    VALUES = "Values", "参数";
    SECRET_SET = "set, not shown", "已设置，不显示";
    EDIT = "Change", "修改";
    ENABLE = "Switch on", "启用";
    DISABLE = "Switch off", "停用";
    DELETE = "Delete", "删除";
    DELETE_ASK = "Messages to it will not arrive any more. This cannot be undone.", "之后发往它的消息将无法送达。此操作不可撤销。";
    DELIVERIES = "Last deliveries", "最近的投递";
    EARLIER = "Earlier deliveries", "更早的投递";
    LOOKED_FOR = "They are looked for among the newest 200 events of the account; there may be more in those before.",
                 "只在账户最新的 200 个事件中查找，更早的事件中可能还有。";
    WHEN = "Accepted", "接收时间";
    OUTCOME = "Outcome", "结果";
    TRIES = "Attempts", "尝试次数";
    TEST = "Test", "测试";
    TEST_HELP = "A message is sent now, whether it is switched on or not, and you see what the provider answered.", "立即发送一条消息（无论是否启用），并显示服务商的实际回应。";
    TO = "Address", "收件地址";
    TITLE = "Title", "标题";
    BODY = "Text", "正文";
    SEND_TEST = "Send the test", "发送测试";
    RESULT = "What came of the test", "测试结果";
    ARRIVED = "The provider has taken it.", "服务商已接收。";
    NOT_ARRIVED = "It was not delivered.", "未送达。";
    ANSWER = "Answer", "回应";
    TOOK = "Took", "用时";
    EXCHANGE = "What was said", "请求与响应";
    REVEAL = "Former value", "历史值";
    REVEAL_HELP = "All values in clear, with those from before. Your key is asked for again, and the audit keeps that it was shown.", "以明文显示全部参数及其历史值。需要再次输入密钥，并会记入审计。";
    KEY = "API key", "API 密钥";
    SHOW = "Show", "显示";
    NOW = "Now", "当前";
    UNTIL = "Until", "截至";
}

/// How many deliveries its page shows.
const SHOWN: usize = 10;

/// What is shown on the page beside what always is.
#[derive(Default)]
struct Beside<'a> {
    /// A test that was just made.
    test: Option<Markup>,
    /// Values that were just shown.
    revealed: Option<Markup>,
    test_fields: Fields,
    test_refusal: Option<&'a Refusal>,
    reveal_refusal: Option<&'a Refusal>,
}

pub(super) async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    page(&visitor, &name, Beside::default()).await
}

pub(super) async fn enable(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    switch(&visitor, &name, true).await
}

pub(super) async fn disable(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    switch(&visitor, &name, false).await
}

async fn switch(visitor: &Visitor, name: &str, on: bool) -> Result<Response, Stop> {
    let saved = visitor.call(Method::PATCH, &api_path(name), Some(&json!({ "enabled": on }))).await;
    saved.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{}?notice=saved", page_of(name))).into_response())
}

pub(super) async fn delete(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &api_path(&name), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}

/// Whoever opens the address of what a form has shown is led to the registration.
pub(super) async fn back(Path(name): Path<String>) -> Redirect {
    Redirect::to(&page_of(&name))
}

pub(super) async fn test(Path(name): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let said = ["to", "title", "body"].into_iter().filter_map(|member| Some((member, fields.text(member)?)));
    let body: Value = said.collect();
    let tested = visitor.call(Method::POST, &format!("{}/test", api_path(&name)), Some(&body)).await;
    let (test, refusal) = match &tested {
        Ok(test) => (Some(trial(&visitor, test)), None),
        Err(refusal) => (None, Some(refusal)),
    };
    let page = page(&visitor, &name, Beside { test, test_fields: fields, test_refusal: refusal, ..Beside::default() }).await?;
    let has_arrived = tested.is_ok_and(|test| test["delivered"] == true);
    Ok(if has_arrived { visitor.tested(page) } else { page })
}

pub(super) async fn reveal(Path(name): Path<String>, Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let body = json!({ "key": fields.get("key") });
    let revealed = visitor.call(Method::POST, &format!("{}/reveal", api_path(&name)), Some(&body)).await;
    let (revealed, refusal) = match &revealed {
        Ok(values) => (Some(clear(&visitor, values)), None),
        Err(refusal) => (None, Some(refusal)),
    };
    page(&visitor, &name, Beside { revealed, reveal_refusal: refusal, ..Beside::default() }).await
}

async fn page(visitor: &Visitor, name: &str, beside: Beside<'_>) -> Result<Response, Stop> {
    let registration = visitor.get(&api_path(name)).await?;
    let channels = channels(visitor).await?;
    let unknown = Value::Null;
    let spec = find(&channels, text(&registration, "channel")).unwrap_or(&unknown);
    let deliveries = visitor.list(&format!("/v1/deliveries?limit={SHOWN}&registration={}", segment(name))).await?;
    let may_change = visitor.may(Scope::Manage);
    let content = html! {
        h1 { (name) }
        (facts(visitor, &registration, spec))
        @if may_change { (actions(visitor, &registration)) (test_form(visitor, name, spec, &beside)) }
        h2 { (visitor.say(DELIVERIES)) }
        (last(visitor, &deliveries.items))
        @if let Some(cursor) = &deliveries.next_cursor { (earlier(visitor, name, cursor)) }
        @if may_change { (reveal_form(visitor, name, &beside)) }
    };
    let refusal = beside.test_refusal.or(beside.reveal_refusal);
    Ok(match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Registrations, name, content),
        None => visitor.page(Section::Registrations, name, content),
    })
}

fn facts(visitor: &Visitor, registration: &Value, spec: &Value) -> Markup {
    let params = registration["params"].as_object().into_iter().flatten();
    let label = |param: &str| {
        let declared = super::params::params_of(spec).find(|declared| declared["name"] == param);
        declared.map_or_else(|| param.to_owned(), |declared| said(visitor, &declared["label"]).to_owned())
    };
    let line = |name: Text, value: &str| html! { @if !value.is_empty() { dt { (visitor.say(name)) } dd { (value) } } };
    html! {
        dl.facts {
            dt { (visitor.say(CHANNEL)) } dd { (said(visitor, &spec["label"])) }
            dt { (visitor.say(STATE)) } dd { (state(visitor, registration)) }
            (line(GROUPS, &groups(registration)))
            (line(DESCRIPTION, text(registration, "description")))
            @if registration["default"] == true { (line(DEFAULT, "✓")) }
            dt { (visitor.say(CHANGED)) } dd { (time(&registration["updated_at"])) }
        }
        h2 { (visitor.say(VALUES)) }
        dl.facts { @for (name, value) in params { dt { (label(name)) } dd { (masked(visitor, value)) } } }
    }
}

/// A value as the API shows it: of a secret, that it is set.
fn masked(visitor: &Visitor, value: &Value) -> Markup {
    let is_hidden = value.get("set").is_some_and(Value::is_boolean);
    html! {
        @if is_hidden { (visitor.say(SECRET_SET)) " " (text(value, "hint")) }
        @else if let Some(members) = value.as_object() {
            @for (name, value) in members { div { (name) ": " (masked(visitor, value)) } }
        }
        @else { (show::value(value)) }
    }
}

fn actions(visitor: &Visitor, registration: &Value) -> Markup {
    let page = page_of(text(registration, "name"));
    let is_on = registration["enabled"] == true && registration["disabled"].is_null();
    html! {
        div.actions {
            a.button href={ (page) "/edit" } { (visitor.say(EDIT)) }
            @if is_on { (button(visitor, &format!("{page}/disable"), DISABLE)) }
            @else { (button(visitor, &format!("{page}/enable"), ENABLE)) }
            (confirmed(visitor, &format!("{page}/delete"), DELETE, visitor.say(DELETE_ASK)))
        }
    }
}

fn test_form(visitor: &Visitor, name: &str, spec: &Value, beside: &Beside) -> Markup {
    let form = Form { visitor, fields: &beside.test_fields, refusal: beside.test_refusal };
    let fields = html! {
        @if !spec["address"].is_null() { (form.field(&Field::line("to", visitor.say(TO)))) }
        (form.field(&Field::line("title", visitor.say(TITLE))))
        (form.field(&Field::line("body", visitor.say(BODY)).control(Control::Area)))
    };
    html! {
        section id="test" {
            h2 { (visitor.say(TEST)) }
            p { (visitor.say(TEST_HELP)) }
            @if let Some(test) = &beside.test { h3 { (visitor.say(RESULT)) } (test) }
            (form.draw(&format!("{}/test#test", page_of(name)), &fields, visitor.say(SEND_TEST)))
        }
    }
}

/// What came of a test, as the provider said it.
pub(super) fn trial(visitor: &Visitor, test: &Value) -> Markup {
    let has_arrived = test["delivered"] == true;
    let (class, said) = if has_arrived { ("delivered", ARRIVED) } else { ("failed", NOT_ARRIVED) };
    let exchanges = test["before"].as_array().into_iter().flatten().cloned();
    let told = ["delivered", "reason", "status", "detail", "before", "duration_ms", "warnings"];
    let last = test.as_object().map(|all| all.clone().into_iter().filter(|(name, _)| !told.contains(&name.as_str())).collect());
    let exchanges: Vec<Value> = exchanges.chain(last.map(Value::Object)).filter(|said| *said != json!({})).collect();
    html! {
        div.card role="status" {
            p { strong { (mark(class, visitor.say(said))) } }
            dl.facts {
                @if !test["reason"].is_null() || !test["status"].is_null() {
                    dt { (visitor.say(ANSWER)) }
                    dd { (show::value(&test["status"])) " " code { (text(test, "reason")) } " " (text(test, "detail")) }
                }
                dt { (visitor.say(TOOK)) } dd { (show::value(&test["duration_ms"])) " ms" }
            }
            @for warning in test["warnings"].as_array().into_iter().flatten() {
                p.error { code { (text(warning, "reason")) } " " (text(warning, "detail")) }
            }
            @if !exchanges.is_empty() {
                details open {
                    summary { (visitor.say(EXCHANGE)) }
                    @for said in &exchanges { pre { (serde_json::to_string_pretty(said).unwrap_or_default()) } }
                }
            }
        }
    }
}

fn last(visitor: &Visitor, deliveries: &[Value]) -> Markup {
    let row = |delivery: &Value| {
        let attempts = delivery["attempts"].as_array().map_or(0, Vec::len);
        html! {
            tr {
                th scope="row" { a href=(place_of(text(delivery, "event"), text(delivery, "id"))) { (time(&delivery["accepted_at"])) } }
                td { (show::state(visitor, &delivery["state"])) " " code { (text(delivery, "reason")) } }
                td { (attempts) }
            }
        }
    };
    let rows: Vec<_> = deliveries.iter().map(row).collect();
    table(visitor, visitor.say(DELIVERIES), &[WHEN, OUTCOME, TRIES].map(|head| visitor.say(head)), &rows)
}

/// The way to those that the page does not show.
fn earlier(visitor: &Visitor, name: &str, cursor: &str) -> Markup {
    let query = Fields::of([("registration", name), ("cursor", cursor)]).query(&["registration", "cursor"]);
    html! {
        p.pager { a rel="next" href={ "/console/deliveries" (query) } { (visitor.say(EARLIER)) } }
        p.help { (visitor.say(LOOKED_FOR)) }
    }
}

fn reveal_form(visitor: &Visitor, name: &str, beside: &Beside) -> Markup {
    let none = Fields::default();
    let form = Form { visitor, fields: &none, refusal: beside.reveal_refusal };
    let key = form.field(&Field::line("key", visitor.say(KEY)).required().control(Control::Secret));
    html! {
        section id="reveal" {
            h2 { (visitor.say(REVEAL)) }
            p { (visitor.say(REVEAL_HELP)) }
            @if let Some(revealed) = &beside.revealed { (revealed) }
            (form.draw(&format!("{}/reveal#reveal", page_of(name)), &key, visitor.say(SHOW)))
        }
    }
}

/// Values in clear, the newest first.
fn clear(visitor: &Visitor, revealed: &Value) -> Markup {
    let former = revealed["former"].as_array().into_iter().flatten();
    let values = |params: &Value| {
        html! {
            dl.facts { @for (name, value) in params.as_object().into_iter().flatten() { dt { (name) } dd { code { (show::value(value)) } } } }
        }
    };
    html! {
        div.card {
            h3 { (visitor.say(NOW)) }
            (values(&revealed["params"]))
            @for before in former {
                h3 { (visitor.say(UNTIL)) " " (time(&before["replaced_at"])) }
                (values(&before["params"]))
            }
        }
    }
}
