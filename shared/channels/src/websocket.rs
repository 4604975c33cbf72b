//! A WebSocket of one's own: connect, send one text, close. So does BetterGI, whose receivers are served by its format.
//!
//! The server's farewell is its only word: an ordinary one, or none, is a yes, and one with another code is a no. Who listens
//! to something else than texts of this form gets a template's. Left to others: connecting (`shared/egress`), what a refused
//! handshake's status means ([`crate::verdict`]).

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    channel::{Channel, Context, Kind, Limits, Message, Param, Params, Reply, Spec, Step},
    mail::Receipt,
    model::Format,
    socket::Frame,
};

use crate::{
    address,
    header::{self, Headers},
    param::{INCLUDE_PICTURE, param, required, text, with_default_picture},
    template::{Texts, is_json},
    verdict,
    webhook::body,
};

pub(crate) static SPEC: Spec = Spec {
    id: "websocket",
    label: text("WebSocket", "WebSocket"),
    help: text(
        "Opens a WebSocket to a URL of yours for each message, sends it as one text, and closes.",
        "每条消息建立一次 WebSocket 连接，以一个文本帧发送后关闭。",
    ),
    docs: "https://www.rfc-editor.org/rfc/rfc6455",
    // servers say for themselves what is too much
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text, Format::Markdown, Format::Html],
    client: None,
    address: None,
    params: &[URL, FORMAT, TEMPLATE, HEADERS, INCLUDE_PICTURE],
    short: None,
    check,
};

const URL: Param = Param {
    required: true,
    secret: true, // receivers like to have their token in it
    ..param(
        "url",
        Kind::Text,
        text("URL", "地址"),
        text("Where to connect to: `ws://…` or `wss://…`.", "连接地址，以 `ws://` 或 `wss://` 开头。"),
    )
};

const FORMAT: Param = Param {
    default: Some("bellhop"),
    ..param(
        "format",
        Kind::Choice(&["bellhop", "bettergi"]),
        text("Text", "文本格式"),
        text(
            "`bellhop` is the whole event; `bettergi` is what BetterGI itself sends to its receivers.",
            "`bellhop` 为完整事件；`bettergi` 为 BetterGI 发送给接收端的格式。",
        ),
    )
};

const TEMPLATE: Param = param(
    "template",
    Kind::LongText,
    text("Template", "模板"),
    text(
        "A text of your own with `$title`, `$content` and `$url`. If it is JSON, they are filled in as JSON.",
        "自定义文本，可包含 `$title`、`$content` 和 `$url`。模板是 JSON 时按 JSON 转义填入。",
    ),
);

const HEADERS: Param = Param {
    secret: true,
    ..param(
        "headers",
        Kind::Headers,
        text("Headers", "请求头"),
        text(
            "Headers of the handshake, such as `Authorization` or `Sec-WebSocket-Protocol`.",
            "握手请求的请求头，例如 `Authorization` 或 `Sec-WebSocket-Protocol`。",
        ),
    )
};

fn check(params: &Params) -> Result<(), Problem> {
    if params.text(URL.name).is_some_and(|url| !is_websocket(url)) {
        let detail = "it takes a URL that begins with `ws://` or `wss://`";
        return Err(Problem::field(Code::InvalidParams, "params.url", detail));
    }
    address::check_url(params, &URL, [])?;
    header::check(params, &HEADERS)
}

/// The channel `websocket`.
pub(crate) struct WebSocket;

impl Channel for WebSocket {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        if let Some(reply) = so_far.last() {
            return unopened(verdict::by_status(reply, cx.now), reply.status);
        }
        let frame = frame(cx, &with_default_picture(cx, message, params), params);
        frame.map_or_else(Step::Fail, |frame| Step::Socket(Box::new(frame)))
    }

    fn closed(&self, code: Option<u16>) -> Result<Receipt, SendError> {
        farewell(code)
    }
}

fn is_websocket(url: &str) -> bool {
    let scheme = url.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("ws" | "wss"))
}

fn frame(cx: &Context, message: &Message, params: &Params) -> Result<Frame, SendError> {
    let texts = Texts([
        ("$title", message.title.as_str()),
        ("$content", message.body.as_str()),
        ("$url", message.url.unwrap_or_default()),
    ]);
    let text = match params.text(TEMPLATE.name) {
        Some(template) if is_json(template) => texts.json(template),
        Some(template) => texts.plain(template),
        None if body::is_bettergi(params) => body::bettergi(cx, message, params).to_string(),
        None => body::envelope(message, params),
    };
    let mut headers = Headers::default();
    for (name, value) in params.headers(HEADERS.name) {
        headers.set(name, value);
    }
    if let Some(id) = &message.id {
        headers.set("webhook-id", id);
    }
    Ok(Frame { url: required(params, URL.name)?.trim().to_owned(), headers: headers.into_vec(), text })
}

/// An answer that opened no WebSocket: its status decides, and 2xx is no success.
fn unopened(judged: Step, status: u16) -> Step {
    match judged {
        Step::Done => {
            let detail = format!("the server answered {status} and opened no WebSocket; look at `url`");
            Step::Fail(SendError::new(Reason::UnexpectedAnswer, Retry::Later, detail))
        }
        judged => judged,
    }
}

/// <https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1>,
/// <https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number>
fn farewell(code: Option<u16>) -> Result<Receipt, SendError> {
    let Some(code) = code else { return Ok(Receipt::All) };
    let (reason, retry, advice) = match code {
        1000 | 1005 => return Ok(Receipt::All),
        1001 | 1012 => (Reason::ProviderError, Retry::Later, "it is going away"),
        1011 | 1014 => (Reason::ProviderError, Retry::Later, "it has a fault of its own"),
        1013 => (Reason::RateLimited, Retry::Later, "it wants to be asked later"),
        1002 | 1003 | 1007 => (Reason::Rejected, Retry::Never, "it does not take such a text; look at `format`"),
        1008 | 3000 | 3003 => (Reason::Unauthorized, Retry::Never, "its policy forbids it; look at `url` and `headers`"),
        1009 => (Reason::Rejected, Retry::Never, "the text is larger than it takes"),
        3008 => (Reason::ProviderError, Retry::Later, "it ran out of time"),
        _ => (Reason::Rejected, Retry::Never, "look the code up where the server is documented"),
    };
    Err(SendError::new(reason, retry, format!("the server closed with {code}; {advice}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sample;

    fn sent(fields: Value, more: Value) -> Frame {
        let mut params = json!({"url": " wss://ws.example.com/in "});
        let Value::Object(more) = more else { panic!("not an object") };
        params.as_object_mut().unwrap().extend(more);
        let job = sample::event("m", fields);
        frame(&sample::context(), &sample::message(&job), &sample::params(&SPEC, params)).unwrap()
    }

    #[test]
    fn bettergi_gets_the_fields_that_it_sends_itself_and_no_receivers() {
        let frame = sent(json!({"type": "domain.end", "send_to": ["alice"]}), json!({"format": "bettergi"}));
        let text: Value = serde_json::from_str(&frame.text).unwrap();
        let names: Vec<_> = text.as_object().unwrap().keys().collect();
        assert_eq!(names, ["event", "result", "timestamp", "screenshot", "message", "data"]);
        assert_eq!(frame.url, "wss://ws.example.com/in");
    }

    #[test]
    fn a_template_is_filled_in_and_the_delivery_is_named_in_the_handshake() {
        let frame = sent(json!({"title": "a\"b"}), json!({"template": "{\"t\": \"$title: $content\"}", "headers": {"x-a": "b"}}));
        assert_eq!(frame.text, r#"{"t": "a\"b: m"}"#);
        assert_eq!(frame.headers[0], ("x-a".to_owned(), "b".to_owned()));
        assert!(frame.headers[1].0 == "webhook-id" && frame.headers[1].1.starts_with("dlv_"));
    }

    #[test]
    fn only_a_websocket_address_is_taken() {
        let check = |url: &str| check(&sample::params(&SPEC, json!({ "url": url })));
        assert!(check("ws://127.0.0.1:8080") == Ok(()) && check(" WSS://example.com/a?b ") == Ok(()));
        for bad in ["https://example.com", "example.com", "ws://", "wss://u:s3cret@example.com"] {
            let problem = check(bad).unwrap_err();
            assert!(problem.field.as_deref() == Some("params.url") && !problem.detail.contains("s3cret"), "{bad}");
        }
    }

    #[test]
    fn only_an_ordinary_farewell_is_a_yes() {
        let yes: Vec<_> = (0..=4999).filter(|code| farewell(Some(*code)).is_ok()).collect();
        assert_eq!((farewell(None), yes), (Ok(Receipt::All), vec![1000, 1005]));
    }

    #[test]
    fn a_farewell_says_whether_to_try_again() {
        for (code, reason, retry) in [
            (1001, Reason::ProviderError, Retry::Later),
            (1003, Reason::Rejected, Retry::Never),
            (1008, Reason::Unauthorized, Retry::Never),
            (1009, Reason::Rejected, Retry::Never),
            (1011, Reason::ProviderError, Retry::Later),
            (1013, Reason::RateLimited, Retry::Later),
            (4001, Reason::Rejected, Retry::Never),
        ] {
            let error = farewell(Some(code)).unwrap_err();
            assert_eq!((error.reason, error.retry), (reason, retry), "{code}");
        }
    }
}
