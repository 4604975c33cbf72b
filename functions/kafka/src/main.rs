//! Records of Kafka on Lambda, behind event source mappings.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{Problem, StoreError, Timestamp};
use bellhop_kafka::{
    DeadLetters, Kafka,
    event::{KafkaEvent, handle, letter},
    record::Record,
};
use bellhop_lambda::{Error, Letterbox, start};
use lambda_runtime::{LambdaEvent, run, service_fn};

/// The queue for dead letters.
struct Queue(Letterbox);

#[async_trait]
impl DeadLetters for Queue {
    async fn bury(&self, record: &Record, why: &Problem) -> Result<(), StoreError> {
        self.0.post(letter(record, why).to_string()).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (ports, account, letterbox) = start::kafka().await?;
    let kafka = &Kafka::new(Arc::new(ports), account, Arc::new(Queue(letterbox)));
    run(service_fn(async |event: LambdaEvent<KafkaEvent>| {
        let deadline = Timestamp::from_millisecond(i64::try_from(event.context.deadline)?)?;
        Ok::<_, Error>(handle(kafka, event.payload, deadline).await)
    }))
    .await
}
