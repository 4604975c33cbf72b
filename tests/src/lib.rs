//! What the black-box tests need: the real binary as a process ([`Bellhop`]), a real HTTP server that plays the receiver
//! ([`Sink`]), one that plays all providers over TLS ([`Providers`]), WebSockets among them, by the [`cases`], a mail server
//! ([`MailServer`]), a replay of power cuts ([`powercut`]), a browser ([`Browser`]), what it has of
//! Web Push ([`Subscriber`]), and what sends mail and text messages ([`platform`]).
//!
//! Every test plants secrets (in URLs, headers, keys and bodies), and every process that ends has its whole output searched
//! for them.

#![expect(missing_docs, clippy::unwrap_used, reason = "test code: names say it, and a panic is the report")]

mod browser;
pub mod cases;
mod mail;
pub mod mpush;
pub mod operations;
pub mod platform;
pub mod powercut;
mod process;
mod providers;
mod push;
mod sink;
mod socket;
pub mod stories;

use std::{
    fs,
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

pub use browser::{Browser, Page};
pub use mail::MailServer;
pub use mpush::MpushClient;
pub use process::{Bellhop, Client, command, find_planted};
pub use providers::{Part, Providers};
pub use push::{Subscriber, push_service};
pub use sink::{Answer, Arrival, Sink};

/// Planted in URLs of registrations.
pub const URL_SECRET: &str = "planted-url-secret-9f27";
/// Planted in headers and tokens of registrations.
pub const HEADER_SECRET: &str = "planted-header-secret-51c4";
/// Planted in messages.
pub const BODY_SECRET: &str = "planted-body-text-77ab";
/// All of them.
pub const PLANTED: [&str; 3] = [URL_SECRET, HEADER_SECRET, BODY_SECRET];

/// Asks again until the answer is there; panics with `what` after 30 s.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < limit, "after 30 s still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The `sh` blocks under a heading of one of the project's pages.
pub fn commands(page: &str, heading: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page)).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}
