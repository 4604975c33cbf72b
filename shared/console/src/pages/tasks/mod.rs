//! Tasks: messages that are sent by the clock, and the form by which one message is sent at once.

mod form;
mod one;
mod send;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use bellhop_core::{channel::Text, model::Scope};
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    Console,
    call::segment,
    fields::Fields,
    filter::{channels, choice, filters, narrowed, times},
    form::{Field, Form},
    language::texts,
    layout::Section,
    show::{self, mark, text, time},
    table::{pager, table},
    visitor::{Stop, Visitor},
};

texts! {
    TITLE = "Tasks", "任务";
    WHAT = "A task is a message that is sent by the clock: now, later, every hour, every day, or whenever a cron expression says.",
           "任务是按时间发送的消息：立即、稍后、每小时、每天，或按 cron 表达式。";
    NEW = "New task", "新建任务";
    NAME = "Name", "名称";
    STATE = "State", "状态";
    SOURCE = "Source", "来源";
    CHANNEL = "Channel", "渠道";
    WHEN = "When", "时间";
    NEXT = "Next run", "下次运行";
    RUNS = "Runs", "已运行次数";
    SCHEDULED = "scheduled", "等待运行";
    RUNNING = "running", "运行中";
    SUCCEEDED = "succeeded", "成功";
    FAILED = "failed", "失败";
    ENDED = "ended", "已结束";
    CANCELLED = "cancelled", "已取消";
    NOW = "as soon as it was made", "创建后立即";
    ONCE = "once", "一次";
    HOURLY = "every hour, at minute", "每小时，分钟";
    DAILY = "every day at", "每天";
    CRON = "cron", "cron";
}

const PATH: &str = "/console/tasks";

const FILTERS: [&str; 5] = ["state", "channel", "source", "from", "to"];

/// How a task or a run stands: its word in the API, its class in the style, and what people call it.
const STATES: [(&str, &str, Text); 6] = [
    ("scheduled", "", SCHEDULED),
    ("running", "sending", RUNNING),
    ("succeeded", "delivered", SUCCEEDED),
    ("failed", "failed", FAILED),
    ("ended", "", ENDED),
    ("cancelled", "", CANCELLED),
];

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/tasks", get(list))
        .route("/console/new-task", get(form::new).post(form::make))
        .route("/console/tasks/{id}", get(one::show))
        .route("/console/tasks/{id}/edit", get(form::edit).post(form::change))
        .route("/console/tasks/{id}/cancel", post(one::cancel))
        .route("/console/tasks/{id}/delete", post(one::delete))
        .route("/console/send", get(send::show).post(send::send))
}

/// The path of a task's page.
fn page_of(id: &str) -> String {
    format!("{PATH}/{}", segment(id))
}

/// The path of a task in the API.
fn api_path(id: &str) -> String {
    format!("/v1/tasks/{}", segment(id))
}

fn state(visitor: &Visitor, state: &Value) -> Markup {
    let known = STATES.into_iter().find(|(word, ..)| state == word);
    known.map_or_else(|| mark("", state.as_str().unwrap_or("–")), |(_, class, label)| mark(class, visitor.say(label)))
}

/// A schedule in words.
fn schedule(visitor: &Visitor, schedule: &Value) -> Markup {
    let zone = text(schedule, "time_zone");
    html! {
        @match text(schedule, "kind") {
            "now" => { (visitor.say(NOW)) }
            "at" => { (visitor.say(ONCE)) ": " (time(&schedule["at"])) }
            "hourly" => { (visitor.say(HOURLY)) " " (show::value(&schedule["minute"])) " " (zone) }
            "daily" => { (visitor.say(DAILY)) " " (text(schedule, "time")) " " (zone) }
            "cron" => { (visitor.say(CRON)) " " code { (text(schedule, "cron")) } " " (zone) }
            other => { (other) }
        }
    }
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let names: Vec<_> = FILTERS.into_iter().chain(["cursor"]).collect();
    let (page, refusal) = narrowed(&visitor, &format!("/v1/tasks{}", query.query(&names))).await?;
    let form = Form { visitor: &visitor, fields: &query, refusal: refusal.as_ref() };
    let states = STATES.map(|(word, _, label)| (word, visitor.say(label)));
    let channels = channels(&visitor).await?;
    let channels: Vec<_> = channels.iter().map(|(id, label)| (id.as_str(), label.as_str())).collect();
    let fields = html! {
        (choice(&form, "state", visitor.say(STATE), &states))
        (choice(&form, "channel", visitor.say(CHANNEL), &channels))
        (form.field(&Field::line("source", visitor.say(SOURCE))))
        (times(&form))
    };
    let row = |task: &Value| {
        html! {
            tr {
                th scope="row" { a href=(page_of(text(task, "id"))) { (text(task, "name")) } }
                td { (state(&visitor, &task["state"])) }
                td { (text(task, "source")) }
                td { (schedule(&visitor, &task["schedule"])) }
                td { (time(&task["next_run"])) }
                td { (show::value(&task["runs"])) }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [NAME, STATE, SOURCE, WHEN, NEXT, RUNS].map(|head| visitor.say(head));
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        @if visitor.may(Scope::Manage) { p { a.button.primary href="/console/new-task" { (visitor.say(NEW)) } } }
        (filters(&form, PATH, &fields))
        (table(&visitor, title, &heads, &rows))
        (pager(&visitor, PATH, &query, &FILTERS, &page))
    };
    Ok(match &refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Tasks, title, content),
        None => visitor.page(Section::Tasks, title, content),
    })
}
