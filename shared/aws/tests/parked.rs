//! Parked wake-ups that their queue refuses, or that nobody can read, keep no others waiting; nor does what is due.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use bellhop_aws::SystemClock;
use bellhop_core::{
    model::{CatchUp, ChannelId, EventId, Job, TaskName, When},
    ports::{Clock, Ports},
    task::{self, Wish},
};
use bellhop_testkit::{account, channel, draft, planned, registration};
use emulated::{Deployment, Emulator, Kind, sdk, wire::Wire};

const HIDDEN: Duration = Duration::from_mins(6);

async fn parked(ports: &Ports, text: &str, channel: &ChannelId, minutes: u64) -> Job {
    let now = SystemClock.now();
    let event = Arc::new(draft(text).into_event(EventId::new(now, SystemClock.chance()), account(), now));
    let job = planned("phone", channel).job(&event);
    ports.ledger.arm(&job, now + Duration::from_mins(minutes), now).await.unwrap();
    job
}

/// Ticks one wake-up at a time, as far ahead as these minutes.
async fn tick(ports: &Ports, minutes: u64, times: usize) {
    let now = SystemClock.now();
    for _ in 0..times {
        // as if the time had come: a message is delayed for what is left, and that is nothing
        let then = now + Duration::from_mins(minutes);
        ports.ledger.advance(then, then, 1).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_queue_refuses_does_not_stand_before_what_others_take() {
    for kind in [Kind::Moto, Kind::Ministack] {
        // given three wake-ups for a channel that has no queue any more, and a later one that is good
        let deployment = Deployment::on(Emulator::shared(kind).await, HIDDEN).await;
        let ports = deployment.ports(Wire::calm());
        for number in 0..3 {
            parked(&ports, &format!("{number}"), &ChannelId::new("removed"), 16).await;
        }
        let good = parked(&ports, "good", &channel(), 18).await;

        // when the time has come
        tick(&ports, 20, 4).await;

        // then the good one is queued, and the others are still there for the next tick
        let wakes = ports.queue.receive(&channel(), 10).await.unwrap();
        assert_eq!(wakes.iter().map(|wake| wake.job.delivery).collect::<Vec<_>>(), [good.delivery]);
        let then = SystemClock.now() + Duration::from_mins(30);
        assert_eq!(ports.ledger.advance(then, then, 10).await.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_text_that_sqs_does_not_take_as_it_is_comes_through() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let deployment = Deployment::on(Emulator::shared(kind).await, HIDDEN).await;
        let ports = deployment.ports(Wire::calm());
        let job = parked(&ports, "a\u{fffe}b\u{ffff}", &channel(), 16).await;
        tick(&ports, 20, 1).await;
        let wakes = ports.queue.receive(&channel(), 10).await.unwrap();
        assert_eq!(wakes.iter().map(|wake| wake.job.clone()).collect::<Vec<_>>(), [job]);
    }
}

#[tokio::test]
async fn what_is_due_and_cannot_be_read_keeps_nothing_else_from_being_announced() {
    for kind in [Kind::Moto, Kind::Ministack] {
        // given a task, and something that a newer version has put beside it
        let deployment = Deployment::on(Emulator::shared(kind).await, HIDDEN).await;
        let ports = deployment.ports(Wire::calm());
        assert!(ports.registrations.put(&registration("phone")).await.unwrap());
        let at = SystemClock.now() + Duration::from_mins(20);
        let schedule = When::At { at };
        let name = TaskName::parse("reminder").unwrap();
        let wish = Wish { name, message: draft("pay"), params: None, schedule, max_runs: None, catch_up: CatchUp::One };
        let task = task::make(&ports, &account(), wish, None).await.unwrap();
        let sdk = sdk(&deployment.url, Wire::calm(), 3);
        let table = aws_sdk_dynamodb::Client::new(&sdk);
        let rows = table.scan().table_name(&deployment.config.table).send().await.unwrap().items.unwrap();
        let is_due = |pk: &&AttributeValue| pk.as_s().is_ok_and(|pk| pk.starts_with("composing/"));
        let beside = rows.iter().map(|row| &row["pk"]).find(is_due).unwrap().clone();
        let strange = AttributeValue::S("0/of-another/kind/that-nobody-knows".to_owned());
        table.put_item().table_name(&deployment.config.table).item("pk", beside).item("sk", strange).send().await.unwrap();

        // when its time has come
        ports.agenda.announce(at, at + Duration::from_mins(2)).await.unwrap();

        // then it is announced
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        let queue = format!("{}batch", deployment.config.queue_url_prefix);
        let received = sqs.receive_message().queue_url(queue).wait_time_seconds(5).send().await.unwrap();
        let bodies: Vec<_> = received.messages().iter().filter_map(|message| message.body()).collect();
        assert!(matches!(&bodies[..], [body] if body.contains(&task.id.to_string())), "{bodies:?}");
    }
}
