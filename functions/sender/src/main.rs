//! The sender on Lambda: one binary, deployed once per channel.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use bellhop_core::Timestamp;
use bellhop_lambda::{Error, read, start};
use bellhop_sender::handle_batch;
use lambda_runtime::{LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (store, ports) = &start::sender().await?;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deadline = Timestamp::from_millisecond(i64::try_from(event.context.deadline)?)?;
        let wake = async |message: &SqsMessage| {
            let receives = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
            let (Some(body), Some(receives), Some(receipt)) = (&message.body, receives, &message.receipt_handle) else {
                return Err("it lacks body, receive count or receipt".into());
            };
            read(store, body, receives, receipt).await
        };
        Ok::<_, Error>(handle_batch(ports, event.payload, deadline, wake).await)
    }))
    .await
}
