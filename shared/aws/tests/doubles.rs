//! Messages come twice, to several workers at once, over a wire that throttles, breaks and loses answers: nothing is lost,
//! and no two workers ever send one delivery at the same time.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    accept::{Wanted, accept},
    channel::{Outgoing, Reply},
    deliver::{LEASE, work},
    model::{DeliveryId, Recipient},
    ports::{Http, Ports, Transport, TransportError},
    tick::tick,
};
use bellhop_testkit::{Answer, CATALOG, Provider, Silent, Sim, account, channel, crash::judge, draft, key, name, registration};
use emulated::{Deployment, Emulator, Kind, rough::Rough, wire::Wire};
use futures_util::future::join_all;

const WORKERS: usize = 3;
const EVENTS: usize = 4;
const NAMES: [&str; 2] = ["phone", "desk"];

/// How long a received message stays hidden.
const HIDDEN: Duration = Duration::from_mins(2);

/// How much time passes when nobody has anything to do: less than a tick looks ahead.
const STEP: Duration = Duration::from_mins(4);

/// So many steps without a message are longer than leases, retries and messages keep others away.
const QUIET: usize = 6;

/// Turns that nobody needs.
const MOST_TURNS: usize = 400;

/// A provider that takes its time, and sees who sends what another is sending.
struct Receiver {
    provider: Arc<Provider>,
    under_way: Mutex<HashSet<DeliveryId>>,
    at_once: AtomicUsize,
}

#[async_trait]
impl Http for Receiver {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let delivery = outgoing.headers.iter().find_map(|(_, value)| value.parse::<DeliveryId>().ok()).unwrap();
        if !self.under_way.lock().unwrap().insert(delivery) {
            self.at_once.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.under_way.lock().unwrap().remove(&delivery);
        self.provider.call(outgoing).await
    }
}

/// A world with several workers in it, each a process of its own.
struct Crowd {
    emulator: Emulator,
    sim: Arc<Sim>,
    workers: Vec<Ports>,
    /// Who looks afterwards, over a wire without faults: what the workers' clients may still repeat is not its concern.
    witness: Ports,
    rough: Arc<Rough>,
    receiver: Arc<Receiver>,
}

impl Crowd {
    async fn on(kind: Kind) -> Self {
        let emulator = Emulator::with_its_own_time(kind).await;
        let deployment = Deployment::on(&emulator, HIDDEN).await;
        let sim = Sim::new(3);
        let rough = Arc::new(Rough::new(3, true));
        let wire = Wire::with(Arc::clone(&rough) as _);
        let script = [Answer::Status(503), Answer::TimesOut, Answer::Taken];
        let (provider, under_way, at_once) = (Provider::new(&script), Mutex::default(), AtomicUsize::default());
        let receiver = Arc::new(Receiver { provider, under_way, at_once });
        let over = |wire: &Arc<Wire>| {
            let store = deployment.store(Arc::clone(wire), 12, Arc::clone(&sim) as _);
            let transport = Transport { http: Arc::clone(&receiver) as _, ..Arc::clone(&receiver.provider).into() };
            store.ports(transport, Arc::new(Silent), CATALOG)
        };
        let (workers, witness) = ((0..WORKERS).map(|_| over(&wire)).collect(), over(&Wire::calm()));
        Self { emulator, sim, workers, witness, rough, receiver }
    }

    /// Every event comes in twice at the same time, under one key: its client has lost patience.
    async fn accept(&self) {
        for called in NAMES {
            assert!(self.witness.registrations.put(&registration(called)).await.unwrap());
        }
        let requests = (0..2 * EVENTS).map(async |number| {
            let send_to = NAMES.map(|called| Recipient::Registration(name(called))).to_vec();
            let word = format!("k{}", number / 2);
            let ports = &self.workers[number % WORKERS];
            let key = || Some(key(&word, "hash", self.sim_now()));
            let draft = bellhop_core::model::Draft { send_to, ..draft("text") };
            while accept(ports, &account(), draft.clone(), Wanted::Event, key()).await.is_err() {}
        });
        join_all(requests).await;
    }

    fn sim_now(&self) -> bellhop_core::Timestamp {
        self.workers[0].clock.now()
    }

    /// Everybody works at once, until nothing has come for long.
    async fn work(&self) {
        let (began, clock, mut skipped) = (self.sim_now(), tokio::time::Instant::now(), Duration::ZERO);
        let mut quiet = 0;
        for _ in 0..MOST_TURNS {
            // the workers' time goes on with the emulator's: a message that comes when it should must not come too early
            self.sim.set(began + skipped + clock.elapsed());
            let turns = self.workers.iter().map(async |ports| {
                let wakes = ports.queue.receive(&channel(), 10).await.unwrap_or_default();
                // what fails here comes again by itself
                join_all(wakes.iter().map(|wake| work(ports, wake, LEASE))).await.len()
            });
            let worked: usize = join_all(turns).await.into_iter().sum();
            quiet = if worked == 0 { quiet + 1 } else { 0 };
            if quiet > QUIET {
                return;
            }
            if worked == 0 {
                // a tick that fails is made up for by the next
                drop(tick(&self.workers[0], self.sim_now()).await);
                skipped += STEP;
                self.emulator.is_ahead(skipped.as_secs_f64());
            }
        }
        panic!("wake-ups come again and again without an end");
    }

    async fn judge(&self) {
        let ports = &self.witness;
        let kept = ports.events.list(&account(), None, None, 1_000).await.unwrap();
        assert_eq!(kept.len(), EVENTS);
        for stored in kept {
            let ids: Vec<_> = stored.plan.deliveries.iter().map(|planned| planned.id(stored.event.id)).collect();
            assert_eq!(ids.len(), NAMES.len());
            for row in ports.deliveries.get(&account(), &ids).await.unwrap() {
                let row = row.expect("what was accepted was tried");
                let judged = judge(&row, &self.receiver.provider.answers(row.id), 1);
                judged.unwrap_or_else(|violation| panic!("{}", violation.0));
            }
        }
    }
}

async fn nothing_is_lost_or_claimed_twice(kind: Kind) {
    let crowd = Crowd::on(kind).await;
    crowd.accept().await;
    crowd.work().await;
    crowd.judge().await;
    assert_eq!(crowd.receiver.at_once.load(Ordering::Relaxed), 0, "two workers sent one delivery at the same time");
    assert!(crowd.rough.copies() > 10, "{} copies are no trial", crowd.rough.copies());
}

#[tokio::test]
async fn what_comes_twice_on_moto_is_neither_lost_nor_claimed_twice_at_a_time() {
    nothing_is_lost_or_claimed_twice(Kind::Moto).await;
}

#[tokio::test]
async fn what_comes_twice_on_ministack_is_neither_lost_nor_claimed_twice_at_a_time() {
    nothing_is_lost_or_claimed_twice(Kind::Ministack).await;
}
