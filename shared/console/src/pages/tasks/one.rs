//! One task: where it stands, and its runs with what came of them.

use std::time::Duration;

use axum::{
    extract::Path,
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::{Timestamp, channel::Text, model::Scope};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{PATH, api_path, page_of, schedule, state};
use crate::{
    fields::Fields,
    form::confirmed,
    language::texts,
    layout::Section,
    pages::messages::{self, LIVE_SECONDS, members, stories},
    show::{self, text, time},
    table::pager,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    STATE = "State", "状态";
    WHEN = "When", "时间";
    NEXT = "Next run", "下次运行";
    DONE = "Runs so far", "已运行次数";
    MOST = "Runs at most", "最多运行次数";
    MISSED = "Missed", "错过的时间";
    ENDED = "Cancelled", "取消时间";
    SOURCE = "Source", "来源";
    TO = "To", "发给";
    VIA = "By the registration", "通过推送注册";
    TITLE = "Title", "标题";
    SAYS = "Text", "正文";
    FORMAT = "Format", "格式";
    LINK = "Link", "链接";
    PICTURE = "Picture", "图片";
    CREATED = "Made", "创建时间";
    EDIT = "Change", "修改";
    CANCEL = "Cancel", "取消任务";
    CANCEL_ASK = "No run begins any more, and the task cannot be changed. What was sent goes its way.", "之后不再运行，任务也不能再修改；已发出的消息不受影响。";
    DELETE = "Delete", "删除";
    DELETE_ASK = "The task is forgotten with the list of its runs. This cannot be undone.", "任务及其运行记录都会删除，不可撤销。";
    RUNS = "Runs", "运行记录";
    NONE = "It has not run yet.", "尚未运行。";
    STORY = "The whole story", "完整经过";
    NOT_TOLD = "Not told", "未通知";
    MORE = "more: see the whole story", "条未显示，见完整经过";
    NOT_KEPT = "its event is not kept any more", "其事件已不再保留";
}

/// How many runs a page shows, each with its deliveries.
const SHOWN: usize = 10;

/// How many deliveries of each, and of what was not sent.
const DRAWN: usize = 10;

/// A run that begins so soon is waited for.
const SOON: Duration = Duration::from_mins(1);

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>, query: Fields) -> Result<Response, Stop> {
    let task = visitor.get(&api_path(&id)).await?;
    let cursor = query.clone().with("limit", &SHOWN.to_string()).query(&["limit", "cursor"]);
    let runs = visitor.list(&format!("{}/runs{cursor}", api_path(&id))).await?;
    let is_live = task["state"] == "running" || is_soon(&task["next_run"], visitor.now());
    let live = is_live.then_some(LIVE_SECONDS);
    let name = text(&task, "name");
    let page = page_of(&id);
    let (is_cancelled, may_run) = (task["state"] == "cancelled", !task["next_run"].is_null() || task["state"] == "running");
    let content = html! {
        h1 { (name) }
        div id="standing" data-live=[live] { (standing(&visitor, &task)) }
        @if visitor.may(Scope::Manage) {
            div.actions {
                @if !is_cancelled {
                    a.button href={ (page) "/edit" } { (visitor.say(EDIT)) }
                }
                @if may_run {
                    (confirmed(&visitor, &format!("{page}/cancel"), CANCEL, visitor.say(CANCEL_ASK)))
                }
                (confirmed(&visitor, &format!("{page}/delete"), DELETE, visitor.say(DELETE_ASK)))
            }
        }
        (message(&visitor, &task))
        h2 { (visitor.say(RUNS)) }
        div id="runs" data-live=[live] {
            @if runs.items.is_empty() { p.empty { (visitor.say(NONE)) } }
            @for one in &runs.items { (run(&visitor, one)) }
        }
        (pager(&visitor, &page, &query, &[], &runs))
    };
    Ok(visitor.page(Section::Tasks, name, content))
}

fn is_soon(next_run: &Value, now: Timestamp) -> bool {
    Timestamp::deserialize(next_run).is_ok_and(|at| at <= now + SOON)
}

fn standing(visitor: &Visitor, task: &Value) -> Markup {
    html! {
        dl.facts {
            dt { (visitor.say(STATE)) } dd { span role="status" { (state(visitor, &task["state"])) } }
            dt { (visitor.say(WHEN)) } dd { (schedule(visitor, &task["schedule"])) }
            dt { (visitor.say(NEXT)) } dd { (time(&task["next_run"])) }
            dt { (visitor.say(DONE)) } dd { (show::value(&task["runs"])) }
            @if !task["max_runs"].is_null() { dt { (visitor.say(MOST)) } dd { (show::value(&task["max_runs"])) } }
            @if !task["missed"].is_null() { dt { (visitor.say(MISSED)) } dd { (time(&task["missed"])) } }
            @if !task["cancelled_at"].is_null() { dt { (visitor.say(ENDED)) } dd { (time(&task["cancelled_at"])) } }
        }
    }
}

fn message(visitor: &Visitor, task: &Value) -> Markup {
    let line = |name: Text, value: &str| html! { @if !value.is_empty() { dt { (visitor.say(name)) } dd { (value) } } };
    let to = task["to"].as_array().into_iter().flatten().map(show::value).collect::<Vec<_>>().join(", ");
    html! {
        dl.facts {
            (line(TO, &to))
            (line(VIA, text(task, "via")))
            (line(SOURCE, text(task, "source")))
            (line(TITLE, text(task, "title")))
            (line(FORMAT, text(task, "format")))
            (line(LINK, text(task, "url")))
            (line(PICTURE, text(task, "image_url")))
            dt { (visitor.say(CREATED)) } dd { (time(&task["created_at"])) }
        }
        h2 { (visitor.say(SAYS)) }
        pre { (text(task, "body")) }
    }
}

fn run(visitor: &Visitor, run: &Value) -> Markup {
    let dropped = members(run, "dropped");
    html! {
        section {
            h3 {
                (time(&run["at"])) " · "
                @if run["state"].is_null() { (visitor.say(NOT_KEPT)) }
                @else { (state(visitor, &run["state"])) " · " a href=(messages::page_of(text(run, "event"))) { (visitor.say(STORY)) } }
            }
            (stories(visitor, text(run, "event"), run, "", DRAWN))
            @for dropped in dropped.iter().take(DRAWN) {
                p { (visitor.say(NOT_TOLD)) ": " (text(dropped, "recipient")) " " (text(dropped, "registration")) " " code { (text(dropped, "why")) } }
            }
            @if dropped.len() > DRAWN { p { "… " (dropped.len() - DRAWN) " " (visitor.say(MORE)) } }
        }
    }
}

pub(super) async fn cancel(Path(id): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let cancelled = visitor.call(Method::POST, &format!("{}/cancel", api_path(&id)), None).await;
    cancelled.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{}?notice=done", page_of(&id))).into_response())
}

pub(super) async fn delete(Path(id): Path<String>, Submitted { visitor, .. }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &api_path(&id), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}
