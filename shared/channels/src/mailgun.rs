//! Mail through Mailgun's HTTP API, in its American or European region.
//!
//! A picture's bytes are attached, which takes a form of parts. A domain lives in one region, and the other one does not
//! know it.
//! <https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages>

use base64::{Engine, prelude::BASE64_STANDARD};
use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Context, Kind, Limits, Message, Method, Outgoing, Param, Params, Reply, Spec, Step},
    model::{AddressKind, Format},
};
use url::Host;

use crate::{
    answer::{Answer, undocumented},
    bodies::Bodies,
    email::subject,
    mailbox::Mailbox,
    multipart,
    param::{HTML, INCLUDE_PICTURE, param, required, text},
    request::Once,
    template::percent_encoded,
};

/// In one call.
const MOST_RECIPIENTS: usize = 1000;

pub(crate) static SPEC: Spec = Spec {
    id: "mailgun",
    label: text("Mailgun", "Mailgun"),
    help: text("Sends mail through Mailgun.", "通过 Mailgun 发送邮件。"),
    docs: "https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages",
    // 25 MB in all, which no message comes near
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Html, Format::Markdown, Format::Text],
    client: None,
    address: Some(AddressKind::Email),
    params: &[DOMAIN, API_KEY, REGION, FROM, TO, HTML, INCLUDE_PICTURE],
    short: None,
    check,
};

const DOMAIN: Param = Param {
    required: true,
    ..param(
        "domain",
        Kind::Text,
        text("Domain", "域名"),
        text(
            "The domain that Mailgun sends for, such as `mg.example.com`.",
            "在 Mailgun 中配置的发信域名，例如 `mg.example.com`。",
        ),
    )
};

const API_KEY: Param = Param {
    required: true,
    secret: true,
    ..param(
        "api_key",
        Kind::Text,
        text("API key", "API Key"),
        text("A sending key of that domain is enough.", "该域名的 Sending key 即可。"),
    )
};

const REGION: Param = Param {
    default: Some("us"),
    ..param(
        "region",
        Kind::Choice(&["us", "eu"]),
        text("Region", "区域"),
        text("Where the domain was set up.", "域名所在的区域。"),
    )
};

const FROM: Param = Param {
    required: true,
    ..param(
        "from",
        Kind::Text,
        text("From", "发件人"),
        text("`name@example.com` or `Name <name@example.com>`.", "`name@example.com` 或 `名称 <name@example.com>`。"),
    )
};

const TO: Param = param(
    "to",
    Kind::List,
    text("To", "收件人"),
    text("Up to 1000 addresses, for messages that name none themselves.", "最多 1000 个地址，用于未指定收件地址的消息。"),
);

/// The channel `mailgun`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request, judge };

fn check(params: &Params) -> Result<(), Problem> {
    let problem = |name: &str, detail: &str| Err(Problem::field(Code::InvalidParams, format!("params.{name}"), detail));
    let to = params.list(TO.name);
    if params.text(DOMAIN.name).is_some_and(|domain| !is_domain(domain)) {
        return problem(DOMAIN.name, "it takes a domain such as `mg.example.com`");
    }
    if params.text(FROM.name).is_some_and(|from| Mailbox::parse(from).is_none()) {
        return problem(FROM.name, "it takes `name@example.com` or `Name <name@example.com>`");
    }
    if to.len() > MOST_RECIPIENTS || to.iter().any(|to| Mailbox::parse(to).is_none()) {
        return problem(TO.name, "it takes up to 1000 addresses such as `name@example.com`");
    }
    Ok(())
}

fn is_domain(text: &str) -> bool {
    matches!(Host::parse(text.trim()), Ok(Host::Domain(_)))
}

fn recipients(message: &Message, params: &Params) -> Result<Vec<String>, SendError> {
    let fail = |reason, detail| Err(SendError::new(reason, Retry::Never, detail));
    match message.address {
        Some(address) if Mailbox::parse(&address.value).is_some() => Ok(vec![address.value.clone()]),
        Some(_) => fail(Reason::Rejected, "the recipient is no address that mail servers take; write `email:name@example.com`"),
        None => match params.list(TO.name) {
            to if to.is_empty() => {
                fail(Reason::InvalidParams, "there is no recipient: set `to`, or send to `email:` and an address")
            }
            to => Ok(to.into_iter().map(|to| to.trim().to_owned()).collect()),
        },
    }
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let bodies = Bodies::of(message, params.text(HTML.name));
    let subject = subject(message, &bodies);
    let mut fields = vec![("from", required(params, FROM.name)?.trim().to_owned())];
    fields.extend(recipients(message, params)?.into_iter().map(|to| ("to", to)));
    fields.extend([("subject", subject), ("text", bodies.text)]);
    fields.extend(bodies.html.map(|html| ("html", html)));
    fields.extend(message.id.clone().map(|id| ("h:X-Entity-Ref-ID", id)));
    let host = if params.text(REGION.name) == Some("eu") { "api.eu.mailgun.net" } else { "api.mailgun.net" };
    let key = format!("api:{}", required(params, API_KEY.name)?.trim());
    let url = format!("https://{host}/v3/{}/messages", percent_encoded(required(params, DOMAIN.name)?.trim()));
    let mut outgoing = match message.picture {
        None => Outgoing {
            method: Method::Post,
            url,
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: Body::Form(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            proxy: None,
        },
        Some(picture) => multipart::post(cx, url, &fields, "attachment", picture),
    };
    outgoing.headers.push(("authorization".to_owned(), format!("Basic {}", BASE64_STANDARD.encode(key))));
    Ok(outgoing)
}

/// 200 with an id is a yes; the statuses of refusals are documented, their texts are not.
/// <https://documentation.mailgun.com/docs/mailgun/api-reference/mg-errors>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let has_id = || Answer::of(reply).is_some_and(|answer| !answer.text("id").is_empty());
    let refused = |reason, detail: &str| Step::Fail(SendError::new(reason, Retry::Never, detail));
    match reply.status {
        200 if has_id() => Step::Done,
        401 => {
            refused(Reason::Unauthorized, "Mailgun answered 401; look at `api_key`, and at `region`: keys hold in one of them")
        }
        404 => {
            refused(Reason::Rejected, "Mailgun answered 404; look at `domain`, and at `region`: a domain lives in one of them")
        }
        413 => refused(Reason::Rejected, "Mailgun answered 413; it takes 25 MB"),
        _ => undocumented(reply, now),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{Address, Picture};
    use serde_json::{Value, json};

    use super::*;
    use crate::sample;

    fn params(more: Value) -> Params {
        let mut params = json!({"domain": "mg.example.com", "api_key": "k", "from": "a@mg.example.com", "to": "b@example.org"});
        let Value::Object(more) = more else { panic!("not an object") };
        params.as_object_mut().unwrap().extend(more);
        sample::params(&SPEC, params)
    }

    fn fields(message: &Message, more: Value) -> Vec<(String, String)> {
        let Body::Form(fields) = sample::request(&SPEAKER, message, &params(more)).body else { panic!("not a form") };
        fields
    }

    fn field<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn markdown_goes_as_text_and_html_and_a_text_without_title_has_its_beginning_as_subject() {
        let job = sample::event("**b**\nc", json!({"format": "markdown"}));
        let fields = fields(&sample::message(&job), json!({}));
        assert_eq!(field(&fields, "subject"), ["b"]);
        assert_eq!(
            (field(&fields, "text"), field(&fields, "html")),
            (vec!["b\nc"], vec!["<p><strong>b</strong><br />\nc</p>\n"])
        );
    }

    #[test]
    fn a_message_to_an_address_goes_there_alone() {
        let job = sample::event("b", json!({}));
        let address: Address = "email:c@example.org".parse().unwrap();
        let fields = fields(&Message { address: Some(&address), ..sample::message(&job) }, json!({}));
        assert_eq!(field(&fields, "to"), ["c@example.org"]);
    }

    #[test]
    fn a_picture_is_attached_byte_for_byte() {
        let job = sample::event("b", json!({"title": "t"}));
        let picture = Picture(b"\xff\xd8\xff\r\n--\0".as_slice().into());
        let message = Message { picture: Some(&picture), ..sample::message(&job) };
        let outgoing = sample::request(&SPEAKER, &message, &params(json!({})));
        let Body::Raw(bytes) = &outgoing.body else { panic!("not raw") };
        let (_, boundary) = outgoing.headers[0].1.split_once("multipart/form-data; boundary=").unwrap();
        let end =
            [b"Content-Type: image/jpeg\r\n\r\n".as_slice(), &picture.0, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        assert!(bytes.ends_with(&end));
        let subject = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nt\r\n--{boundary}\r\n");
        assert!(String::from_utf8_lossy(bytes).contains(&subject));
    }

    #[test]
    fn what_makes_no_mail_is_refused_with_its_field() {
        for (more, name) in [
            (json!({"domain": "a/../b"}), "params.domain"),
            (json!({"from": "nobody"}), "params.from"),
            (json!({"to": ["a@b", "c"]}), "params.to"),
            (json!({"to": vec!["a@b"; MOST_RECIPIENTS + 1]}), "params.to"),
        ] {
            assert_eq!(check(&params(more)).unwrap_err().field.as_deref(), Some(name));
        }
    }

    #[test]
    fn a_yes_has_an_id_and_another_region_is_hinted_at() {
        let judged = |status, body: &str| judge(&Reply { status, headers: Vec::new(), body: body.into() }, Timestamp::UNIX_EPOCH);
        assert_eq!(judged(200, r#"{"id":"<x@mg>","message":"Queued."}"#), Step::Done);
        assert!(matches!(judged(200, "{}"), Step::Fail(error) if error.reason == Reason::UnexpectedAnswer));
        for status in [401, 404] {
            assert!(
                matches!(judged(status, "{}"), Step::Fail(error) if error.retry == Retry::Never && error.detail.contains("`region`"))
            );
        }
    }
}
