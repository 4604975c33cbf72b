//! Any HTTP request, as QD's custom push makes it: `{t}` is the title, `{log}` the text, in URL, headers and body.
//!
//! Unlike QD, a text arrives as it was written: it is escaped the way its place demands, in one pass, so that quotes, line
//! breaks, `&`, `#` and emoji neither break the request nor get lost, and `{x}` that is no mark stays as it is. What is
//! blank is not sent at all. What the statuses mean is said in [`crate::verdict`].

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError,
    channel::{Body, Kind, Limits, Message, Method, Outgoing, Param, Params, Spec},
    model::Format,
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    address,
    header::{self, Headers},
    param::{PROXY, param, text},
    request::Once,
    template::{Texts, is_json},
    verdict,
};

pub(crate) static SPEC: Spec = Spec {
    id: "custom",
    label: text("Custom push", "自定义推送"),
    help: text(
        "A request of your own making to any URL. `{t}` is the title, `{log}` is the text.",
        "向任意地址发送自定义请求。`{t}` 为标题，`{log}` 为内容。",
    ),
    docs: "https://github.com/qd-today/qd/blob/master/web/docs/toolbox/pusher.md",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text, Format::Markdown, Format::Html],
    client: None,
    address: None,
    params: &[METHOD, URL, HEADERS, BODY_KIND, BODY, PROXY],
    short: None,
    check,
};

const METHOD: Param = param(
    "method",
    Kind::Choice(&["GET", "POST"]),
    text("Method", "请求方法"),
    text("Without it: `POST` if there is a body, else `GET`.", "留空时：有请求体则为 `POST`，否则为 `GET`。"),
);

const URL: Param = Param {
    required: true,
    secret: true, // it is where most receivers want their token
    ..param(
        "url",
        Kind::Url,
        text("URL", "地址"),
        text(
            "Such as `https://example.com/push?log={log}&t={t}`; the texts are filled in percent-encoded.",
            "例如 `https://example.com/push?log={log}&t={t}`，填入时会进行百分号编码。",
        ),
    )
};

const HEADERS: Param = Param {
    secret: true,
    ..param(
        "headers",
        Kind::Headers,
        text("Headers", "请求头"),
        text(
            "Such as `{\"key1\": \"{log}\", \"key2\": \"{t}\"}`. Line breaks become spaces.",
            "例如 `{\"key1\": \"{log}\", \"key2\": \"{t}\"}`，换行会变成空格。",
        ),
    )
};

const BODY_KIND: Param = Param {
    default: Some("json"),
    ..param(
        "body_kind",
        Kind::Choice(&["json", "form", "raw"]),
        text("Kind of body", "请求体类型"),
        text(
            "`json`: a JSON text. `form`: pairs, written as a JSON object or as `a={log}&b={t}`. `raw`: plain text.",
            "`json`：JSON 文本。`form`：键值对，可写成 JSON 对象或 `a={log}&b={t}`。`raw`：纯文本。",
        ),
    )
};

const BODY: Param = Param {
    secret: true,
    ..param(
        "body",
        Kind::LongText,
        text("Body", "请求体"),
        text(
            "Such as `{\"key1\": \"{log}\", \"key2\": \"{t}\"}`. Left blank, no body is sent.",
            "例如 `{\"key1\": \"{log}\", \"key2\": \"{t}\"}`。留空则不发送请求体。",
        ),
    )
};

/// What is filled in.
const MARKS: [&str; 2] = ["{log}", "{t}"];

/// The channel `custom`.
pub(crate) static SPEAKER: Once =
    Once { spec: &SPEC, request: |_, message, params| request(message, params), judge: verdict::by_status };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &URL, MARKS)?;
    header::check(params, &HEADERS)?;
    address::check_proxy(params, &PROXY)?;
    Template::of(params).map(drop).map_err(|detail| Problem::field(Code::InvalidParams, "params.body", detail))
}

/// A request before its texts are filled in.
enum Template<'a> {
    Get,
    Post(Option<Fields<'a>>),
}

/// A body before its texts are filled in.
enum Fields<'a> {
    Json(&'a str),
    Form(Vec<(String, String)>),
    Raw(&'a str),
}

impl<'a> Template<'a> {
    /// Reads method and body, or says what is wrong with the body.
    fn of(params: &'a Params) -> Result<Self, &'static str> {
        match (params.text("method"), params.text("body")) {
            (Some("GET"), Some(_)) => Err("a `GET` has no body; leave it blank, or set `method` to `POST`"),
            (Some("GET") | None, None) => Ok(Self::Get),
            (_, None) => Ok(Self::Post(None)),
            (_, Some(body)) => Fields::read(params.text("body_kind"), body).map(|fields| Self::Post(Some(fields))),
        }
    }
}

impl<'a> Fields<'a> {
    fn read(kind: Option<&str>, body: &'a str) -> Result<Self, &'static str> {
        match kind {
            Some("form") => Ok(Self::Form(pairs(body))),
            Some("raw") => Ok(Self::Raw(body)),
            _ if is_json(body) => Ok(Self::Json(body)),
            _ => Err("it is not JSON: write marks inside quotes, as in `{\"text\": \"{log}\"}`, or set `body_kind` to `raw`"),
        }
    }

    fn fill(&self, texts: &Texts<2>) -> (&'static str, Body) {
        match self {
            Self::Json(text) => ("application/json", Body::Json(texts.json(text))),
            Self::Form(pairs) => {
                let filled = pairs.iter().map(|(name, value)| (texts.plain(name), texts.plain(value)));
                ("application/x-www-form-urlencoded", Body::Form(filled.collect()))
            }
            Self::Raw(text) => ("text/plain; charset=utf-8", Body::Raw(texts.plain(text).into_bytes())),
        }
    }
}

/// The pairs of a form, from a JSON object or from `a=1&b=2`. Values that are no texts are written as JSON.
fn pairs(body: &str) -> Vec<(String, String)> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        value => value.to_string(),
    };
    match serde_json::from_str::<Map<String, Value>>(body) {
        Ok(object) => object.into_iter().map(|(name, value)| (name, text(value))).collect(),
        Err(_) => form_urlencoded::parse(body.trim().as_bytes()).into_owned().collect(),
    }
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let unusable = |detail: &str| SendError::new(Reason::InvalidParams, Retry::Never, detail);
    let texts = Texts([("{log}", message.body.as_str()), ("{t}", message.title.as_str())]);
    let url = params.text("url").ok_or_else(|| unusable("the registration has no `url`"))?;
    let mut headers = Headers::default();
    let (method, body) = match Template::of(params).map_err(|detail| unusable(&format!("`body`: {detail}")))? {
        Template::Get => (Method::Get, Body::Empty),
        Template::Post(None) => (Method::Post, Body::Empty),
        Template::Post(Some(fields)) => {
            let (content_type, body) = fields.fill(&texts);
            headers.set("content-type", content_type);
            (Method::Post, body)
        }
    };
    for (name, value) in params.headers("headers") {
        headers.set(name, &texts.plain(value));
    }
    let proxy = params.text("proxy").map(str::to_owned);
    Ok(Outgoing { method, url: texts.url(url.trim()), headers: headers.into_vec(), body, proxy })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::sample::{self, any_text};

    fn request(title: &str, log: &str, params: Value) -> Outgoing {
        let job = sample::event(log, json!({ "title": title }));
        sample::request(&SPEAKER, &sample::message(&job), &sample::params(&SPEC, params))
    }

    fn form(log: &str, body: &str) -> Vec<(String, String)> {
        match request("T", log, json!({"url": "https://e.com", "body_kind": "form", "body": body})).body {
            Body::Form(pairs) => pairs,
            Body::Empty | Body::Json(_) | Body::Raw(_) => panic!("no form"),
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_the_url(title in any_text(), log in any_text()) {
            let url = request(&title, &log, json!({"url": "https://e.com/push?log={log}&t=<{t}>&x={x}"})).url;
            let pairs: Vec<_> = Url::parse(&url).unwrap().query_pairs().into_owned().collect();
            let expected = [("log".to_owned(), log), ("t".to_owned(), format!("<{title}>")), ("x".to_owned(), "{x}".to_owned())];
            prop_assert_eq!(pairs, expected);
        }

        #[test]
        fn any_text_survives_a_json_body(title in any_text(), log in any_text()) {
            let body = r#"{"a": "{log}", "b": ["{t}: {log}", {"{x}": 1}]}"#;
            let Body::Json(sent) = request(&title, &log, json!({"url": "https://e.com", "body": body})).body else { panic!() };
            let expected = json!({"a": log, "b": [format!("{title}: {log}"), {"{x}": 1}]});
            prop_assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), expected);
        }

        #[test]
        fn any_text_survives_a_form(log in any_text()) {
            let expected = [("a".to_owned(), log.clone()), ("b".to_owned(), "<T> {x}".to_owned())];
            prop_assert_eq!(&form(&log, "a={log}&b=%3C{t}>+{x}"), &expected);
            prop_assert_eq!(&form(&log, r#"{"a": "{log}", "b": "<{t}> {x}"}"#), &expected);
        }

        #[test]
        fn no_text_begins_a_header_of_its_own(log in any_text()) {
            let sent = request("T", &log, json!({"url": "https://e.com", "headers": {"x-log": "[{log}]"}}));
            prop_assert_eq!(sent.headers.len(), 1);
            prop_assert!(!sent.headers[0].1.contains(char::is_control));
        }
    }

    #[test]
    fn values_of_a_form_that_are_no_texts_are_written_as_json() {
        let pairs = form("L", r#"{"n": 1, "yes": true, "list": ["{log}"]}"#);
        let expected = [("n", "1"), ("yes", "true"), ("list", r#"["L"]"#)];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_blank_is_not_sent() {
        let sent = request("T", "L", json!({"url": "https://e.com", "method": "POST", "headers": {"x-a": ""}, "body": " \n"}));
        assert_eq!((sent.method, sent.headers), (Method::Post, Vec::new()));
        assert!(sent.body == Body::Empty);
    }

    #[test]
    fn without_a_method_the_body_decides() {
        assert_eq!(request("T", "L", json!({"url": "https://e.com"})).method, Method::Get);
        assert_eq!(request("T", "L", json!({"url": "https://e.com", "body": "{}"})).method, Method::Post);
    }

    #[test]
    fn a_body_that_could_not_be_sent_is_refused_with_its_field() {
        for params in [
            json!({"body": "{\"text\": {log}}"}),
            json!({"body": "a={log}"}),
            json!({"body": "{}", "method": "GET"}),
            json!({"body": "{", "body_kind": "json"}),
        ] {
            let mut all = json!({"url": "https://e.com"});
            all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
            let problem = check(&sample::params(&SPEC, all)).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("params.body"), "{params}");
        }
    }
}
