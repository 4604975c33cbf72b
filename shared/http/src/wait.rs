//! A caller that wants to know what became of its message, and waits for it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::Api;

/// The first wait between two looks; each is half as long again as the one before.
const FIRST: Duration = Duration::from_millis(1);

/// The longest wait between two looks.
const LONGEST: Duration = Duration::from_millis(100);

/// What is seen as soon as it is settled, or what was seen then when `limit` is over or the server stops. What was accepted stays
/// accepted: a store that fails meanwhile only makes the answer less fresh.
pub async fn until<T, L: Future<Output = Option<T>>>(
    api: &Api,
    limit: Duration,
    first: T,
    is_settled: impl Fn(&T) -> bool,
    look: impl Fn() -> L,
) -> T {
    let end = Instant::now() + limit;
    let mut latest = first;
    let mut pause = FIRST;
    while !is_settled(&latest) && Instant::now() < end && !api.is_stopping() {
        sleep(pause.min(end.duration_since(Instant::now()))).await;
        pause = (pause * 3 / 2).min(LONGEST);
        // a store that hangs must not keep the caller longer than it asked for; one more look is always granted
        if let Ok(Some(fresh)) = timeout_at(end + LONGEST, look()).await {
            latest = fresh;
        }
    }
    latest
}
