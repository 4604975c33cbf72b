//! A batch of queue messages, as Lambda hands it over.
//!
//! Promises: a message that cannot be read fails alone; what is not finished shortly before the function's deadline is
//! given back and reported, so that the rest of the batch does not come again with it. What is not reported is deleted by
//! Lambda. <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::{fmt::Display, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use bellhop_core::{
    StoreError, Timestamp,
    deliver::{Disposition, LEASE, deliver},
    ports::{Ports, Wake},
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

/// How long before the function's deadline a batch stops.
pub const BEFORE_DEADLINE: Duration = Duration::from_secs(5);

/// How long the queue may take to hear that a message comes again; without that it comes again when it becomes visible.
const PATIENCE: Duration = Duration::from_secs(3);

/// Works on every message of a batch at once. `read` makes a wake-up of a message.
pub async fn handle_batch<E: Display>(
    ports: &Ports,
    batch: SqsEvent,
    deadline: Timestamp,
    read: impl AsyncFn(&SqsMessage) -> Result<Wake, E>,
) -> SqsBatchResponse {
    let left = Duration::try_from(deadline.duration_since(ports.clock.now())).unwrap_or(Duration::ZERO);
    let stop = Instant::now() + left.saturating_sub(BEFORE_DEADLINE);
    let works = batch.records.into_iter().map(async |message| match read(&message).await {
        Ok(wake) if is_done(ports, &wake, stop).await => None,
        Ok(_) => Some(message),
        Err(error) => {
            let id = message.message_id.as_deref();
            tracing::error!(queue_message = id, %error, "this message was not read; it comes again, and at last ends with the dead letters");
            Some(message)
        }
    });
    let mut response = SqsBatchResponse::default();
    for message in join_all(works).await.into_iter().flatten() {
        response.add_failure(message.message_id.unwrap_or_default());
    }
    response
}

/// Whether the message may be deleted.
async fn is_done(ports: &Ports, wake: &Wake, stop: Instant) -> bool {
    let delivery = wake.job.delivery;
    let told = match timeout_at(stop, deliver(ports, wake, LEASE)).await {
        Ok(Disposition::Ack) => return true,
        Ok(Disposition::GiveBack(after)) => timeout(PATIENCE, ports.queue.give_back(wake, after)).await,
        Ok(Disposition::Bury) => timeout(PATIENCE, ports.queue.bury(wake)).await,
        Err(_) => {
            tracing::warn!(%delivery, "not finished before the deadline; the wake-up comes again when the claim is over");
            timeout(PATIENCE, ports.queue.give_back(wake, LEASE)).await
        }
    };
    let told = told.unwrap_or_else(|_| Err(StoreError::Unavailable("the queue did not answer in time".to_owned())));
    if let Err(error) = told {
        tracing::error!(%delivery, %error, "the queue did not take the answer; the wake-up will come again");
    }
    false
}
