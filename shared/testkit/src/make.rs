//! The nouns, ready made.

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    channel::Params,
    model::{AccountId, ChannelId, Draft, Event, EventId, Name, Recipient, Registration, Serves},
    plan::{Plan, Planned},
    ports::{Acceptance, IdempotencyKey},
};

/// A name that is known to be one.
///
/// # Panics
/// If it is none: a test is wrong then.
#[track_caller]
pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// The account `main`, which tests belong to unless they say otherwise.
///
/// # Panics
/// Never: the name is a name.
pub fn account() -> AccountId {
    AccountId::parse("main").unwrap_or_else(|error| panic!("{error}"))
}

/// The channel `probe`.
pub fn channel() -> ChannelId {
    ChannelId::new("probe")
}

/// A registration of `main` on `probe`, switched on, as it is first saved.
pub fn registration(called: &str) -> Registration {
    Registration {
        account: account(),
        name: name(called),
        channel: channel(),
        params: Params::default(),
        groups: Vec::new(),
        enabled: true,
        default: false,
        serves: Serves::One,
        description: None,
        version: 1,
        disabled: None,
        paused_until: None,
        timeouts: 0,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

/// The parameters of a registration on `probe` that takes one message a minute.
///
/// # Panics
/// Never: they are an object.
pub fn one_a_minute() -> Params {
    serde_json::from_value(serde_json::json!({"a_minute": 1})).unwrap_or_else(|error| panic!("{error}"))
}

/// A report of a text for the registration `phone`.
pub fn draft(text: &str) -> Draft {
    Draft { send_to: vec![Recipient::Registration(name("phone"))], ..Draft::new(text) }
}

/// An event of `account`, accepted at `at`.
pub fn event(account: &AccountId, at: Timestamp, chance: u128) -> Event {
    draft("text").into_event(EventId::new(at, chance), account.clone(), at)
}

/// A delivery to that registration, planned.
pub fn planned(registration: &str, channel: &ChannelId) -> Planned {
    Planned { registration: name(registration), channel: channel.clone(), address: None }
}

/// `event`, to be kept with a delivery to each of these registrations on `probe`.
pub fn acceptance(event: Event, registrations: &[&str], key: Option<IdempotencyKey>) -> Acceptance {
    let deliveries = registrations.iter().map(|called| planned(called, &channel())).collect();
    Acceptance { key, event, plan: Plan { deliveries, ..Plan::default() } }
}

/// An idempotency key of `main`, used at `now`, good for a day.
pub fn key(word: &str, body_hash: &str, now: Timestamp) -> IdempotencyKey {
    IdempotencyKey {
        account: account(),
        route: "/v1/events",
        key: word.to_owned(),
        body_hash: body_hash.to_owned(),
        expires_at: now + Duration::from_hours(24),
    }
}
