//! Rules that name more than an event may reach.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    Reason, StoreError,
    accept::{Wanted, accept},
    model::{AccountId, ChannelId, Disabled, Draft, Former, Name, Registration},
    plan::Dropped,
    ports::{Freshness, Kind, Ports, Record, Registrations},
};
use bellhop_testkit::{Provider, Rig, account, name, registration};
use serde_json::{Value, json};

/// Groups of 6,000 registrations, each named after its group.
struct Crowds(Arc<dyn Registrations>);

#[async_trait]
impl Registrations for Crowds {
    async fn get(&self, account: &AccountId, name: &Name, freshness: Freshness) -> Result<Option<Arc<Registration>>, StoreError> {
        self.0.get(account, name, freshness).await
    }
    async fn in_group(&self, _: &AccountId, group: &Name) -> Result<Vec<Arc<Registration>>, StoreError> {
        Ok((0..6_000).map(|number| Arc::new(registration(&format!("{}-{number}", group.as_str())))).collect())
    }
    async fn defaults(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.0.defaults(account).await
    }
    async fn for_contacts(&self, account: &AccountId) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.0.for_contacts(account).await
    }
    async fn list(&self, account: &AccountId, after: Option<&Name>, most: usize) -> Result<Vec<Arc<Registration>>, StoreError> {
        self.0.list(account, after, most).await
    }
    async fn count(&self, account: &AccountId, channel: &ChannelId, most: usize) -> Result<usize, StoreError> {
        self.0.count(account, channel, most).await
    }

    async fn formers(&self, account: &AccountId, name: &Name) -> Result<Vec<Former>, StoreError> {
        self.0.formers(account, name).await
    }

    async fn put(&self, registration: &Registration) -> Result<bool, StoreError> {
        self.0.put(registration).await
    }
    async fn delete(&self, account: &AccountId, name: &Name) -> Result<bool, StoreError> {
        self.0.delete(account, name).await
    }
    async fn disable(&self, account: &AccountId, name: &Name, version: u64, disabled: &Disabled) -> Result<(), StoreError> {
        self.0.disable(account, name, version, disabled).await
    }
}

/// How many are told by rules to these, and who is dropped.
async fn told(rules: &[Value]) -> (usize, Vec<Dropped>) {
    let rig = Rig::new(Provider::new(&[]));
    for (number, to) in rules.iter().enumerate() {
        let rule = Record { name: format!("rule-{number}"), version: 1, body: json!({ "to": to }).to_string() };
        assert!(rig.ports.records.put(&account(), Kind::Rule, &rule).await.expect("memory does not fail"));
    }
    let ports = Ports { registrations: Arc::new(Crowds(Arc::clone(&rig.ports.registrations))), ..rig.ports.clone() };
    let answer = accept(&ports, &account(), Draft::new("all of you"), Wanted::Event, None).await.expect("it is accepted");
    (answer.deliveries.len(), answer.dropped)
}

#[tokio::test]
async fn an_event_reaches_ten_thousand_by_rules_and_says_who_was_one_too_many() {
    let (told, dropped) = told(&[json!(["group:a", "group:b"]), json!(["group:c"])]).await;
    assert_eq!(told, 10_000);
    let too_many = |recipient: &str, rule| Dropped::Recipient {
        recipient: recipient.parse().expect("a recipient"),
        rule: Some(name(rule)),
        why: Reason::TooManyRecipients,
    };
    assert_eq!(dropped, [too_many("group:b", "rule-0"), too_many("group:c", "rule-1")]);
}

#[tokio::test]
async fn who_is_named_by_several_rules_is_counted_once() {
    assert_eq!(told(&[json!(["group:a"]), json!(["group:a"])]).await, (6_000, vec![]));
}
