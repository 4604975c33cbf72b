//! Mail through Amazon SES, with the credentials of whoever operates this: on AWS the sender's role, elsewhere the
//! environment's keys. What may be sent from is what is verified in that account.
//!
//! The message is the one that `email` writes. SES takes it for all recipients or for none, and answers before any mail server
//! has: who is unknown there shows in SES's own events. <https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Channel, Context, Kind, Limits, Message, Param, Params, Reply, Spec, Step},
    model::{AddressKind, Format},
    ses::SesMail,
};

use crate::{
    answer::{Answer, undocumented},
    email,
    mailbox::Mailbox,
    param::{HTML, INCLUDE_PICTURE, param, required, text, with_picture},
};

/// In one call: <https://docs.aws.amazon.com/ses/latest/dg/quotas.html>
const MOST_RECIPIENTS: usize = 50;

/// How long to wait where a day's mails are used up: the day is the last 24 hours, so a little comes free every hour.
const QUOTA: Duration = Duration::from_hours(1);

pub(crate) static SPEC: Spec = Spec {
    id: "ses",
    label: text("Amazon SES", "Amazon SES"),
    help: text(
        "Sends mail through the Amazon SES of whoever operates this server.",
        "通过本服务运营者的 Amazon SES 账户发送邮件。",
    ),
    docs: "https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html",
    // 10 MB in all, which no message comes near
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Html, Format::Markdown, Format::Text],
    client: None,
    address: Some(AddressKind::Email),
    params: &[REGION, FROM, TO, CONFIGURATION_SET, HTML, INCLUDE_PICTURE],
    short: None,
    check,
};

const REGION: Param = param(
    "region",
    Kind::Text,
    text("Region", "区域"),
    text(
        "The AWS region that sends, such as `eu-west-1` (<https://docs.aws.amazon.com/general/latest/gr/ses.html>); left out, \
         the server's own.",
        "发信的 AWS 区域，例如 `eu-west-1`（<https://docs.aws.amazon.com/general/latest/gr/ses.html>）；留空则使用服务器所在区域。",
    ),
);

const FROM: Param = Param {
    required: true,
    ..param(
        "from",
        Kind::Text,
        text("From", "发件人"),
        text(
            "`name@example.com` or `Name <name@example.com>`; address or domain has to be verified in that region \
             (<https://docs.aws.amazon.com/ses/latest/dg/verify-addresses-and-domains.html>).",
            "`name@example.com` 或 `名称 <name@example.com>`；地址或域名须在该区域通过验证\
             （<https://docs.aws.amazon.com/ses/latest/dg/verify-addresses-and-domains.html>）。",
        ),
    )
};

const TO: Param = param(
    "to",
    Kind::List,
    text("To", "收件人"),
    text("Up to 50 addresses, for messages that name none themselves.", "最多 50 个地址，用于未指定收件地址的消息。"),
);

const CONFIGURATION_SET: Param = param(
    "configuration_set",
    Kind::Text,
    text("Configuration set", "配置集"),
    text(
        "A configuration set of SES, which says where its events go \
         (<https://docs.aws.amazon.com/ses/latest/dg/using-configuration-sets.html>).",
        "SES 配置集，决定事件的去向（<https://docs.aws.amazon.com/ses/latest/dg/using-configuration-sets.html>）。",
    ),
);

fn check(params: &Params) -> Result<(), Problem> {
    let problem =
        |param: &Param, detail: &str| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    let to = params.list(TO.name);
    if params.text(REGION.name).is_some_and(|region| !is_region(region)) {
        return problem(&REGION, "it takes a region such as `eu-west-1`");
    }
    if params.text(FROM.name).is_some_and(|from| Mailbox::parse(from).is_none()) {
        return problem(&FROM, "it takes `name@example.com` or `Name <name@example.com>`");
    }
    if to.len() > MOST_RECIPIENTS || to.iter().any(|to| Mailbox::parse(to).is_none()) {
        return problem(&TO, "it takes up to 50 addresses such as `name@example.com`");
    }
    if params.text(CONFIGURATION_SET.name).is_some_and(|set| !is_word(set.trim(), 64)) {
        return problem(&CONFIGURATION_SET, "it takes letters, digits, `_` and `-`");
    }
    Ok(())
}

/// The channel `ses`.
pub(crate) struct Ses;

impl Channel for Ses {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match so_far.last() {
            Some(reply) => judge(reply, cx.now),
            None => {
                mail(cx, &with_picture(cx, message, params), params).map_or_else(Step::Fail, |mail| Step::Ses(Box::new(mail)))
            }
        }
    }
}

/// What a host name can be made of, and no more: the region becomes a part of one.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.trim().split('-').collect();
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=5).contains(&parts.len()) && parts.iter().all(is_part) && text.trim().len() <= 32
}

/// What SES takes for names and tags.
fn is_word(text: &str, most: usize) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(fits)
}

fn mail(cx: &Context, message: &Message, params: &Params) -> Result<SesMail, SendError> {
    let fail = |reason, detail| SendError::new(reason, Retry::Never, detail);
    let from = Mailbox::parse(required(params, FROM.name)?);
    let from = from.ok_or_else(|| fail(Reason::InvalidParams, "`from` of the registration is no address; set it anew"))?;
    let to: Vec<_> = match message.address {
        None => params.list(TO.name).iter().filter_map(|to| Mailbox::parse(to)).collect(),
        Some(address) => Mailbox::parse(&address.value).into_iter().collect(),
    };
    if to.is_empty() {
        return Err(match message.address {
            None => fail(Reason::InvalidParams, "there is no recipient: set `to`, or send to `email:` and an address"),
            Some(_) => {
                fail(Reason::Rejected, "the recipient is no address that mail servers take; write `email:name@example.com`")
            }
        });
    }
    let own = |param: &Param| params.text(param.name).map(|text| text.trim().to_owned());
    Ok(SesMail {
        region: own(&REGION),
        configuration_set: own(&CONFIGURATION_SET),
        tags: message.id.iter().filter(|id| is_word(id, 256)).map(|id| ("messageId".to_owned(), id.clone())).collect(),
        message: email::write(cx, message, &from, &to, params.text(HTML.name)),
        from: from.address,
        to: to.into_iter().map(|mailbox| mailbox.address).collect(),
    })
}

/// By the error's name, in the spelling of either API. SES's own words are not shown (they repeat addresses), but tell two
/// cases of one name apart. <https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html>,
/// <https://docs.aws.amazon.com/ses/latest/APIReference/CommonErrors.html>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let answer = Answer::of(reply);
    let text = |name| answer.as_ref().map(|answer| answer.text(name)).unwrap_or_default();
    if reply.status == 200 && !text("MessageId").is_empty() {
        return Step::Done;
    }
    let name = reply.header("x-amzn-errortype").unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let says = |part: &str| text("message").contains(part);
    let (reason, retry, advice) = match name.strip_suffix("Exception").unwrap_or(name) {
        "LimitExceeded" => (Reason::RateLimited, Retry::After(QUOTA), "the day's mails are used up"),
        "Throttling" if says("Daily") => (Reason::RateLimited, Retry::After(QUOTA), "the day's mails are used up"),
        "Throttling" | "TooManyRequests" => (Reason::RateLimited, Retry::Later, "more mails a second than the account may send"),
        "MessageRejected" if says("not verified") || says("authority") => (
            Reason::Rejected,
            Retry::Never,
            "the sender's address or domain is not verified in this region, or, in SES's sandbox, a recipient's",
        ),
        "MessageRejected" => (Reason::Rejected, Retry::Never, "it does not take the message; look at its size, and for a virus"),
        "MailFromDomainNotVerified" => {
            (Reason::Rejected, Retry::Never, "the MAIL FROM domain of the identity has no MX record that SES can read")
        }
        "AccountSendingPaused" | "AccountSuspended" | "SendingPaused" => {
            (Reason::Rejected, Retry::Never, "sending is paused for the account; its owner has to see to it in SES's console")
        }
        "ConfigurationSetSendingPaused" => (Reason::Rejected, Retry::Never, "sending is paused for `configuration_set`"),
        "ConfigurationSetDoesNotExist" | "NotFound" => {
            (Reason::InvalidParams, Retry::Never, "there is no such `configuration_set` in this region")
        }
        "InvalidParameterValue" | "BadRequest" | "ValidationError" => {
            (Reason::Rejected, Retry::Never, "it does not take an address or another parameter")
        }
        "AccessDenied" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" | "OptInRequired" => {
            // nothing that the registration's owner could mend, and nothing for which his mails should be lost
            (
                Reason::Unauthorized,
                Retry::Later,
                "this server's own credentials may not send there; its operator has to see to it",
            )
        }
        _ => return undocumented(reply, now),
    };
    Step::Fail(SendError::new(reason, retry, format!("Amazon SES answered {name}; {advice}")))
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::Picture;
    use serde_json::{Value, json};

    use super::*;
    use crate::sample;

    fn sent(picture: Option<&Picture>, more: Value) -> SesMail {
        let mut params = json!({"from": "Ops <ops@example.com>", "to": ["a@example.org", "b@example.org"]});
        let Value::Object(more) = more else { panic!("not an object") };
        params.as_object_mut().unwrap().extend(more);
        let job = sample::event("**b**", json!({"title": "t", "format": "markdown"}));
        let message = Message { picture, ..sample::message(&job) };
        mail(&sample::context(), &message, &sample::params(&SPEC, params)).unwrap()
    }

    #[test]
    fn the_mail_is_the_one_that_email_writes_with_an_envelope_of_addresses_alone() {
        let picture = Picture(b"\x89PNG".as_slice().into());
        let mail = sent(Some(&picture), json!({"region": " eu-west-1 ", "configuration_set": "cs"}));
        let text = String::from_utf8(mail.message).unwrap();
        assert!(text.contains("From: \"Ops\" <ops@example.com>\r\n") && text.contains("multipart/mixed"), "{text}");
        assert_eq!((mail.from.as_str(), mail.to.len()), ("ops@example.com", 2));
        assert_eq!((mail.region.as_deref(), mail.configuration_set.as_deref()), (Some("eu-west-1"), Some("cs")));
        assert!(mail.tags[0].0 == "messageId" && mail.tags[0].1.starts_with("dlv_"));
    }

    #[test]
    fn a_region_is_a_word_that_no_host_can_be_made_of() {
        let check = |region: &str| check(&sample::params(&SPEC, json!({"from": "a@b.example", "region": region}))).is_ok();
        assert!(["us-east-1", "us-gov-west-1", "ap-southeast-3"].into_iter().all(check));
        for bad in
            ["us", "us-east-1.evil.example/", "us_east_1", "US-EAST-1", "us--1", "a-b-c#", &format!("a-b-{}", "c".repeat(40))]
        {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn a_registration_names_addresses_and_not_too_many() {
        let field = |params: Value| check(&sample::params(&SPEC, params)).err().and_then(|problem| problem.field);
        assert_eq!(field(json!({"from": "nobody"})).as_deref(), Some("params.from"));
        assert_eq!(field(json!({"from": "a@b.example", "to": ["x"]})).as_deref(), Some("params.to"));
        assert_eq!(field(json!({"from": "a@b.example", "to": vec!["a@b.example"; 51]})).as_deref(), Some("params.to"));
        let params = json!({"from": "a@b.example", "configuration_set": "c s"});
        assert_eq!(field(params).as_deref(), Some("params.configuration_set"));
    }

    fn failure(status: u16, name: &str, message: &str) -> SendError {
        let body = json!({ "message": message }).to_string().into_bytes();
        let reply = Reply { status, headers: vec![("x-amzn-errortype".to_owned(), name.to_owned())], body };
        match judge(&reply, Timestamp::UNIX_EPOCH) {
            Step::Fail(error) => error,
            step => panic!("{name}: {step:?}"),
        }
    }

    #[test]
    fn the_errors_name_decides_whether_to_try_again_in_either_apis_spelling() {
        for (status, name, message, reason, retry) in [
            (400, "Throttling", "Maximum sending rate exceeded.", Reason::RateLimited, Retry::Later),
            (400, "ThrottlingException", "Daily message quota exceeded.", Reason::RateLimited, Retry::After(QUOTA)),
            (429, "TooManyRequestsException", "", Reason::RateLimited, Retry::Later),
            (400, "AccountSendingPausedException", "", Reason::Rejected, Retry::Never),
            (400, "MailFromDomainNotVerifiedException", "", Reason::Rejected, Retry::Never),
            (400, "ConfigurationSetDoesNotExist", "", Reason::InvalidParams, Retry::Never),
            (403, "AccessDenied", "", Reason::Unauthorized, Retry::Later),
            (400, "InvalidParameterValue:https://x/", "", Reason::Rejected, Retry::Never),
            (503, "ServiceUnavailable", "", Reason::ProviderError, Retry::Later),
            (500, "", "", Reason::ProviderError, Retry::Later),
            (400, "SomethingNew", "", Reason::Rejected, Retry::Never),
            (200, "", "", Reason::UnexpectedAnswer, Retry::Later),
        ] {
            let error = failure(status, name, message);
            assert_eq!((error.reason, error.retry), (reason, retry), "{name}");
        }
    }

    #[test]
    fn whoever_is_not_verified_is_not_named() {
        let error = failure(400, "MessageRejected", "Email address is not verified: s3cret@example.org");
        assert!(error.detail.contains("not verified") && !error.detail.contains("s3cret"), "{}", error.detail);
    }
}
