//! How the cases of channels are written: requests, answers, verdicts, times, and texts too long to write out. Reading and
//! writing only; what is done with them is [`crate::dry_run`]'s and [`crate::verdict`]'s business.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bellhop_core::{
    Code, Problem, Reason, Retry, Timestamp,
    channel::{Body, Outgoing, Reply},
    mail::{Mail, Mailed, SmtpReply, Tls},
    ses::SesMail,
    socket::{Frame, Framed},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::Url;

/// The reason where there was no answer: nobody knows whether the request arrived.
pub(crate) const UNANSWERED: Reason = Reason::OutcomeUnknown;

/// An answer to what goes before a message: somebody is found, something is kept.
pub(crate) const FOUND: &str = r#"{"code":0,"data":{"user_list":[{"user_id":"someone"}]},"errcode":0,"media_id":"something"}"#;

/// A token where a case names none.
pub(crate) const A_TOKEN: &str = "TOKEN";

/// The cases' word for what the sender does next.
pub(crate) fn word(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "permanent",
        Retry::Later => "retry",
        Retry::After(_) => "retry_after",
    }
}

/// Which request an answer is to, where it is not the message's own.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum At {
    /// WeCom's token.
    Gettoken,
    /// Feishu's.
    TenantAccessToken,
    /// Google's.
    Oauth,
    /// Whom Feishu finds by an address.
    BatchGetId,
}

/// A provider's answer, as the cases write it.
#[derive(Deserialize)]
pub(crate) struct Response {
    /// None: the message's own.
    pub(crate) at: Option<At>,
    /// 0 = there was none.
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    /// A text, or JSON written out.
    body: Option<Value>,
    /// Bytes that are no text.
    body_b64url: Option<String>,
    /// The code that a WebSocket server closed with after the frame; 0 = it just hung up.
    close: Option<u16>,
    /// The time of this answer, where it matters.
    pub(crate) now_unix: Option<f64>,
}

impl Response {
    /// The answer as a channel sees it; `None` if there was none.
    pub(crate) fn reply(&self) -> Option<Reply> {
        if self.status == 0 {
            return None;
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let headers = self.headers.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect();
        let bytes = self.body_b64url.as_ref().and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok());
        let body = bytes.unwrap_or_else(|| self.body.as_ref().map(text).unwrap_or_default().into_bytes());
        Some(Reply { status: self.status, headers, body })
    }
}

impl Response {
    /// What a mail server said: `550 5.1.1 Unknown` to the only recipient and, if it is a yes, to the message; or to several,
    /// as `RCPT a 250 / RCPT b 550 5.1.1 / DATA 250`.
    pub(crate) fn mailed(&self) -> Option<Mailed> {
        let said = self.body.as_ref().and_then(Value::as_str).filter(|_| self.status == 0)?;
        let (mut recipients, mut message) = (Vec::new(), None);
        for part in said.split(" / ") {
            match part.split_once(' ') {
                Some(("RCPT", reply)) => recipients.push(SmtpReply::parse(reply.split_once(' ')?.1)?),
                Some(("DATA", reply)) => message = Some(SmtpReply::parse(reply)?),
                _ => {
                    let reply = SmtpReply::parse(part)?;
                    message = Some(reply.clone()).filter(SmtpReply::is_positive);
                    recipients.push(reply);
                }
            }
        }
        Some(match message {
            Some(message) => Mailed::Answered { recipients, message },
            None => Mailed::HeldBack(recipients),
        })
    }
}

impl Response {
    /// How a WebSocket server that took the frame took its leave, if that is what it did.
    pub(crate) fn framed(&self) -> Option<Framed> {
        let code = self.close.filter(|_| self.status == 101)?;
        Some(Framed::Closed(Some(code).filter(|code| *code != 0)))
    }
}

/// A mail as the cases write it: what is said to the server and heard, the message's headers, the types of its parts, and
/// the message.
pub(crate) fn mail(mail: &Mail) -> Value {
    let mut shown = json!({ "server": format!("{}:{}", mail.server.host, mail.server.port), "smtp": dialog(mail) });
    show_message(&mut shown, &mail.message);
    shown
}

/// A mail for SES as the cases write it: the envelope, and the message as [`mail`] shows it.
pub(crate) fn ses(mail: &SesMail) -> Value {
    let mut shown = json!({
        "region": mail.region, "configuration_set": mail.configuration_set, "tags": pairs(&mail.tags),
        "from": mail.from, "to": mail.to,
    });
    show_message(&mut shown, &mail.message);
    json!({ "ses": shown })
}

/// A frame as the cases write it; its text once more as what it is, if it is JSON.
pub(crate) fn frame(frame: &Frame) -> Value {
    let mut shown = json!({ "url": frame.url, "headers": pairs(&frame.headers), "text": frame.text });
    if let Ok(json) = serde_json::from_str::<Value>(&frame.text) {
        shown["json"] = json;
    }
    json!({ "websocket": shown })
}

/// The message's headers, the types of its parts, and all of it.
fn show_message(shown: &mut Value, message: &[u8]) {
    let text = String::from_utf8_lossy(message);
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = unfolded.lines().filter_map(|line| line.split_once(": "));
    shown["headers"] = headers.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>().into();
    shown["parts"] = parts(&text).into();
    shown["body_kind"] = "raw".into();
    shown["body"] = text.into();
}

/// The session with a server that says yes to everything.
fn dialog(mail: &Mail) -> Vec<String> {
    let hello = ["EHLO", "250-..."].map(str::to_owned);
    let mut lines: Vec<String> = match mail.server.tls {
        Tls::Implicit(_) => vec!["<TLS>".to_owned(), "220".to_owned()],
        Tls::StartTls(_) => ["220", "EHLO", "250-...", "STARTTLS", "220", "<TLS>"].map(str::to_owned).into(),
        Tls::Off => vec!["220".to_owned()],
    };
    lines.extend(hello);
    if let Some(login) = &mail.login {
        let plain = BASE64_STANDARD.encode(format!("\0{}\0{}", login.user, login.password));
        lines.extend([format!("AUTH PLAIN {plain}"), "235".to_owned()]);
    }
    lines.extend([format!("MAIL FROM:<{}>", mail.from), "250".to_owned()]);
    lines.extend(mail.to.iter().flat_map(|to| [format!("RCPT TO:<{to}>"), "250".to_owned()]));
    lines.extend(["DATA", "354", "<message>.", "250", "QUIT"].map(str::to_owned));
    lines
}

/// The types of what stands between boundaries, but for what is itself made of parts; else that of the whole.
fn parts(message: &str) -> Vec<String> {
    let mut types = Vec::new();
    let mut in_head = true;
    for line in message.lines() {
        if let Some(media_type) = line.strip_prefix("Content-Type: ").filter(|_| in_head) {
            types.push(media_type.replace('"', ""));
        }
        // a boundary of ours begins like no line of a part, whichever way that is encoded
        in_head = line.starts_with("--=_") || in_head && !line.is_empty();
    }
    types.retain(|media_type| !media_type.starts_with("multipart/"));
    types
}

/// A request as the cases write it.
pub(crate) fn request(outgoing: &Outgoing) -> Value {
    let headers = outgoing.headers.iter().map(|(name, value)| (name.to_lowercase(), json!(value))).collect::<Map<_, _>>();
    let query: Vec<_> = Url::parse(&outgoing.url).iter().flat_map(Url::query_pairs).map(|(n, v)| (n.into(), v.into())).collect();
    let mut request = json!({
        "method": outgoing.method.as_str(), "url": outgoing.url, "headers": headers, "query": pairs(&query),
    });
    let is_opaque = outgoing.headers.iter().any(|(_, value)| value == "application/octet-stream");
    let (kind, name, body) = match &outgoing.body {
        Body::Empty => ("none", "body", Value::Null),
        Body::Json(text) => ("json", "body", serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())),
        Body::Form(fields) => ("form", "body", pairs(fields)),
        Body::Raw(bytes) => match str::from_utf8(bytes) {
            Ok(text) => ("raw", "body", text.into()),
            // of no kind that could be read
            Err(_) => (if is_opaque { "none" } else { "raw" }, "body_b64url", BASE64_URL_SAFE_NO_PAD.encode(bytes).into()),
        },
    };
    if let (Body::Raw(bytes), true) = (&outgoing.body, is_opaque) {
        request["headers"]["content-length"] = bytes.len().to_string().into();
    }
    request["body_kind"] = kind.into();
    if !body.is_null() || kind == "json" {
        request[name] = body;
    }
    request
}

/// An object; a list of pairs where a name comes twice.
fn pairs(pairs: &[(String, String)]) -> Value {
    let object: Map<_, _> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if object.len() == pairs.len() { object.into() } else { json!(pairs) }
}

/// Reads JSON and writes out what is abbreviated in it.
pub(crate) fn read<T: DeserializeOwned>(input: &str) -> Result<T, Problem> {
    let value: Value = serde_json::from_str(input)
        .map_err(|error| Problem::new(Code::MalformedJson, format!("the input is not JSON: {error}")))?;
    serde_json::from_value(expand(value))
        .map_err(|error| Problem::new(Code::InvalidField, format!("the input is not a case: {error}")))
}

/// `{"$repeat":["测",700]}` and `{"$concat":[…]}` are texts too long to write out.
fn expand(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(expand).collect(),
        Value::Object(object) => match text(&object) {
            Some(text) => text.into(),
            None => Value::Object(object.into_iter().map(|(name, value)| (name, expand(value))).collect()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn text(object: &Map<String, Value>) -> Option<String> {
    let (name, Value::Array(items)) = object.iter().next()? else { return None };
    match (name.as_str(), items.as_slice()) {
        ("$repeat", [text, times]) => Some(text.as_str()?.repeat(usize::try_from(times.as_u64()?).ok()?)),
        ("$concat", parts) => parts.iter().map(|part| expand(part.clone()).as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A point in time in seconds since 1970, with fractions to the microsecond.
pub(crate) fn at(seconds: Option<f64>) -> Result<Option<Timestamp>, Problem> {
    let to_timestamp = |seconds| {
        let since = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?.round(jiff::Unit::Microsecond).ok()?;
        Timestamp::from_duration(since).ok()
    };
    let problem = || Problem::field(Code::InvalidField, "now_unix", "it takes seconds since 1970");
    seconds.map(|seconds| to_timestamp(seconds).ok_or_else(problem)).transpose()
}
