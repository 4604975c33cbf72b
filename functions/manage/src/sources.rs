//! Sources that rules look at or do not. One that was never switched is on, and in no list.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bellhop_core::{
    model::{Source, SourceSetting},
    ports::{Kind, Record},
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    caller::{Manager, Reader},
    list::{Everything, Items, Listing},
    path::not_found,
};
use serde::Deserialize;

use crate::records;

/// How many sources of an account are switched at most: they are read together.
const MOST: usize = 2_000;

/// Names the source in the query, since it may hold `/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    source: Source,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Everything, Source>,
) -> Result<Json<Items<SourceSetting>>, Refused> {
    let Listing { limit, cursor, filter: Everything {} } = listing;
    let after = cursor.as_ref().map(SourceSetting::key);
    let found = api.ports.records.list(&caller.account, Kind::Source, after.as_deref(), limit + 1).await?;
    let shown = found.iter().map(Record::read).collect::<Result<_, _>>()?;
    Ok(Json(Items::first(shown, limit, |last: &SourceSetting| last.source.as_str().to_owned())))
}

pub(crate) async fn put(
    State(api): State<Api>,
    Manager(caller): Manager,
    request: Request,
) -> Result<Json<SourceSetting>, Refused> {
    let setting: SourceSetting = Payload::read(request, Limit::Plain).await?.parse()?;
    let (account, name) = (&caller.account, SourceSetting::key(&setting.source));
    for _ in 0..records::TRIES {
        let old = records::stored(&api, account, Kind::Source, &name, Some(MOST)).await?;
        if records::replace(&api, account, Kind::Source, &name, old.as_ref(), &setting).await?.is_some() {
            return Ok(Json(setting));
        }
    }
    Err(records::raced(&name))
}

pub(crate) async fn delete(
    State(api): State<Api>,
    Manager(caller): Manager,
    listing: Listing<Which, Source>,
) -> Result<StatusCode, Refused> {
    let name = SourceSetting::key(&listing.filter.source);
    let existed = api.ports.records.delete(&caller.account, Kind::Source, &name).await?;
    if existed { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}
