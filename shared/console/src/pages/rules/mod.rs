//! Push settings: which events reach whom, and when.

mod explain;
mod form;
mod one;
mod sources;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use bellhop_core::model::Scope;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    Console,
    call::segment,
    fields::Fields,
    language::texts,
    layout::Section,
    show::{mark, text},
    table::{pager, table},
    visitor::{Stop, Visitor},
};

texts! {
    TITLE = "Push settings", "推送设置";
    WHAT = "A rule says which events reach whom: at once, or collected in a digest.", "规则决定哪些事件通知谁：立即通知，或汇总成摘要。";
    NEW = "New rule", "新建规则";
    NAME = "Name", "名称";
    STATE = "State", "状态";
    LOOKS_AT = "Sources", "来源";
    ALL = "all", "全部";
    TELLS_OF = "Tells of", "通知";
    TO = "Reaches", "接收方";
    DIGEST = "Digest", "摘要";
    ON = "on", "启用";
    OFF = "switched off", "已停用";
    MANUAL_SUCCESS = "manual success", "手动成功";
    MANUAL_FAILURE = "manual failure", "手动失败";
    AUTO_SUCCESS = "automatic success", "定时成功";
    AUTO_FAILURE = "automatic failure", "定时失败";
    SOURCES = "Sources that are switched", "来源开关";
}

const PATH: &str = "/console/rules";

/// The switches of a rule, as the API and as people call them.
const SWITCHES: [(&str, bellhop_core::channel::Text); 4] = [
    ("manual_success", MANUAL_SUCCESS),
    ("manual_failure", MANUAL_FAILURE),
    ("auto_success", AUTO_SUCCESS),
    ("auto_failure", AUTO_FAILURE),
];

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/rules", get(list))
        .route("/console/explain", get(explain::ask).post(explain::show))
        .route("/console/new-rule", get(form::new).post(form::make))
        .route("/console/rules/{name}", get(one::show))
        .route("/console/rules/{name}/edit", get(form::edit).post(form::change))
        .route("/console/rules/{name}/preview", get(one::preview))
        .route("/console/rules/{name}/flush", post(one::flush))
        .route("/console/rules/{name}/delete", post(one::delete))
        .route("/console/sources", get(sources::list).post(sources::switch))
        .route("/console/sources/forget", post(sources::forget))
}

/// The path of a rule's page.
fn page_of(name: &str) -> String {
    format!("{PATH}/{}", segment(name))
}

/// The path of a rule in the API.
fn api_path(name: &str) -> String {
    format!("/v1/rules/{}", segment(name))
}

/// The texts of a list, on one line.
fn joined(list: &Value) -> String {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether it is switched on.
fn state(visitor: &Visitor, is_on: bool) -> Markup {
    let (class, word) = if is_on { ("on", ON) } else { ("off", OFF) };
    mark(class, visitor.say(word))
}

/// Which runs it tells of.
fn told_of(visitor: &Visitor, rule: &Value) -> String {
    let on = SWITCHES.iter().filter(|(name, _)| rule["notify"][name] == true).map(|(_, label)| visitor.say(*label));
    let on = on.collect::<Vec<_>>().join(", ");
    if on.is_empty() { "–".to_owned() } else { on }
}

async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    let page = visitor.list(&format!("/v1/rules{}", query.query(&["cursor"]))).await?;
    let row = |rule: &Value| {
        let (name, sources) = (text(rule, "name"), joined(&rule["match"]["sources"]));
        html! {
            tr {
                th scope="row" { a href=(page_of(name)) { (name) } }
                td { (state(&visitor, rule["enabled"] == true)) }
                td { @if sources.is_empty() { (visitor.say(ALL)) } @else { (sources) } }
                td { (told_of(&visitor, rule)) }
                td { (joined(&rule["to"])) }
                td { @if rule["batch"]["enabled"] == true { (text(&rule["batch"], "at")) } @else { "–" } }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let heads = [NAME, STATE, LOOKS_AT, TELLS_OF, TO, DIGEST].map(|head| visitor.say(head));
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        p.actions {
            @if visitor.may(Scope::Manage) { a.button.primary href="/console/new-rule" { (visitor.say(NEW)) } }
            a.button href="/console/sources" { (visitor.say(SOURCES)) }
            a.button href=(explain::PATH) { (visitor.say(explain::TITLE)) }
        }
        (table(&visitor, title, &heads, &rows))
        (pager(&visitor, PATH, &query, &[], &page))
    };
    Ok(visitor.page(Section::Rules, title, content))
}
