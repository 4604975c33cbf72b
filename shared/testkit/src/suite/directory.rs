//! What accounts own: registrations, settings, keys, pictures.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Reason, Timestamp,
    model::{
        Account, AttachmentId, ChannelId, Disabled, EventId, Key, KeyId, Name, Picture, Quotas, Registration, Scope, Serves,
    },
    ports::{Freshness, Ports},
};

use super::other_account;
use crate::{account, channel, name, registration};

async fn put(ports: &Ports, registration: &Registration) -> bool {
    ports.registrations.put(registration).await.expect("registrations are saved")
}

async fn get(ports: &Ports, called: &str) -> Option<Registration> {
    let found = ports.registrations.get(&account(), &name(called), Freshness::Fresh).await;
    found.expect("registrations are read").map(|found| Registration::clone(&found))
}

async fn group(ports: &Ports, group: &str) -> Vec<Name> {
    let members = ports.registrations.in_group(&account(), &name(group)).await.expect("groups are read");
    members.iter().map(|member| member.name.clone()).collect()
}

async fn defaults(ports: &Ports) -> Vec<Name> {
    let defaults = ports.registrations.defaults(&account()).await.expect("defaults are read");
    defaults.iter().map(|found| found.name.clone()).collect()
}

async fn for_contacts(ports: &Ports) -> Vec<Name> {
    let serving = ports.registrations.for_contacts(&account()).await.expect("those for contacts are read");
    serving.iter().map(|found| found.name.clone()).collect()
}

async fn list(ports: &Ports, after: Option<&str>, most: usize) -> Vec<Name> {
    let after = after.map(name);
    let page = ports.registrations.list(&account(), after.as_ref(), most).await.expect("registrations are listed");
    page.iter().map(|found| found.name.clone()).collect()
}

async fn disable(ports: &Ports, version: u64) {
    let disabled = Disabled { reason: Reason::Gone, at: Timestamp::UNIX_EPOCH };
    let done = ports.registrations.disable(&account(), &name("phone"), version, &disabled).await;
    done.expect("registrations are switched off");
}

/// A registration with something in every field.
fn full() -> Registration {
    let params = serde_json::json!({"url": "https://probe.invalid/secret", "tone": "minuet"});
    Registration {
        params: serde_json::from_value(params).expect("params are an object"),
        groups: vec![name("ops"), name("night")],
        enabled: false,
        default: true,
        serves: Serves::Contacts,
        description: Some("值班".to_owned()),
        created_at: Timestamp::from_millisecond(1_001).expect("a time"),
        updated_at: Timestamp::from_millisecond(2_002).expect("a time"),
        ..registration("phone")
    }
}

pub async fn a_registration_is_read_as_it_was_saved(ports: &Ports) {
    assert_eq!(get(ports, "phone").await, None);
    assert!(put(ports, &full()).await);
    assert_eq!(get(ports, "phone").await, Some(full()));
    let cached = ports.registrations.get(&account(), &name("phone"), Freshness::Cached).await.expect("registrations are read");
    assert_eq!(cached.as_deref(), Some(&full()));
}

pub async fn a_registration_is_saved_over_the_version_before_alone(ports: &Ports) {
    let version = |version| Registration { version, description: Some(format!("{version}")), ..registration("phone") };
    assert!(!put(ports, &version(2)).await, "there is no version 1");
    assert!(put(ports, &version(1)).await);
    assert!(!put(ports, &version(1)).await, "there is one already");
    assert!(put(ports, &version(2)).await);
    assert!(!put(ports, &version(2)).await, "somebody else has saved it");
    assert!(!put(ports, &version(4)).await, "there is no version 3");
    assert_eq!(get(ports, "phone").await, Some(version(2)));
}

pub async fn of_two_saves_at_once_one_wins(ports: &Ports) {
    for version in 1..=50 {
        let saves = ["a", "b"].map(|who| {
            let registration = Registration { version, description: Some(who.to_owned()), ..registration("phone") };
            let ports = ports.clone();
            tokio::spawn(async move { ports.registrations.put(&registration).await })
        });
        let mut winners = 0;
        for save in saves {
            winners += u32::from(save.await.expect("no panic").expect("registrations are saved"));
        }
        assert_eq!(winners, 1, "version {version}");
    }
}

pub async fn a_deleted_registration_can_be_made_anew(ports: &Ports) {
    assert!(put(ports, &full()).await);
    let delete = async || ports.registrations.delete(&account(), &name("phone")).await.expect("registrations are deleted");
    assert!(delete().await);
    assert!(!delete().await);
    assert_eq!(get(ports, "phone").await, None);
    assert_eq!((group(ports, "ops").await, defaults(ports).await, list(ports, None, 10).await), Default::default());
    assert!(put(ports, &registration("phone")).await);
    assert_eq!(get(ports, "phone").await, Some(registration("phone")));
}

pub async fn those_for_contacts_follow_the_latest_save(ports: &Ports) {
    let serving = |called: &str, version| Registration { serves: Serves::Contacts, version, ..registration(called) };
    for saved in [serving("wecom", 1), serving("mail", 1), registration("phone")] {
        assert!(put(ports, &saved).await);
    }
    assert_eq!(for_contacts(ports).await, ["mail", "wecom"].map(name));
    assert!(put(ports, &Registration { version: 2, ..registration("mail") }).await);
    assert!(put(ports, &serving("phone", 2)).await);
    assert_eq!(for_contacts(ports).await, ["phone", "wecom"].map(name));
    assert!(ports.registrations.delete(&account(), &name("wecom")).await.expect("registrations are deleted"));
    assert_eq!(for_contacts(ports).await, ["phone"].map(name));
}

pub async fn a_registration_is_switched_off_at_its_version_alone(ports: &Ports) {
    disable(ports, 1).await;
    assert_eq!(get(ports, "phone").await, None, "switching off makes nothing");
    assert!(put(ports, &registration("phone")).await);
    disable(ports, 2).await;
    disable(ports, 0).await;
    assert_eq!(get(ports, "phone").await.and_then(|found| found.disabled), None);
    disable(ports, 1).await;
    let disabled = get(ports, "phone").await.expect("it is there");
    assert_eq!(disabled.disabled, Some(Disabled { reason: Reason::Gone, at: Timestamp::UNIX_EPOCH }));
    assert_eq!((disabled.version, disabled.is_open()), (1, false));
}

pub async fn the_owners_next_save_switches_on_again(ports: &Ports) {
    assert!(put(ports, &registration("phone")).await);
    disable(ports, 1).await;
    let mended = Registration { version: 2, ..registration("phone") };
    assert!(put(ports, &mended).await);
    disable(ports, 1).await;
    assert_eq!(get(ports, "phone").await, Some(mended), "a late answer is about the version before");
}

pub async fn groups_follow_the_latest_save(ports: &Ports) {
    let in_groups = |called, version, groups: &[&str]| Registration {
        version,
        groups: groups.iter().map(|group| name(group)).collect(),
        ..registration(called)
    };
    assert!(put(ports, &in_groups("phone", 1, &["ops"])).await);
    assert!(put(ports, &in_groups("desk", 1, &["night", "ops"])).await);
    assert!(put(ports, &registration("car")).await);
    assert_eq!(group(ports, "ops").await, [name("desk"), name("phone")]);
    assert!(put(ports, &in_groups("phone", 2, &["night"])).await);
    assert_eq!(group(ports, "ops").await, [name("desk")]);
    assert_eq!(group(ports, "night").await, [name("desk"), name("phone")]);
    assert_eq!(group(ports, "nobody").await, []);
}

pub async fn defaults_follow_the_latest_save(ports: &Ports) {
    assert!(put(ports, &Registration { default: true, ..registration("phone") }).await);
    assert!(put(ports, &Registration { default: true, ..registration("desk") }).await);
    assert!(put(ports, &registration("car")).await);
    assert_eq!(defaults(ports).await, [name("desk"), name("phone")]);
    assert!(put(ports, &Registration { version: 2, ..registration("desk") }).await);
    assert_eq!(defaults(ports).await, [name("phone")]);
}

pub async fn registrations_are_listed_by_name_page_by_page(ports: &Ports) {
    for called in ["c", "a", "值班", "b", "B"] {
        assert!(put(ports, &registration(called)).await);
    }
    assert_eq!(list(ports, None, 10).await, ["B", "a", "b", "c", "值班"].map(name));
    assert_eq!(list(ports, None, 2).await, ["B", "a"].map(name));
    assert_eq!(list(ports, Some("a"), 2).await, ["b", "c"].map(name));
    assert_eq!(list(ports, Some("aa"), 1).await, ["b"].map(name), "the cursor need not be there any more");
    assert_eq!(list(ports, Some("值班"), 10).await, []);
}

pub async fn registrations_on_a_channel_are_counted(ports: &Ports) {
    let count = async |channel: ChannelId, most| {
        ports.registrations.count(&account(), &channel, most).await.expect("registrations are counted")
    };
    assert_eq!(count(channel(), 5).await, 0);
    for called in ["c", "a", "b"] {
        assert!(put(ports, &registration(called)).await);
    }
    let elsewhere = Registration { channel: ChannelId::new("phone_call"), ..registration("d") };
    assert!(put(ports, &elsewhere).await);
    assert!(put(ports, &Registration { account: other_account(), ..registration("a") }).await);
    assert_eq!((count(channel(), 5).await, count(channel(), 2).await), (3, 2));
    assert_eq!(count(elsewhere.channel, 5).await, 1);
    assert!(ports.registrations.delete(&account(), &name("a")).await.expect("registrations are deleted"));
    assert_eq!(count(channel(), 5).await, 2);
}

pub async fn registrations_of_other_accounts_are_not_there(ports: &Ports) {
    let theirs = Registration { account: other_account(), version: 1, ..full() };
    assert!(put(ports, &theirs).await);
    assert_eq!(get(ports, "phone").await, None);
    assert_eq!((group(ports, "ops").await, defaults(ports).await, list(ports, None, 10).await), Default::default());
    assert!(!ports.registrations.delete(&account(), &name("phone")).await.expect("registrations are deleted"));
    disable(ports, 1).await;
    assert!(put(ports, &registration("phone")).await, "each account has names of its own");
    let found = ports.registrations.get(&other_account(), &name("phone"), Freshness::Fresh).await;
    assert_eq!(found.expect("registrations are read").as_deref(), Some(&theirs));
}

pub async fn an_account_is_read_as_it_was_saved(ports: &Ports) {
    let get = async |id| ports.accounts.get(&id).await.expect("accounts are read").map(|found| Account::clone(&found));
    assert_eq!(get(account()).await, None);
    let first = Account::new(account());
    let put = async |before, after| ports.accounts.put(before, after).await.expect("accounts are saved");
    assert!(put(None, &first).await);
    assert_eq!(get(account()).await, Some(first.clone()));
    let default_image_url = Some("https://example.org/a.png".to_owned());
    let second = Account { time_zone: "Asia/Shanghai".to_owned(), retention_days: 7, default_image_url, ..first.clone() };
    assert!(put(Some(&first), &second).await);
    assert_eq!(get(account()).await, Some(second.clone()));
    let quotas = Quotas { tasks: 1, ..first.quotas };
    let theirs = Account { quotas, ..first.clone() };
    assert!(!put(Some(&first), &theirs).await, "what somebody else has said meanwhile is not undone");
    assert_eq!(get(account()).await, Some(second.clone()));
    assert!(put(Some(&second), &Account { quotas, ..second.clone() }).await);
    assert_eq!(get(account()).await, Some(Account { quotas, ..second }));
    assert_eq!(get(other_account()).await, None);
}

fn api_key(part: &str, minute: u64) -> Key {
    Key {
        id: KeyId::from_part(part).expect("a key id"),
        account: account(),
        hash: format!("hash of {part}"),
        scopes: vec![Scope::Send, Scope::Manage],
        description: Some("laptop".to_owned()),
        expires_at: Some(Timestamp::UNIX_EPOCH + Duration::from_hours(9)),
        session_of: None,
        created_at: Timestamp::UNIX_EPOCH + Duration::from_mins(minute),
    }
}

async fn key(ports: &Ports, id: &KeyId) -> Option<Key> {
    ports.keys.get(id).await.expect("keys are read").map(|found| Key::clone(&found))
}

async fn create(ports: &Ports, key: &Key) -> bool {
    ports.keys.create(key).await.expect("keys are made")
}

pub async fn a_key_is_kept_once_and_never_replaced(ports: &Ports) {
    let first = api_key("aaaa", 1);
    assert_eq!(key(ports, &first.id).await, None, "that there was none is remembered no longer than until there is one");
    assert!(create(ports, &first).await);
    assert!(!create(ports, &Key { hash: "other".to_owned(), ..first.clone() }).await);
    assert!(!create(ports, &Key { account: other_account(), ..first.clone() }).await);
    assert_eq!(key(ports, &first.id).await, Some(first));
}

pub async fn keys_are_listed_oldest_first_for_their_account(ports: &Ports) {
    let keys = [api_key("cccc", 1), api_key("aaaa", 2), api_key("bbbb", 3)];
    for key in keys.iter().rev() {
        assert!(create(ports, key).await);
    }
    assert!(create(ports, &Key { account: other_account(), ..api_key("dddd", 2) }).await);
    assert_eq!(ports.keys.list(&account()).await.expect("keys are listed"), keys);
}

pub async fn a_key_is_revoked_by_its_account_alone(ports: &Ports) {
    let mine = api_key("aaaa", 1);
    assert!(create(ports, &mine).await);
    let delete = async |account| ports.keys.delete(&account, &mine.id).await.expect("keys are revoked");
    assert!(!delete(other_account()).await);
    assert_eq!(key(ports, &mine.id).await.as_ref(), Some(&mine));
    assert!(delete(account()).await);
    assert_eq!(key(ports, &mine.id).await, None);
    assert!(!delete(account()).await);
}

pub async fn a_picture_is_kept_byte_by_byte_and_forgotten(ports: &Ports) {
    let id = AttachmentId(EventId::new(ports.clock.now(), 1));
    let get = async || ports.attachments.get(&account(), id).await.expect("pictures are read");
    assert_eq!(get().await, None);
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let picture = Picture(bytes.into());
    ports.attachments.put(&account(), id, &picture).await.expect("pictures are kept");
    assert_eq!(get().await, Some(picture));
    for _ in 0..2 {
        ports.attachments.delete(&account(), id).await.expect("pictures are forgotten");
        assert_eq!(get().await, None);
    }
}

pub async fn pictures_of_other_accounts_are_not_there(ports: &Ports) {
    let id = AttachmentId(EventId::new(ports.clock.now(), 1));
    let picture = Picture([1, 2, 3].into());
    ports.attachments.put(&account(), id, &picture).await.expect("pictures are kept");
    assert_eq!(ports.attachments.get(&other_account(), id).await.expect("pictures are read"), None);
    ports.attachments.delete(&other_account(), id).await.expect("pictures are forgotten");
    assert_eq!(ports.attachments.get(&account(), id).await.expect("pictures are read"), Some(picture));
}
