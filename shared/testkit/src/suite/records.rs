//! What an account says or we know about it, under names.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::ports::{Kind, Ports, Record};

use super::other_account;
use crate::account;

fn record(name: &str, version: u64, body: &str) -> Record {
    Record { name: name.to_owned(), version, body: body.to_owned() }
}

async fn put(ports: &Ports, kind: Kind, record: &Record) -> bool {
    ports.records.put(&account(), kind, record).await.expect("records are saved")
}

async fn get(ports: &Ports, kind: Kind, name: &str) -> Option<Record> {
    ports.records.get(&account(), kind, name).await.expect("records are read")
}

async fn names(ports: &Ports, after: Option<&str>, most: usize) -> Vec<String> {
    let page = ports.records.list(&account(), Kind::Rule, after, most).await.expect("records are listed");
    page.into_iter().map(|record| record.name).collect()
}

pub async fn a_record_is_read_as_it_was_saved(ports: &Ports) {
    for (kind, name) in
        [(Kind::Rule, "值班"), (Kind::Source, "QD/Example/main 1"), (Kind::Counter, "ops/QD/Example"), (Kind::Use, "key_aaaa")]
    {
        let saved = record(name, 1, r#"{"a":"长"}"#);
        assert_eq!(get(ports, kind, name).await, None);
        assert!(put(ports, kind, &saved).await);
        assert_eq!(get(ports, kind, name).await, Some(saved));
    }
    assert_eq!(get(ports, Kind::Source, "值班").await, None, "kinds are apart");
    let others = ports.records.get(&other_account(), Kind::Rule, "值班").await.expect("records are read");
    assert_eq!(others, None, "accounts are apart");
}

pub async fn a_record_is_saved_over_the_version_before_alone(ports: &Ports) {
    assert!(!put(ports, Kind::Counter, &record("a", 2, "{}")).await, "there is no version 1");
    assert!(put(ports, Kind::Counter, &record("a", 1, "{}")).await);
    assert!(!put(ports, Kind::Counter, &record("a", 1, "{}")).await, "there is one already");
    assert!(put(ports, Kind::Counter, &record("a", 2, "[]")).await);
    assert_eq!(get(ports, Kind::Counter, "a").await, Some(record("a", 2, "[]")));
}

pub async fn of_two_saves_of_a_record_at_once_one_wins(ports: &Ports) {
    for version in 1..=20 {
        let saves = ["1", "2"].map(|body| {
            let ports = ports.clone();
            tokio::spawn(async move { ports.records.put(&account(), Kind::Counter, &record("a", version, body)).await })
        });
        let mut winners = 0;
        for save in saves {
            winners += u32::from(save.await.expect("no panic").expect("records are saved"));
        }
        assert_eq!(winners, 1, "version {version}");
    }
}

pub async fn all_of_a_kind_follow_the_latest_save(ports: &Ports) {
    let all = async || ports.records.all(&account(), Kind::Rule).await.expect("records are read").len();
    assert_eq!(all().await, 0);
    assert!(put(ports, Kind::Rule, &record("a", 1, "{}")).await);
    assert!(put(ports, Kind::Source, &record("b", 1, "{}")).await);
    assert_eq!(all().await, 1);
    assert!(ports.records.delete(&account(), Kind::Rule, "a").await.expect("records are deleted"));
    assert!(!ports.records.delete(&account(), Kind::Rule, "a").await.expect("records are deleted"));
    assert_eq!(all().await, 0);
    assert!(put(ports, Kind::Rule, &record("a", 1, "{}")).await, "it can be made anew");
}

pub async fn records_are_listed_by_name_page_by_page(ports: &Ports) {
    for name in ["b", "a", "c", "B"] {
        assert!(put(ports, Kind::Rule, &record(name, 1, "{}")).await);
    }
    assert_eq!(names(ports, None, 3).await, ["B", "a", "b"]);
    assert_eq!(names(ports, Some("b"), 3).await, ["c"]);
    let all = ports.records.all(&account(), Kind::Rule).await.expect("records are read");
    assert!(all.is_sorted_by(|one, other| one.name < other.name));
}
