//! Providers' tokens, which all senders share.

#![expect(missing_docs, reason = "the name of a case says it")]

use std::time::Duration;

use bellhop_core::{
    Reason, Retry, SendError, Timestamp,
    model::{AccountId, ChannelId},
    ports::Ports,
    token::{Credential, FETCH, Good, Held, Secret, Slot, Token, TokenKey, Wish},
};

use super::other_account;
use crate::{account, channel};

const TWO_HOURS: Duration = Duration::from_hours(2);

fn key_of(account: AccountId, channel: ChannelId, secret: &str) -> TokenKey {
    TokenKey { account, channel, credential: Credential::of(&[secret]) }
}

fn key() -> TokenKey {
    key_of(account(), channel(), "s3cret")
}

fn wish(by: u128, now: Timestamp) -> Wish {
    Wish { by, refused: None, now }
}

fn good(value: &str, now: Timestamp) -> Good {
    Good::of(Token { value: Secret::new(value), lasts: TWO_HOURS }, now)
}

async fn ask(ports: &Ports, wish: &Wish) -> Held {
    ports.tokens.ask(&key(), wish).await.expect("the store answers")
}

async fn put(ports: &Ports, by: u128, slot: Slot) {
    ports.tokens.put(&key(), by, &slot).await.expect("tokens are kept");
}

/// `by` asks, may fetch, and fetches this.
async fn fetched(ports: &Ports, by: u128, now: Timestamp, value: &str) {
    assert_eq!(ask(ports, &wish(by, now)).await, Held::Yours { until: now + FETCH });
    put(ports, by, Slot::Good(good(value, now))).await;
}

pub async fn the_first_who_asks_may_fetch_and_others_wait(ports: &Ports) {
    let now = ports.clock.now();
    assert_eq!(ask(ports, &wish(1, now)).await, Held::Yours { until: now + FETCH });
    let later = now + Duration::from_secs(1);
    assert_eq!(ask(ports, &wish(2, later)).await, Held::Wait { until: now + FETCH });
}

pub async fn of_two_who_ask_at_once_one_may_fetch(ports: &Ports) {
    let now = ports.clock.now();
    let (one, two) = (wish(1, now), wish(2, now));
    let (one, two) = futures_util::join!(ask(ports, &one), ask(ports, &two));
    let may = |held: &Held| matches!(held, Held::Yours { .. });
    assert!(may(&one) != may(&two), "{one:?}, {two:?}");
}

pub async fn a_token_that_was_put_is_there_for_all_until_shortly_before_its_end(ports: &Ports) {
    let now = ports.clock.now();
    fetched(ports, 1, now, "a").await;
    assert_eq!(ask(ports, &wish(2, now)).await, Held::Token(good("a", now)));
    assert!(matches!(ask(ports, &wish(3, now + TWO_HOURS - Duration::from_mins(4))).await, Held::Yours { .. }));
}

pub async fn a_token_is_for_its_own_account_channel_and_credential(ports: &Ports) {
    let now = ports.clock.now();
    fetched(ports, 1, now, "a").await;
    for other in [
        key_of(other_account(), channel(), "s3cret"),
        key_of(account(), ChannelId::new("other"), "s3cret"),
        key_of(account(), channel(), "s3cret2"),
    ] {
        let held = ports.tokens.ask(&other, &wish(2, now)).await.expect("the store answers");
        assert!(matches!(held, Held::Yours { .. }), "{other:?}: {held:?}");
    }
}

pub async fn a_fetch_that_failed_frees_the_right_at_once(ports: &Ports) {
    let now = ports.clock.now();
    assert!(matches!(ask(ports, &wish(1, now)).await, Held::Yours { .. }));
    put(ports, 1, Slot::after(&SendError::new(Reason::Timeout, Retry::Later, "no answer"), now)).await;
    assert!(matches!(ask(ports, &wish(2, now)).await, Held::Yours { .. }));
}

pub async fn a_right_that_is_over_passes_on_and_what_comes_too_late_is_not_kept(ports: &Ports) {
    let now = ports.clock.now();
    assert!(matches!(ask(ports, &wish(1, now)).await, Held::Yours { .. }));
    let later = now + FETCH;
    assert_eq!(ask(ports, &wish(2, later)).await, Held::Yours { until: later + FETCH });
    put(ports, 1, Slot::Good(good("late", now))).await;
    assert_eq!(ask(ports, &wish(3, later)).await, Held::Wait { until: later + FETCH });
    put(ports, 2, Slot::Good(good("b", later))).await;
    assert_eq!(ask(ports, &wish(3, later)).await, Held::Token(good("b", later)));
}

pub async fn a_refused_token_is_passed_over_and_its_successor_is_not(ports: &Ports) {
    let now = ports.clock.now();
    fetched(ports, 1, now, "a").await;
    let refused = |by| Wish { refused: Some(Secret::new("a")), ..wish(by, now) };
    assert!(matches!(ask(ports, &refused(2)).await, Held::Yours { .. }));
    assert!(matches!(ask(ports, &refused(3)).await, Held::Wait { .. }), "one renews it");
    put(ports, 2, Slot::Good(good("b", now))).await;
    assert_eq!(ask(ports, &refused(3)).await, Held::Token(good("b", now)));
}

pub async fn a_refused_credential_is_refused_to_all_who_ask_within_a_minute(ports: &Ports) {
    let now = ports.clock.now();
    assert!(matches!(ask(ports, &wish(1, now)).await, Held::Yours { .. }));
    let refusal = SendError::new(Reason::Unauthorized, Retry::Never, "no such app");
    put(ports, 1, Slot::after(&refusal, now)).await;
    assert_eq!(ask(ports, &wish(2, now + Duration::from_secs(59))).await, Held::Refused(refusal));
    assert!(matches!(ask(ports, &wish(3, now + Duration::from_mins(1))).await, Held::Yours { .. }));
}
