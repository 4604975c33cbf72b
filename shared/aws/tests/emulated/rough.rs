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
use bellhop_testkit::Dice;
use serde_json::{Map, Value, json};

use super::wire::{Fate, answer, body_of, json_of, with_body};

/// How often one message comes again at most: what came again without an end would never be quiet.
const MOST_COPIES: u32 = 3;

/// Throttles, connections that break before and after the work was done, batches of which a part fails.
pub(crate) struct Rough {
    dice: Mutex<Dice>,
    /// Whether messages may come twice, too: because the answer to sending them is lost, and by SQS's own doing.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html>
    doubles: bool,
    /// Messages that came, and how often they came again.
    came: Mutex<Vec<(Value, u32)>>,
    /// Transactions that were carried out, by their tokens: AWS knows a repeated one, moto does not.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>
    done: Mutex<HashSet<String>>,
}

impl Rough {
    pub(crate) fn new(seed: u64, doubles: bool) -> Self {
        Self { dice: Mutex::new(Dice::new(seed)), doubles, came: Mutex::default(), done: Mutex::default() }
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

    /// How many messages came again.
    pub(crate) fn copies(&self) -> u32 {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, copies)| copies).sum()
    }

    /// What came, and now and then what came before.
    async fn with_copies(&self, response: HttpResponse) -> HttpResponse {
        let (status, mut received) = json_of(response).await;
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let mut messages = received["Messages"].as_array().cloned().unwrap_or_default();
        let news = messages.clone();
        for (message, copies) in came.iter_mut().filter(|(_, copies)| *copies < MOST_COPIES) {
            if messages.len() < 10 && self.one_in(4) {
                *copies += 1;
                messages.push(message.clone());
            }
        }
        came.extend(news.into_iter().map(|message| (message, 0)));
        received["Messages"] = messages.into();
        answer(status, &received)
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
            "ReceiveMessage" if self.doubles => self.with_copies(onwards.call(request).await?).await,
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
