//! The pages: a file for each group of them, which holds its routes and its texts.

mod account;
mod browser;
mod contacts;
mod home;
mod hooks;
mod keys;
mod messages;
mod registrations;
mod rules;
mod tasks;

use axum::{Router, response::Response};
use bellhop_core::Code;

use crate::{
    Console,
    call::Refusal,
    language::texts,
    visitor::{Stop, Visitor},
};

texts! {
    NOTHING = "There is no such page. The navigation leads to all there are.", "没有这个页面。请从导航进入。";
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .merge(home::routes())
        .merge(messages::routes())
        .merge(tasks::routes())
        .merge(registrations::routes())
        .merge(rules::routes())
        .merge(contacts::routes())
        .merge(hooks::routes())
        .merge(keys::routes())
        .merge(account::routes())
        .merge(browser::routes())
}

/// What is at no other path of the console.
pub(crate) async fn nothing_here(visitor: Visitor) -> Result<Response, Stop> {
    Err(visitor.stop(Refusal::on_page(visitor.language, Code::NotFound, NOTHING)))
}
