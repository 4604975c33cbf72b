//! The routes by which things come in, driven in process over memory.

#![expect(clippy::unwrap_used, reason = "a test")]

mod bulk;
mod events;
mod hooks;
mod messages;
mod refusals;
mod world;

use world::World;

async fn world() -> World {
    World::new(bellhop_ingest::routes, bellhop_testkit::CATALOG).await
}
