//! A year of minutes, on memory: clocks go forth and back in both halves of the world.

use std::time::Duration;

use bellhop_testkit::{
    Provider, Rig,
    calendar::{Days, after_a_stop, play},
};

#[tokio::test]
async fn every_event_of_a_year_stands_in_one_digest_and_every_run_of_a_task_is_made_once_at_its_time() {
    let rig = Rig::new(Provider::new(&[]));
    let (from, each) = (Duration::ZERO, Duration::from_mins(1));
    let year = Days { from, looks: 365 * 24 * 60, each, report_one_in: 150, stop_one_in: 20_000, tick_one_in: 1_000 };
    let played = play(&rig.ports, &rig.sim, year).await;
    assert!(played.reported > 3_000 && played.digests > 2_000 && played.runs > 15_000, "{played:?}");
}

#[tokio::test]
async fn after_a_stop_one_digest_covers_what_was_missed_and_says_so() {
    let rig = Rig::new(Provider::new(&[]));
    after_a_stop(&rig.ports, &rig.sim).await;
}
