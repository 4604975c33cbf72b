//! The minute's tick on Lambda, and the pages of what is due. An event without records is a tick, which is only a reason to
//! look at what is due: whatever event brings it is as good.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use bellhop_batch::{handle_page, handle_tick};
use bellhop_core::ports::{Due, Ports};
use bellhop_lambda::{Error, start};
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::Deserialize;

/// What may come.
#[derive(Deserialize)]
struct Incoming {
    #[serde(default, rename = "Records")]
    records: Option<Vec<SqsMessage>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let ports = &start::batch().await?;
    run(service_fn(async |event: LambdaEvent<Option<Incoming>>| match event.payload.and_then(|incoming| incoming.records) {
        Some(pages) => Ok::<_, Error>(handle_pages(ports, pages).await),
        None => Ok(handle_tick(ports).await.map(|()| SqsBatchResponse::default())?),
    }))
    .await
}

/// Works on each page; one that cannot be read ends with the dead letters.
async fn handle_pages(ports: &Ports, pages: Vec<SqsMessage>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for page in pages {
        if let Ok(due) = serde_json::from_str::<Vec<Due>>(page.body.as_deref().unwrap_or_default()) {
            handle_page(ports, &due).await;
        } else {
            let id = page.message_id.unwrap_or_default();
            tracing::error!(
                queue_message = id,
                "this message is no page; it comes again, and at last ends with the dead letters"
            );
            response.add_failure(id);
        }
    }
    response
}
