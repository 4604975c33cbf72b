//! Three days of hours, on each emulator: clocks go forth in Berlin, nobody looks for a while, and two look at once.

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

async fn three_days(kind: Kind) {
    let sim = Sim::new(1);
    let ports = ports(kind, &sim).await;
    // from the evening before the clock changes
    let (from, each) = (Duration::from_hours(86 * 24 + 18), Duration::from_hours(1));
    let days = Days { from, looks: 72, each, report_one_in: 3, stop_one_in: 36 };
    let played = play(&ports, &sim, days).await;
    assert!(played.reported > 15 && played.digests > 15, "{played:?}");
}

#[tokio::test]
async fn every_event_of_three_days_stands_in_one_digest_of_each_rule_on_moto() {
    three_days(Kind::Moto).await;
}

#[tokio::test]
async fn every_event_of_three_days_stands_in_one_digest_of_each_rule_on_ministack() {
    three_days(Kind::Ministack).await;
}

#[tokio::test]
async fn after_a_stop_one_digest_covers_what_was_missed_on_either_emulator() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let sim = Sim::new(1);
        after_a_stop(&ports(kind, &sim).await, &sim).await;
    }
}
