//! Everything that is served by HTTP, both functions on one router as `serve` has it, driven in process over memory.

#![expect(clippy::unwrap_used, reason = "a test")]

mod accounts;
mod callers;
mod channel;
mod events;
mod explain;
mod hooks;
mod keys;
mod operate;
mod race;
mod records;
mod registrations;
mod reveal;
mod tasks;
mod tenants;
mod trials;
mod web_push;
#[path = "../../../ingest/tests/ingest/world.rs"]
mod world;

use axum::Router;
use bellhop_core::channel::{Catalog, Spec};
use bellhop_http::Api;

use world::World;

fn routes(api: Api) -> Router {
    bellhop_manage::routes(api.clone()).merge(bellhop_ingest::routes(api))
}

/// The world of `serve`, with a second channel that has secrets of every kind.
async fn world() -> World {
    static SPECS: [&Spec; 2] = [bellhop_testkit::CATALOG.specs[0], &channel::SPEC];
    World::new(routes, Catalog { specs: &SPECS, ..bellhop_testkit::CATALOG }).await
}
