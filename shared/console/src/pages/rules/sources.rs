//! Sources that are switched off or on for all rules.

use axum::{
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::model::Scope;
use maud::html;
use serde_json::{Value, json};

use super::state;
use crate::{
    call::Refusal,
    fields::Fields,
    form::{Control, Field, Form, hidden_token},
    language::texts,
    layout::Section,
    show::text,
    table::{pager, table},
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    TITLE = "Sources that are switched", "来源开关";
    WHAT = "A source that is switched off here is looked at by no rule. What is not in the list is on.", "在此停用的来源不会被任何规则处理。不在列表中的来源均为启用。";
    SOURCE = "Source", "来源";
    STATE = "State", "状态";
    ENABLED = "Switched on", "启用";
    SAVE = "Save", "保存";
    FORGET = "Forget", "删除";
    ACTION = "Action", "操作";
}

const PATH: &str = "/console/sources";

pub(super) async fn list(visitor: Visitor, query: Fields) -> Result<Response, Stop> {
    page(&visitor, &query, &Fields::default(), None).await
}

pub(super) async fn switch(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let body = json!({ "source": fields.get("source"), "enabled": fields.is_on("enabled") });
    match visitor.call(Method::PUT, "/v1/sources", Some(&body)).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?notice=saved")).into_response()),
        Err(refusal) => page(&visitor, &Fields::default(), &fields, Some(&refusal)).await,
    }
}

pub(super) async fn forget(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let gone = visitor.call(Method::DELETE, &format!("/v1/sources{}", fields.query(&["source"])), None).await;
    gone.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{PATH}?notice=deleted")).into_response())
}

async fn page(visitor: &Visitor, query: &Fields, fields: &Fields, refusal: Option<&Refusal>) -> Result<Response, Stop> {
    let page = visitor.list(&format!("/v1/sources{}", query.query(&["cursor"]))).await?;
    let row = |setting: &Value| {
        let source = text(setting, "source");
        html! {
            tr {
                th scope="row" { (source) }
                td { (state(visitor, setting["enabled"] == true)) }
                td {
                    @if visitor.may(Scope::Manage) {
                        form.inline method="post" action="/console/sources/forget" {
                            (hidden_token(visitor))
                            input type="hidden" name="source" value=(source);
                            button type="submit" aria-label={ (visitor.say(FORGET)) ": " (source) } { (visitor.say(FORGET)) }
                        }
                    }
                }
            }
        }
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    let form = Form { visitor, fields, refusal };
    let content = html! {
        (form.field(&Field::line("source", visitor.say(SOURCE)).required()))
        (form.field(&Field::line("enabled", visitor.say(ENABLED)).control(Control::Box)))
    };
    let title = visitor.say(TITLE);
    let content = html! {
        h1 { (title) }
        p { (visitor.say(WHAT)) }
        (table(visitor, title, &[SOURCE, STATE, ACTION].map(|head| visitor.say(head)), &rows))
        (pager(visitor, PATH, query, &[], &page))
        @if visitor.may(Scope::Manage) { (form.draw(PATH, &content, visitor.say(SAVE))) }
    };
    Ok(match refusal {
        Some(refusal) => visitor.refused_page(refusal, Section::Rules, title, content),
        None => visitor.page(Section::Rules, title, content),
    })
}
