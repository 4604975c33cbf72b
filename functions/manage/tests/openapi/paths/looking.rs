use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

pub(crate) fn operations() -> Vec<Operation> {
    let within = |operation: Operation| {
        let time = json!({ "type": "string", "format": "date-time" });
        operation.query("from", false, &time, "Accepted then or later.").query("to", false, &time, "Accepted before.")
    };
    let text = json!({ "type": "string", "minLength": 1 });
    vec![
        within(operation("GET", "/v1/events", "listEvents", "List events"))
            .about("Newest first. A page of a filtered list may be short or empty while `next_cursor` is set.")
            .scope(Scope::Read)
            .query("source", false, &schema("Source"), "Of this source.")
            .query("type", false, &schema("EventType"), "Of this type.")
            .query("result", false, &schema("ResultGiven"), "With this result.")
            .query("q", false, &text, "With this text in source, title or message, in capitals or not.")
            .paged()
            .lists("Event"),
        operation("GET", "/v1/events/{id}", "getEvent", "One event")
            .about("With its deliveries, 1,000 and 4,000 attempts at most (`GET /v1/deliveries?event=` has all), and what every rule decided and why.")
            .scope(Scope::Read)
            .identified("EventId", "{event}")
            .answers(200, "All that is known of it.", schema("Explained")),
        within(operation("GET", "/v1/deliveries", "listDeliveries", "List deliveries"))
            .about("Newest first. A page of a filtered list may be short or empty while `next_cursor` is set.")
            .scope(Scope::Read)
            .query("event", false, &schema("EventId"), "Of this event.")
            .query("state", false, &schema("State"), "In this state.")
            .query("registration", false, &schema("Name"), "To this registration.")
            .query("channel", false, &schema("Channel"), "On this channel.")
            .paged()
            .lists("Delivery"),
        operation("GET", "/v1/deliveries/{id}", "getDelivery", "One delivery")
            .scope(Scope::Read)
            .identified("DeliveryId", "{delivery}")
            .answers(200, "With all that was tried.", schema("Delivery")),
        operation("POST", "/v1/deliveries/{id}/retry", "retryDelivery", "Try a delivery that is over once more")
            .scope(Scope::Manage)
            .identified("DeliveryId", "{delivery}")
            .takes_nothing()
            .repeatable(false)
            .answers(202, "A new round of attempts begins.", schema("Delivery"))
            .codes(&[Code::Conflict, Code::RateLimited]),
    ]
}
