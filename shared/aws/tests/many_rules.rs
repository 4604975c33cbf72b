//! What digests ask of AWS does not depend on how many rules are not due: calls, counted on the wire of ministack.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bellhop_aws::SystemClock;
use bellhop_core::{
    Timestamp,
    digest::{Composed, compose},
    model::{Name, Schedule},
    plan::Collected,
    ports::{Clock, Kind, Ports, Record},
};
use bellhop_testkit::{CATALOG, Provider, Silent, acceptance, account, event, name, registration};
use emulated::{
    Deployment, Emulator,
    wire::{Counting, Wire},
};
use futures_util::{StreamExt, stream};
use serde_json::json;

/// How many write at the same time.
const AT_ONCE: usize = 64;

const DUE: usize = 100;

/// A clock that stands at the beginning of this minute.
struct Standing(Timestamp);

impl Standing {
    fn now() -> Self {
        let minute = 60_000;
        Self(Timestamp::from_millisecond(SystemClock.now().as_millisecond() / minute * minute).unwrap())
    }
}

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn chance(&self) -> u128 {
        SystemClock.chance()
    }
}

fn rule(number: usize) -> Name {
    name(&format!("rule-{number}"))
}

async fn schedule(ports: &Ports, number: usize, since: Timestamp, due: Timestamp) {
    let schedule = Schedule {
        account: account(),
        rule: rule(number),
        version: 1,
        since,
        due,
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    };
    assert!(ports.digests.put(&schedule).await.unwrap());
}

/// A rule with a digest that is due, and an event in it.
async fn due_rule(ports: &Ports, number: usize, due: Timestamp) {
    schedule(ports, number, due - Duration::from_mins(1), due).await;
    let batch = json!({ "at": "00:00:00", "every_seconds": 60, "time_zone": "UTC" });
    let body = json!({ "to": ["phone"], "batch": batch }).to_string();
    let record = Record { name: rule(number).to_string(), version: 1, body };
    assert!(ports.records.put(&account(), Kind::Rule, &record).await.unwrap());
    let mut acceptance = acceptance(event(&account(), due - Duration::from_secs(1), ports.clock.chance()), &[], None);
    acceptance.plan.collected = vec![Collected { rule: rule(number), due_at: due, at_once: false, for_each: false }];
    ports.ledger.accept(acceptance).await.unwrap();
}

/// What it takes to announce and to compose what is due, of so many rules.
async fn calls(rules: usize) -> BTreeMap<String, usize> {
    let deployment = Deployment::on(Emulator::shared(emulated::Kind::Ministack).await, Duration::from_mins(6)).await;
    let counting = Arc::new(Counting::default());
    let store = deployment.store(Wire::with(Arc::clone(&counting) as _), 12, Arc::new(Standing::now()));
    let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    let due = ports.clock.now();
    stream::iter(0..DUE).for_each_concurrent(AT_ONCE, |number| due_rule(&ports, number, due)).await;
    let others = stream::iter(DUE..rules);
    others.for_each_concurrent(AT_ONCE, |number| schedule(&ports, number, due, due + Duration::from_hours(24 * 300))).await;
    counting.take();

    assert_eq!(ports.agenda.announce(due, due + Duration::from_mins(6)).await.unwrap(), DUE);
    for number in 0..DUE {
        assert_eq!(compose(&ports, &account(), &rule(number)).await.unwrap(), Composed::Sent(1));
    }
    counting.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_not_due_cost_nothing() {
    let (few, many) = (calls(1_000).await, calls(10_000).await);
    assert!(few.values().sum::<usize>() > DUE, "it counts: {few:?}");
    assert_eq!(few, many);
}
