//! What an account owns and what became of what it sent, by HTTP: registrations, keys, settings, events, deliveries; and
//! what whoever runs the deployment needs.
//!
//! Promises: a secret is never in an answer, but for a new key, or the path of a new hook, in the answer that makes it, and
//! where somebody asks for it with a key that he gives once more (`reveal`); what belongs to another account is 404. Left to
//! others: who may call and how refusals look ([`bellhop_http`]), what is shown of a delivery ([`bellhop_core::view`]).

mod account;
mod accounts;
mod audit;
mod contacts;
mod deliveries;
mod events;
mod explain;
mod hooks;
mod keys;
mod mpush;
mod operate;
mod records;
mod registrations;
mod reveal;
mod rules;
mod sources;
mod tasks;
mod trials;
mod web_push;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, header},
    routing::{MethodRouter, delete, get, post},
};
pub use bellhop_console::{front, root};
use bellhop_core::{
    channel::Spec,
    model::{Contact, Rule},
};
use bellhop_http::{Api, caller::Reader, list::Items};
use records::Said;
use serde_json::{Map, Value};

/// The routes by which an account is looked after; [`bellhop_http::complete`] makes a server of them.
pub fn routes(api: Api) -> Router {
    let registration = get(registrations::one).put(registrations::put).patch(registrations::patch).delete(registrations::delete);
    // a path of its own would hide the registration of that name
    let registration = registration.post(trials::typed);
    let contact = records_of::<Contact>();
    let rule = records_of::<Rule>().post(explain::what_would_happen);
    Router::new()
        .route("/v1/registrations", get(registrations::list))
        .route("/v1/registrations/{name}", registration)
        .route("/v1/registrations/{name}/reveal", post(reveal::reveal))
        .route("/v1/registrations/{name}/test", post(trials::stored))
        .route("/v1/rules", get(records::list::<Rule>))
        .route("/v1/rules/{name}", rule)
        .route("/v1/rules/{name}/preview-digest", post(rules::preview_digest))
        .route("/v1/rules/{name}/flush", post(rules::flush))
        .route("/v1/contacts", get(records::list::<Contact>))
        .route("/v1/contacts/{name}", contact)
        .route("/v1/sources", get(sources::list).put(sources::put).delete(sources::delete))
        .route("/v1/channels", get(channels))
        .route("/v1/web-push", get(web_push::get))
        .route("/v1/account", get(account::get).put(account::put))
        .route("/v1/accounts", get(accounts::list).post(accounts::make))
        .route("/v1/accounts/{id}", delete(accounts::delete).patch(accounts::patch))
        .route("/v1/keys", get(keys::list).post(keys::make))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/audit", get(audit::list))
        .route("/v1/hooks", get(hooks::list).post(hooks::make))
        .route("/v1/hooks/kinds", get(hooks::kinds))
        .route("/v1/hooks/{name}", get(hooks::one).delete(hooks::delete))
        .route("/v1/tasks", get(tasks::list).post(tasks::make))
        .route("/v1/tasks/bulk", post(tasks::bulk))
        .route("/v1/tasks/preview", post(tasks::preview))
        .route("/v1/tasks/{id}", get(tasks::one).patch(tasks::patch).delete(tasks::delete))
        .route("/v1/tasks/{id}/cancel", post(tasks::cancel))
        .route("/v1/tasks/{id}/runs", get(tasks::runs))
        .route("/v1/events", get(events::list))
        .route("/v1/events/{id}", get(events::one))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::one))
        .route("/v1/deliveries/{id}/retry", post(deliveries::retry))
        .route("/v1/dead-letters", get(operate::dead_letters))
        .route("/v1/dead-letters/redrive", post(operate::redrive))
        .route("/openapi.json", get(openapi))
        .with_state(api)
}

/// The console over these routes: pages for people.
pub fn console(api: Api) -> Router {
    let routes = bellhop_http::complete(routes(api.clone()));
    bellhop_console::routes(api, routes)
}

/// The routes of one thing under a name.
fn records_of<T: Said>() -> MethodRouter<Api> {
    get(records::one::<T>).put(records::put::<T>).patch(records::patch::<T>).delete(records::delete::<T>)
}

/// What every channel declares about itself: enough to draw a form.
async fn channels(State(api): State<Api>, Reader(_): Reader) -> Json<Items<&'static Spec>> {
    Json(Items::all(api.ports.channels.specs.to_vec()))
}

/// What this API is, for programs. It is no tenant's, and takes no key.
async fn openapi() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../../../docs/openapi.json"))
}

/// `old` with `change` laid over it: what is absent stays, and the object called `inner` is laid over its like name by
/// name. `null` stays `null`: whoever reads the result takes it as absent.
fn overlay(mut old: Map<String, Value>, mut change: Map<String, Value>, inner: &[&str]) -> Value {
    for inner in inner {
        if let (Some(Value::Object(kept)), Some(Value::Object(given))) = (old.get_mut(*inner), change.get_mut(*inner)) {
            kept.append(given);
            change.remove(*inner);
        }
    }
    old.append(&mut change);
    Value::Object(old)
}
