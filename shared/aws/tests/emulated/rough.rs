//! Faults in AWS's own form, out of a seed: what emulators do not do.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use bellhop_testkit::Dice;
use serde_json::{Map, Value, json};

use super::wire::Fate;

/// Throttles, connections that break before and after the work was done, batches of which a part fails.
pub(crate) struct Rough {
    dice: Mutex<Dice>,
    /// Whether messages may be doubled, too, because the answer to sending them is lost.
    doubles: bool,
    /// Transactions that were carried out, by their tokens: AWS knows a repeated one, moto does not.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>
    done: Mutex<HashSet<String>>,
}

impl Rough {
    pub(crate) fn new(seed: u64, doubles: bool) -> Self {
        Self { dice: Mutex::new(Dice::new(seed)), doubles, done: Mutex::default() }
    }

    async fn once(&self, request: HttpRequest, onwards: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
        let token = body_of(&request)["ClientRequestToken"].to_string();
        if self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(&token) {
            return Ok(answer(200, &json!({})));
        }
        let response = onwards.call(request).await?;
        if response.status().is_success() {
            self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
        }
        Ok(response)
    }

    fn one_in(&self, times: u64) -> bool {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).one_in(times)
    }
}

#[async_trait]
impl Fate for Rough {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if self.one_in(12) {
            return Ok(throttled());
        }
        if self.one_in(24) {
            return Err(broken());
        }
        let response = match call {
            "SendMessageBatch" if self.one_in(4) => some_entries_fail(request, onwards).await?,
            "BatchGetItem" if self.one_in(4) => some_keys_stay_unread(request, onwards).await?,
            "TransactWriteItems" => self.once(request, onwards).await?,
            _ => onwards.call(request).await?,
        };
        // a received message whose answer is lost is hidden, which no test waits for
        let may_be_lost = match call {
            "ReceiveMessage" => false,
            "SendMessageBatch" => self.doubles,
            _ => true,
        };
        if may_be_lost && self.one_in(8) { Err(broken()) } else { Ok(response) }
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io(Box::new(std::io::Error::other("as the test wants it")))
}

fn throttled() -> HttpResponse {
    let body = json!({"__type": "com.amazonaws#ThrottlingException", "message": "as the test wants it"});
    answer(400, &body)
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let response = http::Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    HttpResponse::try_from(response.body(SdkBody::from(body.to_string())).unwrap()).unwrap()
}

fn body_of(request: &HttpRequest) -> Value {
    serde_json::from_slice(request.body().bytes().unwrap()).unwrap()
}

fn with_body(mut request: HttpRequest, body: &Value) -> HttpRequest {
    let body = body.to_string();
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
    request
}

async fn json_of(response: HttpResponse) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = ByteStream::new(response.into_body()).collect().await.unwrap().to_vec();
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// The last entry is not sent, and named as failed.
async fn some_entries_fail(request: HttpRequest, onwards: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
    let mut body = body_of(&request);
    let entries = body["Entries"].as_array_mut().unwrap();
    let last = entries.pop().unwrap();
    let failed = json!({"Id": last["Id"], "SenderFault": false, "Code": "InternalError", "Message": "as the test wants it"});
    if entries.is_empty() {
        return Ok(answer(200, &json!({"Successful": [], "Failed": [failed]})));
    }
    let (status, mut answered) = json_of(onwards.call(with_body(request, &body)).await?).await;
    answered["Failed"] = json!([failed]);
    Ok(answer(status, &answered))
}

/// The last key is not read, and named as such.
async fn some_keys_stay_unread(request: HttpRequest, onwards: &SharedHttpConnector) -> Result<HttpResponse, ConnectorError> {
    let mut body = body_of(&request);
    let (table, wanted) = body["RequestItems"].as_object_mut().unwrap().iter_mut().next().unwrap();
    let table = table.clone();
    let last = wanted["Keys"].as_array_mut().unwrap().pop().unwrap();
    let unread = Map::from_iter([(table, json!({"Keys": [last], "ConsistentRead": true}))]);
    if wanted["Keys"].as_array().is_some_and(Vec::is_empty) {
        return Ok(answer(200, &json!({"Responses": {}, "UnprocessedKeys": unread})));
    }
    let (status, mut answered) = json_of(onwards.call(with_body(request, &body)).await?).await;
    answered["UnprocessedKeys"] = Value::Object(unread);
    Ok(answer(status, &answered))
}

/// An index that shows what it showed when it was last asked the same.
#[derive(Default)]
pub(crate) struct Lagging(Mutex<std::collections::HashMap<String, (u16, Value)>>);

#[async_trait]
impl Fate for Lagging {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if call != "Query" || body_of(&request).get("IndexName").is_none() {
            return onwards.call(request).await;
        }
        let asked = body_of(&request).to_string();
        let now = json_of(onwards.call(request).await?).await;
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, now);
        let (status, shown) = before.unwrap_or_else(|| (200, json!({"Items": [], "Count": 0, "ScannedCount": 0})));
        Ok(answer(status, &shown))
    }
}
