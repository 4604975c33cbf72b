//! What comes, what comes again, and what does not.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    model::{AccountId, ChannelId},
    plan::Plan,
    ports::{Acceptance, Ports, Wake},
    transition::Claim,
};

use super::{PATIENCE, accepted, claimed, kept, nothing_comes, received, received_on, the_wake, wish};
use crate::{account, channel, event, planned};

async fn ack(ports: &Ports, wake: &Wake) {
    ports.queue.ack(wake).await.expect("the queue forgets");
}

async fn give_back(ports: &Ports, wake: &Wake, after: Duration) {
    ports.queue.give_back(wake, after).await.expect("the queue takes it back");
}

async fn dead_letters(ports: &Ports, channel: &ChannelId) -> u64 {
    let counts = ports.queue.dead_letters().await.expect("dead letters are counted");
    counts.into_iter().find(|(counted, _)| counted == channel).map_or(0, |(_, count)| count)
}

pub(super) fn of(ports: &Ports, account: &AccountId, channel: &ChannelId, registrations: &[String]) -> Acceptance {
    let deliveries = registrations.iter().map(|called| planned(called, channel)).collect();
    let event = event(account, ports.clock.now(), ports.clock.chance());
    Acceptance { key: None, event, plan: Plan { deliveries, ..Plan::default() } }
}

/// A wake-up that workers have died of: claimed on its last receive, and buried.
async fn buried(ports: &Ports) -> Wake {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    let last = Claim { last_receive: true, ..wish(ports, 7) };
    ports.ledger.claim(&wake.job, &last).await.expect("the ledger claims");
    ports.queue.bury(&wake).await.expect("the queue buries");
    wake
}

pub async fn an_empty_queue_gives_nothing(ports: &Ports) {
    nothing_comes(ports).await;
    assert_eq!(dead_letters(ports, &channel()).await, 0);
}

pub async fn no_more_is_received_than_was_asked_for(ports: &Ports) {
    let jobs = accepted(ports, &["a", "b", "c"]).await;
    let first = received_on(ports, &channel(), 2).await;
    assert!(first.len() <= 2, "{first:?}");
    let mut all: Vec<_> = first.into_iter().map(|wake| wake.job.delivery).collect();
    while all.len() < jobs.len() {
        all.extend(received(ports).await.into_iter().map(|wake| wake.job.delivery));
    }
    all.sort_unstable();
    let mut planned: Vec<_> = jobs.into_iter().map(|job| job.delivery).collect();
    planned.sort_unstable();
    assert_eq!(all, planned);
}

pub async fn channels_do_not_see_each_other(ports: &Ports) {
    let other = ChannelId::new("other");
    kept(ports, of(ports, &account(), &other, &["phone".to_owned()])).await;
    nothing_comes(ports).await;
    assert_eq!(received_on(ports, &other, 10).await.len(), 1);
}

pub async fn a_received_wake_up_does_not_come_again_by_itself(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    assert_eq!(the_wake(ports).await.receives, 1);
    nothing_comes(ports).await;
}

pub async fn what_is_given_back_comes_again(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    give_back(ports, &wake, Duration::ZERO).await;
    assert_eq!(the_wake(ports).await.job, wake.job);
}

pub async fn what_is_given_back_for_later_does_not_come_now(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    give_back(ports, &the_wake(ports).await, Duration::from_hours(1)).await;
    nothing_comes(ports).await;
}

pub async fn what_is_acknowledged_is_gone(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    ack(ports, &wake).await;
    give_back(ports, &wake, Duration::ZERO).await;
    nothing_comes(ports).await;
}

pub async fn acknowledging_twice_is_harmless(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    ack(ports, &wake).await;
    ack(ports, &wake).await;
    nothing_comes(ports).await;
}

pub async fn receives_are_counted_from_claim_to_claim(ports: &Ports) {
    accepted(ports, &["phone"]).await;
    let wake = the_wake(ports).await;
    claimed(ports, &wake.job, 7).await;
    give_back(ports, &wake, Duration::ZERO).await;
    assert_eq!((wake.receives, the_wake(ports).await.receives), (1, 2));
}

pub async fn a_buried_wake_up_is_a_dead_letter_of_its_channel(ports: &Ports) {
    buried(ports).await;
    nothing_comes(ports).await;
    assert_eq!(dead_letters(ports, &channel()).await, 1);
    assert_eq!(dead_letters(ports, &ChannelId::new("other")).await, 0);
}

pub async fn a_redriven_wake_up_counts_from_one_again(ports: &Ports) {
    let wake = buried(ports).await;
    assert_eq!(ports.queue.redrive(&ChannelId::new("other")).await.expect("the queue redrives"), 0);
    assert_eq!(ports.queue.redrive(&channel()).await.expect("the queue redrives"), 1);
    assert_eq!(dead_letters(ports, &channel()).await, 0);
    let again = the_wake(ports).await;
    assert_eq!((again.job, again.receives), (wake.job, 1));
}

pub async fn ready_tells_of_what_arrives(ports: &Ports) {
    let waiting = {
        let ports = ports.clone();
        tokio::spawn(async move { received(&ports).await })
    };
    tokio::task::yield_now().await;
    let jobs = accepted(ports, &["phone"]).await;
    let wakes = tokio::time::timeout(PATIENCE, waiting).await.expect("it is told").expect("no panic");
    assert_eq!(wakes.into_iter().map(|wake| wake.job).collect::<Vec<_>>(), jobs);
}
