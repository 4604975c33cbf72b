//! What becomes of deliveries whose provider wants a token.

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    Reason, StoreError,
    accept::{Wanted, accept},
    deliver::{LEASE, work},
    model::{Delivery, Outcome, State},
    ports::{Ports, Tokens, Wake},
    token::{FETCH, Held, Slot, TokenKey, Wish, flights::Flights},
};
use bellhop_testkit::{Fetched, Provider, Rig, TOKENED, TokenProvider, account, channel, draft, registration};
use futures_util::future::join_all;

/// A world in which that provider stands at the far end.
struct World {
    rig: Rig,
    ports: Ports,
    provider: Arc<TokenProvider>,
}

impl World {
    async fn with(provider: Arc<TokenProvider>) -> Self {
        let rig = Rig::new(Provider::new(&[]));
        let ports = Ports { channels: TOKENED, transport: provider.transport(), ..rig.ports.clone() };
        assert!(ports.registrations.put(&registration("phone")).await.expect("memory does not fail"));
        Self { rig, ports, provider }
    }

    async fn accepted(&self, messages: usize) -> Vec<Wake> {
        for _ in 0..messages {
            accept(&self.ports, &account(), draft("text"), Wanted::Event, None).await.expect("it is accepted");
        }
        self.ports.queue.receive(&channel(), messages).await.expect("memory does not fail")
    }

    /// Works on all of them at once.
    async fn worked_on(&self, wakes: &[Wake]) -> Vec<Delivery> {
        let done = join_all(wakes.iter().map(|wake| work(&self.ports, wake, LEASE))).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let ids: Vec<_> = wakes.iter().map(|wake| wake.job.delivery).collect();
        let rows = self.ports.deliveries.get(&account(), &ids).await.expect("memory does not fail");
        rows.into_iter().map(|row| row.expect("it was claimed")).collect()
    }

    /// Sends one message.
    async fn sent(&self) -> Delivery {
        let wakes = self.accepted(1).await;
        self.worked_on(&wakes).await.remove(0)
    }

    /// Works on the next wake-up.
    async fn again(&self, after: Duration) -> Delivery {
        self.rig.sim.pass(after);
        let wakes = self.ports.queue.receive(&channel(), 1).await.expect("memory does not fail");
        self.worked_on(&wakes).await.remove(0)
    }

    /// The token of each message that came, and whether it was taken.
    fn messages(&self) -> Vec<(String, bool)> {
        self.provider.messages()
    }
}

fn came(messages: &[(&str, bool)]) -> Vec<(String, bool)> {
    messages.iter().map(|(token, taken)| ((*token).to_owned(), *taken)).collect()
}

/// What became of the last attempt, and why.
fn last(row: &Delivery) -> (State, Option<Outcome>, Option<Reason>) {
    let attempt = row.attempts.last();
    (row.state, attempt.map(|attempt| attempt.outcome), attempt.and_then(|attempt| attempt.reason))
}

const DELIVERED: (State, Option<Outcome>, Option<Reason>) = (State::Delivered, Some(Outcome::Delivered), None);

#[tokio::test]
async fn fifty_messages_at_once_fetch_one_token() {
    let world = World::with(TokenProvider::new(&[], |_| false)).await;
    let wakes = world.accepted(50).await;
    let rows = world.worked_on(&wakes).await;
    assert!(rows.len() == 50 && rows.iter().all(|row| last(row) == DELIVERED), "{rows:?}");
    assert_eq!((world.provider.fetches(), world.messages()), (1, vec![("1".to_owned(), true); 50]));
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_fetched_anew_before_the_message_goes() {
    let world = World::with(TokenProvider::new(&[], |_| false)).await;
    world.sent().await;
    world.rig.sim.pass(Duration::from_mins(114));
    world.sent().await;
    assert_eq!(world.provider.fetches(), 1);
    world.rig.sim.pass(Duration::from_mins(1));
    assert_eq!(last(&world.sent().await), DELIVERED);
    assert_eq!((world.provider.fetches(), world.messages()), (2, came(&[("1", true), ("1", true), ("2", true)])));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_message_is_sent_with_the_new_one() {
    let world = World::with(TokenProvider::new(&[], |token| token == "1")).await;
    let row = world.sent().await;
    assert_eq!((last(&row), row.attempts.len()), (DELIVERED, 1), "one attempt");
    assert_eq!((world.provider.fetches(), world.messages()), (2, came(&[("1", false), ("2", true)])));
    world.sent().await;
    assert_eq!((world.provider.fetches(), world.messages().len()), (2, 3), "the new one is kept");
}

#[tokio::test]
async fn a_token_that_is_refused_to_fifty_is_renewed_once() {
    let world = World::with(TokenProvider::new(&[], |token| token == "1")).await;
    let wakes = world.accepted(50).await;
    let rows = world.worked_on(&wakes).await;
    assert!(rows.iter().all(|row| last(row) == DELIVERED), "{rows:?}");
    assert_eq!(world.provider.fetches(), 2);
}

#[tokio::test]
async fn where_the_new_token_is_refused_as_well_the_delivery_fails_for_good() {
    let world = World::with(TokenProvider::new(&[], |_| true)).await;
    let row = world.sent().await;
    assert_eq!(last(&row), (State::Failed, Some(Outcome::Failed), Some(Reason::Unauthorized)));
    assert_eq!(world.messages(), came(&[("1", false), ("2", false)]));
}

#[tokio::test]
async fn a_fetch_that_fails_is_tried_again_as_a_delivery_is_and_nothing_is_unknown() {
    let world = World::with(TokenProvider::new(&[Fetched::Lost], |_| false)).await;
    let row = world.sent().await;
    assert_eq!(last(&row), (State::Retrying, Some(Outcome::Retry), Some(Reason::Timeout)));
    assert_eq!(world.messages(), []);
    let row = world.again(Duration::from_secs(10)).await;
    assert_eq!((last(&row), world.messages()), (DELIVERED, came(&[("1", true)])));
}

#[tokio::test]
async fn a_thousand_messages_with_a_wrong_secret_ask_once_a_minute() {
    let world = World::with(TokenProvider::new(&[Fetched::Refused, Fetched::Refused], |_| false)).await;
    let wakes = world.accepted(1000).await;
    let rows = world.worked_on(&wakes).await;
    let refused = (State::Failed, Some(Outcome::Failed), Some(Reason::Unauthorized));
    assert!(rows.len() == 1000 && rows.iter().all(|row| last(row) == refused));
    world.sent().await;
    assert_eq!((world.provider.fetches(), world.messages()), (1, vec![]));
    world.rig.sim.pass(Duration::from_mins(1));
    world.sent().await;
    assert_eq!(world.provider.fetches(), 2);
}

#[tokio::test]
async fn another_process_sends_with_the_token_that_the_first_has_fetched() {
    let world = World::with(TokenProvider::new(&[], |_| false)).await;
    world.sent().await;
    let other = World { ports: Ports { flights: Flights::default(), ..world.ports.clone() }, ..world };
    assert_eq!(last(&other.sent().await), DELIVERED);
    assert_eq!(other.provider.fetches(), 1);
}

/// A store in which somebody else has taken the right to fetch, and died.
struct TakenBefore(Arc<dyn Tokens>);

#[async_trait::async_trait]
impl Tokens for TakenBefore {
    async fn ask(&self, key: &TokenKey, wish: &Wish) -> Result<Held, StoreError> {
        self.0.ask(key, &Wish { by: 0, ..wish.clone() }).await?;
        self.0.ask(key, wish).await
    }

    async fn put(&self, key: &TokenKey, by: u128, slot: &Slot) -> Result<(), StoreError> {
        self.0.put(key, by, slot).await
    }

    async fn changed(&self, key: &TokenKey) {
        self.0.changed(key).await;
    }
}

#[tokio::test]
async fn who_meets_a_fetch_of_another_process_that_does_not_end_comes_again_when_its_right_is_over() {
    let world = World::with(TokenProvider::new(&[], |_| false)).await;
    let tokens = Arc::new(TakenBefore(Arc::clone(&world.ports.tokens)));
    let waiting = World { ports: Ports { tokens, ..world.ports.clone() }, ..world };
    let row = waiting.sent().await;
    assert_eq!(last(&row), (State::Retrying, Some(Outcome::Retry), Some(Reason::TokenPending)));
    assert_eq!(waiting.provider.fetches(), 0);

    let tokens = Arc::clone(&waiting.rig.ports.tokens);
    let living = World { ports: Ports { tokens, ..waiting.ports.clone() }, ..waiting };
    let row = living.again(FETCH + FETCH / 5).await;
    assert_eq!((last(&row), living.provider.fetches()), (DELIVERED, 1));
}
