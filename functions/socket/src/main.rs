//! The connections of Mpush clients on Lambda, behind the WebSocket API.

use bellhop_core::model::ConnectionId;
use bellhop_http::Api;
use bellhop_lambda::{Error, start};
use bellhop_mpush::Mpush;
use bellhop_socket::{Happened, handle};
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// What API Gateway tells.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>
#[derive(Deserialize)]
struct Incoming {
    #[serde(rename = "requestContext")]
    context: Context,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    connection_id: String,
    event_type: EventType,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum EventType {
    Connect,
    Message,
    Disconnect,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (ports, account) = start::socket().await?;
    let mpush = &Mpush::new(Api::new(ports), account);
    run(service_fn(async |event: LambdaEvent<Incoming>| {
        let Incoming { context, body } = event.payload;
        let happened = match context.event_type {
            EventType::Connect => Happened::Opened,
            EventType::Message => Happened::Said(body.unwrap_or_default()),
            EventType::Disconnect => Happened::Closed,
        };
        handle(mpush, &ConnectionId(context.connection_id), happened).await?;
        Ok::<Value, Error>(json!({ "statusCode": 200 }))
    }))
    .await
}
