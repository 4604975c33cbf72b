//! What registrations had for parameters before.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::{
    Timestamp,
    model::{AccountId, ChannelId, Registration},
    ports::{Freshness, Ports},
};

use super::other_account;
use crate::{account, name, registration};

async fn put(ports: &Ports, registration: &Registration) -> bool {
    ports.registrations.put(registration).await.expect("registrations are saved")
}

async fn present(ports: &Ports) -> Option<Registration> {
    let found = ports.registrations.get(&account(), &name("phone"), Freshness::Fresh).await;
    found.expect("registrations are read").map(|found| Registration::clone(&found))
}

/// `phone`, with that for a parameter.
fn with_tone(version: u64, tone: &str) -> Registration {
    let params = serde_json::json!({"url": "https://probe.invalid/secret", "tone": tone});
    let at = |second| Timestamp::from_second(second).expect("a time");
    Registration {
        version,
        params: serde_json::from_value(params).expect("params are an object"),
        updated_at: at(i64::try_from(version).expect("a small number")),
        ..registration("phone")
    }
}

/// Version, tone and second of each, and the second of its successor.
async fn formers(ports: &Ports, owner: &AccountId) -> Vec<(u64, String, i64, i64)> {
    let formers = ports.registrations.formers(owner, &name("phone")).await.expect("former parameters are read");
    let told = formers.iter().map(|former| {
        let tone = former.params.text("tone").expect("it has a tone").to_owned();
        (former.version, tone, former.saved_at.as_second(), former.replaced_at.as_second())
    });
    told.collect()
}

pub async fn the_last_five_former_parameters_are_kept(ports: &Ports) {
    assert_eq!(formers(ports, &account()).await, []);
    for version in 1..=8 {
        assert!(put(ports, &with_tone(version, &format!("t{version}"))).await);
    }
    let former = |version: i64| (version.unsigned_abs(), format!("t{version}"), version, version + 1);
    assert_eq!(formers(ports, &account()).await, [7, 6, 5, 4, 3].map(former));
    assert_eq!(present(ports).await, Some(with_tone(8, "t8")));
}

pub async fn a_save_with_the_same_parameters_keeps_nothing(ports: &Ports) {
    assert!(put(ports, &with_tone(1, "a")).await);
    assert!(put(ports, &Registration { description: Some("d".to_owned()), ..with_tone(2, "a") }).await);
    assert_eq!(formers(ports, &account()).await, []);
    assert!(put(ports, &with_tone(3, "b")).await);
    assert!(!put(ports, &with_tone(3, "c")).await);
    assert_eq!(formers(ports, &account()).await, [(2, "a".to_owned(), 2, 3)], "what was refused keeps nothing");
}

pub async fn former_parameters_say_on_which_channel_they_were(ports: &Ports) {
    assert!(put(ports, &with_tone(1, "a")).await);
    let moved = Registration { channel: ChannelId::new("other"), ..with_tone(2, "a") };
    assert!(put(ports, &moved).await);
    assert!(put(ports, &with_tone(3, "b")).await);
    let formers = ports.registrations.formers(&account(), &name("phone")).await.expect("former parameters are read");
    let channels: Vec<_> = formers.iter().map(|former| (former.version, former.channel.as_str())).collect();
    assert_eq!(channels, [(2, "other"), (1, "probe")]);
    assert_eq!(formers[0].params, moved.params);
}

pub async fn former_parameters_go_with_their_registration(ports: &Ports) {
    for version in 1..=7 {
        assert!(put(ports, &with_tone(version, &format!("t{version}"))).await);
    }
    assert!(ports.registrations.delete(&account(), &name("phone")).await.expect("registrations are deleted"));
    assert_eq!(formers(ports, &account()).await, []);
    assert!(put(ports, &with_tone(1, "a")).await);
    assert_eq!(formers(ports, &account()).await, [], "another registration of that name");
}

pub async fn former_parameters_of_other_accounts_are_not_there(ports: &Ports) {
    for version in 1..=2 {
        let theirs = Registration { account: other_account(), ..with_tone(version, &format!("t{version}")) };
        assert!(put(ports, &theirs).await);
    }
    assert_eq!(formers(ports, &account()).await, []);
    assert!(put(ports, &with_tone(1, "a")).await);
    assert!(ports.registrations.delete(&account(), &name("phone")).await.expect("registrations are deleted"));
    assert_eq!(formers(ports, &other_account()).await.len(), 1);
}
