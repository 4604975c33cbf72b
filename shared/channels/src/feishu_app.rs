//! An app of a Feishu or Lark organization: text, a post with links and picture, or a card for markdown, to a person or a
//! group.
//!
//! Who is named by e-mail or mobile number is looked up first. Each message goes under its delivery's id, by which Feishu
//! knows a repeated one for an hour. Left out: uploading a picture's bytes; one that is there already goes by its
//! `image_key`, and one by URL as a link.
//! <https://open.feishu.cn/document/server-docs/im-v1/message/create>

mod spec;

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Channel, Context, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    pace::SendRate,
    render::cut,
    token::{Credential, Secret, Token},
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::{Answer, Fault, as_error, refused, undocumented, unknown_code},
    feishu_bot::{card, post},
    join::Joined,
    param::{PROXY, required, with_picture},
    request::post_json_as,
};

pub(crate) use spec::SPEC;

/// Of a request with a text, and of one with a post or a card.
const MOST_TEXT: usize = 150 * 1024;
const MOST_RICH: usize = 30 * 1024;

/// Of the id by which a repeated message is known.
const UUID: bellhop_core::channel::Limit = bellhop_core::channel::Limit { max: 50, unit: Unit::Chars };

/// The ways to name the registration's own recipient.
const RECIPIENT: [Param; 3] = [spec::RECEIVE_ID, spec::EMAIL, spec::MOBILE];

/// The channel `feishu_app`.
pub(crate) struct FeishuApp;

impl Channel for FeishuApp {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    /// By whom it is for: one person or group, or all whom messages name.
    fn rate(&self, params: &Params) -> Option<SendRate> {
        let is_for_one = RECIPIENT.iter().any(|param| params.text(param.name).is_some());
        if is_for_one { SPEC.limits.rate } else { Some(spec::TO_MANY) }
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        next(cx, &with_picture(cx, message, params), params, so_far).unwrap_or_else(Step::Fail)
    }

    fn fetch(&self, _cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
        fetch(params)
    }

    fn token(&self, cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        let answer = accepted(reply, cx.now).map_err(as_error)?;
        // of this very answer: Feishu gives the same token again while it is good for half an hour
        match (answer.text("tenant_access_token"), answer.seconds("expire")) {
            (value, Some(lasts)) if !value.is_empty() => Ok(Token { value: Secret::new(value), lasts }),
            _ => Err(as_error(undocumented(reply, cx.now))),
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    address::check_proxy(params, &PROXY)?;
    let mut named = RECIPIENT.iter().filter(|param| params.text(param.name).is_some());
    match (named.next(), named.next()) {
        (Some(one), Some(other)) => {
            let detail = format!("`{}` names the recipient already; leave one of them out", one.name);
            Err(Problem::field(Code::InvalidParams, format!("params.{}", other.name), detail))
        }
        _ => Ok(()), // with none, it is for those who send to addresses
    }
}

/// Whom a message is for.
enum Recipient<'a> {
    /// Of that kind of id.
    Id(&'a str, &'a str),
    Email(&'a str),
    Mobile(&'a str),
}

impl<'a> Recipient<'a> {
    fn of(message: &Message<'a>, params: &'a Params) -> Result<Self, SendError> {
        let one = |name: &str| params.text(name).map(str::trim);
        if let Some(address) = message.address {
            return Ok(Self::Id("open_id", &address.value));
        }
        let named = one(spec::RECEIVE_ID.name)
            .map(|id| Self::Id(params.text(spec::RECEIVE_ID_TYPE.name).unwrap_or("open_id"), id))
            .or_else(|| one(spec::EMAIL.name).map(Self::Email))
            .or_else(|| one(spec::MOBILE.name).map(Self::Mobile));
        let missing = "there is no recipient: set `receive_id`, `email` or `mobile`, or send to `feishu:` and an open id";
        named.ok_or_else(|| SendError::new(Reason::InvalidParams, Retry::Never, missing))
    }
}

fn next(cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Result<Step, SendError> {
    let Some(token) = &cx.token else { return credential(params).map(Step::Token) };
    // an answer can be judged without knowing to whom; a request cannot be made
    let recipient = Recipient::of(message, params);
    let (kind, id, so_far) = match (recipient, so_far) {
        (Ok(Recipient::Id(kind, id)), so_far) => (kind, id.to_owned(), so_far),
        (Ok(who @ (Recipient::Email(_) | Recipient::Mobile(_))), []) => return Ok(Step::Ask(lookup(&who, params, token))),
        (Ok(Recipient::Email(_) | Recipient::Mobile(_)), [first, rest @ ..]) => match found(first, cx.now) {
            Ok(id) => ("open_id", id, rest),
            Err(step) => return Ok(step),
        },
        (Err(error), []) => return Err(error),
        (Err(_), so_far) => ("open_id", String::new(), so_far),
    };
    Ok(match so_far.last() {
        Some(reply) => accepted(reply, cx.now).map_or_else(|step| step, |_| Step::Done),
        None => Step::Call(request(kind, &id, message, params, token)),
    })
}

fn url(params: &Params, path: &str) -> String {
    let host = if params.text(spec::REGION.name) == Some("larksuite") { "open.larksuite.com" } else { "open.feishu.cn" };
    format!("https://{host}/open-apis/{path}")
}

fn post_to(params: &Params, path: &str, token: Option<&Secret>, body: &Value) -> Outgoing {
    let mut outgoing = post_json_as("application/json; charset=utf-8", url(params, path), body);
    outgoing.headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {}", token.expose()))));
    Outgoing { proxy: params.text(PROXY.name).map(str::to_owned), ..outgoing }
}

/// <https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token_internal>
fn fetch(params: &Params) -> Result<Outgoing, SendError> {
    let (id, secret) = app(params)?;
    let body = json!({ "app_id": id, "app_secret": secret });
    Ok(post_to(params, "auth/v3/tenant_access_token/internal", None, &body))
}

fn app(params: &Params) -> Result<(&str, &str), SendError> {
    Ok((required(params, spec::APP_ID.name)?.trim(), required(params, spec::APP_SECRET.name)?.trim()))
}

fn credential(params: &Params) -> Result<Credential, SendError> {
    let (id, secret) = app(params)?;
    Ok(Credential::of(&[&url(params, ""), id, secret, params.text(PROXY.name).unwrap_or_default()]))
}

/// <https://open.feishu.cn/document/server-docs/contact-v3/user/batch_get_id>
fn lookup(who: &Recipient, params: &Params, token: &Secret) -> Outgoing {
    let body = match who {
        Recipient::Email(email) => json!({ "emails": [email] }),
        Recipient::Mobile(mobile) => json!({ "mobiles": [mobile] }),
        Recipient::Id(..) => json!({}),
    };
    post_to(params, "contact/v3/users/batch_get_id?user_id_type=open_id", Some(token), &body)
}

/// Whom the lookup found: nobody is a success without an id.
fn found(reply: &Reply, now: Timestamp) -> Result<String, Step> {
    let answer = accepted(reply, now)?;
    let users = answer.get("data").and_then(|data| data.get("user_list")).and_then(Value::as_array);
    let Some(users) = users else { return Err(undocumented(reply, now)) };
    let id = users.iter().find_map(|user| user.get("user_id")?.as_str()).filter(|id| !id.is_empty());
    let nobody = "Feishu finds nobody of that `email` or `mobile`: mobiles outside of mainland China need `+` and the country, \
                  addresses of Feishu's own mail are not found, and the person has to be visible to the app";
    let nobody = || Step::Fail(SendError::new(Reason::Rejected, Retry::Never, nobody));
    id.map(str::to_owned).ok_or_else(nobody)
}

/// The message to somebody of whom the id is known.
fn request(kind: &str, id: &str, message: &Message, params: &Params, token: &Secret) -> Outgoing {
    let path = format!("im/v1/messages?receive_id_type={kind}");
    post_to(params, &path, Some(token), &body(id, message, params.text(spec::IMAGE_KEY.name)))
}

/// The body, as long as it may be. What a message says is JSON in a text.
/// <https://open.feishu.cn/document/server-docs/im-v1/message-content-description/create_json>
fn body(id: &str, message: &Message, image_key: Option<&str>) -> Value {
    let is_text = message.format != Format::Markdown && message.url.is_none() && image_key.is_none();
    let says_nothing = Joined::plain(message).whole().is_empty();
    let write = |text: &str| {
        let (kind, content) = match (message.format, image_key) {
            (Format::Markdown, None) => ("interactive", card(message, text)),
            (_, Some(key)) if says_nothing => ("image", json!({ "image_key": key })),
            _ if is_text => ("text", json!({ "text": text })),
            (Format::Text | Format::Markdown | Format::Html, key) => ("post", json!({ "zh_cn": post(message, text, key) })),
        };
        let mut body = json!({ "receive_id": id, "msg_type": kind, "content": content.to_string() });
        if let Some(id) = &message.id {
            body["uuid"] = cut(id, UUID).into();
        }
        body
    };
    let (joined, most) = if is_text { (Joined::plain(message), MOST_TEXT) } else { (Joined::body(message), MOST_RICH) };
    write(&joined.fit(most, |text| write(text).to_string().len()))
}

/// The answer, if its code is the one of success. The token's errors ask for another one.
/// <https://open.feishu.cn/document/server-docs/im-v1/message/create>, <https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code>
fn accepted(reply: &Reply, now: Timestamp) -> Result<Answer, Step> {
    let Some(answer) = Answer::of(reply) else { return Err(undocumented(reply, now)) };
    let Some(code) = answer.number("code") else { return Err(undocumented(reply, now)) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Ok(answer),
        0 => return Err(undocumented(reply, now)),
        99_991_661 | 99_991_663 | 99_991_664 | 99_991_671 => {
            let refusal = refused(code, &Fault::Credentials, "Feishu refuses the token, and the one fetched after it");
            return Err(Step::Renew(as_error(refusal)));
        }
        99_991_400 => (Fault::TooFast(reset(reply)), "the app may make 50 calls in a second and 1000 in a minute"),
        230_020 => (Fault::TooFast(Duration::from_secs(1)), "one person or group gets five messages in a second"),
        10_003 | 10_014 => (Fault::Credentials, "Feishu refuses the app: check `app_id`, `app_secret` and `region`"),
        99_991_672 => (
            Fault::Credentials,
            "the app lacks a scope: add `im:message:send_as_bot`, and `contact:user.id:readonly` for `email` and `mobile`, then publish a version",
        ),
        230_006 => (Fault::Credentials, "the app is no bot: switch the bot on and publish a version"),
        230_002 => (Fault::Message, "the bot is not in the group: add it there"),
        230_013 => (Fault::Message, "the app is not available to this person: widen its range and publish a version"),
        230_018 | 230_035 => (Fault::Message, "the group does not let the bot write"),
        230_022 | 230_028 => (Fault::Message, "Feishu's audit refuses the text"),
        230_025 => (Fault::Message, "the text is too long for Feishu"),
        230_001 | 99_992_351 => {
            (Fault::Message, "Feishu does not know the recipient or refuses the form: check `receive_id` and `receive_id_type`")
        }
        _ => return Err(unknown_code(code, reply, now)),
    };
    Err(refused(code, &fault, advice))
}

/// How long until the app may call again.
/// <https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control>
fn reset(reply: &Reply) -> Duration {
    const MOST: u64 = 3600;
    let told = reply.header("x-ogw-ratelimit-reset").and_then(|seconds| seconds.trim().parse::<u64>().ok());
    Duration::from_secs(told.map_or(60, |seconds| seconds.clamp(1, MOST)))
}

#[cfg(test)]
mod tests;
