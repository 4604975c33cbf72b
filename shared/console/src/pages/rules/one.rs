//! One rule, its next digests, and a preview of what they would say.

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::{
    Timestamp,
    channel::Text,
    digest::times::Times,
    model::{Batch, Scope},
};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PATH, api_path, joined, page_of, state, told_of};
use crate::{
    form::{button, confirmed},
    language::texts,
    layout::Section,
    show::{self, text, time},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    STATE = "State", "状态";
    SOURCES = "Sources", "来源";
    TYPES = "Types", "类型";
    ALL = "all", "全部";
    TELLS_OF = "Tells of", "通知";
    AFTER = "After failures in a row", "连续失败次数";
    TO = "Reaches", "接收方";
    EDIT = "Change", "修改";
    DELETE = "Delete", "删除";
    DELETE_ASK = "Events will not be told of by it any more. What it has collected is sent in a last digest.", "之后不再按此规则通知；已收集的内容会在最后一次汇总中发送。";
    DIGEST = "Digest", "定时汇总";
    NEXT = "Next times", "接下来的时间";
    PREVIEW = "Preview of the next digest", "预览下一次摘要";
    FLUSH = "Send the digest now", "立即发送摘要";
    BACK = "Back to the rule", "返回规则";
    EVENTS = "Events in it", "事件数";
    DUE = "Due", "发送时间";
    SINCE = "Since", "起始";
    NOTHING = "Nothing has been collected yet.", "尚未收集到内容。";
}

/// How many of the next due times are shown.
const NEXT_TIMES: usize = 3;

pub(super) async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    let rule = visitor.get(&api_path(&name)).await?;
    let collects = rule["enabled"] == true && rule["batch"]["enabled"] == true;
    let times = if collects { next_times(&visitor, &name, &rule).await? } else { Vec::new() };
    let list = |texts: &Value| Some(joined(texts)).filter(|line| !line.is_empty()).unwrap_or_else(|| visitor.say(ALL).to_owned());
    let fact = |name: Text, value: &str| html! { dt { (visitor.say(name)) } dd { (value) } };
    let page = page_of(&name);
    let content = html! {
        h1 { (name) }
        dl.facts {
            dt { (visitor.say(STATE)) } dd { (state(&visitor, rule["enabled"] == true)) }
            (fact(SOURCES, &list(&rule["match"]["sources"])))
            (fact(TYPES, &list(&rule["match"]["types"])))
            (fact(TELLS_OF, &told_of(&visitor, &rule)))
            (fact(AFTER, &show::value(&rule["after_failures"])))
            (fact(TO, &joined(&rule["to"])))
        }
        @if visitor.may(Scope::Manage) {
            div.actions {
                a.button href={ (page) "/edit" } { (visitor.say(EDIT)) }
                (confirmed(&visitor, &format!("{page}/delete"), DELETE, visitor.say(DELETE_ASK)))
            }
        }
        p { a href=(super::explain::PATH) { (visitor.say(super::explain::TITLE)) } }
        @if collects {
            h2 { (visitor.say(DIGEST)) }
            h3 { (visitor.say(NEXT)) }
            ol { @for at in &times { li { (time(&json!(at))) } } }
            div.actions {
                a.button href={ (page) "/preview" } { (visitor.say(PREVIEW)) }
                @if visitor.may(Scope::Manage) { (button(&visitor, &format!("{page}/flush"), FLUSH)) }
            }
        }
    };
    Ok(visitor.page(Section::Rules, &name, content))
}

/// When its next digests are due: the first as the API says, and those that follow by the same clock.
async fn next_times(visitor: &Visitor, name: &str, rule: &Value) -> Result<Vec<Timestamp>, Stop> {
    let zone = visitor.time_zone().await?;
    let preview = visitor.call(Method::POST, &format!("{}/preview-digest", api_path(name)), None).await;
    let first = preview.ok().and_then(|preview| Timestamp::deserialize(&preview["due_at"]).ok());
    Ok(first.map(|first| times(rule, zone, first)).unwrap_or_default())
}

/// The due times from the first on.
fn times(rule: &Value, of_account: Option<TimeZone>, first: Timestamp) -> Vec<Timestamp> {
    let Ok(batch) = Batch::deserialize(&rule["batch"]) else { return vec![first] };
    let of_batch = batch.time_zone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
    // who may not see the account's settings sees the one time that the API tells
    let Some(zone) = of_account.or(of_batch) else { return vec![first] };
    let times = Times::of(&batch, zone);
    std::iter::successors(Some(first), |at| Some(times.after(*at))).take(NEXT_TIMES).collect()
}

pub(super) async fn preview(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Stop> {
    let said = visitor.call(Method::POST, &format!("{}/preview-digest", api_path(&name)), None).await;
    let said = said.map_err(|refusal| visitor.stop(refusal))?;
    let digests: Vec<_> = said["digests"].as_array().into_iter().flatten().map(digest).collect();
    let title = format!("{}: {name}", visitor.say(PREVIEW));
    let content = html! {
        h1 { (title) }
        dl.facts {
            dt { (visitor.say(SINCE)) } dd { (time(&said["since"])) }
            dt { (visitor.say(DUE)) } dd { (time(&said["due_at"])) }
            dt { (visitor.say(EVENTS)) } dd { (show::value(&said["events"])) }
        }
        @if digests.is_empty() { p.empty { (visitor.say(NOTHING)) } }
        @for digest in &digests { (digest) }
        p { a href=(page_of(&name)) { (visitor.say(BACK)) } }
    };
    Ok(visitor.page(Section::Rules, &title, content))
}

fn digest(said: &Value) -> Markup {
    html! {
        section.card {
            h2 { (text(said, "title")) }
            p.soft { (joined(&said["to"])) }
            pre { (text(said, "text")) }
        }
    }
}

pub(super) async fn flush(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let flushed = visitor.call(Method::POST, &format!("{}/flush", api_path(&name)), None).await;
    flushed.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{}?notice=done", page_of(&name))).into_response())
}

pub(super) async fn delete(Path(name): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &api_path(&name), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_follow_the_clock_on_the_wall_where_their_interval_is_whole_days() {
        let rule = json!({ "batch": { "at": "08:00:00", "every_seconds": 86_400, "time_zone": "Europe/Berlin", "anchor": "2026-01-01" } });
        let first: Timestamp = "2026-03-28T07:00:00Z".parse().unwrap();
        let said: Vec<_> = times(&rule, None, first).iter().map(Timestamp::to_string).collect();
        assert_eq!(said, ["2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z", "2026-03-30T06:00:00Z"]);
    }
}
