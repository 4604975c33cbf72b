//! A page of what is due, as the queue `batch` brings it, to `core::tick::look`.
//!
//! Promises: one that fails or panics keeps no other; it stays among what is due and is announced again minutes later, so
//! that a page is done once it was read. Left to others: whether it is still due ([`look`]), and when it is announced
//! (`ports.agenda.announce`).

use std::panic::AssertUnwindSafe;

use bellhop_core::{
    digest::Composed,
    ports::{Due, Ports},
    task::Ran,
    tick::{Looked, look},
};
use futures_util::{FutureExt, StreamExt, stream};

/// How many are worked on at once.
pub(crate) const AT_ONCE: usize = 8;

/// Does what is due of these. Answers how many digests and tasks were sent.
pub async fn handle_page(ports: &Ports, page: &[Due]) -> usize {
    let looked = stream::iter(page.to_vec()).map(async |due| one(ports, &due).await).buffer_unordered(AT_ONCE);
    looked.filter(|sent| std::future::ready(*sent == Some(true))).count().await
}

/// Whether something was sent; nothing where that failed, which is told.
pub(crate) async fn one(ports: &Ports, due: &Due) -> Option<bool> {
    let Due { account, matter, .. } = due;
    match AssertUnwindSafe(look(ports, due)).catch_unwind().await {
        Ok(Ok(Looked::Digest(Composed::Sent(events)))) => {
            tracing::info!(%account, %matter, events, "a digest was sent");
            Some(true)
        }
        Ok(Ok(Looked::Task(Ran::Once(run)))) => {
            tracing::info!(%account, %matter, event = %run.event, at = %run.at, "a task ran");
            Some(true)
        }
        Ok(Ok(Looked::Digest(Composed::Nothing | Composed::NotDue) | Looked::Task(Ran::Not))) => Some(false),
        Ok(Err(error)) => {
            tracing::error!(%account, %matter, %error, "what is due was not sent; it is tried again minutes later");
            None
        }
        Err(_) => {
            tracing::error!(%account, %matter, "what is due was not sent because of a bug; it is tried again minutes later");
            None
        }
    }
}
