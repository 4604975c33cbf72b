//! An event as it is told: the body of `POST /v1/events`, and the draft that it becomes. Pure: whatever is wrong is found here,
//! before anything is kept.

use bellhop_core::{
    Code, Problem, Timestamp,
    model::{Account, Draft, EventType, Format, RunResult, Source, Trigger},
};
use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    json::OneOrMany,
    message::{image_link, link, picture, recipients},
};

/// The body of `POST /v1/events`, and each item of a bulk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventBody {
    source: Option<Source>,
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    trigger: Option<Trigger>,
    result: Option<RunResult>,
    title: Option<String>,
    message: String,
    format: Option<Format>,
    url: Option<String>,
    image_url: Option<String>,
    screenshot: Option<String>,
    occurred_at: Option<String>,
    send_to: Option<OneOrMany>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
    data: Option<Value>,
}

impl EventBody {
    /// The draft, in an account whose time zone counts where a time names none.
    pub fn draft(self, account: &Account) -> Result<Draft, Problem> {
        if self.message.trim().is_empty() {
            return Err(invalid("message", "it is empty; say what happened"));
        }
        Ok(Draft {
            source: self.source.unwrap_or_default(),
            event_type: self.event_type,
            trigger: self.trigger.unwrap_or_default(),
            result: self.result,
            title: self.title.filter(|title| !title.is_empty()),
            format: self.format.unwrap_or_default(),
            url: self.url.map(link).transpose()?,
            image_url: self.image_url.map(image_link).transpose()?,
            screenshot: self.screenshot.as_deref().map_or(Ok(None), picture)?,
            occurred_at: self.occurred_at.map(|text| moment(&text, &account.time_zone())).transpose()?,
            send_to: self.send_to.map_or(Ok(Vec::new()), |texts| recipients("send_to", &texts))?,
            is_final: self.is_final.unwrap_or_default(),
            data: self.data,
            ..Draft::new(self.message)
        })
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

/// RFC 3339, or without an offset: then the account's time zone is meant.
pub fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let local = |format: &str| DateTime::strptime(format, text).ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    let moment = text.parse().ok().or_else(|| local("%Y-%m-%d %H:%M:%S%.f")).or_else(|| local("%Y-%m-%dT%H:%M:%S%.f"));
    moment.ok_or_else(|| invalid("occurred_at", "expected RFC 3339, or `yyyy-MM-dd HH:mm:ss` in the account's time zone"))
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::AccountId;
    use serde_json::json;

    use super::*;
    use crate::{json, message::MOST_PICTURE};

    fn event(mut body: Value) -> Result<Draft, Problem> {
        body.as_object_mut().unwrap().entry("message").or_insert("x".into());
        let account = Account { time_zone: "Asia/Shanghai".into(), ..Account::new(AccountId::parse("main").unwrap()) };
        json::read::<EventBody>(body)?.draft(&account)
    }

    fn refusal(body: Value) -> (Code, String) {
        let problem = event(body).unwrap_err();
        (problem.code, problem.field.unwrap())
    }

    #[test]
    fn a_time_without_an_offset_is_the_accounts() {
        for text in [
            "2025-02-01 12:34:56",
            "2025-02-01T12:34:56",
            "2025-02-01T12:34:56+08:00",
            "2025-02-01T04:34:56Z",
            "2025-02-01 12:34:56.0",
        ] {
            let draft = event(json!({"occurred_at": text})).unwrap();
            assert_eq!(draft.occurred_at.unwrap().to_string(), "2025-02-01T04:34:56Z", "{text}");
        }
        for bad in ["yesterday", "2025-02-30 00:00:00", "2025-02-01", "1738384496", "", "2025-02-01 12:34:56[Europe/Paris]"] {
            assert_eq!(refusal(json!({"occurred_at": bad})), (Code::InvalidField, "occurred_at".into()), "{bad}");
        }
    }

    #[test]
    fn a_result_is_taken_in_every_form() {
        for (given, result) in [
            (json!("success"), RunResult::Success),
            (json!(1), RunResult::Failure),
            (json!("1"), RunResult::Failure),
            (json!("Fail"), RunResult::Failure),
            (json!("PartialSuccess"), RunResult::Partial),
        ] {
            assert_eq!(event(json!({"result": given})).unwrap().result, Some(result));
        }
        assert_eq!(event(json!({"result": null})).unwrap().result, None);
        for bad in [json!("ok"), json!(3), json!(true), json!([])] {
            assert_eq!(refusal(json!({"result": bad})), (Code::InvalidField, "result".into()));
        }
    }

    #[test]
    fn a_picture_is_taken_in_every_form() {
        let bytes = [0xfb_u8, 0xff, 0x01, 0x02];
        for text in ["+/8BAg==", "+/8BAg", "-_8BAg==", "-_8BAg", "data:image/png;base64,+/8BAg=="] {
            let draft = event(json!({"screenshot": text})).unwrap();
            assert_eq!(*draft.screenshot.unwrap().0, bytes, "{text}");
        }
        assert_eq!(event(json!({"screenshot": ""})).unwrap().screenshot, None);
        for bad in ["no picture!", "+_8B", "AAAAA", "data:text/plain;base64,AAAA", "data:image/png,AAAA", "data:"] {
            assert_eq!(refusal(json!({"screenshot": bad})), (Code::InvalidBase64, "screenshot".into()), "{bad}");
        }
    }

    #[test]
    fn a_picture_ends_at_4_mb() {
        let digits = |size: usize| "A".repeat(size.div_ceil(3) * 4);
        assert!(event(json!({"screenshot": digits(MOST_PICTURE - 1)})).is_ok());
        assert_eq!(refusal(json!({"screenshot": digits(MOST_PICTURE + 1)})), (Code::PictureTooLarge, "screenshot".into()));
    }

    #[test]
    fn links_are_whole_and_pictures_come_by_http() {
        assert_eq!(event(json!({"url": "myapp://open?x=1"})).unwrap().url.as_deref(), Some("myapp://open?x=1"));
        for bad in ["/relative", "javascript:alert(1)", "DATA:text/html,x", " vbscript:x"] {
            assert_eq!(refusal(json!({"url": bad})), (Code::InvalidField, "url".into()), "{bad}");
        }
        assert!(event(json!({"image_url": "https://example.org/a.png"})).is_ok());
        for bad in ["ftp://example.org/a.png", "a.png", "data:image/png;base64,AAAA"] {
            assert_eq!(refusal(json!({"image_url": bad})), (Code::InvalidField, "image_url".into()), "{bad}");
        }
    }

    #[test]
    fn a_recipient_that_is_none_is_named_by_its_place() {
        assert_eq!(event(json!({"send_to": "phone"})).unwrap().send_to.len(), 1);
        assert_eq!(refusal(json!({"send_to": ["phone", "a/b"]})), (Code::InvalidName, "send_to[1]".into()));
        assert_eq!(refusal(json!({"send_to": "group:"})), (Code::InvalidName, "send_to[0]".into()));
        assert_eq!(refusal(json!({"send_to": "email:"})), (Code::InvalidField, "send_to[0]".into()));
        assert_eq!(refusal(json!({"send_to": ["fax:1"]})), (Code::InvalidField, "send_to[0]".into()));
        assert_eq!(refusal(json!({"send_to": [7]})), (Code::InvalidField, "send_to[0]".into()));
    }

    #[test]
    fn an_event_says_something() {
        for (message, code) in
            [(json!(" \n"), Code::InvalidField), (json!(null), Code::InvalidField), (json!(1), Code::InvalidField)]
        {
            assert_eq!(refusal(json!({"message": message})), (code, "message".into()));
        }
    }
}
