//! What rules count, by whatever processes.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::collections::BTreeSet;

use bellhop_core::{
    accept::{Answer, Wanted, accept},
    model::{Draft, RunResult},
    plan::Dropped,
    ports::{Kind, Ports, Record},
    rules::turns::Turns,
};

use crate::account;

/// A rule that says of each of so many failures in a row which one it is.
async fn save_rule(ports: &Ports) {
    let body = r#"{"to": ["phone"], "after_failures": 100}"#.to_owned();
    let rule = Record { name: "ops".to_owned(), version: 1, body };
    assert!(ports.records.put(&account(), Kind::Rule, &rule).await.expect("records are saved"));
}

async fn failed(ports: Ports) -> Answer {
    let failure = Draft { result: Some(RunResult::Failure), ..Draft::new("no") };
    accept(&ports, &account(), failure, Wanted::Event, None).await.expect("it is accepted")
}

/// Which failure in a row it was by the rule's word, and whether that is certain.
fn told(answer: &Answer) -> (Option<u32>, bool) {
    match &answer.dropped[..] {
        [Dropped::Rule { count, count_approximate, .. }] => (*count, !count_approximate),
        other => panic!("the rule did not wait: {other:?}"),
    }
}

/// Counts 32 failures at the same moment, by so many processes, and answers what each was.
async fn counted(ports: &Ports, processes: usize) -> BTreeSet<(Option<u32>, bool)> {
    save_rule(ports).await;
    // what processes do not share is whose turn it is
    let processes: Vec<_> = (0..processes).map(|_| Ports { turns: Turns::default(), ..ports.clone() }).collect();
    let writers: Vec<_> = processes.iter().cycle().take(32).map(|ports| tokio::spawn(failed(ports.clone()))).collect();
    let mut counts = BTreeSet::new();
    for writer in writers {
        counts.insert(told(&writer.await.expect("no panic")));
    }
    counts
}

fn each_once() -> BTreeSet<(Option<u32>, bool)> {
    (1..=32).map(|count| (Some(count), true)).collect()
}

pub async fn thirty_two_failures_at_once_are_counted_exactly(ports: &Ports) {
    assert_eq!(counted(ports, 1).await, each_once());
}

pub async fn failures_at_once_in_four_processes_are_counted_exactly(ports: &Ports) {
    assert_eq!(counted(ports, 4).await, each_once());
}
