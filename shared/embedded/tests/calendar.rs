//! Six weeks of minutes, on real files: clocks go forth in New York and in Berlin, and back on Lord Howe Island.

use std::{sync::Arc, time::Duration};

use bellhop_embedded::{Durability, Options, Store};
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim,
    calendar::{Days, after_a_stop, play},
};

#[tokio::test]
async fn every_event_of_six_weeks_stands_in_one_digest_of_each_rule_and_none_is_late_while_somebody_looks() {
    let (dir, sim) = (tempfile::tempdir().unwrap(), Sim::new(1));
    let store = Store::open(dir.path(), Options { durability: Durability::None }, Arc::clone(&sim) as _).unwrap();
    let ports = store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
    // from the first of March
    let (from, each) = (Duration::from_hours(59 * 24), Duration::from_mins(1));
    let weeks = Days { from, looks: 6 * 7 * 24 * 60, each, report_one_in: 60, stop_one_in: 5_000, tick_one_in: 1_000 };
    let played = play(&ports, &sim, weeks).await;
    assert!(played.reported > 800 && played.digests > 200 && played.runs > 2_000, "{played:?}");
}

#[tokio::test]
async fn after_a_stop_one_digest_covers_what_was_missed_and_says_so() {
    let (dir, sim) = (tempfile::tempdir().unwrap(), Sim::new(1));
    let store = Store::open(dir.path(), Options { durability: Durability::None }, Arc::clone(&sim) as _).unwrap();
    after_a_stop(&store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG), &sim).await;
}
