//! A Matrix room: a message in plain text and in HTML, below a picture if there is one.
//!
//! A picture's bytes are uploaded first; where the server does not take them, the text goes without.
//! The delivery's id is the transaction's, so that an attempt whose outcome is unknown can be made again without a second
//! message. <https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>

use std::time::Duration;

use bellhop_core::{
    Problem, Retry, SendError, Timestamp,
    channel::{Body, Channel, Context, Kind, Limit, Limits, Message, Method, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::{Format, Picture},
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, refused_as, undocumented},
    ask::{Answers, either},
    email::picture_type,
    format::as_text,
    html,
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text, with_picture},
    request::post_json,
    template::percent_encoded,
};

/// An event may have 65536 bytes, with what the servers add to it. <https://spec.matrix.org/latest/client-server-api/#size-limits>
const MOST_BYTES: usize = 60_000;

pub(crate) static SPEC: Spec = Spec {
    id: "matrix",
    label: text("Matrix", "Matrix"),
    help: text("Sends to a room of a Matrix server.", "发送到 Matrix 房间。"),
    docs: "https://spec.matrix.org/latest/client-server-api/#mroommessage",
    limits: Limits {
        title: Some(Limit { max: 1000, unit: Unit::Chars }), // so that it leaves room for the text
        body: Some(Limit { max: MOST_BYTES, unit: Unit::Bytes }),
        part: Some(Limit { max: 20_000, unit: Unit::Bytes }),
        rate: None,
    },
    shows: &[Format::Html, Format::Text],
    client: None,
    address: None,
    params: &[HOMESERVER, ACCESS_TOKEN, ROOM_ID, INCLUDE_PICTURE],
    short: None,
    check,
};

const HOMESERVER: Param = Param {
    required: true,
    ..param(
        "homeserver",
        Kind::Url,
        text("Homeserver", "主服务器"),
        text("The address of the server, such as `https://matrix.org`.", "服务器地址，例如 `https://matrix.org`。"),
    )
};

const ACCESS_TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param(
        "access_token",
        Kind::Text,
        text("Access token", "访问令牌"),
        text("Of the user who sends; it may begin with `syt_`.", "发送消息的用户的访问令牌，可能以 `syt_` 开头。"),
    )
};

const ROOM_ID: Param = Param {
    required: true,
    ..param(
        "room_id",
        Kind::Text,
        text("Room id", "房间 ID"),
        text(
            "Such as `!abc:example.org` (not the alias); the user has to be in the room.",
            "例如 `!abc:example.org`（不是别名）；用户须已加入该房间。",
        ),
    )
};

/// The channel `matrix`.
pub(crate) struct Matrix;

impl Channel for Matrix {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        either(next(cx, &with_picture(cx, message, params), params, Answers::new(so_far)))
    }
}

fn next(cx: &Context, message: &Message, params: &Params, mut answers: Answers) -> Result<Step, Step> {
    let upload = message.picture.map(|picture| upload(picture, params)).transpose().map_err(Step::Fail)?;
    let uploaded = upload.map(|upload| answers.to(|| upload, |reply| uploaded(reply, cx.now))).transpose()?;
    let Some(reply) = answers.last() else {
        let address = uploaded.as_ref().and_then(Option::as_deref);
        return Ok(request(cx, message, params, address).map_or_else(Step::Fail, Step::Call));
    };
    Ok(match judge(reply, cx.now) {
        Step::Done if uploaded == Some(None) => Step::DoneBut("without the picture, which the server did not take".to_owned()),
        judged => judged,
    })
}

/// <https://spec.matrix.org/latest/client-server-api/#post_matrixmediav3upload>
fn upload(picture: &Picture, params: &Params) -> Result<Outgoing, SendError> {
    let (media_type, name) = picture_type(&picture.0);
    let headers = vec![("content-type".to_owned(), media_type.to_owned()), authorization(params)?];
    let url = address::below(required(params, HOMESERVER.name)?, &format!("_matrix/media/v3/upload?filename={name}"));
    Ok(Outgoing { method: Method::Post, url, headers, body: Body::Raw(picture.0.to_vec()), proxy: None })
}

/// Where the picture is now; none if the server does not take it, which is no reason to withhold the text.
fn uploaded(reply: &Reply, now: Timestamp) -> Result<Option<String>, Step> {
    let address = Answer::of(reply).map(|answer| answer.text("content_uri").to_owned());
    match (address.filter(|address| reply.status == 200 && address.starts_with("mxc://")), judge(reply, now)) {
        (Some(address), _) => Ok(Some(address)),
        (None, Step::Fail(error)) if error.retry == Retry::Never => Ok(None),
        (None, Step::Done) => Err(undocumented(reply, now)), // of a message, and not of a picture
        (None, step) => Err(step),
    }
}

fn authorization(params: &Params) -> Result<(String, String), SendError> {
    Ok(("authorization".to_owned(), format!("Bearer {}", required(params, ACCESS_TOKEN.name)?.trim())))
}

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &HOMESERVER)
}

fn request(cx: &Context, message: &Message, params: &Params, picture: Option<&str>) -> Result<Outgoing, SendError> {
    let room = percent_encoded(required(params, ROOM_ID.name)?.trim());
    let transaction = percent_encoded(&message.id.clone().unwrap_or_else(|| cx.nonce("txn_id", 32)));
    let path = format!("_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}");
    let write = |text: &str| match picture {
        Some(address) => below_picture(content(message, text), address, message),
        None => content(message, text),
    };
    let text = Joined::body(message).fit(MOST_BYTES, |text| write(text).to_string().len());
    let url = address::below(required(params, HOMESERVER.name)?, &path);
    let mut outgoing = Outgoing { method: Method::Put, ..post_json(url, &write(&text)) };
    outgoing.headers.push(authorization(params)?);
    Ok(outgoing)
}

/// The same as the caption of an uploaded picture. <https://spec.matrix.org/latest/client-server-api/#media-captions>
fn below_picture(mut content: Value, address: &str, message: &Message) -> Value {
    let bytes = message.picture.map(|picture| &*picture.0).unwrap_or_default();
    let (media_type, name) = picture_type(bytes);
    if content["body"] == "" {
        content = json!({ "body": name }); // without a caption
    }
    content["msgtype"] = "m.image".into();
    content["filename"] = name.into();
    content["url"] = address.into();
    content["info"] = json!({ "mimetype": media_type, "size": bytes.len() });
    content
}

/// The event's content with this text. <https://spec.matrix.org/latest/client-server-api/#mtext>
fn content(message: &Message, text: &str) -> Value {
    let title = if message.title.is_empty() { String::new() } else { format!("<b>{}</b>", html::lines(&message.title)) };
    let message = &Message { body: text.to_owned(), ..message.clone() };
    let body = match message.format {
        Format::Html => text.to_owned(),
        Format::Text | Format::Markdown => html::lines(text),
    };
    let below = [message.image_url, message.url].map(|url| url.map(html::link).unwrap_or_default());
    let parts: Vec<_> = [title, body].into_iter().chain(below).filter(|part| !part.is_empty()).collect();
    let plain = Joined::plain(&Message { body: as_text(message), ..message.clone() }).whole();
    let (format, html) = ("org.matrix.custom.html", parts.join("<br><br>"));
    json!({ "msgtype": "m.text", "body": plain, "format": format, "formatted_body": html })
}

/// <https://spec.matrix.org/latest/client-server-api/#standard-error-response>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    if reply.status == 200 && !answer.text("event_id").is_empty() {
        return Step::Done;
    }
    let word = answer.text("errcode");
    let (fault, advice) = match word {
        "M_LIMIT_EXCEEDED" => match wait(&answer) {
            Some(wait) => (Fault::TooFast(wait), "the server wants fewer requests"),
            None => return undocumented(reply, now),
        },
        "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" => (Fault::Credentials, "`access_token` is not valid any more: log in again"),
        "M_USER_DEACTIVATED" | "M_USER_SUSPENDED" => (Fault::Credentials, "the user may not send any more"),
        "M_FORBIDDEN" => (Fault::Credentials, "the user may not send to this room: let the user join it"),
        "M_NOT_FOUND" | "M_UNRECOGNIZED" => (Fault::Message, "there is no such room or server: check `room_id` and `homeserver`"),
        "M_TOO_LARGE" => (Fault::Message, "the message is larger than the server takes"),
        "M_BAD_JSON" | "M_NOT_JSON" | "M_INVALID_PARAM" => (Fault::Message, "the server refuses the form of the message"),
        _ => return undocumented(reply, now),
    };
    refused_as(word, &fault, advice)
}

/// In milliseconds. <https://spec.matrix.org/latest/client-server-api/#rate-limiting>
fn wait(answer: &Answer) -> Option<Duration> {
    const MOST: u64 = 3600;
    let milliseconds = u64::try_from(answer.number("retry_after_ms")?).ok()?;
    Some(Duration::from_secs(milliseconds.div_ceil(1000).min(MOST)))
}

#[cfg(test)]
mod tests {
    use bellhop_core::Reason;
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> Outgoing {
        let params = json!({"homeserver": "https://e.com/", "access_token": "t", "room_id": "!r:e.com"});
        let job = sample::event(text, fields);
        sample::request(&Matrix, &crate::format::message(&job, &SPEC, None), &sample::params(&SPEC, params))
    }

    fn body(text: &str, fields: Value) -> Value {
        let Body::Json(body) = sent(text, fields).body else { panic!("not JSON") };
        assert!(body.len() <= MOST_BYTES, "{} bytes", body.len());
        serde_json::from_str(&body).unwrap()
    }

    fn judged(status: u16, body: &Value) -> Step {
        judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_same_delivery_is_the_same_transaction() {
        assert_eq!(sent("b", json!({})).url, sent("other", json!({})).url);
        assert!(
            sent("b", json!({})).url.starts_with("https://e.com/_matrix/client/v3/rooms/%21r%3Ae.com/send/m.room.message/dlv_")
        );
    }

    #[test]
    fn a_picture_is_uploaded_first_and_the_text_is_its_caption_or_goes_without_it() {
        let params = sample::params(&SPEC, json!({"homeserver": "https://e.com/", "access_token": "t", "room_id": "!r:e.com"}));
        let picture = Picture(b"\x89PNG".as_slice().into());
        let sent = |text: &str, so_far: &[Reply]| {
            let job = sample::event(text, json!({}));
            Matrix.step(&sample::context(), &crate::format::message(&job, &SPEC, Some(&picture)), &params, so_far)
        };
        let reply = |status, body: Value| Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() };
        let content = |step: Step| match step {
            Step::Call(Outgoing { body: Body::Json(body), .. }) => serde_json::from_str::<Value>(&body).unwrap(),
            step => panic!("{step:?}"),
        };
        let Step::Ask(upload) = sent("b", &[]) else { panic!("no upload") };
        assert_eq!(upload.url, "https://e.com/_matrix/media/v3/upload?filename=picture.png");
        assert!(upload.body == Body::Raw(b"\x89PNG".to_vec()));
        let taken = reply(200, json!({"content_uri": "mxc://e.com/1"}));
        let image = json!({"msgtype": "m.image", "body": "b", "format": "org.matrix.custom.html", "formatted_body": "b",
            "filename": "picture.png", "url": "mxc://e.com/1", "info": {"mimetype": "image/png", "size": 4}});
        assert_eq!(content(sent("b", std::slice::from_ref(&taken))), image);
        assert_eq!(content(sent("", std::slice::from_ref(&taken)))["body"], "picture.png");
        assert_eq!(sent("b", &[taken, reply(200, json!({"event_id": "$1"}))]), Step::Done);
        let refused = reply(413, json!({"errcode": "M_TOO_LARGE"}));
        assert_eq!(content(sent("b", std::slice::from_ref(&refused)))["msgtype"], "m.text");
        assert!(matches!(sent("b", &[refused, reply(200, json!({"event_id": "$1"}))]), Step::DoneBut(_)));
        for (status, body) in [(500, json!({})), (200, json!({"event_id": "$1"})), (200, json!({}))] {
            assert!(matches!(sent("b", &[reply(status, body)]), Step::Fail(_)));
        }
    }

    #[test]
    fn html_goes_as_it_is_and_lines_and_links_are_shown() {
        let body = |text, fields| body(text, fields)["formatted_body"].take();
        assert_eq!(body("<i>x</i>", json!({"format": "html"})), "<i>x</i>");
        assert_eq!(body("1\r\n<2>", json!({})), "1<br>&lt;2&gt;");
        assert_eq!(
            body("b", json!({"url": "https://e.com/?\""})),
            "b<br><br><a href=\"https://e.com/?&quot;\">https://e.com/?&quot;</a>"
        );
    }

    #[test]
    fn shortened_html_keeps_its_tags_whole() {
        let content = body(&"<i>x &amp;</i> y<br>".repeat(8000), json!({"format": "html"}));
        let html = content["formatted_body"].as_str().unwrap();
        assert!(html.starts_with("<i>x &amp;</i> y<br><i>x &amp;</i>") && html.ends_with('…'), "{html}");
        assert_eq!(html.matches("<i>").count(), html.matches("</i>").count());
        assert!(content["body"].as_str().unwrap().starts_with("x & y\nx & y"));
    }

    #[test]
    fn codes_are_told_apart_by_what_is_to_be_done() {
        assert_eq!(judged(200, &json!({"event_id": "$x"})), Step::Done);
        let wait = |seconds| Retry::After(Duration::from_secs(seconds));
        for (status, body, reason, retry) in [
            (200, json!({}), Reason::UnexpectedAnswer, Retry::Later),
            (429, json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2001}), Reason::RateLimited, wait(3)),
            (429, json!({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": i64::MAX}), Reason::RateLimited, wait(3600)),
            (429, json!({"errcode": "M_LIMIT_EXCEEDED"}), Reason::RateLimited, Retry::Later),
            (401, json!({"errcode": "M_UNKNOWN_TOKEN"}), Reason::Unauthorized, Retry::Never),
            (404, json!({"errcode": "M_NOT_FOUND"}), Reason::Rejected, Retry::Never),
            (502, json!({"errcode": "M_UNKNOWN"}), Reason::ProviderError, Retry::Later),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn an_event_of_any_text_fits(text in sample::any_text(), times in 1_usize..2000) {
            let content = body(&text.repeat(times), json!({"title": text, "url": "https://e.com/"}));
            prop_assert!(content["body"].as_str().unwrap().ends_with("https://e.com/"));
        }
    }
}
