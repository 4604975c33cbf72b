use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

pub(crate) fn operations() -> Vec<Operation> {
    let page = |path, id, summary| operation("GET", path, id, summary);
    vec![
        operation("POST", "/v1/accounts", "makeAccount", "Make an account")
            .about("The answer tells its first key, once. A name is given once.")
            .scope(Scope::Operate)
            .takes(schema("AccountBody"), json!({ "id": "acme" }))
            .repeatable(true)
            .answers(201, "Made.", schema("Tenant"))
            .codes(&[Code::InvalidName, Code::Conflict]),
        page("/v1/accounts", "listAccounts", "List accounts")
            .about("Nothing of what they own.")
            .scope(Scope::Operate)
            .paged()
            .lists("Tenant"),
        operation("PATCH", "/v1/accounts/{id}", "changeAccount", "Say how much an account may have")
            .about("Quotas that are absent stay.")
            .scope(Scope::Operate)
            .identified("Name", "acme")
            .takes(schema("AccountQuotas"), json!({ "quotas": { "tasks": 2000 } }))
            .answers(200, "As it is now.", schema("Tenant"))
            .codes(&[Code::InvalidName]),
        operation("DELETE", "/v1/accounts/{id}", "deleteAccount", "Delete an account")
            .about("202 says that there is more than one call deletes: repeat it until 204.")
            .scope(Scope::Operate)
            .identified("Name", "acme")
            .codes(&[Code::InvalidName, Code::Conflict])
            .or_later("What is left is deleted by the same call, made again.", schema("Tenant"))
            .last(),
        page("/v1/dead-letters", "listDeadLetters", "How many dead letters each channel has")
            .scope(Scope::Operate)
            .lists("DeadLetters"),
        operation("POST", "/v1/dead-letters/redrive", "redriveDeadLetters", "Bring a channel's dead letters back")
            .scope(Scope::Operate)
            .takes(schema("ChannelBody"), json!({ "channel": "webhook" }))
            .answers(200, "How many came back.", schema("Redriven"))
            .codes(&[Code::UnknownChannel]),
        page("/openapi.json", "getOpenApi", "This document").answers(200, "OpenAPI 3.1.", json!({ "type": "object" })),
        page("/healthz", "isAlive", "Whether the process answers")
            .about("On one machine alone, like `/readyz` and `/metrics`.")
            .answers_text("`ok`"),
        page("/readyz", "isReady", "Whether the store can be written")
            .about("503, in words, where it cannot.")
            .answers_text("`ready`"),
        page("/metrics", "getMetrics", "Counters for Prometheus").answers_text("Prometheus text."),
    ]
}
