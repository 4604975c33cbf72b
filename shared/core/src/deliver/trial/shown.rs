//! What people are shown of an exchange: the words, without the secrets. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    mask::Mask,
    recorder::{self, Heard, Said},
};
use crate::{
    channel::{Body, Outgoing, Reply},
    mail::{Mail, Mailed, SmtpReply, Tls},
    ses::SesMail,
    socket::Frame,
};

/// The most of an answer that is shown, in characters.
const MOST: usize = 4_000;

/// What was said and what was answered.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Exchange {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    /// In place of a request where a mail server was talked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    dialog: Option<Dialog>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response>,
}

#[derive(Debug, Clone, Serialize)]
struct Request {
    method: &'static str,
    url: String,
    headers: Map<String, Value>,
    body: Value,
}

#[derive(Debug, Clone, Serialize)]
struct Response {
    status: u16,
    /// JSON, or the beginning of a text; `null` where it held a token.
    body: Value,
    /// The code with which a WebSocket was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<u16>,
}

#[derive(Debug, Clone, Serialize)]
struct Dialog {
    server: String,
    tls: &'static str,
    lines: Vec<Line>,
}

/// One command and the answer to it, as far as it is known.
#[derive(Debug, Clone, Serialize)]
struct Line {
    said: String,
    heard: Option<String>,
}

pub(super) fn shown(exchange: &recorder::Exchange, mask: &Mask) -> Exchange {
    let request = match &exchange.said {
        Said::Request(outgoing) => request(outgoing, mask),
        Said::Frame(frame) => opening(frame, mask),
        Said::Ses(mail) => sending(mail, mask),
        Said::Mail(mail) => {
            let answer = match &exchange.heard {
                Some(Heard::Mailed(answer)) => Some(answer),
                Some(Heard::Reply(_) | Heard::Token(_) | Heard::Closed(_)) | None => None,
            };
            return Exchange { request: None, dialog: Some(dialog(mail, answer, mask)), response: None };
        }
    };
    let response = exchange.heard.as_ref().and_then(|heard| match heard {
        Heard::Reply(reply) => Some(response(reply, mask)),
        Heard::Token(status) => Some(Response { status: *status, body: Value::Null, closed: None }),
        Heard::Closed(closed) => Some(Response { status: 101, body: Value::Null, closed: *closed }),
        Heard::Mailed(_) => None,
    });
    Exchange { request: Some(request), dialog: None, response }
}

fn request(outgoing: &Outgoing, mask: &Mask) -> Request {
    let Outgoing { method, url, headers, body, proxy: _ } = outgoing;
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let body = match body {
        Body::Empty => Value::Null,
        Body::Json(text) => mask.body(text),
        Body::Form(pairs) => mask.pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        Body::Raw(bytes) => match str::from_utf8(bytes) {
            Ok(text) if content_type.is_some_and(|(_, kind)| kind.contains("form-urlencoded")) => mask.form(text),
            Ok(text) => mask.body(text),
            Err(_) => Value::from(format!("{} bytes", bytes.len())),
        },
    };
    Request { method: method.as_str(), url: mask.url(url), headers: shown_headers(headers, mask), body }
}

fn opening(frame: &Frame, mask: &Mask) -> Request {
    Request {
        method: "GET",
        url: mask.url(&frame.url),
        headers: shown_headers(&frame.headers, mask),
        body: mask.body(&frame.text),
    }
}

fn sending(mail: &SesMail, mask: &Mask) -> Request {
    let region = mail.region.as_deref().unwrap_or("<the deployment's region>");
    let body = json!({"Action": "SendRawEmail", "Source": mail.from, "Destinations": mail.to,
        "ConfigurationSetName": mail.configuration_set});
    let url = format!("https://email.{region}.amazonaws.com/");
    Request { method: "POST", url: mask.text(&url), headers: Map::new(), body: mask.json(&body) }
}

fn shown_headers(headers: &[(String, String)], mask: &Mask) -> Map<String, Value> {
    headers.iter().map(|(name, value)| (name.clone(), mask.header(name, value).into())).collect()
}

fn response(reply: &Reply, mask: &Mask) -> Response {
    let text = String::from_utf8_lossy(&reply.body);
    let body = match mask.body(&text) {
        Value::String(text) => Value::from(cut(&text)),
        json => {
            let written = json.to_string();
            if written.chars().count() > MOST { Value::from(cut(&written)) } else { json }
        }
    };
    Response { status: reply.status, body, closed: None }
}

fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(MOST).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

fn dialog(mail: &Mail, answer: Option<&Mailed>, mask: &Mask) -> Dialog {
    let line = |said: String, heard: Option<&SmtpReply>| {
        let heard = heard.map(|reply| cut(&mask.text(&format!("{} {}", reply.code, reply.text))));
        Line { said: mask.text(&said), heard }
    };
    let (refused, recipients, message) = match answer {
        None => (None, &[][..], None),
        Some(Mailed::Refused(reply)) => (Some(reply), &[][..], None),
        Some(Mailed::HeldBack(recipients)) => (None, &recipients[..], None),
        Some(Mailed::Answered { recipients, message }) => (None, &recipients[..], Some(message)),
    };
    let login = mail.login.as_ref().map(|login| format!("AUTH as {}, ", login.user)).unwrap_or_default();
    let mut lines = vec![line(format!("EHLO, {login}MAIL FROM:<{}>", mail.from), refused)];
    // whoever was refused before that has named nobody, and whoever was not heard may not have been either
    if answer.is_none() {
        lines.clear();
    } else if refused.is_none() {
        lines.extend(mail.to.iter().enumerate().map(|(at, to)| line(format!("RCPT TO:<{to}>"), recipients.get(at))));
    }
    lines.extend(message.map(|reply| line(format!("DATA ({} bytes)", mail.message.len()), Some(reply))));
    let tls = match mail.server.tls {
        Tls::Implicit(_) => "implicit",
        Tls::StartTls(_) => "starttls",
        Tls::Off => "none",
    };
    Dialog { server: format!("{}:{}", mail.server.host, mail.server.port), tls, lines }
}
