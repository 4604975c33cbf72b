//! A page of schedules that are due, as the queue `batch` brings it, to `core::digest::compose`.
//!
//! Promises: one that fails or panics keeps no other; it stays among what is due and is announced again minutes later, so
//! that a page is done once it was read. Left to others: whether a schedule is still due ([`compose`]), and when it is
//! announced (`ports.digests.announce`).

use std::panic::AssertUnwindSafe;

use bellhop_core::{
    digest::{Composed, compose},
    ports::{Due, Ports},
};
use futures_util::{FutureExt, StreamExt, stream};

/// How many digests are composed at once.
pub(crate) const AT_ONCE: usize = 8;

/// Composes what is due of these. Answers how many digests were sent.
pub async fn handle_page(ports: &Ports, page: &[Due]) -> usize {
    let composed = stream::iter(page.to_vec()).map(async |due| one(ports, &due).await).buffer_unordered(AT_ONCE);
    composed.filter(|sent| std::future::ready(*sent == Some(true))).count().await
}

/// Whether a digest was sent; nothing where that failed, which is told.
pub(crate) async fn one(ports: &Ports, due: &Due) -> Option<bool> {
    let Due { account, rule, .. } = due;
    match AssertUnwindSafe(compose(ports, account, rule)).catch_unwind().await {
        Ok(Ok(Composed::Sent(events))) => {
            tracing::info!(%account, %rule, events, "a digest was sent");
            Some(true)
        }
        Ok(Ok(Composed::Nothing | Composed::NotDue)) => Some(false),
        Ok(Err(error)) => {
            tracing::error!(%account, %rule, %error, "a digest was not sent; it is tried again minutes later");
            None
        }
        Err(_) => {
            tracing::error!(%account, %rule, "a digest was not sent because of a bug; it is tried again minutes later");
            None
        }
    }
}
