//! A caller that wants to know what became of its message.

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    accept::{Answer, answer},
    model::AccountId,
};
use bellhop_http::{Api, wait};

/// The answer as soon as every delivery is final, or with the states of then when `limit` is over or the server stops.
pub(crate) async fn until_final(api: &Api, account: &AccountId, accepted: Answer, limit: Duration) -> Answer {
    let event = accepted.event;
    let look = || {
        let (ports, account) = (Arc::clone(&api.ports), account.clone());
        async move {
            let stored = ports.events.get(&account, event).await.ok()??;
            answer(&ports, &stored).await.ok()
        }
    };
    wait::until(api, event, limit, accepted, is_final, look).await
}

fn is_final(answer: &Answer) -> bool {
    answer.deliveries.iter().all(|delivery| delivery.state.is_final())
}
