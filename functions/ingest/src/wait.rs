//! A caller that wants to know what became of its message, and waits for it.

use std::time::Duration;

use bellhop_core::{
    accept::{Answer, answer},
    model::AccountId,
    ports::Ports,
};
use bellhop_http::Api;
use tokio::time::{Instant, sleep, timeout_at};

/// The first wait between two looks; each is half as long again as the one before.
const FIRST: Duration = Duration::from_millis(5);

/// The longest wait between two looks.
const LONGEST: Duration = Duration::from_millis(100);

/// The answer as soon as every delivery is final, or with the states of then when `limit` is over or the server stops. What was accepted stays
/// accepted: a store that fails meanwhile only makes the answer less fresh.
pub(crate) async fn until_final(api: &Api, account: &AccountId, accepted: Answer, limit: Duration) -> Answer {
    let end = Instant::now() + limit;
    let mut latest = accepted;
    let mut pause = FIRST;
    while !is_final(&latest) && Instant::now() < end && !api.is_stopping() {
        sleep(pause.min(end.duration_since(Instant::now()))).await;
        pause = (pause * 3 / 2).min(LONGEST);
        // a store that hangs must not keep the caller longer than it asked for; one more look is always granted
        let look = timeout_at(end + LONGEST, look(&api.ports, account, &latest));
        if let Ok(Some(fresh)) = look.await {
            latest = fresh;
        }
    }
    latest
}

async fn look(ports: &Ports, account: &AccountId, known: &Answer) -> Option<Answer> {
    let stored = ports.events.get(account, known.event).await.ok()??;
    answer(ports, &stored).await.ok()
}

fn is_final(answer: &Answer) -> bool {
    answer.deliveries.iter().all(|delivery| delivery.state.is_final())
}
