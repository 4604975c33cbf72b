use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

/// What a recipient, a picture and an account's rate may be refused with.
const OF_SENDING: [Code; 7] = [
    Code::InvalidName,
    Code::InvalidBase64,
    Code::PictureTooLarge,
    Code::TooManyItems,
    Code::UnknownRecipient,
    Code::NoDefaultRegistration,
    Code::NoAddress,
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        operation("POST", "/v1/messages", "sendMessage", "Send a message straight to somebody")
            .about("202 means kept: every delivery in the answer becomes final. With `wait_seconds` the answer comes as soon as all are.")
            .scope(Scope::Send)
            .takes(schema("MessageBody"), json!({ "to": ["desk", "group:ops"], "title": "hello", "body": "world" }))
            .repeatable(false)
            .answers(202, "Kept.", schema("Accepted"))
            .codes(&OF_SENDING)
            .codes(&[Code::RateLimited, Code::UnknownChannel, Code::InvalidOption]),
        operation("POST", "/v1/events", "reportEvent", "Report that something happened")
            .about("Rules decide who hears of it; `send_to` is told at once, besides.")
            .scope(Scope::Send)
            .takes(
                schema("EventBody"),
                json!({
                    "source": "QD/Example/main", "type": "domain.end", "result": "failure", "message": "签到失败: 403",
                    "send_to": "desk", "data": { "attempt": 2 },
                }),
            )
            .repeatable(false)
            .answers(202, "Kept.", schema("Accepted"))
            .codes(&OF_SENDING)
            .codes(&[Code::RateLimited]),
        operation("POST", "/v1/events/bulk", "reportEvents", "Report several events")
            .about("Each stands for itself: the answer has an answer or a problem for each, in order. Event *i* has the idempotency key `<key>/i`.")
            .scope(Scope::Send)
            .takes(schema("BulkBody"), json!({ "events": [{ "message": "one" }, { "mesage": "two" }] }))
            .repeatable(false)
            .answers(202, "What came of each.", schema("BulkAccepted"))
            .codes(&[Code::RateLimited, Code::TooManyItems]),
    ]
}
