//! The console: pages for whoever runs an account, drawn here out of what the API answers.
//!
//! It is a client of the API, in the same process: a page asks the API's routes what it shows, and a form becomes the body of the
//! request that a program would make (`call.rs`). So nothing is decided here: neither who may do what nor what is valid.
//!
//! Promises: what somebody has stored is text on every page, and never markup; a form counts only from our own page, within the
//! session that it was drawn for (`visitor.rs`); everything but live updates works without a script. Left to others: what a
//! session is ([`bellhop_http::session`]), and all that is shown.

mod assets;
mod call;
mod changes;
mod fields;
mod filter;
mod form;
mod headers;
mod language;
mod layout;
mod pages;
mod show;
mod sign_in;
mod table;
mod visitor;

use std::sync::Arc;

use axum::{
    Router, middleware,
    response::Redirect,
    routing::{any, get},
};
use bellhop_http::Api;

/// What the pages stand on.
#[derive(Clone)]
pub(crate) struct Console {
    api: Api,
    /// The API itself.
    routes: Router,
    streams: Arc<changes::Streams>,
}

/// Everything under `/console`, over the API whose routes these are.
pub fn routes(api: Api, routes: Router) -> Router {
    pages::routes()
        .merge(sign_in::routes())
        .merge(assets::routes())
        .merge(changes::routes())
        .route("/console/", any(front))
        .route("/console/{*rest}", any(pages::nothing_here))
        // where a form goes, there is no page to load anew
        .method_not_allowed_fallback(pages::nothing_here)
        .layer(middleware::from_fn(headers::guard))
        .with_state(Console { api, routes, streams: Arc::default() })
}

/// The root, where nobody else wants it.
pub fn root() -> Router {
    Router::new().route("/", get(front))
}

/// Where a browser begins: `GET /` leads to the console.
pub async fn front() -> Redirect {
    Redirect::to(HOME)
}

/// The first page.
const HOME: &str = "/console";
