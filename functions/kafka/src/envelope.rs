//! Tasks in the envelope of the message task platform that many producers write to a topic already. Pure.
//!
//! `{"messageId": "…", "messageType": "task.push.info", "body": {"taskType": 1, "executeType": 2, …}}`: a mail or a text message,
//! once or again and again. What it says beside that (who, codes, counts of its own) is left aside.

use std::{fmt, num::NonZeroU32};

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, AddressKind, CatchUp, Format, Minute, Start, TaskName, When, Zone},
    task::Wish,
};
use bellhop_http::{
    json::{self, OneOrMany},
    message::MessageBody,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use serde_json::{Map, Value};

use crate::record::not_over;

#[derive(Deserialize)]
struct Envelope {
    body: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    name: TaskName,
    title: Option<String>,
    content: String,
    to: String,
    task_config: Option<String>,
    task_type: Whole,
    execute_type: Whole,
    #[serde(default, deserialize_with = "if_any")]
    is_delay: Option<Whole>,
    #[serde(default, deserialize_with = "if_any")]
    predict_deal_time: Option<Whole>,
    #[serde(default, deserialize_with = "if_any")]
    max_execute_count: Option<Whole>,
    time_type: Option<String>,
    time_value: Option<String>,
}

/// A whole number, which forms of web pages write as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Whole(u64);

/// What was left empty is not there.
struct Digits;

impl Visitor<'_> for Digits {
    type Value = Option<Whole>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, 0 or more")
    }

    fn visit_unit<E>(self) -> Result<Option<Whole>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<Whole>, E> {
        Ok(Some(Whole(number)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<Whole>, E> {
        let digits = text.trim();
        let number = || digits.parse().map(|number| Some(Whole(number)));
        if digits.is_empty() { Ok(None) } else { number().map_err(|_| E::invalid_value(de::Unexpected::Other("text"), &self)) }
    }
}

fn if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Whole>, D::Error> {
    deserializer.deserialize_any(Digits)
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if_any(deserializer)?.ok_or_else(|| de::Error::invalid_value(de::Unexpected::Other("nothing"), &Digits))
    }
}

/// The task that an envelope asks for, of an account whose time zone counts, at a time.
pub(crate) fn wish(value: Value, account: &Account, now: Timestamp) -> Result<Wish, Problem> {
    let Envelope { body } = json::read(value)?;
    body.wish(account, now).map_err(|problem| problem.under("body"))
}

impl Body {
    fn wish(self, account: &Account, now: Timestamp) -> Result<Wish, Problem> {
        let (schedule, max_runs) = match self.execute_type.0 {
            1 => (self.once(now)?, None),
            2 => (self.again_and_again(account)?, Some(self.max_runs()?)),
            _ => return Err(invalid("executeType", "expected 1 (once) or 2 (again and again)")),
        };
        let (kind, format, params) = match self.task_type.0 {
            1 => (AddressKind::Email, Format::Markdown, None),
            2 => (AddressKind::Sms, Format::Text, variables(&self.content)),
            _ => return Err(invalid("taskType", "expected 1 (mail) or 2 (text message)")),
        };
        let said = MessageBody {
            to: OneOrMany(addresses(kind, &self.to)),
            // none is the default one of that kind
            via: self.task_config.filter(|name| !name.is_empty()),
            title: self.title,
            body: Some(self.content),
            format: Some(format),
            url: None,
            image_url: None,
            screenshot: None,
            data: None,
            options: None,
            wait_seconds: None,
        };
        let (message, _) = said.draft().map_err(in_its_words)?;
        Ok(Wish { name: self.name, message, params, schedule, max_runs, catch_up: CatchUp::default() })
    }

    fn once(&self, now: Timestamp) -> Result<When, Problem> {
        match self.is_delay {
            None | Some(Whole(0)) => Ok(When::Now),
            Some(Whole(1)) => {
                let Whole(at) = self.predict_deal_time.ok_or_else(|| missing("predictDealTime"))?;
                let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
                let at = at.ok_or_else(|| invalid("predictDealTime", "expected milliseconds since 1970"))?;
                Ok(not_over(When::At { at }, now))
            }
            Some(Whole(_)) => Err(invalid("isDelay", "expected 0 (at once) or 1 (at `predictDealTime`)")),
        }
    }

    /// From the next full hour on, as that platform says of itself: at :45, told at 5:25, it is 6:45 first.
    fn again_and_again(&self, account: &Account) -> Result<When, Problem> {
        let time_zone = Zone::parse(&account.time_zone)
            .ok_or_else(|| invalid("timeType", "the account's time zone has no IANA name; set one with `PUT /v1/account`"))?;
        let value = self.time_value.as_deref().ok_or_else(|| missing("timeValue"))?;
        let start = Start::NextHour;
        match self.time_type.as_deref() {
            Some("hours") => {
                let minute = value.parse().ok().and_then(Minute::new);
                let minute = minute.ok_or_else(|| invalid("timeValue", "expected a minute such as `45`"))?;
                Ok(When::Hourly { minute, time_zone, start })
            }
            Some("days") => {
                let time = value.parse().map_err(|_| invalid("timeValue", "expected a time of day such as `09:30`"))?;
                Ok(When::Daily { time, time_zone, start })
            }
            Some(_) => Err(invalid("timeType", "expected `hours` or `days`")),
            None => Err(missing("timeType")),
        }
    }

    /// One, where none is said: it is that platform's own default.
    fn max_runs(&self) -> Result<NonZeroU32, Problem> {
        let Some(Whole(most)) = self.max_execute_count else { return Ok(NonZeroU32::MIN) };
        let most = u32::try_from(most).ok().and_then(NonZeroU32::new);
        most.ok_or_else(|| invalid("maxExecuteCount", "expected 1 or more"))
    }
}

fn invalid(field: &str, detail: &str) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

fn missing(field: &str) -> Problem {
    Problem::field(Code::MissingField, field, "a task of this kind needs it")
}

/// A problem with a field that we call otherwise.
fn in_its_words(problem: Problem) -> Problem {
    let field = problem.field.map(|field| match field.as_str() {
        "via" => "taskConfig".to_owned(),
        "body" => "content".to_owned(),
        _ => field,
    });
    Problem { field, ..problem }
}

/// Addresses or numbers, with commas between.
fn addresses(kind: AddressKind, to: &str) -> Vec<String> {
    let each = to.split(',').map(str::trim).filter(|address| !address.is_empty());
    each.map(|address| format!("{}:{address}", kind.as_str())).collect()
}

/// What a template is filled with, where a text message is written as an object.
fn variables(content: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(content).ok()
}

#[cfg(test)]
mod tests {
    use bellhop_core::{
        model::{AccountId, Recipient},
        task::times,
    };
    use serde_json::json;

    use super::*;

    /// A mail at once, with `change` over it.
    fn envelope(change: Value) -> Value {
        let mut body = json!({
            "operateUser": "li", "name": "invoice", "title": "Invoice 7", "content": "It is **due**.", "to": "a@example.org",
            "taskType": 1, "executeType": 1, "isDelay": 0, "taskConfig": "", "status": 0, "executeCount": 0,
        });
        let Value::Object(change) = change else { panic!("an object") };
        body.as_object_mut().unwrap().extend(change);
        json!({ "messageId": "1700000000000", "messageType": "task.push.info", "topicName": "task.push.info", "body": body })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(change: Value) -> Result<Wish, Problem> {
        let account = Account { time_zone: "Asia/Shanghai".into(), ..Account::new(AccountId::parse("main").unwrap()) };
        wish(envelope(change), &account, at("2026-03-02T05:25:00+08:00"))
    }

    fn wished(change: Value) -> Wish {
        read(change).unwrap()
    }

    fn refusal(change: Value) -> (Code, String) {
        let problem = read(change).unwrap_err();
        (problem.code, problem.field.unwrap())
    }

    fn to(wish: &Wish) -> Vec<String> {
        wish.message.send_to.iter().map(Recipient::to_string).collect()
    }

    #[test]
    fn a_mail_goes_to_each_address_and_its_markdown_is_rendered() {
        let wish = wished(json!({ "to": "a@example.org, b@example.org," }));
        assert_eq!(to(&wish), ["email:a@example.org", "email:b@example.org"]);
        assert_eq!((wish.name.as_str(), wish.message.title.as_deref()), ("invoice", Some("Invoice 7")));
        assert_eq!((wish.message.message.as_str(), wish.message.format), ("It is **due**.", Format::Markdown));
        assert_eq!((wish.schedule, wish.max_runs, wish.params), (When::Now, None, None));
    }

    #[test]
    fn a_text_message_that_is_an_object_is_what_the_template_is_filled_with() {
        let wish = wished(json!({ "taskType": 2, "to": "13800000000,+4915112345678", "content": "{\"code\": \"1521\"}" }));
        assert_eq!(to(&wish), ["sms:13800000000", "sms:+4915112345678"]);
        assert_eq!(wish.params.map(Value::Object), Some(json!({ "code": "1521" })));
    }

    #[test]
    fn a_text_message_that_is_no_object_is_its_text() {
        for text in ["your code is 1521", "1521", "[1]", "{broken"] {
            let wish = wished(json!({ "taskType": 2, "to": "13800000000", "content": text }));
            assert_eq!((wish.message.message.as_str(), wish.params), (text, None));
        }
    }

    #[test]
    fn a_mail_that_is_an_object_is_its_text() {
        assert_eq!(wished(json!({ "content": "{\"code\": 1}" })).params, None);
    }

    #[test]
    fn a_configuration_is_the_registration_of_that_name_and_none_the_default_one() {
        assert_eq!(wished(json!({ "taskConfig": "office" })).message.via.unwrap().as_str(), "office");
        for none in [json!(""), json!(null)] {
            assert_eq!(wished(json!({ "taskConfig": none })).message.via, None);
        }
    }

    #[test]
    fn a_delayed_task_runs_once_at_its_time() {
        let due = at("2026-03-02T09:30:00+08:00");
        for time in [json!(due.as_millisecond()), json!(due.as_millisecond().to_string())] {
            let wish = wished(json!({ "isDelay": 1, "predictDealTime": time }));
            assert_eq!((wish.schedule, wish.max_runs), (When::At { at: due }, None));
        }
    }

    #[test]
    fn a_time_that_passed_while_the_record_waited_is_now() {
        let passed = at("2026-03-02T05:24:00+08:00").as_millisecond();
        assert_eq!(wished(json!({ "isDelay": 1, "predictDealTime": passed })).schedule, When::Now);
    }

    #[test]
    fn an_hourly_task_at_45_that_is_told_at_5_25_first_runs_at_6_45() {
        let wish =
            wished(json!({ "executeType": "2", "isDelay": 1, "timeType": "hours", "timeValue": "45", "maxExecuteCount": 3 }));
        let first = times::first(&wish.schedule, at("2026-03-02T05:25:00+08:00")).unwrap();
        assert_eq!((first, wish.max_runs.unwrap().get()), (at("2026-03-02T06:45:00+08:00"), 3));
    }

    #[test]
    fn a_daily_task_runs_at_its_time_in_the_accounts_zone() {
        for time in ["09:30", "09:30:00"] {
            let wish = wished(json!({ "executeType": 2, "timeType": "days", "timeValue": time, "maxExecuteCount": "2" }));
            let first = times::first(&wish.schedule, at("2026-03-02T05:25:00+08:00")).unwrap();
            assert_eq!((first, wish.max_runs.unwrap().get()), (at("2026-03-02T09:30:00+08:00"), 2), "{time}");
        }
    }

    #[test]
    fn a_repeating_task_that_says_no_count_runs_once() {
        let wish = wished(json!({ "executeType": 2, "timeType": "hours", "timeValue": "05" }));
        assert_eq!(wish.max_runs, Some(NonZeroU32::MIN));
    }

    #[test]
    fn what_is_wrong_is_named_in_the_envelopes_own_words() {
        for (change, code, field) in [
            (json!({ "taskType": 3 }), Code::InvalidField, "body.taskType"),
            (json!({ "taskType": "mail" }), Code::InvalidField, "body.taskType"),
            (json!({ "executeType": 0 }), Code::InvalidField, "body.executeType"),
            (json!({ "isDelay": 2 }), Code::InvalidField, "body.isDelay"),
            (json!({ "isDelay": 1 }), Code::MissingField, "body.predictDealTime"),
            (json!({ "isDelay": 1, "predictDealTime": u64::MAX }), Code::InvalidField, "body.predictDealTime"),
            (json!({ "executeType": 2, "timeValue": "45" }), Code::MissingField, "body.timeType"),
            (json!({ "executeType": 2, "timeType": "weeks", "timeValue": "1" }), Code::InvalidField, "body.timeType"),
            (json!({ "executeType": 2, "timeType": "hours" }), Code::MissingField, "body.timeValue"),
            (json!({ "executeType": 2, "timeType": "hours", "timeValue": "60" }), Code::InvalidField, "body.timeValue"),
            (json!({ "executeType": 2, "timeType": "days", "timeValue": "25:00" }), Code::InvalidField, "body.timeValue"),
            (
                json!({ "executeType": 2, "timeType": "hours", "timeValue": "5", "maxExecuteCount": 0 }),
                Code::InvalidField,
                "body.maxExecuteCount",
            ),
            (json!({ "name": " " }), Code::InvalidField, "body.name"),
            (json!({ "to": " , " }), Code::InvalidField, "body.to"),
            (json!({ "to": "a@example.org,b c@example.org" }), Code::InvalidField, "body.to[1]"),
            (json!({ "taskConfig": "a/b" }), Code::InvalidName, "body.taskConfig"),
            (json!({ "title": "", "content": " " }), Code::MissingField, "body.content"),
        ] {
            assert_eq!(refusal(change.clone()), (code, field.to_owned()), "{change}");
        }
    }

    #[test]
    fn an_envelope_has_a_body() {
        let account = Account::new(AccountId::parse("main").unwrap());
        for (body, code) in [(json!(null), Code::InvalidField), (json!("text"), Code::InvalidField)] {
            let problem =
                wish(json!({ "messageType": "task.push.info", "body": body }), &account, Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!((problem.code, problem.field.as_deref()), (code, Some("body")));
        }
    }
}
