//! Tokens that a provider gives for a credential, good for an hour or two: fetched once, shared by all who send.
//!
//! Of each credential one [`Slot`] is kept; [`ask`] says what a caller who finds it may do, and stores apply that
//! ([`crate::ports::Tokens`]). Promises: one caller at a time has the right to fetch, and loses it if nothing comes of it; a
//! token that a provider refused is passed over, and no other; a refused credential is not tried again at once; no secret is
//! printed. Left to others: what a provider is asked and what its answer says ([`crate::channel::Channel`]), and how callers
//! of one process share a fetch ([`flights`]).

pub mod flights;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Reason, Retry, SendError, Timestamp,
    model::{AccountId, ChannelId},
};

/// How long one caller has the right to fetch: longer than a request may take.
pub const FETCH: Duration = Duration::from_secs(30);

/// How long before a token's end it is no longer used: what is sent now may be looked at later, by another clock.
const MARGIN: Duration = Duration::from_mins(5);

/// No token is kept for longer, whatever its provider says.
const LONGEST: Duration = Duration::from_hours(24);

/// How long a refusal stands. Providers limit how often they are asked for tokens, and a thousand messages with one wrong
/// secret would ask a thousand times.
const STANDS: Duration = Duration::from_mins(1);

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a token is good for, as a hash: of all that the provider's answer depends on, so that whatever is corrected counts at
/// once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credential([u8; 32]);

impl Credential {
    /// Of these texts.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // with its length before it, so that no two lists are one
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// In hexadecimal digits.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// Under which a token is kept. Accounts share none, even where they have the same credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey {
    /// Whose registration.
    pub account: AccountId,
    /// On which channel.
    pub channel: ChannelId,
    /// With which credential.
    pub credential: Credential,
}

/// A token as its provider gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The token itself.
    pub value: Secret,
    /// For how long, as the provider says.
    pub lasts: Duration,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// The token itself.
    pub value: Secret,
    /// When to use it no longer.
    pub until: Timestamp,
}

impl Good {
    /// A token that was asked for at `asked`.
    pub fn of(token: Token, asked: Timestamp) -> Self {
        Self { value: token.value, until: asked + token.lasts.min(LONGEST).saturating_sub(MARGIN) }
    }

    /// Whether it may be used by somebody to whom `refused` was refused.
    pub fn is_good(&self, refused: Option<&Secret>, now: Timestamp) -> bool {
        now < self.until && Some(&self.value) != refused
    }
}

/// A provider's refusal of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
    /// It will refuse again: whoever asks fails. Else whoever asks has to wait.
    pub for_good: bool,
    /// How long it is not asked again.
    pub until: Timestamp,
}

impl Refusal {
    fn error(&self, now: Timestamp) -> SendError {
        let left = Duration::try_from(self.until.duration_since(now)).unwrap_or(Duration::ZERO);
        let retry = if self.for_good { Retry::Never } else { Retry::After(left) };
        SendError::new(self.reason, retry, self.detail.clone())
    }
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// A token.
    Good(Good),
    /// Somebody fetches one.
    Fetching {
        /// Who.
        by: u128,
        /// When others may.
        until: Timestamp,
    },
    /// The provider gave none.
    Refused(Refusal),
    /// Nothing came of the last fetch.
    Free,
}

impl Slot {
    /// What is kept of a fetch that failed.
    pub fn after(error: &SendError, now: Timestamp) -> Self {
        let (for_good, stands) = match error.retry {
            Retry::Never => (true, STANDS),
            Retry::After(wait) => (false, wait.min(LONGEST)),
            Retry::Later => return Self::Free,
        };
        Self::Refused(Refusal { reason: error.reason, detail: error.detail.clone(), for_good, until: now + stands })
    }

    /// When it means nothing any more; `None` if it means nothing now.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Good(Good { until, .. }) | Self::Fetching { until, .. } | Self::Refused(Refusal { until, .. }) => Some(*until),
            Self::Free => None,
        }
    }

    /// Whether `by` has the right to fetch. It stays until somebody else takes it, however late the answer comes.
    pub fn is_fetched_by(&self, by: u128) -> bool {
        matches!(self, Self::Fetching { by: holder, .. } if *holder == by)
    }
}

/// Somebody asks for a token.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who: random.
    pub by: u128,
    /// The token that the provider has just refused.
    pub refused: Option<Secret>,
    /// When.
    pub now: Timestamp,
}

impl Wish {
    /// The slot while this caller fetches.
    pub fn fetching(&self) -> Slot {
        Slot::Fetching { by: self.by, until: self.now + FETCH }
    }
}

/// What whoever asked may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Use this one.
    Token(Good),
    /// Fetch one, as nobody else does until then.
    Yours {
        /// The end of the right.
        until: Timestamp,
    },
    /// Wait for whoever fetches one, until then at most.
    Wait {
        /// The end of the other's right.
        until: Timestamp,
    },
    /// Give up, for now or for good: the provider has just refused the credential.
    Refused(SendError),
}

/// Decides. Where it is [`Held::Yours`], the slot becomes [`Wish::fetching`] before anybody hears of it.
pub fn ask(slot: Option<&Slot>, wish: &Wish) -> Held {
    match slot {
        Some(Slot::Good(good)) if good.is_good(wish.refused.as_ref(), wish.now) => Held::Token(good.clone()),
        Some(Slot::Fetching { until, .. }) if wish.now < *until => Held::Wait { until: *until },
        Some(Slot::Refused(refusal)) if wish.now < refusal.until => Held::Refused(refusal.error(wish.now)),
        Some(Slot::Good(_) | Slot::Fetching { .. } | Slot::Refused(_) | Slot::Free) | None => {
            Held::Yours { until: wish.now + FETCH }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wish(second: i64, refused: Option<&str>) -> Wish {
        Wish { by: 7, refused: refused.map(Secret::new), now: at(second) }
    }

    fn good(value: &str, lasts: u64) -> Slot {
        Slot::Good(Good::of(Token { value: Secret::new(value), lasts: Duration::from_secs(lasts) }, at(0)))
    }

    #[test]
    fn a_token_is_used_until_five_minutes_before_its_end() {
        let slot = good("a", 7200);
        assert!(matches!(ask(Some(&slot), &wish(6899, None)), Held::Token(_)));
        assert_eq!(ask(Some(&slot), &wish(6900, None)), Held::Yours { until: at(6930) });
    }

    #[test]
    fn a_token_of_a_few_minutes_is_used_once_and_one_of_a_century_for_a_day() {
        assert_eq!(good("a", 299).until(), Some(at(0)));
        assert_eq!(good("a", u64::MAX).until(), Some(at(86_400 - 300)));
    }

    #[test]
    fn only_the_token_that_was_refused_is_passed_over() {
        assert!(matches!(ask(Some(&good("a", 7200)), &wish(1, Some("a"))), Held::Yours { .. }));
        assert!(matches!(ask(Some(&good("b", 7200)), &wish(1, Some("a"))), Held::Token(_)));
    }

    #[test]
    fn one_fetches_and_the_others_wait_until_its_right_is_over() {
        let fetching = wish(0, None).fetching();
        assert!(fetching.is_fetched_by(7) && !fetching.is_fetched_by(8));
        assert_eq!(ask(Some(&fetching), &wish(29, None)), Held::Wait { until: at(30) });
        assert!(matches!(ask(Some(&fetching), &wish(30, None)), Held::Yours { .. }));
    }

    #[test]
    fn a_refusal_stands_for_a_minute_or_as_long_as_the_provider_says_and_a_fault_not_at_all() {
        let after = |retry| Slot::after(&SendError::new(Reason::Unauthorized, retry, "no"), at(0));
        let Held::Refused(error) = ask(Some(&after(Retry::Never)), &wish(59, None)) else { panic!("not refused") };
        assert_eq!((error.reason, error.retry, error.detail.as_str()), (Reason::Unauthorized, Retry::Never, "no"));
        assert!(matches!(ask(Some(&after(Retry::Never)), &wish(60, None)), Held::Yours { .. }));

        let limited = after(Retry::After(Duration::from_secs(90)));
        let Held::Refused(error) = ask(Some(&limited), &wish(60, None)) else { panic!("not refused") };
        assert_eq!(error.retry, Retry::After(Duration::from_secs(30)));

        assert_eq!(after(Retry::Later), Slot::Free);
        assert!(matches!(ask(Some(&Slot::Free), &wish(0, None)), Held::Yours { .. }));
    }

    #[test]
    fn credentials_are_told_apart_by_each_of_their_parts() {
        let credentials = [&["ab", "c"][..], &["a", "bc"], &["abc"], &["ab", "c", ""], &["ab", "d"]].map(Credential::of);
        for (at, credential) in credentials.iter().enumerate() {
            assert!(!credentials[..at].contains(credential), "{at}");
        }
        assert_eq!(Credential::of(&["ab", "c"]).to_string().len(), 64);
    }

    #[test]
    fn no_secret_is_printed() {
        let shown = format!("{:?} {:?} {:?}", good("S3cr3t", 1), wish(0, Some("S3cr3t")), Credential::of(&["S3cr3t"]));
        assert!(!shown.contains("S3cr3t"), "{shown}");
    }
}
