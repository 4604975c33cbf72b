//! The queue's port. On Lambda SQS itself brings the messages ([`crate::wake_from`]); this port serves everybody else.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use bellhop_core::{
    StoreError,
    model::ChannelId,
    ports::{Queue, Wake},
};

use crate::{
    Store,
    letter::{Arrived, Letter, wake_from},
    sqs::{Parcel, group},
};

/// How long to leave an empty queue alone.
const PAUSE: Duration = Duration::from_millis(250);

/// How long SQS keeps a message: `MessageRetentionPeriod` in the template, and a test compares the two.
pub const RETENTION: Duration = Duration::from_hours(10 * 24);

#[async_trait]
impl Queue for Store {
    async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Wake>, StoreError> {
        let mut wakes = Vec::new();
        for message in self.queues.receive(channel, most).await? {
            wakes.extend(self.wake(channel, &message).await);
        }
        Ok(wakes)
    }

    async fn ready(&self, _channel: &ChannelId) {
        tokio::time::sleep(PAUSE).await;
    }

    async fn ack(&self, wake: &Wake) -> Result<(), StoreError> {
        self.queues.delete(&wake.job.channel, &wake.receipt).await
    }

    async fn give_back(&self, wake: &Wake, after: Duration) -> Result<(), StoreError> {
        self.queues.show(&wake.job.channel, &wake.receipt, after).await
    }

    async fn bury(&self, wake: &Wake) -> Result<(), StoreError> {
        let (letter, body) = Letter::of(&wake.job)?;
        let parcel = Parcel { group: group(&letter.account), channel: letter.channel, body, delay: Duration::ZERO };
        self.queues.bury(parcel, &wake.receipt).await
    }

    fn retention(&self) -> Option<Duration> {
        Some(RETENTION)
    }

    async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        self.queues.dead_letters().await
    }

    async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        self.queues.redrive(channel).await
    }
}

impl Store {
    /// The whole wake-up. `None`: its event is not there any more, so nobody will ever be able to work on it; it is not to
    /// be acknowledged, and becomes a dead letter.
    pub async fn whole(&self, arrived: Arrived) -> Result<Option<Wake>, StoreError> {
        match arrived {
            Arrived::Whole(wake) => Ok(Some(wake)),
            Arrived::Reference(reference) => {
                let letter = &reference.letter;
                let event = self.event(&letter.account, letter.delivery.event).await?;
                Ok(event.map(|event| reference.with(event)))
            }
        }
    }

    /// What cannot be read now, or never, is left alone: it comes again, and is a dead letter after its last receive.
    async fn wake(&self, channel: &ChannelId, message: &Message) -> Option<Wake> {
        let receives = message.attributes.as_ref()?.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()?;
        let arrived = wake_from(message.body.as_deref()?, receives, message.receipt_handle.as_deref()?);
        let read = match arrived {
            Ok(arrived) => self.whole(arrived).await,
            Err(poison) => {
                tracing::error!(%channel, receives, "{poison}");
                return None;
            }
        };
        read.unwrap_or_else(|error| {
            tracing::error!(%channel, %error, "the event of a wake-up cannot be read now; the wake-up will come again");
            None
        })
    }
}
