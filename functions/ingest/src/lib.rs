//! Events and messages come in by HTTP and go to [`bellhop_core::accept`]; events also by `hooks`, from systems that know
//! nothing of this API; messages also by Mpush's requests (`mpush`).
//!
//! Promises: what was answered with 202 is kept; what was refused left nothing behind; in a bulk, each item stands for
//! itself. Left to others: who may call and how refusals look ([`bellhop_http`]), what is decided about an event
//! ([`bellhop_core`]).

#[cfg(fuzzing)]
pub mod fuzzing;
mod hooks;
pub mod mpush;
mod wait;

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    routing::{get, post},
};
use bellhop_core::{
    Code, Problem,
    accept::{Answer, Wanted, accept},
    model::{Account, Source},
    ports::IdempotencyKey,
    rules,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::Sender,
    event::EventBody,
    json,
    message::MessageBody,
    problem,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MESSAGES: &str = "POST /v1/messages";
const EVENTS: &str = "POST /v1/events";
const BULK: &str = "POST /v1/events/bulk";

/// The most events in one bulk.
const MOST_EVENTS: usize = 100;

/// The routes by which things come in; [`bellhop_http::complete`] makes a server of them.
pub fn routes(api: Api) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/events", post(events))
        .route("/v1/events/bulk", post(bulk))
        .route("/in/{token}", get(hooks::report).post(hooks::report).head(hooks::refuse))
        .with_state(api)
}

type Accepted<T> = Result<(StatusCode, Json<T>), Refused>;

async fn messages(State(api): State<Api>, Sender(caller): Sender, request: Request) -> Accepted<Answer> {
    let account = api.account(&caller.account).await?;
    api.spend(&account, 1)?;
    let payload = Payload::read(request, Limit::Picture("screenshot")).await?;
    let (draft, wait) = payload.parse::<MessageBody>()?.draft()?;
    let key = payload.idempotency_key(&account.id, MESSAGES, api.ports.clock.now());
    let answer = accept(&api.ports, &account.id, draft, Wanted::Message, key).await?;
    let answer = wait::until_final(&api, &account.id, answer, wait).await;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn events(State(api): State<Api>, Sender(caller): Sender, request: Request) -> Accepted<Answer> {
    let account = api.account(&caller.account).await?;
    api.spend(&account, 1)?;
    let payload = Payload::read(request, Limit::Picture("screenshot")).await?;
    let value = payload.value()?;
    let key = payload.idempotency_key(&account.id, EVENTS, api.ports.clock.now());
    Ok((StatusCode::ACCEPTED, Json(event(&api, &account, value, key).await?)))
}

async fn event(api: &Api, account: &Account, value: Value, key: Option<IdempotencyKey>) -> Result<Answer, Problem> {
    let draft = json::read::<EventBody>(value)?.draft(account)?;
    accept(&api.ports, &account.id, draft, Wanted::Event, key).await
}

/// The items are read one by one, so that a bad one harms no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    events: Vec<Value>,
}

/// What came of one item of a bulk.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Kept(Answer),
    Refused(problem::Body),
}

#[derive(Debug, Serialize)]
struct BulkAnswer {
    items: Vec<Item>,
}

async fn bulk(State(api): State<Api>, Sender(caller): Sender, request: Request) -> Accepted<BulkAnswer> {
    let account = api.account(&caller.account).await?;
    let payload = Payload::read(request, Limit::Plain).await?;
    let BulkBody { events } = payload.parse()?;
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    if events.len() > MOST_EVENTS {
        let detail = format!("a bulk has at most {MOST_EVENTS} events, this one has {count}; send several");
        return Err(Problem::field(Code::TooManyItems, "events", detail).into());
    }
    api.spend(&account, count)?;
    let now = api.ports.clock.now();
    let by_source = rules::counts(&api.ports, &account.id).await?;
    let (api, account, payload) = (&api, &*account, &payload);
    let lanes = lanes(events, by_source).into_iter().map(async |lane| {
        let mut items = Vec::new();
        for (index, value) in lane {
            let key = payload.item_key(&account.id, BULK, index, &value, now);
            let item = match event(api, account, value, key).await {
                Ok(answer) => Item::Kept(answer),
                Err(problem) => Item::Refused(problem.under(&format!("events[{index}]")).into()),
            };
            items.push((index, item));
        }
        items
    });
    let mut items: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
    items.sort_by_key(|(index, _)| *index);
    let items = items.into_iter().map(|(_, item)| item).collect();
    Ok((StatusCode::ACCEPTED, Json(BulkAnswer { items })))
}

/// What is accepted one after the other, with its place in the bulk: where runs are counted, those of one source; else each
/// event goes by itself.
fn lanes(events: Vec<Value>, by_source: bool) -> Vec<Vec<(usize, Value)>> {
    let mut lanes = BTreeMap::<_, Vec<_>>::new();
    for (index, value) in events.into_iter().enumerate() {
        let source = value["source"].as_str().and_then(Source::parse).unwrap_or_default();
        let lane = if by_source { (Some(source), 0) } else { (None, index) };
        lanes.entry(lane).or_default().push((index, value));
    }
    lanes.into_values().collect()
}
