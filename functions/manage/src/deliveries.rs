//! Where each notification stands, what was tried, and a person's wish to try again.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    Code, Problem,
    model::{ChannelId, DeliveryId, EventId, Name, State as Stands},
    view::{self, DeliveryView},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Manager, Reader},
    json::Moment,
    list::{Items, Listing},
    path::{Identified, not_found},
};
use serde::Deserialize;

/// A delivery with so many attempts begins no new round: its row holds all of them, and a row of DynamoDB 400 KB.
const MOST_ATTEMPTS: usize = 100;

const RETRY: &str = "POST /v1/deliveries/{id}/retry";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    event: Option<EventId>,
    state: Option<Stands>,
    registration: Option<Name>,
    channel: Option<ChannelId>,
    from: Option<Moment>,
    to: Option<Moment>,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Filter, DeliveryId>,
) -> Result<Json<Items<DeliveryView>>, Refused> {
    let Listing { limit, cursor, filter } = listing;
    let Filter { event, state, registration, channel, from, to } = filter;
    if let Some(channel) = &channel {
        api.ports.channels.require(channel).map_err(|problem| Problem { code: Code::InvalidQuery, ..problem })?;
    }
    let (from, to) = (from.map(|Moment(from)| from), to.map(|Moment(to)| to));
    let filter = view::Filter { event, state, registration, channel, from, to };
    let page = view::list(&api.ports, &caller.account, &filter, cursor, limit).await?;
    let whole = Items::first(page.items, limit, |last: &DeliveryView| last.summary.id);
    if whole.next_cursor.is_some() {
        return Ok(Json(whole)); // it was cut for its length
    }
    Ok(Json(Items::new(whole.items, page.next.as_ref())))
}

pub(crate) async fn one(
    State(api): State<Api>,
    Reader(caller): Reader,
    Identified(id): Identified<DeliveryId>,
) -> Result<Json<DeliveryView>, Refused> {
    Ok(Json(view::delivery(&api.ports, &caller.account, id).await?.ok_or_else(not_found)?))
}

/// Begins a new round of a delivery that is over, with the whole schedule before it.
pub(crate) async fn retry(
    State(api): State<Api>,
    Manager(caller): Manager,
    Identified(id): Identified<DeliveryId>,
    request: Request,
) -> Result<(StatusCode, Json<DeliveryView>), Refused> {
    let payload = Payload::read(request, Limit::Plain).await?;
    payload.nothing()?;
    let now = api.ports.clock.now();
    let key = payload.idempotency_key(&caller.account, RETRY, now).map(|key| key.key);
    let before = view::delivery(&api.ports, &caller.account, id).await?.ok_or_else(not_found)?;
    let job = view::job(&api.ports, &caller.account, id).await?.ok_or_else(not_found)?;
    if before.attempts.len() >= MOST_ATTEMPTS {
        let detail = format!("this delivery was tried {} times, and is not any more; send a new message", before.attempts.len());
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    api.spend(&*api.account(&caller.account).await?, 1)?;
    let is_open = before.summary.state == Stands::Queued;
    if is_open || !api.ports.ledger.reopen(&job, key.as_deref(), now).await? {
        // somebody else may have wished the same since
        let state = view::delivery(&api.ports, &caller.account, id).await?.map_or(before.summary.state, |now| now.summary.state);
        let detail = format!("this delivery is not over, it is `{}`; it will be tried without your doing", state.as_str());
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    let now = view::delivery(&api.ports, &caller.account, id).await?.ok_or_else(not_found)?;
    Ok((StatusCode::ACCEPTED, Json(now)))
}
