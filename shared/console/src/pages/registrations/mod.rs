//! Registrations: all of them, one with what can be done with it, and the form by which they are made and changed.

mod form;
mod one;
mod params;
mod paste;

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
    language::texts,
    layout::Section,
    show::{self, mark, said, text, time},
    table::{pager, table},
    visitor::{Stop, Visitor},
};

texts! {
    TITLE = "Registrations", "推送注册";
    NEW = "New registration", "新建推送注册";
    NAME = "Name", "名称";
    CHANNEL = "Channel", "渠道";
    STATE = "State", "状态";
    GROUPS = "Groups", "分组";
    LAST = "Last delivery", "最近一次投递";
    LAST_OF = "The last delivery is looked for among the account's newest, 50 at most.", "“最近一次投递”只在账户最新的投递（最多 50 条）中查找。";
    ON = "on", "启用";
    OFF = "switched off", "已停用";
    DISABLED = "disabled by the provider's answer", "因服务商的回应而停用";
    PAUSED = "paused", "暂停中";
    WHAT = "A registration is a named destination on a channel: a chat's robot, a mailbox, a phone.", "推送注册是某个渠道上有名称的目的地：群机器人、邮箱、手机等。";
}

/// How many of the newest deliveries are looked through for the last one of each registration.
const NEWEST: usize = 50;

const PATH: &str = "/console/registrations";

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/registrations", get(list))
        .route("/console/new-registration", get(form::new).post(form::make))
        .route("/console/new-registration/paste", post(form::pasted).get(form::new))
        .route("/console/registrations/{name}", get(one::show))
        .route("/console/registrations/{name}/edit", get(form::edit).post(form::change))
        .route("/console/registrations/{name}/enable", post(one::enable))
        .route("/console/registrations/{name}/disable", post(one::disable))
        .route("/console/registrations/{name}/test", post(one::test).get(one::back))
        .route("/console/registrations/{name}/reveal", post(one::reveal).get(one::back))
        .route("/console/registrations/{name}/delete", post(one::delete))
}

/// The path of a registration's page.
fn page_of(name: &str) -> String {
    format!("{PATH}/{}", segment(name))
}

/// The path of a registration in the API.
fn api_path(name: &str) -> String {
    format!("/v1/registrations/{}", segment(name))
}

/// What every channel declares.
async fn channels(visitor: &Visitor) -> Result<Vec<Value>, Stop> {
    Ok(visitor.list("/v1/channels").await?.items)
}

fn find<'a>(channels: &'a [Value], id: &str) -> Option<&'a Value> {
    channels.iter().find(|channel| channel["id"] == id)
}

/// Whether it takes messages, and if not, why not.
fn state(visitor: &Visitor, registration: &Value) -> Markup {
    let reason = text(&registration["disabled"], "reason");
    let (class, word): (_, Text) = match registration {
        off if off["enabled"] == false => ("off", OFF),
        disabled if !disabled["disabled"].is_null() => ("disabled", DISABLED),
        paused if !paused["paused_until"].is_null() => ("paused", PAUSED),
        _ => ("on", ON),
    };
    html! {
        (mark(class, visitor.say(word)))
        @if class == "disabled" { ": " code { (reason) } }
        @if class == "paused" { " → " (time(&registration["paused_until"])) }
    }
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let page = visitor.list(&format!("/v1/registrations{}", query.query(&["cursor"]))).await?;
    let channels = channels(&visitor).await?;
    let newest = visitor.list(&format!("/v1/deliveries?limit={NEWEST}")).await?.items;
    let row = |registration: &Value| {
        let name = text(registration, "name");
        let label = find(&channels, text(registration, "channel")).map_or("", |spec| said(&visitor, &spec["label"]));
        let last = newest.iter().find(|delivery| delivery["registration"] == name);
        html! {
            tr {
                th scope="row" { a href=(page_of(name)) { (name) } }
                td { (label) }
                td { (state(&visitor, registration)) }
                td { (groups(registration)) }
                td { @if let Some(last) = last { (show::state(&visitor, &last["state"])) " " (time(&last["accepted_at"])) } @else { "–" } }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [NAME, CHANNEL, STATE, GROUPS, LAST].map(|head| visitor.say(head));
    let title = visitor.say(TITLE);
    Ok(visitor.page(
        Section::Registrations,
        title,
        html! {
            h1 { (title) }
            p { (visitor.say(WHAT)) }
            @if visitor.may(Scope::Manage) { p { a.button.primary href="/console/new-registration" { (visitor.say(NEW)) } } }
            (table(&visitor, title, &heads, &rows))
            (pager(&visitor, PATH, &query, &[], &page))
            p.help { (visitor.say(LAST_OF)) }
        },
    ))
}

fn groups(registration: &Value) -> String {
    let groups = registration["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
    groups.collect::<Vec<_>>().join(", ")
}
