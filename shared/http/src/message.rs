//! A message as it is asked for: the body of `POST /v1/messages`, and its fields, which others have, too. Pure: whatever is wrong
//! is found here, before anything is kept.

use std::{collections::BTreeMap, time::Duration};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bellhop_core::{
    Code, Problem,
    model::{ChannelId, Draft, Format, Name, NameError, Picture, Recipient, RecipientError},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::json::OneOrMany;

/// The most bytes that a picture may have, decoded: 4 MB.
pub const MOST_PICTURE: usize = 4 * 1024 * 1024;

/// The longest that a caller may wait for its deliveries, in seconds.
const MOST_WAIT: u64 = 25;

/// The body of `POST /v1/messages`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageBody {
    /// Whom.
    pub to: OneOrMany,
    /// By which registration, where it goes to raw addresses.
    pub via: Option<String>,
    /// One line.
    pub title: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// How that is written.
    pub format: Option<Format>,
    /// Where a click leads.
    pub url: Option<String>,
    /// A picture by reference.
    pub image_url: Option<String>,
    /// A picture, in base64.
    pub screenshot: Option<String>,
    /// Whatever else.
    pub data: Option<Value>,
    /// Parameters by channel.
    pub options: Option<BTreeMap<String, Map<String, Value>>>,
    /// How long the caller waits for its deliveries.
    pub wait_seconds: Option<u64>,
}

impl MessageBody {
    /// The draft, and how long the caller waits for its deliveries.
    pub fn draft(self) -> Result<(Draft, Duration), Problem> {
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

/// Whom a field names.
pub fn recipients(field: &str, texts: &OneOrMany) -> Result<Vec<Recipient>, Problem> {
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
pub fn link(text: String) -> Result<String, Problem> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "javascript" | "data" | "vbscript") => {
            Err(invalid("url", format!("`{}:` is not a place; expected a URL such as `https://…`", url.scheme())))
        }
        Ok(_) => Ok(text),
        Err(_) => Err(invalid("url", "expected a whole URL, its scheme included")),
    }
}

/// Providers fetch pictures by HTTP.
pub fn image_link(text: String) -> Result<String, Problem> {
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text),
        Ok(_) | Err(_) => Err(invalid("image_url", "expected a URL that begins with `http://` or `https://`")),
    }
}

/// Decodes what reporters send: either alphabet, padded or not, bare or as a `data:` URL. An empty text is no picture.
pub fn picture(text: &str) -> Result<Option<Picture>, Problem> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

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
