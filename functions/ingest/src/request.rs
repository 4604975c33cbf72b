//! The bodies that come in, and the draft that each becomes. Pure: whatever is wrong is found here, before anything is
//! kept.

use std::{collections::BTreeMap, time::Duration};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bellhop_core::{
    Code, Problem, Timestamp,
    model::{
        Account, ChannelId, Draft, EventType, Format, Name, NameError, Picture, Recipient, RecipientError, RunResult, Source,
        Trigger,
    },
};
use bellhop_http::json::OneOrMany;
use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// The most bytes that a picture may have, decoded: 4 MB.
const MOST_PICTURE: usize = 4 * 1024 * 1024;

/// The longest that a caller may wait for its deliveries, in seconds.
const MOST_WAIT: u64 = 25;

/// The body of `POST /v1/events`, and each item of a bulk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventBody {
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

/// The body of `POST /v1/messages`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageBody {
    to: OneOrMany,
    via: Option<String>,
    title: Option<String>,
    body: Option<String>,
    format: Option<Format>,
    url: Option<String>,
    image_url: Option<String>,
    screenshot: Option<String>,
    data: Option<Value>,
    options: Option<BTreeMap<String, Map<String, Value>>>,
    wait_seconds: Option<u64>,
}

/// The body of `POST /v1/events/bulk`. The items are read one by one, so that a bad one harms no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkBody {
    pub(crate) events: Vec<Value>,
}

impl EventBody {
    pub(crate) fn draft(self, account: &Account) -> Result<Draft, Problem> {
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

impl MessageBody {
    /// The draft, and how long the caller waits for its deliveries.
    pub(crate) fn draft(self) -> Result<(Draft, Duration), Problem> {
        let blank = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
        if blank(&self.title) && blank(&self.body) {
            return Err(Problem::field(Code::MissingField, "body", "a message has a `title`, a `body` or both"));
        }
        if self.to.0.is_empty() {
            return Err(invalid("to", "it is empty; name at least one recipient"));
        }
        let wait = self.wait_seconds.unwrap_or_default();
        if wait > MOST_WAIT {
            return Err(invalid("wait_seconds", format!("expected a number from 0 to {MOST_WAIT}")));
        }
        let draft = Draft {
            title: self.title.filter(|title| !title.is_empty()),
            format: self.format.unwrap_or_default(),
            url: self.url.map(link).transpose()?,
            image_url: self.image_url.map(image_link).transpose()?,
            screenshot: self.screenshot.as_deref().map_or(Ok(None), picture)?,
            send_to: recipients("to", &self.to)?,
            via: self.via.as_deref().map(via).transpose()?,
            data: self.data,
            options: self.options.into_iter().flatten().map(|(id, options)| (ChannelId::new(&id), options)).collect(),
            ..Draft::new(self.body.unwrap_or_default())
        };
        Ok((draft, Duration::from_secs(wait)))
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

fn recipients(field: &str, texts: &OneOrMany) -> Result<Vec<Recipient>, Problem> {
    let recipient = |(at, text): (usize, &String)| {
        text.parse().map_err(|error: RecipientError| {
            let code = match error {
                RecipientError::Name(_) => Code::InvalidName,
                RecipientError::Address | RecipientError::Kind(_) => Code::InvalidField,
            };
            Problem::field(code, format!("{field}[{at}]"), error.to_string())
        })
    };
    texts.0.iter().enumerate().map(recipient).collect()
}

fn via(text: &str) -> Result<Name, Problem> {
    Name::parse(text).map_err(|NameError| Problem::field(Code::InvalidName, "via", NameError.to_string()))
}

/// Where a click leads: apps have schemes of their own, so any will do.
/// Apps have schemes of their own; those that run what stands in them lead nowhere good.
pub(crate) fn link(text: String) -> Result<String, Problem> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "javascript" | "data" | "vbscript") => {
            Err(invalid("url", format!("`{}:` is not a place; expected a URL such as `https://…`", url.scheme())))
        }
        Ok(_) => Ok(text),
        Err(_) => Err(invalid("url", "expected a whole URL, its scheme included")),
    }
}

/// Providers fetch pictures by HTTP.
pub(crate) fn image_link(text: String) -> Result<String, Problem> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text),
        Ok(_) | Err(_) => Err(invalid("image_url", "expected a URL that begins with `http://` or `https://`")),
    }
}

/// Decodes what reporters send: either alphabet, padded or not, bare or as a `data:` URL. An empty text is no picture.
pub(crate) fn picture(text: &str) -> Result<Option<Picture>, Problem> {
    const EITHER_WAY: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, EITHER_WAY);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_WAY);
    let refused = |code, detail: &str| Problem::field(code, "screenshot", detail);

    let digits = match text.strip_prefix("data:").map(|url| url.split_once(',')) {
        None => text,
        Some(Some((kind, digits))) if kind.starts_with("image/") && kind.ends_with(";base64") => digits,
        Some(_) => return Err(refused(Code::InvalidBase64, "a `data:` URL has to begin with `data:image/…;base64,`")),
    };
    let alphabet = if digits.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let bytes = alphabet.decode(digits).map_err(|_| refused(Code::InvalidBase64, "expected base64, of either alphabet"))?;
    match bytes.len() {
        0 => Ok(None),
        1..=MOST_PICTURE => Ok(Some(Picture(bytes.into()))),
        _ => Err(refused(Code::PictureTooLarge, "a picture has at most 4 MB, decoded; send a smaller one, or an `image_url`")),
    }
}

/// RFC 3339, or without an offset: then the account's time zone is meant.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let local = |format: &str| DateTime::strptime(format, text).ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    let moment = text.parse().ok().or_else(|| local("%Y-%m-%d %H:%M:%S%.f")).or_else(|| local("%Y-%m-%dT%H:%M:%S%.f"));
    moment.ok_or_else(|| invalid("occurred_at", "expected RFC 3339, or `yyyy-MM-dd HH:mm:ss` in the account's time zone"))
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::AccountId;
    use bellhop_http::json;
    use serde_json::json;

    use super::*;

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

    #[test]
    fn a_message_says_something_to_somebody() {
        let refusal = |body: Value| {
            let problem = json::read::<MessageBody>(body).and_then(MessageBody::draft).unwrap_err();
            (problem.code, problem.field.unwrap())
        };
        assert_eq!(refusal(json!({"to": "phone"})), (Code::MissingField, "body".into()));
        assert_eq!(refusal(json!({"to": "phone", "title": " ", "body": ""})), (Code::MissingField, "body".into()));
        assert_eq!(refusal(json!({"body": "x"})), (Code::MissingField, "to".into()));
        assert_eq!(refusal(json!({"to": [], "body": "x"})), (Code::InvalidField, "to".into()));
        assert_eq!(refusal(json!({"to": "p", "body": "x", "via": "a b"})), (Code::InvalidName, "via".into()));
        assert_eq!(refusal(json!({"to": "p", "body": "x", "wait_seconds": 26})), (Code::InvalidField, "wait_seconds".into()));
        assert_eq!(refusal(json!({"to": "p", "body": "x", "wait_seconds": -1})), (Code::InvalidField, "wait_seconds".into()));
        assert_eq!(
            refusal(json!({"to": "p", "body": "x", "options": {"webhook": 1}})),
            (Code::InvalidField, "options.webhook".into())
        );
        assert_eq!(refusal(json!({"to": "p", "text": "x"})), (Code::UnknownField, "text".into()));
    }
}
