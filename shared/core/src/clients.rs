//! Mpush clients: each is known by a name, gets its messages one after the other, and says of each that it has it.
//!
//! Promises: a client gets what was accepted for it in that order, and the next one only after it has acknowledged the one
//! before; what it never acknowledges is recorded as expired. How: each delivery to a client stands in the client's line from
//! its acceptance on, and only the first of a line is sent ([`crate::deliver`]); whoever takes the first one out brings the
//! next one's wake-up forward. Left to others: how packets look (the functions and `bellhop_channels`), what a line is kept in
//! ([`crate::ports::Clients`]).

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;

use crate::{
    StoreError, Timestamp,
    model::{AccountId, ConnectionId, DeliveryId, Event, EventId, Mid, Name, Registration, State},
    plan::{Plan, Planned},
    ports::{Freshness, Ports, Session},
    view,
};

/// How long a message is kept for a client that does not acknowledge it.
pub const AGE: Duration = Duration::from_hours(7 * 24);

/// The longest text over a client's connection, either way: that of API Gateway, which one machine keeps, too.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
pub const LONGEST: usize = 128 * 1024;

/// How many messages wait for one client at most.
pub const MOST_WAITING: usize = 1_000;

/// How many of a line are looked at to find the first that is not over: more are found by the next look.
const MOST_OVER: usize = 32;

/// How many registrations are looked at together for clients among them.
const PAGE: usize = 100;

/// How often another number is tried where the first is taken.
const MOST_TRIES: u32 = 64;

/// Numbers the event if its plan reaches clients, or if it came by an Mpush call.
pub(crate) async fn number(ports: &Ports, event: &mut Event, plan: &Plan) -> Result<(), StoreError> {
    let reaches_clients =
        |planned: &Planned| ports.channels.get(planned.channel.as_str()).is_some_and(|spec| spec.client.is_some());
    let is_numbered = event.origin.is_some() || plan.deliveries.iter().any(reaches_clients);
    if event.mid.is_some() || !is_numbered {
        return Ok(());
    }
    let first = ports.mids.next(event.accepted_at);
    let mut mid = first;
    for tries in 0..MOST_TRIES {
        if ports.clients.number(&event.account, mid, event.id, None).await? {
            event.mid = Some(mid);
            return Ok(());
        }
        // others in other processes want the same; the further they scatter, the sooner each has its own
        let scatter = 1_u64 << (tries + 1).min(16);
        mid = Mid(first.0 + 1 + u64::try_from(ports.clock.chance() % u128::from(scatter)).unwrap_or(0));
    }
    Err(StoreError::Unavailable("no free number for a message was found".to_owned()))
}

/// The event was kept under an id that an earlier, unfinished try gave it: its number leads there, too.
pub(crate) async fn adopted(ports: &Ports, event: &Event, was: EventId) -> Result<(), StoreError> {
    if let Some(mid) = event.mid.filter(|_| event.id != was) {
        ports.clients.number(&event.account, mid, event.id, Some(was)).await?;
    }
    Ok(())
}

/// Puts what was accepted into the lines of the clients that it goes to. What comes later stands behind it.
pub(crate) async fn line_up(ports: &Ports, event: &Event, plan: &Plan) -> Result<(), StoreError> {
    for planned in &plan.deliveries {
        let Some(spec) = ports.channels.get(planned.channel.as_str()).filter(|spec| spec.client.is_some()) else { continue };
        let registration = ports.registrations.get(&event.account, &planned.registration, Freshness::Cached).await?;
        if registration.is_some_and(|registration| spec.is_live(&registration.params)) {
            ports.clients.enter(&event.account, &planned.registration, planned.id(event.id)).await?;
        }
    }
    Ok(())
}

/// The first of the line that is not over.
pub(crate) async fn first(ports: &Ports, account: &AccountId, name: &Name) -> Result<Option<DeliveryId>, StoreError> {
    for _ in 0..MOST_OVER {
        let Some(first) = ports.clients.line(account, name, 1).await?.pop() else { return Ok(None) };
        if !is_over(ports, account, first).await? {
            return Ok(Some(first));
        }
        // whoever ended it had no time to take it out
        over(ports, account, name, first).await?;
    }
    Ok(None)
}

async fn is_over(ports: &Ports, account: &AccountId, delivery: DeliveryId) -> Result<bool, StoreError> {
    let row = ports.deliveries.get(account, &[delivery]).await?.pop().flatten();
    Ok(row.map_or(expires(delivery.event.time()) < ports.clock.now(), |row| row.state.is_final()))
}

/// Has the first of the line sent now, if it waits.
pub async fn wake(ports: &Ports, account: &AccountId, name: &Name) -> Result<(), StoreError> {
    match first(ports, account, name).await? {
        Some(first) => hasten(ports, account, first).await.map(drop),
        None => Ok(()),
    }
}

async fn hasten(ports: &Ports, account: &AccountId, delivery: DeliveryId) -> Result<bool, StoreError> {
    match view::job(ports, account, delivery).await? {
        Some(job) => ports.ledger.hasten(&job, ports.clock.now()).await,
        None => Ok(false),
    }
}

/// Takes a delivery that is over out of its client's line. The one behind it is brought forward before: whoever dies in
/// between leaves one behind that is over, which the next one, or its own last wake-up, takes out.
pub(crate) async fn over(ports: &Ports, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
    let next = ports.clients.line(account, name, 2).await?.into_iter().find(|waiting| *waiting != delivery);
    if let Some(next) = next {
        hasten(ports, account, next).await?;
    }
    ports.clients.leave(account, name, delivery).await
}

/// The same, where an old wake-up of it comes, if it is over and stands there still.
pub(crate) async fn left_behind(ports: &Ports, account: &AccountId, name: &Name, delivery: DeliveryId) -> Result<(), StoreError> {
    let stands_first = ports.clients.line(account, name, 1).await?.first() == Some(&delivery);
    if stands_first && is_over(ports, account, delivery).await? { over(ports, account, name, delivery).await } else { Ok(()) }
}

/// Somebody says on a connection who it is. Whoever it was before on the same one is not there any more.
pub async fn met(ports: &Ports, connection: &ConnectionId, session: &Session) -> Result<(), StoreError> {
    if let Some(before) = ports.clients.session(connection).await?.filter(|before| before != session) {
        ports.clients.disconnect(connection, &before).await?;
    }
    ports.clients.meet(connection, session).await
}

/// The client is there, and to be [woken](wake). Answers the connection on which it was before.
pub async fn connected(ports: &Ports, connection: &ConnectionId, session: &Session) -> Result<Option<ConnectionId>, StoreError> {
    let before = ports.clients.connect(connection, session).await?;
    Ok(before.filter(|before| before != connection))
}

/// The connection is gone, and whoever was on it.
pub async fn left(ports: &Ports, connection: &ConnectionId) -> Result<(), StoreError> {
    match ports.clients.session(connection).await? {
        Some(session) => ports.clients.disconnect(connection, &session).await,
        None => Ok(()),
    }
}

/// Lets go of the client of that name, if it is there: whoever it is has to say so again.
pub async fn dismiss(ports: &Ports, account: &AccountId, name: &Name) -> Result<(), StoreError> {
    let Some(connection) = ports.clients.connection(account, name).await? else { return Ok(()) };
    let session = Session { account: account.clone(), name: name.clone() };
    ports.clients.disconnect(&connection, &session).await?;
    ports.transport.live.close(&connection).await;
    Ok(())
}

/// Lets go of every client of the account.
pub async fn dismiss_all(ports: &Ports, account: &AccountId) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = ports.registrations.list(account, after.as_ref(), PAGE).await?;
        let is_client = |registration: &&Arc<Registration>| {
            ports.channels.get(registration.channel.as_str()).is_some_and(|spec| spec.is_live(&registration.params))
        };
        let clients = page.iter().filter(is_client).map(|registration| dismiss(ports, account, &registration.name));
        try_join_all(clients).await?;
        after = page.last().map(|last| last.name.clone());
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// The client of that name acknowledges the message of that number. `false`: nothing was waiting for that, an
/// acknowledgement of what is not the first of its line among it.
pub async fn acknowledge(ports: &Ports, account: &AccountId, name: &Name, mid: Mid) -> Result<bool, StoreError> {
    let Some(delivery) = first(ports, account, name).await? else { return Ok(false) };
    let stored = ports.events.get(account, delivery.event).await?;
    let is_it = stored.is_some_and(|stored| stored.event.mid == Some(mid));
    if is_it {
        confirm(ports, account, delivery).await?;
        over(ports, account, name, delivery).await?;
    }
    Ok(is_it)
}

/// The client of that name has shown what came to it by Web Push.
pub async fn acknowledge_push(ports: &Ports, account: &AccountId, name: &Name, mid: Mid) -> Result<bool, StoreError> {
    let Some(event) = ports.clients.numbered(account, mid).await? else { return Ok(false) };
    let delivery = DeliveryId::new(event, name, None);
    let confirmed = confirm(ports, account, delivery).await?;
    over(ports, account, name, delivery).await?;
    Ok(confirmed)
}

async fn confirm(ports: &Ports, account: &AccountId, delivery: DeliveryId) -> Result<bool, StoreError> {
    let now = ports.clock.now();
    let confirmed = ports.ledger.confirm(account, delivery, now).await?;
    if confirmed {
        tracing::info!(%account, %delivery, state = State::Confirmed.as_str(), "acknowledged");
    }
    Ok(confirmed)
}

/// When a message of that time is no longer kept for a client.
pub(crate) fn expires(accepted_at: Timestamp) -> Timestamp {
    accepted_at + AGE
}

/// Numbers for messages. Clones are one: of one process, no two are the same.
#[derive(Debug, Clone, Default)]
pub struct Mids(std::sync::Arc<std::sync::atomic::AtomicU64>);

impl Mids {
    /// The first number at or after that time which was not given before.
    fn next(&self, at: Timestamp) -> Mid {
        use std::sync::atomic::Ordering::Relaxed;
        let wanted = Mid::at(at).0;
        let last = self.0.fetch_update(Relaxed, Relaxed, |last| Some(wanted.max(last + 1))).unwrap_or(wanted);
        Mid(wanted.max(last + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_millisecond_have_numbers_of_their_own() {
        let (mids, at) = (Mids::default(), Timestamp::from_millisecond(1_795_295_657_784).unwrap());
        let numbers: Vec<_> = (0..3).map(|_| mids.next(at).to_string()).collect();
        assert_eq!(numbers, ["1795295657784", "1795295657785", "1795295657786"]);
        assert_eq!(mids.next(Timestamp::from_millisecond(1_795_295_700_000).unwrap()).to_string(), "1795295700000");
    }
}
