//! Lists that a query narrows. What the API finds wrong with the query is shown beside the filter that it names.

use axum::http::Method;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    call::{Listed, Refusal, broken},
    form::{Control, Field, Form, refused},
    language::texts,
    show::{said, text},
    visitor::{Stop, Visitor},
};

texts! {
    SHOW = "Show", "查看";
    ANY = "any", "不限";
    FROM = "From", "起始时间";
    TO = "Before", "截止时间";
    WHEN_HELP = "Such as 2026-02-01T12:00:00Z", "例如 2026-02-01T12:00:00Z";
}

/// The list, or why the query was refused.
pub(crate) async fn narrowed(visitor: &Visitor, path: &str) -> Result<(Listed, Option<Refusal>), Stop> {
    match visitor.call(Method::GET, path, None).await {
        Ok(page) => serde_json::from_value(page).map(|page| (page, None)).map_err(|_| visitor.stop(broken())),
        Err(refusal) if refusal.field.is_some() => Ok((Listed::default(), Some(refusal))),
        Err(refusal) => Err(visitor.stop(refusal)),
    }
}

/// The form that makes the query.
pub(crate) fn filters(form: &Form, path: &str, fields: &Markup) -> Markup {
    html! {
        (refused(form.refusal))
        form.filters method="get" action=(path) {
            (fields)
            p { button type="submit" { (form.visitor.say(SHOW)) } }
        }
    }
}

/// One of these, or any.
pub(crate) fn choice(form: &Form, name: &str, label: &str, choices: &[(&str, &str)]) -> Markup {
    let choices = [("", form.visitor.say(ANY))].into_iter().chain(choices.iter().copied()).collect();
    form.field(&Field::line(name, label).control(Control::Choice(choices)))
}

/// From when, and until when.
pub(crate) fn times(form: &Form) -> Markup {
    let visitor = form.visitor;
    html! {
        (form.field(&Field::line("from", visitor.say(FROM)).help(visitor.say(WHEN_HELP))))
        (form.field(&Field::line("to", visitor.say(TO)).help(visitor.say(WHEN_HELP))))
    }
}

/// Every channel there is: its id, and what people call it.
pub(crate) async fn channels(visitor: &Visitor) -> Result<Vec<(String, String)>, Stop> {
    let channels = visitor.list("/v1/channels").await?.items;
    let named = |channel: &Value| (text(channel, "id").to_owned(), said(visitor, &channel["label"]).to_owned());
    Ok(channels.iter().map(named).collect())
}
