//! How digests that are due come to whoever composes: pages with their delays, and what becomes of those that are lost. And
//! entries that come late.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    StoreError, Timestamp,
    model::{Because, Entry, EventId, Frozen, Schedule},
    plan::Collected,
    ports::{Accepted, Clock, Due, Matter, Ports},
    tick::AHEAD,
};
use bellhop_testkit::{CATALOG, Provider, Silent, Sim, acceptance, account, event, key, name};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire, body_of},
};
use futures_util::future::join_all;

const MINUTE: Duration = Duration::from_mins(1);

/// Remembers what was sent to the queue of pages, and fails what it is told to.
#[derive(Default)]
struct Watching {
    pages: Mutex<Vec<(u64, Vec<Due>)>>,
    /// Of these calls so many come through, and so many after them do not.
    fails: Mutex<(&'static str, usize, usize)>,
}

impl Watching {
    /// The pages since the last look, with their delays in seconds.
    fn pages(&self) -> Vec<(u64, Vec<Due>)> {
        let mut pages = std::mem::take(&mut *self.pages.lock().unwrap());
        pages.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        pages
    }

    /// Of these calls, the first ones come through, and so many after them do not.
    fn fail(&self, call: &'static str, first: usize, times: usize) {
        *self.fails.lock().unwrap() = (call, first, times);
    }

    fn fails(&self, call: &str) -> bool {
        match &mut *self.fails.lock().unwrap() {
            (named, 0, times) if *named == call && *times > 0 => {
                *times -= 1;
                true
            }
            (named, first, _) if *named == call && *first > 0 => {
                *first -= 1;
                false
            }
            _ => false,
        }
    }
}

#[async_trait]
impl Fate for Watching {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if self.fails(call) {
            return Err(ConnectorError::io(Box::new(std::io::Error::other("as the test wants it"))));
        }
        if call == "SendMessageBatch" && body_of(&request)["QueueUrl"].as_str().unwrap().ends_with("batch") {
            for entry in body_of(&request)["Entries"].as_array().unwrap() {
                let page = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
                self.pages.lock().unwrap().push((entry["DelaySeconds"].as_u64().unwrap(), page));
            }
        }
        onwards.call(request).await
    }
}

struct World {
    ports: Ports,
    sim: Arc<Sim>,
    watching: Arc<Watching>,
    /// The beginning of a minute that is out of every tick's reach.
    noon: Timestamp,
}

impl World {
    async fn on(kind: Kind) -> Self {
        let deployment = Deployment::on(Emulator::shared(kind).await, Duration::from_mins(6)).await;
        let (sim, watching) = (Sim::new(1), Arc::new(Watching::default()));
        let store = deployment.store(Wire::with(Arc::clone(&watching) as _), 1, Arc::clone(&sim) as _);
        let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
        let hour = sim.now().as_second() / 3_600 + 2;
        Self { ports, sim, watching, noon: Timestamp::from_second(hour * 3_600).unwrap() }
    }

    /// A schedule that is due then.
    async fn due(&self, rule: &str, at: Timestamp) -> Due {
        assert!(self.ports.digests.put(&schedule(rule, at)).await.unwrap());
        Due { at, account: account(), matter: Matter::Rule(name(rule)) }
    }

    /// Ticks at that time; answers how many were announced.
    async fn tick(&self, at: Timestamp) -> usize {
        self.sim.set(at);
        self.ports.agenda.announce(at, at + AHEAD).await.unwrap()
    }

    /// Moves a schedule on, as composing does.
    async fn done(&self, due: &Due) {
        let Matter::Rule(rule) = &due.matter else { panic!("{due:?} is no rule's") };
        let there = self.ports.digests.get(&due.account, rule).await.unwrap().unwrap();
        let moved = Schedule { due: due.at + Duration::from_hours(24), version: there.version + 1, ..there };
        assert!(self.ports.digests.put(&moved).await.unwrap());
    }
}

fn schedule(rule: &str, due: Timestamp) -> Schedule {
    Schedule {
        account: account(),
        rule: name(rule),
        version: 1,
        since: due - Duration::from_hours(1),
        due,
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    }
}

fn sorted(mut due: Vec<Due>) -> Vec<Due> {
    due.sort();
    due
}

#[tokio::test]
async fn what_is_due_is_announced_once_with_the_delay_of_its_second() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let world = World::on(kind).await;
        let noon = world.noon;
        let first = world.due("first", noon).await;
        let same = world.due("same", noon).await;
        let second = world.due("second", noon + Duration::from_millis(1)).await;
        let late = world.due("late", noon + Duration::from_mins(30)).await;
        assert_eq!(world.watching.pages(), [], "a tick will announce them");

        assert_eq!(world.tick(noon - Duration::from_mins(7)).await, 0, "its minute is not yet within reach");
        assert_eq!(world.tick(noon - Duration::from_mins(5)).await, 3);
        assert_eq!(world.watching.pages(), [(300, sorted(vec![first, same])), (301, vec![second])]);
        for minutes in [4, 3, 2, 1] {
            assert_eq!(world.tick(noon - minutes * MINUTE).await, 0, "once is enough");
        }
        assert_eq!(
            world.tick(noon + Duration::from_mins(25)).await,
            4,
            "the first are still there, and the last has come within reach"
        );
        let pages = world.watching.pages();
        assert!(pages.contains(&(300, vec![late])), "{pages:?}");
    }
}

#[tokio::test]
async fn many_that_are_due_at_once_are_announced_in_pages_of_two_hundred() {
    let world = World::on(Kind::Ministack).await;
    let names: Vec<_> = (0..450).map(|number| format!("rule-{number}")).collect();
    let due = join_all(names.iter().map(|rule| world.due(rule, world.noon))).await;
    assert_eq!(world.tick(world.noon - Duration::from_mins(5)).await, 450);
    let pages = world.watching.pages();
    let mut sizes: Vec<_> = pages.iter().map(|(_, page)| page.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 200, 200]);
    assert_eq!(sorted(pages.into_iter().flat_map(|(_, page)| page).collect()), sorted(due));
}

#[tokio::test]
async fn whoever_saves_what_is_due_soon_announces_it_himself() {
    let world = World::on(Kind::Moto).await;
    let soon = world.due("soon", world.sim.now() + Duration::from_secs(90)).await;
    assert_eq!(world.watching.pages(), [(90, vec![soon.clone()])]);
    let there = world.ports.digests.get(&account(), &name("soon")).await.unwrap().unwrap();
    let same = Schedule { version: 2, flush: Some(world.sim.now()), ..there };
    assert!(world.ports.digests.put(&same).await.unwrap());
    assert_eq!(world.watching.pages(), [], "it is due when it was");
}

#[tokio::test]
async fn what_was_announced_and_not_composed_is_announced_again_three_minutes_after_its_minute() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let world = World::on(kind).await;
        let (lost, composed) = (world.due("lost", world.noon).await, world.due("composed", world.noon).await);
        assert_eq!(world.tick(world.noon - Duration::from_mins(5)).await, 2);
        world.sim.set(world.noon);
        world.done(&composed).await;
        world.watching.pages();

        assert_eq!(world.tick(world.noon + Duration::from_mins(3)).await, 0, "the minute is over for two minutes");
        assert_eq!(world.tick(world.noon + Duration::from_mins(4)).await, 1);
        assert_eq!(world.watching.pages(), [(0, vec![lost.clone()])]);
        assert_eq!(world.tick(world.noon + Duration::from_mins(5)).await, 0);
        assert_eq!(world.tick(world.noon + Duration::from_mins(7)).await, 1, "and again");

        world.done(&lost).await;
        for minutes in [11, 22, 40] {
            assert_eq!(world.tick(world.noon + Duration::from_mins(minutes)).await, 0);
        }
    }
}

#[tokio::test]
async fn a_tick_that_died_half_way_is_made_up_for_by_the_next() {
    let world = World::on(Kind::Ministack).await;
    let due = world.due("daily", world.noon).await;
    let at = world.noon - Duration::from_mins(5);
    world.sim.set(at);
    // a refused message is sent three times
    for (call, times) in [("SendMessageBatch", 3), ("PutItem", 1)] {
        world.watching.fail(call, 0, times);
        assert!(world.ports.agenda.announce(at, at + AHEAD).await.is_err(), "{call}");
    }
    world.watching.pages();
    assert_eq!(world.tick(world.noon - Duration::from_mins(4)).await, 1);
    assert_eq!(world.watching.pages(), [(240, vec![due])]);
}

#[tokio::test]
async fn a_schedule_that_could_not_be_saved_is_due_when_it_was() {
    let world = World::on(Kind::Ministack).await;
    let due = world.due("daily", world.noon).await;
    let later = Schedule { due: world.noon + MINUTE, version: 2, ..schedule("daily", world.noon) };
    world.watching.fail("TransactWriteItems", 0, 1);
    assert!(world.ports.digests.put(&later).await.is_err());
    let until = world.noon + Duration::from_hours(1);
    assert_eq!(world.ports.agenda.due(until, None, 10).await.unwrap(), [due]);
    assert!(world.ports.digests.put(&later).await.unwrap());
    let due = world.ports.agenda.due(until, None, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.at).collect::<Vec<_>>(), [later.due], "and never twice");
}

/// Reports an event under a key that is always the same.
async fn report(world: &World, began: Timestamp) -> Result<Accepted, StoreError> {
    let key = key("once", "hash", began + Duration::from_hours(1));
    let mut report = acceptance(event(&account(), world.sim.now(), world.sim.chance()), &[], Some(key));
    report.plan.collected =
        vec![Collected { rule: name("daily"), due_at: Timestamp::UNIX_EPOCH, at_once: false, for_each: false }];
    world.ports.ledger.accept(report).await
}

async fn entries(world: &World, schedule: &Schedule) -> Vec<(EventId, Timestamp)> {
    let mut entries = Vec::new();
    let mut visit = |entry: Entry| entries.push((entry.event, entry.at));
    world.ports.digests.collected(schedule, Timestamp::UNIX_EPOCH, &mut visit).await.unwrap();
    entries
}

/// Reports an event so that only the first so many rows are written; five minutes later, behind a digest that ended in
/// between, the client asks again, and once more. Answers what stands in that digest and behind it, and the event.
async fn taken_up_again(kind: Kind, written: usize) -> ([Vec<(EventId, Timestamp)>; 2], EventId, Timestamp) {
    let world = World::on(kind).await;
    let began = world.sim.now();
    let first = Schedule { since: began - MINUTE, ..schedule("daily", world.noon) };
    assert!(world.ports.digests.put(&first).await.unwrap());
    world.watching.fail("PutItem", written, 1);
    assert!(report(&world, began).await.is_err());
    world.sim.pass(Duration::from_mins(5));
    let until = began + MINUTE;
    let frozen = Frozen { since: first.since, until, intervals: 1, because: Because::Due, rule: None };
    let frozen = Schedule { frozen: Some(frozen), number: 1, version: 2, ..first };
    assert!(world.ports.digests.freeze(&frozen).await.unwrap());

    let Accepted::New(id) = report(&world, began).await.unwrap() else { panic!("it was not kept before") };
    world.sim.pass(MINUTE);
    assert!(matches!(report(&world, began).await.unwrap(), Accepted::Same(_)));

    let told = entries(&world, &frozen).await;
    let behind = Schedule { frozen: None, since: until, version: 3, ..frozen };
    assert!(world.ports.digests.put(&behind).await.unwrap());
    ([told, entries(&world, &behind).await], id, began)
}

#[tokio::test]
async fn an_event_whose_first_try_died_long_ago_stands_where_no_digest_has_been() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let (stands, id, began) = taken_up_again(kind, 1).await;
        assert_eq!(stands, [vec![], vec![(id, began + Duration::from_mins(5))]]);
    }
}

#[tokio::test]
async fn an_event_that_was_collected_before_its_first_try_died_stands_at_its_own_time() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let (stands, id, began) = taken_up_again(kind, 2).await;
        assert_eq!(stands, [vec![(id, began)], vec![]]);
    }
}
