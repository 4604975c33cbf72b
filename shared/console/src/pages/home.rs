//! The first page.

use axum::{Router, response::Response, routing::get};
use maud::html;

use crate::{
    Console,
    language::texts,
    layout::Section,
    visitor::{Stop, Visitor},
};

texts! {
    TITLE = "Home", "首页";
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console", get(home))
}

async fn home(visitor: Visitor) -> Result<Response, Stop> {
    let title = visitor.say(TITLE);
    Ok(visitor.page(Section::Home, title, html! { h1 { (title) } }))
}
