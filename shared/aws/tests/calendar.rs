//! A day of hours, on each emulator: clocks go forth in Berlin, nobody looks for a while, and two look at once.

mod emulated;

use std::{sync::Arc, time::Duration};

use bellhop_core::ports::Ports;
use bellhop_testkit::{
    CATALOG, Provider, Silent, Sim,
    calendar::{Days, after_a_stop, play},
};
use emulated::{Deployment, Emulator, Kind, wire::Wire};

async fn ports(kind: Kind, sim: &Arc<Sim>) -> Ports {
    let deployment = Deployment::on(Emulator::shared(kind).await, Duration::from_mins(6)).await;
    let store = deployment.store(Wire::calm(), 1, Arc::clone(sim) as _);
    store.ports(Provider::new(&[]), Arc::new(Silent), CATALOG)
}

async fn a_day(kind: Kind) {
    let sim = Sim::new(1);
    let ports = ports(kind, &sim).await;
    // from the evening before the clock changes
    let (from, each) = (Duration::from_hours(86 * 24 + 18), Duration::from_hours(1));
    let days = Days { from, looks: 20, each, report_one_in: 2, stop_one_in: 12, tick_one_in: 1 };
    let played = play(&ports, &sim, days).await;
    assert!(played.reported >= 8 && played.digests >= 10 && played.runs >= 30, "{played:?}");
}

#[tokio::test]
async fn every_event_of_a_day_stands_in_one_digest_of_each_rule_on_moto() {
    a_day(Kind::Moto).await;
}

#[tokio::test]
async fn every_event_of_a_day_stands_in_one_digest_of_each_rule_on_ministack() {
    a_day(Kind::Ministack).await;
}

#[tokio::test]
async fn after_a_stop_one_digest_covers_what_was_missed_on_either_emulator() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let sim = Sim::new(1);
        after_a_stop(&ports(kind, &sim).await, &sim).await;
    }
}
