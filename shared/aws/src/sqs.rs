//! One standard queue per channel, with a dead-letter queue behind it.
//!
//! Promises: batches are as full as SQS takes them; what it refuses is named. `MessageGroupId` is the account, which makes
//! the queues fair among accounts. Left to others: what a message means ([`crate::letter`]).
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>

use std::{ops::Range, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{
        DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use bellhop_core::{
    StoreError,
    model::{AccountId, ChannelId},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::{unavailable, unfinished};

/// The most messages in one call.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
pub(crate) const BATCH: usize = 10;

/// The most bytes in one call, with room for what surrounds the bodies.
const BATCH_BYTES: usize = 256 * 1024 - 4 * 1024;

/// The longest that SQS delays a message.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// The longest that SQS hides a received message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_HIDDEN: Duration = Duration::from_hours(11);

/// How often entries are sent that SQS refuses by a fault of its own.
const SEND_TRIES: usize = 3;

/// How many calls are under way at once.
const AT_ONCE: usize = 8;

/// How many dead letters one call brings back: no longer than an HTTP request may last.
const MOST_REDRIVEN: u64 = 1_000;

/// The queues.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    pub(crate) client: Client,
    /// What the URLs of the queues begin with; the channel's id follows.
    pub(crate) live: String,
    /// What the URLs of the dead-letter queues begin with.
    pub(crate) dead: String,
    /// The channels that have queues.
    pub(crate) channels: Vec<ChannelId>,
}

/// A message that is to be sent.
#[derive(Clone, PartialEq)]
pub(crate) struct Parcel {
    pub(crate) channel: ChannelId,
    pub(crate) group: String,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

/// A group id takes ASCII letters, digits and punctuation, an account's name those of any script.
pub(crate) fn group(account: &AccountId) -> String {
    if account.as_str().is_ascii() {
        return account.as_str().to_owned();
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, account.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// Whole seconds, rounded up: no wake-up comes early.
fn seconds(time: Duration, longest: Duration) -> i32 {
    let whole = time.min(longest);
    i32::try_from(whole.as_secs() + u64::from(whole.subsec_nanos() > 0)).unwrap_or(i32::MAX)
}

/// Cuts bodies of these lengths into batches that SQS takes.
fn batches(lengths: &[usize]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, length) in lengths.iter().enumerate() {
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + length <= BATCH_BYTES => {
                batch.end += 1;
                bytes += length;
            }
            _ => {
                batches.push(at..at + 1);
                bytes = *length;
            }
        }
    }
    batches
}

impl Queues {
    fn live(&self, channel: &ChannelId) -> String {
        format!("{}{channel}", self.live)
    }

    fn dead(&self, channel: &ChannelId) -> String {
        format!("{}{channel}", self.dead)
    }

    /// Opens the connection.
    pub(crate) async fn warm(&self, channel: &ChannelId) -> Result<(), StoreError> {
        let asked = self.client.get_queue_attributes().queue_url(self.live(channel)).send().await;
        asked.map(drop).map_err(|error| unavailable("GetQueueAttributes", &error))
    }

    /// Sends all of them; answers those that SQS did not take.
    pub(crate) async fn send(&self, mut parcels: Vec<Parcel>) -> Vec<Parcel> {
        parcels.sort_by(|a, b| a.channel.as_str().cmp(b.channel.as_str()));
        let mut calls = Vec::new();
        for of_channel in parcels.chunk_by(|a, b| a.channel == b.channel) {
            let lengths: Vec<_> = of_channel.iter().map(|parcel| parcel.body.len()).collect();
            calls.extend(batches(&lengths).into_iter().map(|batch| of_channel[batch].to_vec()));
        }
        let refused = stream::iter(calls).map(|batch| self.send_batch(batch)).buffer_unordered(AT_ONCE);
        refused.collect::<Vec<_>>().await.into_iter().flatten().collect()
    }

    /// Sends one batch; answers what was refused again and again.
    async fn send_batch(&self, mut batch: Vec<Parcel>) -> Vec<Parcel> {
        for _ in 0..SEND_TRIES {
            let Some(first) = batch.first() else { break };
            let url = self.live(&first.channel);
            match self.send_to(&url, &batch).await {
                Ok(refused) => batch = refused.into_iter().filter_map(|at| batch.get(at).cloned()).collect(),
                Err(error) => {
                    tracing::warn!(channel = %first.channel, %error, count = batch.len(), "wake-ups were not taken by their queue");
                    break;
                }
            }
        }
        batch
    }

    /// Makes one call; answers the places of the entries that it failed.
    async fn send_to(&self, url: &str, batch: &[Parcel]) -> Result<Vec<usize>, StoreError> {
        let entries = batch.iter().enumerate().map(|(at, parcel)| {
            SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(&parcel.body)
                .message_group_id(&parcel.group)
                .delay_seconds(seconds(parcel.delay, LONGEST_DELAY))
                .build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| unbuildable())?;
        let sent = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await;
        let sent = sent.map_err(|error| unavailable("SendMessageBatch", &error))?;
        Ok(sent.failed.iter().filter_map(|failed| failed.id.parse().ok()).collect())
    }

    /// Up to `most` messages that are visible now.
    pub(crate) async fn receive(&self, channel: &ChannelId, most: usize) -> Result<Vec<Message>, StoreError> {
        self.receive_from(&self.live(channel), most, Duration::ZERO, None).await
    }

    async fn receive_from(
        &self,
        url: &str,
        most: usize,
        wait: Duration,
        hidden: Option<Duration>,
    ) -> Result<Vec<Message>, StoreError> {
        let received = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(most.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(wait, Duration::from_secs(20)))
            .set_visibility_timeout(hidden.map(|hidden| seconds(hidden, LONGEST_HIDDEN)))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await;
        Ok(received.map_err(|error| unavailable("ReceiveMessage", &error))?.messages.unwrap_or_default())
    }

    /// Deletes a message, if its receipt is still good.
    pub(crate) async fn delete(&self, channel: &ChannelId, receipt: &str) -> Result<(), StoreError> {
        let deleted = self.client.delete_message().queue_url(self.live(channel)).receipt_handle(receipt).send().await;
        unless_gone("DeleteMessage", deleted)
    }

    /// Has a message come again, if its receipt is still good.
    pub(crate) async fn show(&self, channel: &ChannelId, receipt: &str, after: Duration) -> Result<(), StoreError> {
        let shown = self
            .client
            .change_message_visibility()
            .queue_url(self.live(channel))
            .receipt_handle(receipt)
            .visibility_timeout(seconds(after, LONGEST_HIDDEN))
            .send()
            .await;
        unless_gone("ChangeMessageVisibility", shown)
    }

    /// Puts a message with the dead letters. Whoever dies in between leaves it in the queue, too.
    pub(crate) async fn bury(&self, parcel: Parcel, receipt: &str) -> Result<(), StoreError> {
        let channel = parcel.channel.clone();
        let refused = self.send_to(&self.dead(&channel), &[parcel]).await?;
        if !refused.is_empty() {
            return Err(StoreError::Unavailable("`SendMessageBatch`: the dead-letter queue does not take it".to_owned()));
        }
        self.delete(&channel, receipt).await
    }

    /// How many dead letters each channel has, as far as SQS knows.
    pub(crate) async fn dead_letters(&self) -> Result<Vec<(ChannelId, u64)>, StoreError> {
        let asked = stream::iter(self.channels.clone()).map(|channel| self.dead_letters_on(channel)).buffered(AT_ONCE);
        let counts: Vec<_> = asked.try_collect().await?;
        Ok(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    async fn dead_letters_on(&self, channel: ChannelId) -> Result<(ChannelId, u64), StoreError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.client.get_queue_attributes().queue_url(self.dead(&channel)).attribute_names(name.clone());
        let attributes = asked.send().await.map_err(|error| unavailable("GetQueueAttributes", &error))?.attributes;
        let count = attributes.and_then(|attributes| attributes.get(&name)?.parse().ok()).unwrap_or(0);
        Ok((channel, count))
    }

    /// Brings dead letters back: each is sent, then deleted. Answers how many, `MOST_REDRIVEN` at most.
    pub(crate) async fn redrive(&self, channel: &ChannelId) -> Result<u64, StoreError> {
        // long polling asks all of SQS's servers: an empty answer means that there is nothing
        let (wait, hidden) = (Duration::from_secs(1), Duration::from_mins(2));
        let mut moved = 0;
        while moved < MOST_REDRIVEN {
            let letters = self.receive_from(&self.dead(channel), BATCH, wait, Some(hidden)).await?;
            if letters.is_empty() {
                break;
            }
            moved += letters.len() as u64;
            self.bring_back(channel, letters).await?;
        }
        Ok(moved)
    }

    /// Sends letters to the live queue and deletes those that it took.
    async fn bring_back(&self, channel: &ChannelId, letters: Vec<Message>) -> Result<(), StoreError> {
        let name = MessageSystemAttributeName::MessageGroupId;
        let parcels = letters.iter().map(|letter| {
            let group = letter.attributes.as_ref().and_then(|known| known.get(&name)).cloned();
            let body = letter.body.clone().unwrap_or_default();
            Parcel { channel: channel.clone(), group: group.unwrap_or_else(|| "none".to_owned()), body, delay: Duration::ZERO }
        });
        let refused = self.send(parcels.collect()).await;
        let is_taken = |letter: &&Message| !refused.iter().any(|parcel| letter.body.as_deref() == Some(&parcel.body));
        let entries = letters.iter().filter(is_taken).enumerate().map(|(at, letter)| {
            let receipt = letter.receipt_handle.clone().unwrap_or_default();
            DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(receipt).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| unbuildable())?;
        if !entries.is_empty() {
            let deleted =
                self.client.delete_message_batch().queue_url(self.dead(channel)).set_entries(Some(entries)).send().await;
            let deleted = deleted.map_err(|error| unavailable("DeleteMessageBatch", &error))?;
            if !deleted.failed.is_empty() {
                return Err(unfinished("some dead letters were brought back and not deleted; redrive once more"));
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(unfinished("the queue does not take some dead letters back; redrive later")) }
    }
}

fn unbuildable() -> StoreError {
    StoreError::Unavailable("an entry of a batch cannot be built".to_owned())
}

/// The receipt of an earlier receive, or of a deleted message, does nothing.
fn unless_gone<T, E: ProvideErrorMetadata, R>(call: &str, result: Result<T, SdkError<E, R>>) -> Result<(), StoreError> {
    const GONE: [&str; 5] = [
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "ReceiptHandleIsInvalid",
        "InvalidReceiptHandle",
    ];
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.code().is_some_and(|code| GONE.contains(&code)) => Ok(()),
        Err(error) => Err(unavailable(call, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_full_to_ten_entries_or_the_byte_limit() {
        assert_eq!(batches(&[]), []);
        assert_eq!(batches(&[1; 23]), [0..10, 10..20, 20..23]);
        let half = BATCH_BYTES / 2;
        assert_eq!(batches(&[half, half, 1, half, half]), [0..2, 2..4, 4..5]);
        assert_eq!(batches(&[BATCH_BYTES + 1, 1]), [0..1, 1..2], "what is too long is SQS's to refuse");
    }

    #[test]
    fn a_delay_is_rounded_up_and_bounded() {
        assert_eq!(seconds(Duration::ZERO, LONGEST_DELAY), 0);
        assert_eq!(seconds(Duration::from_millis(1), LONGEST_DELAY), 1);
        assert_eq!(seconds(Duration::from_mins(20), LONGEST_DELAY), 900);
    }

    #[test]
    fn an_account_of_any_script_has_a_group() {
        let group_of = |name| group(&AccountId::parse(name).unwrap());
        assert_eq!(group_of("main"), "main");
        assert_eq!(group_of("值班").len(), 43);
        assert_ne!(group_of("值班"), group_of("夜班"));
    }
}
