//! For whoever runs the deployment: the dead letters of all accounts, and the way back for them.

use axum::{
    Json,
    extract::{Request, State},
};
use bellhop_core::model::{Action, ChannelId};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::Operator,
    list::Items,
};
use serde::{Deserialize, Serialize};

use crate::audit;

/// How many dead letters a channel has.
#[derive(Serialize)]
pub(crate) struct DeadLetters {
    channel: ChannelId,
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    channel: ChannelId,
}

/// How many dead letters went back.
#[derive(Serialize)]
pub(crate) struct Redriven {
    redriven: u64,
}

pub(crate) async fn dead_letters(State(api): State<Api>, Operator(_): Operator) -> Result<Json<Items<DeadLetters>>, Refused> {
    let counts = api.ports.queue.dead_letters().await?;
    Ok(Json(Items::all(counts.into_iter().map(|(channel, count)| DeadLetters { channel, count }).collect())))
}

pub(crate) async fn redrive(
    State(api): State<Api>,
    Operator(caller): Operator,
    request: Request,
) -> Result<Json<Redriven>, Refused> {
    let Body { channel } = Payload::read(request, Limit::Plain).await?.parse()?;
    api.ports.channels.require(&channel)?;
    audit::record(&api, &caller, Action::DeadLettersRedriven, Some(channel.as_str().to_owned())).await?;
    Ok(Json(Redriven { redriven: api.ports.queue.redrive(&channel).await? }))
}
