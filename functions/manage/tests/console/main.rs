//! The console over memory, as a browser without scripts sees it.

#![expect(clippy::unwrap_used, reason = "a test")]

mod browser;
mod home;
mod messages;
mod registrations;
mod rules;
mod session;
mod settings;
mod tasks;
mod this_browser;
#[path = "../../../ingest/tests/ingest/world.rs"]
#[expect(dead_code, reason = "what the other tests need of it")]
mod world;

use axum::Router;
use bellhop_http::Api;

use world::World;

fn routes(api: Api) -> Router {
    bellhop_manage::routes(api.clone()).merge(bellhop_ingest::routes(api.clone())).merge(bellhop_manage::console(api))
}

async fn world() -> World {
    World::new(routes, bellhop_testkit::CATALOG).await
}

/// With the channels that there are.
async fn real_world() -> World {
    World::new(routes, bellhop_channels::ALL).await
}
