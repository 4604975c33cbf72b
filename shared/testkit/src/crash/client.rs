//! A client that gets its messages in order, with harm at every point: none is lost, and none overtakes another.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    accept::{Wanted, accept},
    channel::{Catalog, Channel, Context, Message, Params, Reply, Spec, Step},
    clients,
    deliver::work,
    model::{Account, ConnectionId, Draft, Mid, Recipient, State},
    ports::{Live, Ports, Pushed, Session, Transport},
    render,
    tick::tick,
};

use super::{Survey, Trial, Violation, World, process::Process, run::done};
use crate::{BARE, Provider, account, channel, key, name, registration};

/// Who the client is.
const NAME: &str = "phone";

/// Tries and turns that nobody needs.
const MOST: usize = 400;

/// A channel of clients, and of nobody else.
static SPEC: Spec = Spec { client: Some(|_| true), ..BARE };

struct Clients;

/// The one channel of the story.
const CATALOG: Catalog = Catalog { specs: &[&SPEC], speakers: &[&Clients], render: render::message };

impl Channel for Clients {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn soon(&self, _params: &Params, _account: &Account) -> Option<Duration> {
        Some(Duration::from_secs(3))
    }

    fn step(&self, cx: &Context, message: &Message, _params: &Params, _so_far: &[Reply]) -> Step {
        match (&cx.connection, message.event.mid) {
            (Some(connection), Some(mid)) => Step::Push(connection.clone(), format!("{mid} {}", message.body)),
            (None, _) => Step::Fail(SendError::new(Reason::NotConnected, Retry::Later, "nobody is connected")),
            (_, None) => Step::Fail(SendError::new(Reason::Bug, Retry::Never, "a message for a client has no number")),
        }
    }
}

/// What the client has heard, on which connection.
#[derive(Default)]
struct Heard(Mutex<Ear>);

#[derive(Default)]
struct Ear {
    connection: u32,
    texts: Vec<String>,
    unacknowledged: Vec<Mid>,
}

impl Heard {
    fn ear(&self) -> MutexGuard<'_, Ear> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Live for Heard {
    async fn push(&self, connection: &ConnectionId, text: &str) -> Pushed {
        let mut ear = self.ear();
        if connection.0 != ear.connection.to_string() {
            return Pushed::Gone;
        }
        let Some((mid, text)) = text.split_once(' ') else { return Pushed::Refused("no number".to_owned()) };
        ear.unacknowledged.extend(Mid::parse(mid));
        // the same number again is the same message again
        if !ear.texts.iter().any(|known| known == text) {
            ear.texts.push(text.to_owned());
        }
        Pushed::Sent
    }

    async fn close(&self, _connection: &ConnectionId) {}
}

/// Plays a client's day for every point (or pair of points …) that it passes, each time in a new world.
pub async fn every_crash_point_of_a_client<W: World>(make: impl AsyncFn() -> W, trial: Trial) -> Result<Survey, Violation> {
    super::every_point(trial, async |at| {
        let mut play = Play {
            process: Process::new(make().await, trial.harm, at, Provider::new(&[])),
            heard: Arc::default(),
            lease: trial.lease,
        };
        let played = Box::pin(play.play()).await;
        let told = play.process.told(played);
        told.map_err(|Violation(what)| Violation(format!("({:?} at {at:?}): {what}", trial.harm)))
    })
    .await
}

struct Play<W> {
    process: Process<W>,
    heard: Arc<Heard>,
    lease: Duration,
}

impl<W: World> Play<W> {
    async fn play(&mut self) -> Result<(), Violation> {
        let ports = self.process.ports().await;
        done(ports.registrations.put(&registration(NAME)).await)?;
        drop(ports);
        self.process.dying.count_from_here(true);
        self.send("1").await?;
        // no process ends and begins within a millisecond
        self.process.world.pass(Duration::from_millis(1)).await;
        self.send("2").await?;
        self.work().await;
        self.connect().await;
        self.work().await;
        self.process.world.pass(Duration::from_millis(1)).await;
        self.send("3").await?;
        // another connection takes over while a message is unacknowledged
        self.connect().await;
        self.process.world.pass(Duration::from_millis(1)).await;
        self.send("4").await?;
        for _ in 0..MOST {
            self.work().await;
            self.acknowledge().await;
            if self.is_over().await? {
                self.process.dying.count_from_here(false);
                return self.judge();
            }
            self.process.world.pass(Duration::from_secs(20)).await;
            drop(self.alive(async |ports| tick(ports, ports.clock.now()).await).await);
            // a process that died took its connections along, and the client comes again
            let is_on = self.alive(async |ports| ports.clients.connection(&account(), &name(NAME)).await).await;
            if matches!(is_on, Some(Ok(None))) {
                self.connect().await;
            }
        }
        let rows = done(self.process.ports().await.deliveries.in_state(&account(), State::Retrying, None, 10).await)?;
        Err(Violation(format!("the client waits for ever; it has heard {:?}; {rows:?}", self.heard.ear().texts)))
    }

    /// Does it in the present process, which speaks to the client.
    async fn alive<T>(&mut self, act: impl AsyncFnOnce(&Ports) -> T) -> Option<T> {
        let live = Arc::clone(&self.heard) as Arc<dyn Live>;
        self.process
            .alive(async |ports| {
                let transport = Transport { live, ..ports.transport.clone() };
                act(&Ports { transport, channels: CATALOG, ..ports.clone() }).await
            })
            .await
    }

    /// Somebody sends, and asks again until it is answered.
    async fn send(&mut self, text: &str) -> Result<(), Violation> {
        for _ in 0..MOST {
            let draft = Draft { send_to: vec![Recipient::Registration(name(NAME))], ..Draft::new(text) };
            let asked = self.alive(async |ports| {
                let key = key(text, "hash", ports.clock.now());
                accept(ports, &account(), draft, Wanted::Message, Some(key)).await
            });
            match asked.await {
                Some(Ok(_)) => return Ok(()),
                None | Some(Err(Problem { code: Code::Unavailable, .. })) => {}
                Some(Err(problem)) => return Err(Violation(format!("the request was refused: {problem}"))),
            }
        }
        Err(Violation("a request fails again and again".to_owned()))
    }

    /// The client comes on a new connection; where that fails, it comes again.
    async fn connect(&mut self) {
        for _ in 0..MOST {
            let connection = {
                let mut ear = self.heard.ear();
                ear.connection += 1;
                ear.unacknowledged.clear();
                ConnectionId(ear.connection.to_string())
            };
            let session = Session { account: account(), name: name(NAME) };
            let join = async |ports: &Ports| {
                clients::met(ports, &connection, &session).await?;
                clients::connected(ports, &connection, &session).await?;
                clients::wake(ports, &session.account, &session.name).await
            };
            if let Some(Ok(())) = self.alive(join).await {
                return;
            }
        }
    }

    /// The client says that it has what it was sent; what fails is not said again before it is sent again.
    async fn acknowledge(&mut self) {
        let unacknowledged = std::mem::take(&mut self.heard.ear().unacknowledged);
        for mid in unacknowledged {
            drop(self.alive(async |ports| clients::acknowledge(ports, &account(), &name(NAME), mid).await).await);
        }
    }

    async fn work(&mut self) {
        let lease = self.lease;
        for _ in 0..MOST {
            let received = self.alive(async |ports| ports.queue.receive(&channel(), 10).await).await;
            let wakes = received.and_then(Result::ok).unwrap_or_default();
            if wakes.is_empty() {
                return;
            }
            for wake in &wakes {
                if self.alive(async |ports| drop(work(ports, wake, lease).await)).await.is_none() {
                    break;
                }
            }
        }
    }

    async fn is_over(&mut self) -> Result<bool, Violation> {
        let ports = self.process.ports().await;
        for stored in done(ports.events.list(&account(), None, None, 100).await)? {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            for row in done(ports.deliveries.get(&account(), &ids).await)? {
                match row.map(|row| (row.state, row.reason)) {
                    Some((State::Confirmed, _)) => {}
                    Some((state @ (State::Failed | State::Dropped | State::Delivered), reason)) => {
                        return Err(Violation(format!("it ended as {}: {reason:?}", state.as_str())));
                    }
                    Some((State::Queued | State::Sending | State::Retrying, _)) | None => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    fn judge(&self) -> Result<(), Violation> {
        let heard = &self.heard.ear().texts;
        if *heard == ["1", "2", "3", "4"] { Ok(()) } else { Err(Violation(format!("the client heard {heard:?}"))) }
    }
}
