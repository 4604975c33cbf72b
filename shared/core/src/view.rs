//! What people are shown of a delivery. A planned delivery has no row before its first claim; the plan stands for it.

use std::num::NonZeroUsize;

use serde::Serialize;

use crate::{
    Reason, StoreError, Timestamp,
    model::{AccountId, Address, Attempt, ChannelId, Delivery, DeliveryId, EventId, Job, Name, State},
    plan::Planned,
    ports::{Ports, StoredEvent},
};

/// The most events that one page of a filtered list looks through.
const MOST_EVENTS: usize = 200;

/// The most deliveries that one page looks at, and that are told with their event: one may have ten thousand.
const MOST_DELIVERIES: usize = 1_000;

/// With so many planned deliveries, a page looks at no further event.
const MOST_PLANNED: usize = 20_000;

/// The most attempts that are told with an event: Lambda answers 6 MB at most.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_ATTEMPTS: usize = 4_000;

/// How many rows are read at once: as many as one call of DynamoDB reads.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const ROWS_AT_ONCE: usize = 100;

/// A delivery in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its id.
    pub id: DeliveryId,
    /// Where it goes.
    pub registration: Name,
    /// How.
    pub channel: ChannelId,
    /// To whom, on channels that serve many.
    pub address: Option<Address>,
    /// Where it stands.
    pub state: State,
}

impl Summary {
    /// A delivery that was just accepted.
    pub fn queued(planned: &Planned, event: EventId) -> Self {
        Self {
            id: planned.id(event),
            registration: planned.registration.clone(),
            channel: planned.channel.clone(),
            address: planned.address.clone(),
            state: State::Queued,
        }
    }
}

/// A delivery with all that is known about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryView {
    /// The line.
    #[serde(flatten)]
    pub summary: Summary,
    /// What it tells.
    pub event: EventId,
    /// When that was accepted.
    pub accepted_at: Timestamp,
    /// Why it waits or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Why it was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Reason>,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Everything that was tried, oldest first.
    pub attempts: Vec<Attempt>,
}

impl DeliveryView {
    fn of_row(row: Delivery) -> Self {
        let (reason, why) = if row.state == State::Dropped { (None, row.reason) } else { (row.reason, None) };
        let event = row.event();
        Self {
            summary: Summary {
                id: row.id,
                registration: row.registration,
                channel: row.channel,
                address: row.address,
                state: row.state,
            },
            event,
            accepted_at: event.time(),
            reason,
            why,
            next_attempt_at: row.due,
            attempts: row.attempts,
        }
    }

    /// A delivery without a row: it waits in the queue, unless it is older than anything the queue keeps.
    fn of_plan(planned: &Planned, event: EventId, ports: &Ports) -> Self {
        let lost = ports.queue.retention().is_some_and(|retention| event.time() + retention < ports.clock.now());
        let state = if lost { State::Dropped } else { State::Queued };
        Self {
            summary: Summary { state, ..Summary::queued(planned, event) },
            event,
            accepted_at: event.time(),
            reason: None,
            why: lost.then_some(Reason::NotAccepted),
            next_attempt_at: None,
            attempts: Vec::new(),
        }
    }
}

/// Every delivery of an event, in the order of its plan.
pub async fn of_event(ports: &Ports, stored: &StoredEvent) -> Result<Vec<DeliveryView>, StoreError> {
    part_of_event(ports, stored, &stored.plan.deliveries).await
}

/// The deliveries that are told with their event; the list has all.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// In the order of the plan.
    pub deliveries: Vec<DeliveryView>,
    /// How many more there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries_left_out: Option<NonZeroUsize>,
}

impl Told {
    /// Of an event that has so many in all.
    fn first(mut deliveries: Vec<DeliveryView>, in_all: usize) -> Self {
        let mut attempts = 0;
        let has_room = |view: &&DeliveryView| {
            attempts += view.attempts.len();
            attempts <= MOST_ATTEMPTS
        };
        let room = deliveries.iter().take_while(has_room).count();
        deliveries.truncate(room);
        Self { deliveries_left_out: NonZeroUsize::new(in_all.saturating_sub(room)), deliveries }
    }
}

/// As many of them as are told with the event itself.
pub async fn told_with(ports: &Ports, stored: &StoredEvent) -> Result<Told, StoreError> {
    first_of_event(ports, stored, MOST_DELIVERIES).await
}

/// The first `most` of them.
pub(crate) async fn first_of_event(ports: &Ports, stored: &StoredEvent, most: usize) -> Result<Told, StoreError> {
    let planned = &stored.plan.deliveries;
    let views = part_of_event(ports, stored, planned.get(..most).unwrap_or(planned)).await?;
    Ok(Told::first(views, planned.len()))
}

async fn part_of_event(ports: &Ports, stored: &StoredEvent, planned: &[Planned]) -> Result<Vec<DeliveryView>, StoreError> {
    let event = &stored.event;
    let ids: Vec<_> = planned.iter().map(|planned| planned.id(event.id)).collect();
    let rows = ports.deliveries.get(&event.account, &ids).await?;
    let views = planned.iter().zip(rows);
    Ok(views
        .map(|(planned, row)| row.map_or_else(|| DeliveryView::of_plan(planned, event.id, ports), DeliveryView::of_row))
        .collect())
}

/// One delivery.
pub async fn delivery(ports: &Ports, account: &AccountId, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
    if let Some(row) = ports.deliveries.get(account, &[id]).await?.pop().flatten() {
        return Ok(Some(DeliveryView::of_row(row)));
    }
    let planned = planned(ports, account, id).await?;
    Ok(planned.map(|(_, planned)| DeliveryView::of_plan(&planned, id.event, ports)))
}

/// The job that would bring a delivery on its way again.
pub async fn job(ports: &Ports, account: &AccountId, id: DeliveryId) -> Result<Option<Job>, StoreError> {
    Ok(planned(ports, account, id).await?.map(|(stored, planned)| planned.job(&stored.event)))
}

async fn planned(ports: &Ports, account: &AccountId, id: DeliveryId) -> Result<Option<(StoredEvent, Planned)>, StoreError> {
    let Some(stored) = ports.events.get(account, id.event).await? else { return Ok(None) };
    let planned = stored.plan.deliveries.iter().find(|planned| planned.id(id.event) == id).cloned();
    Ok(planned.map(|planned| (stored, planned)))
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this event only.
    pub event: Option<EventId>,
    /// In this state only.
    pub state: Option<State>,
    /// To this registration only.
    pub registration: Option<Name>,
    /// On this channel only.
    pub channel: Option<ChannelId>,
    /// Accepted at this time or later.
    pub from: Option<Timestamp>,
    /// Accepted before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn shows_all(&self) -> bool {
        self.state.is_none() && self.registration.is_none() && self.channel.is_none()
    }

    /// Whether a delivery may be shown that goes there: that much a plan tells.
    fn reaches(&self, registration: &Name, channel: &ChannelId) -> bool {
        self.registration.as_ref().is_none_or(|name| name == registration) && self.channel.as_ref().is_none_or(|on| on == channel)
    }

    fn shows(&self, view: &DeliveryView) -> bool {
        let summary = &view.summary;
        self.state.is_none_or(|state| state == summary.state)
            && self.reaches(&summary.registration, &summary.channel)
            && self.from.is_none_or(|from| view.accepted_at >= from)
            && self.to.is_none_or(|to| view.accepted_at < to)
    }
}

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// What is shown.
    pub items: Vec<T>,
    /// The last one that was looked at, if there may be more.
    pub next: Option<C>,
}

/// Up to `most` deliveries, newest first, below `before`. The rare states come from their index; all others by way of the
/// events, of which a page looks at a bounded number, as of their deliveries: it may be short while there is more.
pub async fn list(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    before: Option<DeliveryId>,
    most: usize,
) -> Result<Page<DeliveryView, DeliveryId>, StoreError> {
    let before = match (before, filter.to.map(|to| DeliveryId { event: EventId::floor(to), tail: 0 })) {
        (Some(cursor), Some(to)) => Some(cursor.min(to)),
        (cursor, to) => cursor.or(to),
    };
    match filter.state {
        _ if let Some(event) = filter.event => {
            let events: Vec<_> = ports.events.get(account, event).await?.into_iter().collect();
            through(ports, account, filter, before, most, &events, None).await
        }
        Some(state @ (State::Retrying | State::Failed)) => in_state(ports, account, filter, state, before, most).await,
        // a planned delivery that was never queued reads `dropped` without being a row
        _ => by_event(ports, account, filter, before, most).await,
    }
}

async fn in_state(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    state: State,
    before: Option<DeliveryId>,
    most: usize,
) -> Result<Page<DeliveryView, DeliveryId>, StoreError> {
    let rows = ports.deliveries.in_state(account, state, before, MOST_EVENTS).await?;
    let views = rows.into_iter().map(DeliveryView::of_row);
    let views: Vec<_> = views.take_while(|view| filter.from.is_none_or(|from| view.accepted_at >= from)).collect();
    let rest = views.last().filter(|_| views.len() == MOST_EVENTS).map(|view| view.summary.id);
    Ok(page(views, filter, most, rest))
}

async fn by_event(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    before: Option<DeliveryId>,
    most: usize,
) -> Result<Page<DeliveryView, DeliveryId>, StoreError> {
    // where none is left out, so many events are mostly enough
    let few = if filter.shows_all() { MOST_EVENTS.min(most + 1) } else { MOST_EVENTS };
    let mut page = among(ports, account, filter, before, most, few).await?;
    // but events may reach nobody, and then a page looks further
    if few < MOST_EVENTS && page.items.len() < most && page.next.is_some() {
        let rest = among(ports, account, filter, page.next, most - page.items.len(), MOST_EVENTS).await?;
        page = Page { items: [page.items, rest.items].concat(), next: rest.next };
    }
    Ok(page)
}

/// The deliveries of the newest `looked_through` events below `before`, fewer where these reach many.
async fn among(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    before: Option<DeliveryId>,
    most: usize,
    looked_through: usize,
) -> Result<Page<DeliveryView, DeliveryId>, StoreError> {
    let from = filter.from.map(EventId::floor);
    // the event of the cursor may have deliveries below it, so it is read again
    let above = before.map(|cursor| EventId(cursor.event.0.saturating_add(1)));
    let events = ports.events.planned(account, from, above, looked_through, MOST_PLANNED).await?;
    let planned: usize = events.iter().map(|stored| stored.plan.deliveries.len()).sum();
    // below the last event, also where it has nothing to show
    let last = events.last().filter(|_| events.len() == looked_through || planned >= MOST_PLANNED);
    let rest = last.map(|stored| DeliveryId { event: stored.event.id, tail: 0 });
    through(ports, account, filter, before, most, &events, rest).await
}

/// The deliveries of these events; the next page goes on below `rest` where all of them were looked at.
async fn through(
    ports: &Ports,
    account: &AccountId,
    filter: &Filter,
    before: Option<DeliveryId>,
    most: usize,
    events: &[StoredEvent],
    rest: Option<DeliveryId>,
) -> Result<Page<DeliveryView, DeliveryId>, StoreError> {
    let candidates = events.iter().flat_map(|stored| planned_below(stored, filter, before));
    let mut candidates: Vec<_> = candidates.take(MOST_DELIVERIES + 1).collect();
    let is_cut = candidates.len() > MOST_DELIVERIES;
    candidates.truncate(MOST_DELIVERIES);
    let (mut views, mut shown) = (Vec::new(), 0);
    for part in candidates.chunks(ROWS_AT_ONCE) {
        if shown > most {
            break; // the page is full, and more than full: it will be cut
        }
        let ids: Vec<_> = part.iter().map(|(id, _)| *id).collect();
        let rows = ports.deliveries.get(account, &ids).await?;
        let of_part = part.iter().zip(rows);
        views.extend(of_part.map(|((id, planned), row)| match row {
            Some(row) => DeliveryView::of_row(row),
            None => DeliveryView::of_plan(planned, id.event, ports),
        }));
        shown = views.iter().filter(|view| filter.shows(view)).count();
    }
    let has_looked_at_all = !is_cut && views.len() == candidates.len();
    let rest = if has_looked_at_all { rest } else { views.last().map(|view| view.summary.id) };
    Ok(page(views, filter, most, rest))
}

/// What an event has planned below `before` that the filter may show, the newest first: their rows alone have to be read.
fn planned_below<'e>(stored: &'e StoredEvent, filter: &Filter, before: Option<DeliveryId>) -> Vec<(DeliveryId, &'e Planned)> {
    let planned = stored.plan.deliveries.iter().filter(|planned| filter.reaches(&planned.registration, &planned.channel));
    let planned = planned.map(|planned| (planned.id(stored.event.id), planned));
    let mut below: Vec<_> = planned.filter(|(id, _)| before.is_none_or(|cursor| *id < cursor)).collect();
    below.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    below
}

/// The first `most` of `views` that the filter shows; the next page goes on below the last one shown, or, where all are shown,
/// below `rest`.
fn page(views: Vec<DeliveryView>, filter: &Filter, most: usize, rest: Option<DeliveryId>) -> Page<DeliveryView, DeliveryId> {
    let mut items: Vec<_> = views.into_iter().filter(|view| filter.shows(view)).collect();
    let is_cut = items.len() > most;
    items.truncate(most);
    let last_shown = items.last().map(|view| view.summary.id);
    Page { items, next: if is_cut { last_shown } else { rest } }
}
