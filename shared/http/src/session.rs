//! Sessions: whoever signs in with a key gets another one for some hours, which a browser may hold in its place.
//!
//! Promises: a session may do what the key may that it was begun with, and ends with it, when it is revoked or expires, though
//! not before a process has forgotten what it knew of it (30 s); a session begins no other. Left to others: how a browser holds
//! it, and how a page knows that a form is its own (`bellhop_console`).

use std::time::Duration;

use bellhop_core::{
    Code, Problem, StoreError, Timestamp,
    model::{AccountId, Action, AuditEntry, Key, KeyId},
    ports::Kind,
};

use crate::{
    Api, Refused,
    caller::{Caller, proven},
    key::{Credential, new_key, parse_key},
};

/// How long one lasts at most.
pub const LONGEST: Duration = Duration::from_hours(12);

/// How many are begun with one key at most: the oldest of them ends for a new one, and nobody else's does.
const MOST: usize = 10;

/// Begins one for whoever shows that key.
pub async fn begin(api: &Api, shown: &str) -> Result<Credential, Refused> {
    let refused = |detail: &str| Problem::field(Code::Unauthorized, "key", detail);
    let shown = parse_key(shown.trim()).map_err(|not_a_key| refused(&not_a_key.to_string()))?;
    let caller = proven(api, &shown).await?.map_err(refused)?;
    let known = api.ports.keys.list(&caller.account).await?;
    let parent = known.iter().find(|key| key.id == caller.key);
    if parent.is_some_and(|key| key.session_of.is_some()) {
        return Err(refused("this is a session's; sign in with the key that it was begun with").into());
    }
    let clock = &*api.ports.clock;
    let now = clock.now();
    for key in superfluous(&known, &caller.key, now) {
        forget(api, &caller.account, &key.id).await?;
    }
    let credential = new_key(KeyId::from_chance(clock.chance()), [clock.chance(), clock.chance()]);
    let key = key(&caller, &credential, now);
    record(api, &caller, Action::KeyMade, &key.id).await?;
    if api.ports.keys.create(&key).await? {
        return Ok(credential);
    }
    Err(Problem::new(Code::Conflict, "this id is taken; sign in once more").into())
}

/// Ends that of a caller.
pub async fn end(api: &Api, caller: &Caller) -> Result<(), Refused> {
    record(api, caller, Action::KeyRevoked, &caller.key).await?;
    Ok(forget(api, &caller.account, &caller.key).await?)
}

fn key(caller: &Caller, credential: &Credential, now: Timestamp) -> Key {
    let last = now + LONGEST;
    Key {
        id: credential.id.clone(),
        account: caller.account.clone(),
        hash: credential.hash(),
        scopes: caller.scopes.clone(),
        description: None,
        expires_at: Some(caller.expires_at.map_or(last, |end| end.min(last))),
        session_of: Some(caller.key.clone()),
        created_at: now,
    }
}

/// The sessions that are over, and the oldest of those that this key has begun where there is no room for one more. `known` begins
/// with the oldest.
fn superfluous<'a>(known: &'a [Key], begun_with: &KeyId, now: Timestamp) -> Vec<&'a Key> {
    let sessions = known.iter().filter(|key| key.session_of.is_some());
    let (mut over, alive): (Vec<_>, Vec<_>) = sessions.partition(|key| key.expires_at.is_some_and(|end| end <= now));
    let own: Vec<_> = alive.into_iter().filter(|key| key.session_of.as_ref() == Some(begun_with)).collect();
    let too_many = (own.len() + 1).saturating_sub(MOST);
    over.extend(own.into_iter().take(too_many));
    over
}

async fn forget(api: &Api, account: &AccountId, id: &KeyId) -> Result<(), StoreError> {
    api.ports.keys.delete(account, id).await?;
    api.ports.records.delete(account, Kind::Use, &id.to_string()).await.map(drop)
}

async fn record(api: &Api, caller: &Caller, action: Action, session: &KeyId) -> Result<(), Refused> {
    let (account, clock) = (api.account(&caller.account).await?, &api.ports.clock);
    let at = (clock.now(), clock.chance());
    let entry = AuditEntry::new(&account, caller.key.clone(), action, Some(session.to_string()), at);
    Ok(api.ports.audit.record(&entry).await?)
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::Scope;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn caller(expires_at: Option<Timestamp>) -> Caller {
        let (account, key) = (AccountId::parse("main").unwrap(), KeyId::from_part("parent").unwrap());
        Caller { account, key, scopes: vec![Scope::Read], expires_at }
    }

    fn session(number: u32, end: i64) -> Key {
        let credential = new_key(KeyId::from_chance(number.into()), [1, 2]);
        Key { expires_at: Some(at(end)), ..key(&caller(None), &credential, at(0)) }
    }

    #[test]
    fn a_session_lasts_for_twelve_hours_or_as_long_as_its_key() {
        let credential = new_key(KeyId::from_chance(1), [1, 2]);
        let end = |of_parent| key(&caller(of_parent), &credential, at(0)).expires_at.unwrap();
        assert_eq!(end(None), at(12 * 3_600));
        assert_eq!(end(Some(at(60))), at(60));
        assert_eq!(end(Some(at(99_999))), at(12 * 3_600));
    }

    #[test]
    fn what_is_over_goes_and_the_oldest_of_the_same_key_makes_room_and_no_other_does() {
        let lasting = Key { session_of: None, ..session(1_000, 1) };
        let foreign = Key { session_of: Some(KeyId::from_part("another").unwrap()), ..session(2_000, 90) };
        let mut known = vec![lasting, foreign, session(0, 10)];
        known.extend((1..10).map(|number| session(number, 90)));
        let own = caller(None).key;
        let gone = |now| superfluous(&known, &own, at(now)).into_iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        assert_eq!(gone(5), [session(0, 10).id], "ten are alive, and the eleventh comes");
        assert_eq!(gone(10), [session(0, 10).id], "it is over by itself");
        assert_eq!(gone(90).len(), 11);
    }
}
