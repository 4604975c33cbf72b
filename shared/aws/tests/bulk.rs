//! Events that are accepted at the same time share the calls of SQS.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    accept::{Answer, Wanted, accept},
    model::DeliveryId,
    ports::Ports,
};
use bellhop_testkit::{account, channel, draft, registration};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Counting, Fate, Wire},
};
use futures_util::{FutureExt, future::join_all};
use tokio::sync::Notify;

const HIDDEN: Duration = Duration::from_mins(6);

async fn world(kind: Kind) -> (Ports, Arc<Counting>) {
    let counting = Arc::new(Counting::default());
    let deployment = Deployment::on(Emulator::shared(kind).await, HIDDEN).await;
    let ports = deployment.ports(Wire::with(Arc::clone(&counting) as _));
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    (ports, counting)
}

async fn accepted(ports: &Ports, number: usize) -> Answer {
    accept(ports, &account(), draft(&format!("event {number}")), Wanted::Event, None).await.unwrap()
}

fn deliveries(answers: &[Answer]) -> BTreeSet<DeliveryId> {
    answers.iter().flat_map(|answer| &answer.deliveries).map(|delivery| delivery.id).collect()
}

/// Those whose wake-ups come.
async fn woken(ports: &Ports, most: usize) -> BTreeSet<DeliveryId> {
    let mut woken = BTreeSet::new();
    let coming = async {
        while woken.len() < most {
            woken.extend(ports.queue.receive(&channel(), 10).await.unwrap().into_iter().map(|wake| wake.job.delivery));
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(20), coming).await);
    woken
}

#[tokio::test]
async fn a_bulk_of_a_hundred_events_is_sent_in_a_few_calls() {
    for kind in [Kind::Moto, Kind::Ministack] {
        let (ports, counting) = world(kind).await;
        let answers = join_all((0..100).map(|number| accepted(&ports, number))).await;
        let calls = counting.of("SendMessageBatch");
        assert!((10..=30).contains(&calls), "{calls} calls for 100 events");
        assert_eq!(woken(&ports, 100).await, deliveries(&answers));
    }
}

#[tokio::test]
async fn a_bulk_of_ten_events_needs_three_calls_at_most() {
    let (ports, counting) = world(Kind::Ministack).await;
    let answers = join_all((0..10).map(|number| accepted(&ports, number))).await;
    let calls = counting.of("SendMessageBatch");
    assert!((1..=3).contains(&calls), "{calls} calls for 10 events");
    assert_eq!(woken(&ports, 10).await, deliveries(&answers));
}

/// The first call that sends is never answered.
#[derive(Default)]
struct Stuck {
    written: AtomicUsize,
    sent: AtomicUsize,
    reached: Notify,
}

#[async_trait]
impl Fate for Stuck {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if call == "SendMessageBatch" && self.sent.fetch_add(1, Ordering::Relaxed) == 0 {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        let answer = onwards.call(request).await;
        if call == "PutItem" {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

#[tokio::test]
async fn when_the_one_that_sends_for_all_goes_away_the_others_are_queued_all_the_same() {
    // given one that sends, and gets no answer
    let stuck = Arc::new(Stuck::default());
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, HIDDEN).await;
    let ports = deployment.ports(Wire::with(Arc::clone(&stuck) as _));
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    let mut first = accepted(&ports, 0).boxed();
    tokio::select! {
        _ = &mut first => panic!("its call is never answered"),
        () = stuck.reached.notified() => {}
    }
    // and others that wait for it to send theirs
    let before = stuck.written.load(Ordering::Relaxed);
    let mut others = join_all((1..5).map(|number| accepted(&ports, number))).boxed();
    let waiting = async {
        while stuck.written.load(Ordering::Relaxed) < before + 4 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut others => panic!("nobody sends for them"),
        () = waiting => {}
    }
    // when it goes away
    drop(first);
    // then they send by themselves
    let wanted = deliveries(&others.await);
    assert_eq!(woken(&ports, wanted.len()).await, wanted);
}
