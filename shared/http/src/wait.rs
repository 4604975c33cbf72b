//! A caller that wants to know what became of its message, and waits for it: where the store can tell of changes, until it is told,
//! and elsewhere it looks again, less and less often.

use std::time::Duration;

use bellhop_core::model::EventId;
use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep, timeout_at};

use crate::Api;

/// The first wait between two looks; each is half as long again as the one before.
const FIRST: Duration = Duration::from_millis(1);

/// The longest wait between two looks.
const LONGEST: Duration = Duration::from_millis(100);

/// The longest where whoever waits is told of changes: in case that one was missed.
const LONGEST_TOLD: Duration = Duration::from_secs(1);

/// What is seen of that event as soon as it is settled, or what was seen then when `limit` is over or the server stops. What was
/// accepted stays accepted: a store that fails meanwhile only makes the answer less fresh.
pub async fn until<T, L: Future<Output = Option<T>>>(
    api: &Api,
    event: EventId,
    limit: Duration,
    first: T,
    is_settled: impl Fn(&T) -> bool,
    look: impl Fn() -> L,
) -> T {
    let end = Instant::now() + limit;
    let (mut latest, mut pause, mut took) = (first, FIRST, Duration::ZERO);
    let mut changed = api.ports.deliveries.changed(event);
    while !is_settled(&latest) && Instant::now() < end && !api.is_stopping() {
        let nap = sleep(pause.min(end.duration_since(Instant::now())));
        match changed {
            None => {
                nap.await;
                pause = (pause * 3 / 2).min(LONGEST);
            }
            Some(told) => match select(told, Box::pin(nap)).await {
                // looking takes half of the time at most, however often it changes
                Either::Left(_) => sleep(took).await,
                Either::Right(_) => pause = (pause * 3 / 2).min(LONGEST_TOLD),
            },
        }
        // before the look: what changes after it is told
        changed = api.ports.deliveries.changed(event);
        let begun = Instant::now();
        // a store that hangs must not keep the caller longer than it asked for; one more look is always granted
        if let Ok(Some(fresh)) = timeout_at(end + LONGEST, look()).await {
            latest = fresh;
        }
        took = begun.elapsed();
    }
    latest
}
