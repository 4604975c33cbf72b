//! What a record asks for. Pure: whatever is wrong with it is found here, before anything is kept.

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, Draft, When},
    task::Wish,
};
use bellhop_http::{body::Payload, event::EventBody, json, message::MessageBody, task::wish};
use serde_json::Value;

use crate::envelope;

/// A record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of which topic.
    pub topic: String,
    /// Of which of its partitions.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// By what its producer chose the partition.
    pub key: Option<Vec<u8>>,
    /// What it says. `None`: that there is nothing under its key any more, where a topic is compacted.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// What no other record of these brokers is called.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// What a record asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asks {
    /// To keep an event, as `POST /v1/events` does.
    Event(Draft),
    /// To send a message, as `POST /v1/messages` does.
    Message(Draft),
    /// To make a task, as `POST /v1/tasks` does.
    Task(Box<Wish>),
}

/// Reads a record by the field that no other form has, for an account, at a time.
pub fn read(payload: &Payload, account: &Account, now: Timestamp) -> Result<Asks, Problem> {
    let value = payload.value()?;
    let has = |field| value.get(field).is_some_and(|found: &Value| !found.is_null());
    if has("messageType") {
        envelope::wish(value, account, now).map(Box::new).map(Asks::Task)
    } else if has("schedule") {
        let wish = wish(value, account)?;
        Ok(Asks::Task(Box::new(Wish { schedule: not_over(wish.schedule, now), ..wish })))
    } else if has("to") {
        // nobody waits for it, whatever it says
        json::read::<MessageBody>(value)?.draft().map(|(draft, _)| Asks::Message(draft))
    } else if has("message") {
        json::read::<EventBody>(value)?.draft(account).map(Asks::Event)
    } else {
        let detail = "a record is an event (`message`), a message (`to`), a task (`schedule`) or an envelope (`messageType`)";
        Err(Problem::new(Code::MissingField, detail))
    }
}

/// The record may have waited in its topic until after its time.
pub(crate) fn not_over(schedule: When, now: Timestamp) -> When {
    match schedule {
        When::At { at } if at <= now => When::Now,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::AccountId;
    use bellhop_http::body::Limit;
    use serde_json::json;

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Asks, Problem> {
        let account = Account::new(AccountId::parse("main").unwrap());
        read(&Payload::of(bytes.to_vec(), Limit::Picture("screenshot")), &account, Timestamp::UNIX_EPOCH)
    }

    fn asks(value: &Value) -> Asks {
        read_bytes(value.to_string().as_bytes()).unwrap()
    }

    fn refusal(bytes: &[u8]) -> (Code, Option<String>) {
        let problem = read_bytes(bytes).unwrap_err();
        (problem.code, problem.field)
    }

    #[test]
    fn what_has_a_message_is_an_event() {
        let Asks::Event(draft) = asks(&json!({ "source": "ci", "message": "the build failed", "send_to": "desk" })) else {
            panic!("an event")
        };
        assert_eq!((draft.message.as_str(), draft.source.as_str(), draft.send_to.len()), ("the build failed", "ci", 1));
    }

    #[test]
    fn what_has_recipients_is_a_message() {
        let Asks::Message(draft) = asks(&json!({ "to": ["desk", "group:ops"], "title": "t", "body": "b" })) else {
            panic!("a message")
        };
        assert_eq!((draft.title.as_deref(), draft.message.as_str(), draft.send_to.len()), (Some("t"), "b", 2));
    }

    #[test]
    fn what_has_a_schedule_is_a_task() {
        let Asks::Task(wish) = asks(&json!({ "name": "n", "to": "desk", "body": "b", "schedule": { "kind": "now" } })) else {
            panic!("a task")
        };
        assert_eq!((wish.name.as_str(), wish.schedule), ("n", When::Now));
    }

    #[test]
    fn a_task_whose_time_came_while_its_record_waited_runs_at_once() {
        let at = |at: &str| json!({ "name": "n", "to": "desk", "body": "b", "schedule": { "kind": "at", "at": at } });
        let Asks::Task(late) = asks(&at("1969-12-31T23:00:00Z")) else { panic!("a task") };
        assert_eq!(late.schedule, When::Now);
        let Asks::Task(early) = asks(&at("1970-01-01T01:00:00Z")) else { panic!("a task") };
        assert!(matches!(early.schedule, When::At { .. }));
    }

    #[test]
    fn what_is_refused_of_a_request_is_refused_of_a_record_with_the_same_code_and_field() {
        for (value, code, field) in [
            (json!({ "message": "x", "mesage": 1 }), Code::UnknownField, "mesage"),
            (json!({ "to": "desk" }), Code::MissingField, "body"),
            (json!({ "to": ["a/b"], "body": "x" }), Code::InvalidName, "to[0]"),
            (json!({ "to": "desk", "body": "x", "schedule": { "kind": "now" } }), Code::MissingField, "name"),
        ] {
            assert_eq!(refusal(value.to_string().as_bytes()), (code, Some(field.to_owned())), "{value}");
        }
    }

    #[test]
    fn what_is_no_json_or_nothing_of_this_is_refused() {
        assert_eq!(refusal(b"not json"), (Code::MalformedJson, None));
        assert_eq!(refusal(b""), (Code::MalformedJson, None));
        assert_eq!(refusal(b"\xff\xfe"), (Code::MalformedJson, None));
        for other in [json!({}), json!([1]), json!("text"), json!({ "hello": 1 }), json!({ "to": null })] {
            assert_eq!(refusal(other.to_string().as_bytes()), (Code::MissingField, None), "{other}");
        }
    }

    #[test]
    fn what_is_longer_than_a_request_may_be_is_refused() {
        let long = json!({ "message": "x".repeat(300_000) });
        assert_eq!(refusal(long.to_string().as_bytes()), (Code::BodyTooLarge, None));
    }

    #[test]
    fn a_record_is_called_by_topic_partition_and_offset() {
        let record = Record { topic: "task.push.info".into(), partition: 3, offset: 17, key: None, value: None };
        assert_eq!(record.name(), "task.push.info/3/17");
    }
}
