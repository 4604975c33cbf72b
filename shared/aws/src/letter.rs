//! A wake-up as it travels: JSON in a message's body, and in a due row while it is parked.
//!
//! Promise: whoever reads one needs no other row to send it, unless the event is large. Left to others: what is done with a
//! body that is no letter ([`Poison`]): it is never acknowledged, so that SQS brings it to the dead letters.

use std::sync::Arc;

use bellhop_core::{
    StoreError,
    model::{AccountId, Address, ChannelId, DeliveryId, Event, Job, Name},
    ports::Wake,
};
use serde::{Deserialize, Serialize};

use crate::error::json;

/// The longest letter that carries its event; beyond, the event is read from its row.
const LONGEST: usize = 16 * 1024;

/// A job, perhaps without its event.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) delivery: DeliveryId,
    pub(crate) n: u32,
    pub(crate) account: AccountId,
    pub(crate) channel: ChannelId,
    registration: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Arc<Event>>,
}

impl Letter {
    /// The letter of that job, and its text.
    pub(crate) fn of(job: &Job) -> Result<(Self, String), StoreError> {
        let letter = Self {
            delivery: job.delivery,
            n: job.n,
            account: job.account().clone(),
            channel: job.channel.clone(),
            registration: job.registration.clone(),
            address: job.address.clone(),
            event: Some(Arc::clone(&job.event)),
        };
        let text = body_of(&letter)?;
        if text.len() <= LONGEST {
            return Ok((letter, text));
        }
        let letter = Self { event: None, ..letter };
        let text = body_of(&letter)?;
        Ok((letter, text))
    }

    fn job(&self, event: Arc<Event>) -> Job {
        Job {
            delivery: self.delivery,
            n: self.n,
            registration: self.registration.clone(),
            channel: self.channel.clone(),
            address: self.address.clone(),
            event,
        }
    }
}

/// JSON in the characters that SQS takes: it refuses two of those that JSON does not have to escape.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn body_of(letter: &Letter) -> Result<String, StoreError> {
    let text = json(letter)?;
    let is_refused = |c| matches!(c, '\u{fffe}' | '\u{ffff}');
    if !text.contains(is_refused) {
        return Ok(text);
    }
    Ok(text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

/// The body is no wake-up of ours: nobody will ever be able to work on it. Not to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message's body is no wake-up; it goes to the dead letters")]
pub struct Poison;

/// A message, read.
pub enum Arrived {
    /// All that is needed.
    Whole(Wake),
    /// The event is too long for a message: it lies in its row ([`crate::Store::whole`]).
    Reference(Reference),
}

/// A wake-up without its event.
pub struct Reference {
    pub(crate) letter: Letter,
    receives: u32,
    receipt: String,
}

impl Reference {
    /// With its event.
    pub(crate) fn with(self, event: Arc<Event>) -> Wake {
        Wake { job: self.letter.job(event), receives: self.receives, receipt: self.receipt }
    }
}

/// Reads a message's body, as SQS or its event source mapping hands it over.
pub fn wake_from(body: &str, receives: u32, receipt: &str) -> Result<Arrived, Poison> {
    let letter: Letter = serde_json::from_str(body).map_err(|_| Poison)?;
    let receipt = receipt.to_owned();
    match letter.event.clone() {
        Some(event) if event.id == letter.delivery.event && event.account == letter.account => {
            Ok(Arrived::Whole(Wake { job: letter.job(event), receives, receipt }))
        }
        Some(_) => Err(Poison),
        None => Ok(Arrived::Reference(Reference { letter, receives, receipt })),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::Timestamp;
    use bellhop_testkit::{account, channel, draft, planned};

    use super::*;

    fn job(text: &str) -> Job {
        let id = bellhop_core::model::EventId::new(Timestamp::UNIX_EPOCH, 7);
        let event = Arc::new(draft(text).into_event(id, account(), Timestamp::UNIX_EPOCH));
        planned("phone", &channel()).job(&event)
    }

    #[test]
    fn a_short_event_travels_with_its_wake_up() {
        let job = job("short").at(3);
        let (_, text) = Letter::of(&job).unwrap();
        let Ok(Arrived::Whole(wake)) = wake_from(&text, 2, "r") else { panic!("{text}") };
        assert_eq!((wake.job, wake.receives, wake.receipt.as_str()), (job, 2, "r"));
    }

    #[test]
    fn what_sqs_does_not_take_is_escaped_and_arrives_as_it_was() {
        let job = job("a\u{fffe}b\u{ffff}c\u{0}d\u{10ffff}");
        let (_, text) = Letter::of(&job).unwrap();
        let takes = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(takes), "{text:?}");
        let Ok(Arrived::Whole(wake)) = wake_from(&text, 1, "r") else { panic!("{text}") };
        assert_eq!(wake.job, job);
    }

    #[test]
    fn a_long_event_is_left_in_its_row() {
        let job = job(&"长".repeat(6_000));
        let (_, text) = Letter::of(&job).unwrap();
        assert!(text.len() < 1_000, "{}", text.len());
        let Ok(Arrived::Reference(reference)) = wake_from(&text, 1, "r") else { panic!("{text}") };
        assert_eq!(reference.with(Arc::clone(&job.event)).job, job);
    }

    #[test]
    fn what_is_no_letter_is_poison() {
        let (_, text) = Letter::of(&job("short")).unwrap();
        let other_event = text.replacen("dlv_0", "dlv_1", 1);
        for body in ["", "{}", "null", "hello", other_event.as_str()] {
            assert!(wake_from(body, 1, "r").is_err(), "{body}");
        }
    }
}
