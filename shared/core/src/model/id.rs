//! Identifiers that lead home: an event's id says when it was accepted, a delivery's id contains its event's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::{Address, Name};
use crate::Timestamp;

/// Crockford's base 32, lower case: sorts like the number it writes, and has no letters that look alike.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const EVENT_DIGITS: usize = 26;
const TAIL_DIGITS: usize = 12;
const TAIL_BITS: u32 = 60;

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that begins with `{0}`")]
pub struct ParseIdError(pub &'static str);

/// `evt_…`: 48 bits of milliseconds, 80 bits of chance. Sorts by time of acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

impl EventId {
    /// The id of something accepted at `at`; `chance` supplies the low 80 bits.
    pub fn new(at: Timestamp, chance: u128) -> Self {
        let ms = u128::try_from(at.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
        Self(ms << 80 | chance & ((1 << 80) - 1))
    }

    /// When it was accepted.
    pub fn time(self) -> Timestamp {
        let ms = i64::try_from(self.0 >> 80).unwrap_or(0);
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The smallest id of that millisecond: a bound for time ranges.
    pub fn floor(at: Timestamp) -> Self {
        Self::new(at, 0)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("evt_")?;
        digits(f, self.0, EVENT_DIGITS)
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const PREFIX: &str = "evt_";
        text.strip_prefix(PREFIX).and_then(|rest| number(rest, EVENT_DIGITS)).map(Self).ok_or(ParseIdError(PREFIX))
    }
}

/// `dlv_<event part>_<60 bits of a hash of registration and address>`: the same event reaches the same place under the
/// same id, however often it is planned, and the id leads back to the event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The event that is told.
    pub event: EventId,
    /// Hash of where it goes.
    pub tail: u64,
}

impl DeliveryId {
    /// The delivery of `event` to `registration`, or to `address` by way of it.
    pub fn new(event: EventId, registration: &Name, address: Option<&Address>) -> Self {
        let mut hash = Sha256::new();
        hash.update(registration.as_str());
        if let Some(address) = address {
            hash.update([0]);
            hash.update(address.to_string());
        }
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self { event, tail: u64::from_be_bytes(first) >> (64 - TAIL_BITS) }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dlv_")?;
        digits(f, self.event.0, EVENT_DIGITS)?;
        f.write_str("_")?;
        digits(f, u128::from(self.tail), TAIL_DIGITS)
    }
}

impl FromStr for DeliveryId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const PREFIX: &str = "dlv_";
        let parse = || {
            let (event, tail) = text.strip_prefix(PREFIX)?.split_once('_')?;
            let tail = u64::try_from(number(tail, TAIL_DIGITS)?).ok()?;
            Some(Self { event: EventId(number(event, EVENT_DIGITS)?), tail })
        };
        parse().ok_or(ParseIdError(PREFIX))
    }
}

/// `att_…`: bytes kept beside an event (a screenshot). One event has at most one, so its id is the event's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttachmentId(pub EventId);

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("att_")?;
        digits(f, self.0.0, EVENT_DIGITS)
    }
}

impl FromStr for AttachmentId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const PREFIX: &str = "att_";
        let event = text.strip_prefix(PREFIX).and_then(|rest| number(rest, EVENT_DIGITS));
        event.map(|id| Self(EventId(id))).ok_or(ParseIdError(PREFIX))
    }
}

/// `aud_…`: names an entry of an audit. 48 bits of milliseconds, 80 bits of chance: sorts by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub u128);

impl AuditId {
    /// The id of something done at `at`; `chance` supplies the low 80 bits.
    pub fn new(at: Timestamp, chance: u128) -> Self {
        Self(EventId::new(at, chance).0)
    }

    /// When it was done.
    pub fn time(self) -> Timestamp {
        EventId(self.0).time()
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aud_")?;
        digits(f, self.0, EVENT_DIGITS)
    }
}

impl FromStr for AuditId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const PREFIX: &str = "aud_";
        text.strip_prefix(PREFIX).and_then(|rest| number(rest, EVENT_DIGITS)).map(Self).ok_or(ParseIdError(PREFIX))
    }
}

/// `tsk_…`: names a task. 48 bits of milliseconds, 80 bits of chance: sorts by when it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u128);

impl TaskId {
    /// The id of a task that is made at `at`; `chance` supplies the low 80 bits.
    pub fn new(at: Timestamp, chance: u128) -> Self {
        Self(EventId::new(at, chance).0)
    }

    /// When it was made.
    pub fn time(self) -> Timestamp {
        EventId(self.0).time()
    }

    /// The id of the event of its run for the time `at`, which begins at `now`.
    pub fn run(self, at: Timestamp, now: Timestamp) -> EventId {
        let digest = Sha256::digest(format!("{self}/{}", at.as_millisecond()));
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        EventId::new(now, u128::from_be_bytes(first))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tsk_")?;
        digits(f, self.0, EVENT_DIGITS)
    }
}

impl FromStr for TaskId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        const PREFIX: &str = "tsk_";
        text.strip_prefix(PREFIX).and_then(|rest| number(rest, EVENT_DIGITS)).map(Self).ok_or(ParseIdError(PREFIX))
    }
}

/// `key_…`: names an API key without being able to use it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The middle part of `bh_<id>_<secret>`.
    pub fn part(&self) -> &str {
        &self.0
    }

    /// From the middle part of a key: 4 to 32 ASCII letters and digits.
    pub fn from_part(part: &str) -> Result<Self, ParseIdError> {
        let fits = (4..=32).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(Self(part.to_owned())) } else { Err(ParseIdError("key_")) }
    }

    /// A new one out of 64 bits of chance.
    pub fn from_chance(chance: u128) -> Self {
        struct Digits(u128);
        impl fmt::Display for Digits {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                digits(f, self.0, 13)
            }
        }
        Self(Digits(chance & u128::from(u64::MAX)).to_string())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key_{}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        Self::from_part(text.strip_prefix("key_").ok_or(ParseIdError("key_"))?)
    }
}

fn digits(f: &mut fmt::Formatter<'_>, number: u128, count: usize) -> fmt::Result {
    (0..count).rev().try_for_each(|place| {
        let digit = (number >> (place * 5)) & 31;
        fmt::Write::write_char(f, char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]))
    })
}

fn number(text: &str, count: usize) -> Option<u128> {
    if text.len() != count {
        return None;
    }
    text.bytes().try_fold(0_u128, |sum, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        sum.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)
    })
}

/// Ids travel as their text, in JSON and in logs alike.
macro_rules! as_text {
    ($($id:ty),*) => {$(
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(EventId, DeliveryId, AttachmentId, AuditId, TaskId, KeyId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_survive_their_text(event in any::<u128>(), tail in 0_u64..1 << TAIL_BITS) {
            let event = EventId(event);
            prop_assert_eq!(event.to_string().parse(), Ok(event));
            prop_assert_eq!(AuditId(event.0).to_string().parse(), Ok(AuditId(event.0)));
            prop_assert_eq!(TaskId(event.0).to_string().parse(), Ok(TaskId(event.0)));
            let delivery = DeliveryId { event, tail };
            prop_assert_eq!(delivery.to_string().parse(), Ok(delivery));
        }

        #[test]
        fn event_ids_sort_by_time_as_numbers_and_as_text(a in 0_i64..4_000_000_000_000, b in 0_i64..4_000_000_000_000, chance in any::<u128>()) {
            let id = |ms| EventId::new(Timestamp::from_millisecond(ms).unwrap(), chance);
            prop_assert_eq!(id(a).cmp(&id(b)), a.cmp(&b));
            prop_assert_eq!(id(a).to_string().cmp(&id(b).to_string()), a.cmp(&b));
        }
    }

    #[test]
    fn a_delivery_id_depends_on_registration_and_address() {
        let event = EventId(7);
        let phone = Name::parse("phone").unwrap();
        let alice = "email:a@example.org".parse().unwrap();
        assert_eq!(DeliveryId::new(event, &phone, None), DeliveryId::new(event, &phone, None));
        assert_ne!(DeliveryId::new(event, &phone, None), DeliveryId::new(event, &Name::parse("desk").unwrap(), None));
        assert_ne!(DeliveryId::new(event, &phone, None), DeliveryId::new(event, &phone, Some(&alice)));
    }

    #[test]
    fn text_of_another_kind_is_refused() {
        assert!("dlv_0".parse::<EventId>().is_err());
        assert!("evt_0000000000000000000000000u".parse::<EventId>().is_err(), "u is not in the alphabet");
        assert!("evt_é".parse::<EventId>().is_err());
        assert!("zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<EventId>().is_err());
        assert!("evt_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<EventId>().is_err(), "130 bits do not fit");
    }
}
