//! What happened, and what came of it.

use std::sync::Arc;

use axum::{Json, extract::State};
use bellhop_core::{
    model::{Event, EventId, EventType, RunResult, Source},
    plan::{Collected, Dropped},
    ports::StoredEvent,
    rules::Decision,
    view::{self, Told},
};
use bellhop_http::{
    Api, Refused,
    caller::Reader,
    json::Moment,
    list::{Items, Listing},
    path::{Identified, not_found},
};
use serde::{Deserialize, Serialize};

/// The most events that one page of a filtered list looks through: it may be short while there is more.
const MOST_LOOKED_AT: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    source: Option<Source>,
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    result: Option<RunResult>,
    q: Option<String>,
    from: Option<Moment>,
    to: Option<Moment>,
}

/// An event with all that is known about it.
#[derive(Serialize)]
pub(crate) struct Explained {
    #[serde(flatten)]
    event: Arc<Event>,
    #[serde(flatten)]
    told: Told,
    collected: Vec<Collected>,
    dropped: Vec<Dropped>,
    /// What every rule that looked at it decided, and why.
    decisions: Vec<Decision>,
}

pub(crate) async fn one(
    State(api): State<Api>,
    Reader(caller): Reader,
    Identified(id): Identified<EventId>,
) -> Result<Json<Explained>, Refused> {
    let stored = api.ports.events.get(&caller.account, id).await?.ok_or_else(not_found)?;
    let told = view::told_with(&api.ports, &stored).await?;
    let StoredEvent { event, plan } = stored;
    Ok(Json(Explained { event, told, collected: plan.collected, dropped: plan.dropped, decisions: plan.decisions }))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Reader(caller): Reader,
    listing: Listing<Filter, EventId>,
) -> Result<Json<Items<Arc<Event>>>, Refused> {
    let Listing { limit, cursor, filter } = listing;
    let to = filter.to.map(|Moment(to)| EventId::floor(to));
    let from = filter.from.map(|Moment(from)| EventId::floor(from));
    let before = cursor.into_iter().chain(to).min();
    let most = if filter.chooses() { MOST_LOOKED_AT } else { limit };
    let looked_at = api.ports.events.heads(&caller.account, from, before, most + 1).await?;
    let more = looked_at.len() > most;
    let last = looked_at.iter().take(most).next_back().map(|event| event.id);
    let shown = looked_at.into_iter().take(most).filter(|event| filter.shows(event));
    let mut page = Items::first(shown.collect(), limit, |last: &Arc<Event>| last.id);
    if page.next_cursor.is_none() && more {
        page = Items::new(page.items, last.as_ref());
    }
    Ok(Json(page))
}

impl Filter {
    /// Whether it leaves out events within its time range.
    fn chooses(&self) -> bool {
        self.source.is_some() || self.event_type.is_some() || self.result.is_some() || self.q.is_some()
    }

    fn shows(&self, event: &Event) -> bool {
        self.source.as_ref().is_none_or(|source| *source == event.source)
            && (self.event_type.is_none() || self.event_type == event.event_type)
            && (self.result.is_none() || self.result == event.result)
            && self.q.as_ref().is_none_or(|q| says(event, q))
    }
}

/// Whether that stands in what people read of an event, in capitals or not.
fn says(event: &Event, q: &str) -> bool {
    let q = q.to_lowercase();
    let texts = [Some(event.source.as_str()), event.title.as_deref(), Some(&*event.message)];
    texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&q))
}
