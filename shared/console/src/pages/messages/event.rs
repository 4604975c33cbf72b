//! One event with its whole story: rule by rule, delivery by delivery, attempt by attempt.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::channel::Text;
use maud::{Markup, html};
use serde_json::Value;

use super::{
    LIVE_SECONDS,
    delivery::{is_on_its_way, stories, untold},
    list::headline,
    place_of,
};
use crate::{
    call::segment,
    fields::Fields,
    language::texts,
    layout::Section,
    show::{self, text, time},
    table::table,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    ACCEPTED = "Accepted", "接收时间";
    TITLE = "Title", "标题";
    OCCURRED = "Happened", "发生时间";
    SOURCE = "Source", "来源";
    TYPE = "Type", "类型";
    TRIGGER = "Set off", "触发方式";
    RESULT = "Result", "结果";
    FORMAT = "Format", "格式";
    LINK = "Link", "链接";
    PICTURE = "Picture", "图片";
    SEND_TO = "For", "发给";
    SAYS = "Text", "内容";
    MORE = "Whatever else was reported", "其他上报内容";
    WORDED = "As a rule worded it", "规则改写后的内容";
    RULES = "What the rules said", "各规则的决定";
    RULE = "Rule", "规则";
    DECIDED = "Decided", "决定";
    WHY = "Why", "原因";
    NOTIFY = "tell at once", "立即通知";
    RECOVERED = "tell of the recovery", "通知恢复";
    COLLECT = "collect for a digest", "汇总到摘要";
    DROP = "tell nobody", "不通知";
    AFTER = "after failures", "此前失败次数";
    COUNTED = "failures in a row", "连续失败次数";
    NEEDED = "needed", "需要";
    ABOUT = "at least", "至少";
    NO_RULE = "No rule looked at it.", "没有规则关注此事件。";
    DELIVERIES = "Deliveries", "投递";
    NO_DELIVERY = "Nobody was told at once.", "没有立即通知任何人。";
    OVER = "deliveries are over", "个投递已结束";
    NOT_LOOKED_AT = "not looked at here", "此处未统计";
    COLLECTED = "Collected for digests", "已汇总到摘要";
    DUE = "Due", "发送时间";
    NOT_TOLD = "Not told", "未通知";
    WHOM = "Who", "对象";
    API_TELLS = "more, which the API tells", "条未显示，可通过 API 查询";
}

/// The most deliveries that the page draws, and of what was not sent: an event may have ten thousand.
const DRAWN: usize = 100;

/// The delivery that has to be among those that are drawn.
pub(super) const WANTED: &str = "delivery";

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>, query: Fields) -> Result<Response, Stop> {
    let mut event = visitor.get(&format!("/v1/events/{}", segment(&id))).await?;
    let title = headline(&event);
    let wanted = query.get(WANTED);
    if untold(&event) > 0 && !members(&event, "deliveries").iter().any(|delivery| delivery["id"] == wanted) {
        add(&visitor, &mut event, wanted).await?;
    }
    let left_out = untold(&event);
    let deliveries = members(&event, "deliveries");
    let (told, over) = (deliveries.len(), deliveries.iter().filter(|delivery| !is_on_its_way(delivery)).count());
    let live = (over < told).then_some(LIVE_SECONDS);
    let content = html! {
        h1 { (title) }
        (facts(&visitor, &event))
        (decisions(&visitor, members(&event, "decisions")))
        h2 { (visitor.say(DELIVERIES)) }
        @if deliveries.is_empty() { p.empty { (visitor.say(NO_DELIVERY)) } }
        // what it says changes while somebody looks, and is read aloud then
        @else { p id="standing" role="status" data-live=[live] {
            (over) " / " (told) " " (visitor.say(OVER))
            @if left_out > 0 { " · " (visitor.say(NOT_LOOKED_AT)) ": " (left_out) }
        } }
        div id="deliveries" data-live=[live] { (stories(&visitor, &id, &event, wanted, DRAWN)) }
        (collected(&visitor, members(&event, "collected")))
        (not_told(&visitor, members(&event, "dropped")))
    };
    Ok(visitor.page(Section::Messages, &title, content))
}

/// Puts a delivery beside those that the event tells of.
async fn add(visitor: &Visitor, event: &mut Value, wanted: &str) -> Result<(), Stop> {
    if wanted.is_empty() {
        return Ok(());
    }
    let delivery = visitor.get(&format!("/v1/deliveries/{}", segment(wanted))).await?;
    if delivery["event"] == event["id"] {
        event["deliveries_left_out"] = Value::from(untold(event) - 1);
        event["deliveries"].as_array_mut().into_iter().for_each(|told| told.push(delivery.clone()));
    }
    Ok(())
}

pub(super) async fn retry(
    Path((event, delivery)): Path<(String, String)>,
    Submitted { visitor, .. }: Submitted,
) -> Result<Response, Stop> {
    let retried = visitor.call(Method::POST, &format!("/v1/deliveries/{}/retry", segment(&delivery)), None).await;
    retried.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&place_of(&event, &delivery).replacen('?', "?notice=done&", 1)).into_response())
}

pub(crate) fn members<'a>(event: &'a Value, name: &str) -> &'a [Value] {
    event[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn facts(visitor: &Visitor, event: &Value) -> Markup {
    let line = |name: Text, value: &str| html! { @if !value.is_empty() { dt { (visitor.say(name)) } dd { (value) } } };
    let (title, url) = (text(event, "title"), text(event, "url"));
    // the heading of the page has it, unless it is long
    let long_title = if headline(event) == title { "" } else { title };
    let to = members(event, "send_to").iter().map(show::value).collect::<Vec<_>>().join(", ");
    html! {
        dl.facts {
            dt { (visitor.say(ACCEPTED)) } dd { (time(&event["accepted_at"])) }
            @if event["occurred_at"].is_string() { dt { (visitor.say(OCCURRED)) } dd { (time(&event["occurred_at"])) } }
            (line(TITLE, long_title))
            (line(SOURCE, text(event, "source")))
            (line(TYPE, text(event, "type")))
            (line(TRIGGER, text(event, "trigger")))
            (line(RESULT, text(event, "result")))
            (line(FORMAT, text(event, "format")))
            @if is_web(url) { dt { (visitor.say(LINK)) } dd { a href=(url) rel="noreferrer" { (url) } } } @else { (line(LINK, url)) }
            (line(PICTURE, text(event, "image_url")))
            (line(SEND_TO, &to))
        }
        h2 { (visitor.say(SAYS)) }
        pre { (text(event, "message")) }
        @for wording in members(event, "wordings") {
            h3 { (visitor.say(WORDED)) ": " (text(wording, "rule")) }
            pre { @if wording["title"].is_string() { (text(wording, "title")) "\n\n" } (text(wording, "message")) }
        }
        @if !event["data"].is_null() { h3 { (visitor.say(MORE)) } pre { (event["data"].to_string()) } }
    }
}

/// Whether it may stand in a page as a link: any other scheme is a text alone.
fn is_web(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
}

pub(crate) fn decisions(visitor: &Visitor, decisions: &[Value]) -> Markup {
    let words = [("notify", NOTIFY), ("recovered", RECOVERED), ("collect", COLLECT), ("drop", DROP)];
    let row = |decision: &Value| {
        let decided = words.iter().find(|(word, _)| decision["decided"] == *word);
        html! {
            tr {
                th scope="row" { (rule(text(decision, "rule"))) }
                td { (decided.map_or_else(|| text(decision, "decided"), |(_, label)| visitor.say(*label))) }
                td { (why(visitor, decision)) }
            }
        }
    };
    let rows: Vec<_> = decisions.iter().map(row).collect();
    let heads = [RULE, DECIDED, WHY].map(|head| visitor.say(head));
    html! {
        h2 { (visitor.say(RULES)) }
        @if rows.is_empty() { p.empty { (visitor.say(NO_RULE)) } } @else { (table(visitor, visitor.say(RULES), &heads, &rows)) }
    }
}

/// The reason of a decision, with what it counted.
fn why(visitor: &Visitor, decision: &Value) -> Markup {
    let about = if decision["count_approximate"] == true { visitor.say(ABOUT) } else { "" };
    html! {
        @if decision["why"].is_string() { code { (text(decision, "why")) } " " }
        @if !decision["after"].is_null() { (visitor.say(AFTER)) " " (show::value(&decision["after"])) " " }
        @if !decision["count"].is_null() { (visitor.say(COUNTED)) ": " (about) " " (show::value(&decision["count"])) }
        @if !decision["needed"].is_null() { ", " (visitor.say(NEEDED)) ": " (show::value(&decision["needed"])) }
        @if decision["template_error"].is_string() { p.error lang="en" { (text(decision, "template_error")) } }
    }
}

pub(crate) fn collected(visitor: &Visitor, collected: &[Value]) -> Markup {
    let row = |one: &Value| html! { tr { th scope="row" { (rule(text(one, "rule"))) } td { (time(&one["due_at"])) } } };
    let rows: Vec<_> = collected.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            h2 { (visitor.say(COLLECTED)) }
            (table(visitor, visitor.say(COLLECTED), &[RULE, DUE].map(|head| visitor.say(head)), &rows))
        }
    }
}

pub(crate) fn not_told(visitor: &Visitor, dropped: &[Value]) -> Markup {
    let row = |one: &Value| {
        let whom = ["recipient", "registration"].iter().filter_map(|name| one[name].as_str()).collect::<Vec<_>>().join(" → ");
        html! {
            tr {
                th scope="row" { (if whom.is_empty() { "–" } else { &whom }) }
                td { @if one["rule"].is_string() { (rule(text(one, "rule"))) } @else { "–" } }
                td { (why(visitor, one)) }
            }
        }
    };
    let rows: Vec<_> = dropped.iter().take(DRAWN).map(row).collect();
    html! {
        @if !rows.is_empty() {
            h2 { (visitor.say(NOT_TOLD)) }
            (table(visitor, visitor.say(NOT_TOLD), &[WHOM, RULE, WHY].map(|head| visitor.say(head)), &rows))
            (more(visitor, dropped.len()))
        }
    }
}

/// How many of so many are not drawn.
fn more(visitor: &Visitor, count: usize) -> Markup {
    html! { @if let Some(more) = count.checked_sub(DRAWN).filter(|more| *more > 0) { p { "… " (more) " " (visitor.say(API_TELLS)) } } }
}

fn rule(name: &str) -> Markup {
    html! { a href={ "/console/rules/" (segment(name)) } { (name) } }
}
