//! Mpush's clients in simulated time: one that does not come for days, and a webhook that does not answer.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Reason, Retry, SendError, Timestamp,
    accept::{Wanted, accept},
    backoff::SCHEDULE,
    channel::{Catalog, Channel, Context, Message, Params, Reply, Spec, Step},
    clients,
    deliver::{LEASE, work},
    model::{Account, ConnectionId, Delivery, State},
    ports::{Live, Ports, Pushed, Sent, Session, TransportError},
    render,
    tick::tick,
};
use bellhop_testkit::{BARE, Provider, Rig, account, channel, draft, name, registration};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// As Mpush resends.
const SOON: Duration = Duration::from_secs(3);

/// Clients that keep a connection, if they are there.
struct Connected;

static CONNECTED: Spec = Spec { client: Some(|_| true), ..BARE };

impl Channel for Connected {
    fn spec(&self) -> &'static Spec {
        &CONNECTED
    }

    fn step(&self, _cx: &Context, _message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        Step::Fail(SendError::new(Reason::Bug, Retry::Never, "nobody is there, and it is sent"))
    }
}

/// Clients that are pushed to over their connections.
struct OverConnections;

static OVER_CONNECTIONS: Spec = Spec { client: Some(|_| true), ..BARE };

impl Channel for OverConnections {
    fn spec(&self) -> &'static Spec {
        &OVER_CONNECTIONS
    }

    fn soon(&self, _params: &Params, _account: &Account) -> Option<Duration> {
        Some(SOON)
    }

    fn step(&self, cx: &Context, _message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        match &cx.connection {
            Some(connection) => Step::Push(connection.clone(), "text".to_owned()),
            None => Step::Fail(SendError::new(Reason::Bug, Retry::Never, "nobody is there, and it is sent")),
        }
    }
}

/// A way to connections that is blocked until it is opened.
#[derive(Default)]
struct Blocked {
    is_open: AtomicBool,
}

#[async_trait]
impl Live for Blocked {
    async fn push(&self, _connection: &ConnectionId, _text: &str) -> Pushed {
        if self.is_open.load(Ordering::SeqCst) {
            return Pushed::Sent;
        }
        Pushed::Failed(TransportError { reason: Reason::ProviderError, sent: Sent::No, detail: "it answers 503".to_owned() })
    }

    async fn close(&self, _connection: &ConnectionId) {}
}

/// Webhooks that answer nobody; it remembers when each was called.
struct Called(Mutex<Vec<Timestamp>>);

static CALLED: Spec = Spec { client: Some(|_| false), ..BARE };

impl Channel for Called {
    fn spec(&self) -> &'static Spec {
        &CALLED
    }

    fn soon(&self, _params: &Params, _account: &Account) -> Option<Duration> {
        Some(SOON)
    }

    fn step(&self, cx: &Context, _message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(cx.now);
        Step::Fail(SendError::new(Reason::ProviderError, Retry::Later, "it answers 503"))
    }
}

struct World {
    rig: Rig,
    ports: Ports,
}

impl World {
    /// The registration `phone` on that channel alone.
    async fn new(channels: Catalog) -> Self {
        let rig = Rig::new(Provider::new(&[]));
        let ports = Ports { channels, ..rig.ports.clone() };
        assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
        Self { rig, ports }
    }

    async fn send(&self) {
        accept(&self.ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
    }

    /// Lets time pass, second by second or faster, while whatever is due is done.
    async fn pass(&self, time: Duration, step: Duration) {
        let end = self.ports.clock.now() + time;
        while self.ports.clock.now() < end {
            self.rig.sim.pass(step);
            tick(&self.ports, self.ports.clock.now()).await.expect("memory does not fail");
            while self.turn().await {}
        }
    }

    async fn turn(&self) -> bool {
        let wakes = self.ports.queue.receive(&channel(), 10).await.expect("memory does not fail");
        for wake in &wakes {
            work(&self.ports, wake, LEASE).await.expect("memory does not fail");
        }
        !wakes.is_empty()
    }

    /// State and reason of each delivery, the oldest first.
    async fn states(&self) -> Vec<(State, Option<Reason>)> {
        self.rows().await.into_iter().map(|row| (row.state, row.reason)).collect()
    }

    /// Each delivery, likewise.
    async fn rows(&self) -> Vec<Delivery> {
        let mut events = self.ports.events.list(&account(), None, None, 10).await.expect("memory does not fail");
        events.sort_by_key(|stored| stored.event.id);
        let mut found = Vec::new();
        for stored in events {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            let rows = self.ports.deliveries.get(&account(), &ids).await.expect("memory does not fail");
            found.extend(rows.into_iter().flatten());
        }
        found
    }
}

#[tokio::test]
async fn what_waits_for_a_client_is_given_up_after_seven_days_and_what_came_later_waits_on() {
    static CLIENTS: Catalog = Catalog { specs: &[&CONNECTED], speakers: &[&Connected], render: render::message };
    let world = World::new(CLIENTS).await;
    world.send().await;
    world.pass(DAY, 5 * MINUTE).await;
    world.send().await;
    world.pass(5 * DAY + Duration::from_mins(23 * 60 + 50), 5 * MINUTE).await;
    let waits = |state: &(State, Option<Reason>)| state.0 == State::Queued;
    assert!(world.states().await.iter().all(waits), "{:?}", world.states().await);

    world.pass(20 * MINUTE, 5 * MINUTE).await;
    let states = world.states().await;
    assert_eq!(states[0], (State::Failed, Some(Reason::Expired)));
    assert!(waits(&states[1]), "{states:?}");

    world.pass(DAY, 5 * MINUTE).await;
    assert_eq!(world.states().await, [(State::Failed, Some(Reason::Expired)); 2]);
}

#[tokio::test]
async fn a_webhook_is_tried_every_three_seconds_for_a_minute_and_then_by_the_schedule() {
    static CALLS: Called = Called(Mutex::new(Vec::new()));
    static WEBHOOKS: Catalog = Catalog { specs: &[&CALLED], speakers: &[&CALLS], render: render::message };
    let world = World::new(WEBHOOKS).await;
    let begun = world.ports.clock.now();
    world.send().await;
    while world.turn().await {}
    world.pass(DAY, Duration::from_secs(1)).await;

    let calls = CALLS.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let after: Vec<_> = calls.iter().map(|at| at.duration_since(begun).as_secs()).collect();
    assert_eq!(after[..20], (0..20).map(|turn| turn * 3).collect::<Vec<_>>());
    let gaps: Vec<_> = after[19..].windows(2).map(|pair| (pair[1] - pair[0]).unsigned_abs()).collect();
    assert_eq!(gaps.len(), SCHEDULE.len(), "{gaps:?}");
    for (gap, wait) in gaps.into_iter().zip(SCHEDULE) {
        // spread by a fifth, and looked at every second
        assert!(gap >= wait * 8 / 10 && gap <= wait * 12 / 10 + 1, "{gap} s instead of {wait}");
    }
    assert_eq!(world.states().await, [(State::Failed, Some(Reason::ProviderError))]);
}

#[tokio::test]
async fn pushes_that_fail_for_hours_are_written_down_once_and_the_message_comes_when_they_do_not() {
    static PUSHES: Catalog = Catalog { specs: &[&OVER_CONNECTIONS], speakers: &[&OverConnections], render: render::message };
    let blocked = Arc::new(Blocked::default());
    let mut world = World::new(PUSHES).await;
    world.ports.transport.live = Arc::clone(&blocked) as _;
    let (connection, session) = (ConnectionId("c1".to_owned()), Session { account: account(), name: name("phone") });
    clients::met(&world.ports, &connection, &session).await.expect("memory does not fail");
    clients::connected(&world.ports, &connection, &session).await.expect("memory does not fail");

    world.send().await;
    while world.turn().await {}
    world.pass(Duration::from_hours(2), SOON).await;
    assert_eq!(world.rows().await[0].attempts.len(), 1);
    assert_eq!(world.rows().await[0].reason, Some(Reason::ProviderError));

    blocked.is_open.store(true, Ordering::SeqCst);
    world.pass(MINUTE, SOON).await;
    assert_eq!(world.rows().await[0].reason, Some(Reason::Unacknowledged));
    let mid = world.ports.events.list(&account(), None, None, 1).await.expect("memory does not fail")[0].event.mid;
    let acknowledged = clients::acknowledge(&world.ports, &account(), &name("phone"), mid.expect("it has a number")).await;
    assert!(acknowledged.expect("memory does not fail"));
    assert_eq!(world.rows().await[0].state, State::Confirmed);
}
