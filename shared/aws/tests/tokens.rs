//! Providers' tokens between two processes on one table.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    accept::{Wanted, accept},
    deliver::{LEASE, work},
    model::State,
    ports::{Ports, Wake},
};
use bellhop_testkit::{TOKENED, TokenProvider, account, channel, draft, registration};
use emulated::{Deployment, Emulator, Kind, wire::Wire};
use futures_util::future::join_all;

/// Two processes over one deployment, with the same provider at the far end.
async fn two_processes(provider: &Arc<TokenProvider>) -> [Ports; 2] {
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await;
    let process = |ports| Ports { channels: TOKENED, transport: provider.transport(), ..ports };
    let processes = [deployment.ports(Wire::calm()), deployment.ports(Wire::calm())].map(process);
    assert!(processes[0].registrations.put(&registration("phone")).await.unwrap());
    processes
}

async fn received(ports: &Ports, messages: usize) -> Vec<Wake> {
    for _ in 0..messages {
        accept(ports, &account(), draft("text"), Wanted::Event, None).await.unwrap();
    }
    let mut wakes = Vec::new();
    while wakes.len() < messages {
        wakes.extend(ports.queue.receive(&channel(), 10).await.unwrap());
    }
    wakes
}

/// Each process works on its half, all at once.
async fn all_are_delivered(processes: &[Ports; 2], wakes: &[Wake]) {
    let halves = wakes.iter().enumerate().map(|(at, wake)| work(&processes[at % 2], wake, LEASE));
    for done in join_all(halves).await {
        done.unwrap();
    }
    let ids: Vec<_> = wakes.iter().map(|wake| wake.job.delivery).collect();
    let rows = processes[0].deliveries.get(&account(), &ids).await.unwrap();
    assert!(rows.iter().flatten().all(|row| row.state == State::Delivered), "{rows:?}");
}

#[tokio::test]
async fn two_processes_fetch_one_token() {
    let provider = TokenProvider::new(&[], |_| false);
    let processes = two_processes(&provider).await;
    all_are_delivered(&processes, &received(&processes[0], 20).await).await;
    assert_eq!((provider.fetches(), provider.messages().len()), (1, 20));
}

#[tokio::test]
async fn two_processes_make_one_key_of_web_push() {
    let processes = two_processes(&TokenProvider::new(&[], |_| false)).await;
    let made = join_all((0..8).map(|at| processes[at % 2].vapid.key())).await;
    let made: Vec<_> = made.into_iter().map(|key| key.unwrap()).collect();
    assert!(made.iter().all(|key| *key == made[0]), "{made:?}");
}

#[tokio::test]
async fn a_token_that_is_refused_to_both_is_renewed_once() {
    let provider = TokenProvider::new(&[], |token| token == "1");
    let processes = two_processes(&provider).await;
    all_are_delivered(&processes, &received(&processes[0], 10).await).await;
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn what_is_kept_of_a_token_is_sealed() {
    let provider = TokenProvider::new(&[], |_| false);
    let deployment = Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await;
    let ports = Ports { channels: TOKENED, transport: provider.transport(), ..deployment.ports(Wire::calm()) };
    assert!(ports.registrations.put(&registration("phone")).await.unwrap());
    let wakes = received(&ports, 1).await;
    work(&ports, &wakes[0], LEASE).await.unwrap();
    let client = aws_sdk_dynamodb::Client::new(&emulated::sdk(&deployment.url, Wire::calm(), 3));
    let pk = aws_sdk_dynamodb::types::AttributeValue::S("token/probe/main".to_owned());
    let rows = client.query().table_name(&deployment.config.table).key_condition_expression("pk = :pk");
    let rows = rows.expression_attribute_values(":pk", pk).send().await.unwrap().items.unwrap();
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    let mut names: Vec<_> = row.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["expires", "mark", "pk", "sealed", "sk", "version"]);
    let sealed = String::from_utf8_lossy(row["sealed"].as_b().unwrap().as_ref()).into_owned();
    assert!(!sealed.contains("good") && !sealed.contains("until"), "{sealed}");
}
