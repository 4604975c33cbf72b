//! An app of a Feishu or Lark organization: text, a post with links and picture, or a card for markdown, to a person or a
//! group.
//!
//! Who is named by e-mail or mobile number is looked up first. Each message goes under its delivery's id, by which Feishu
//! knows a repeated one for an hour. A picture's bytes are uploaded first; where Feishu does not take them, the text goes
//! without. One that is there already goes by its `image_key`, and one by URL as a link.
//! <https://open.feishu.cn/document/server-docs/im-v1/message/create>

mod spec;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Channel, Context, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    pace::SendRate,
    render::cut,
    token::{Secret, Token},
};
use serde_json::{Value, json};

use crate::{
    address,
    answer::undocumented,
    ask::{self, Answers, either},
    feishu::{self, App, FEISHU, LARK, WITHOUT_PICTURE, accepted, is_sendable},
    feishu_bot::{card, post},
    join::Joined,
    param::{PROXY, with_picture},
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
        either(next(cx, &with_picture(cx, message, params), params, Answers::new(so_far)))
    }

    fn fetch(&self, _cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
        Ok(app(params)?.fetch())
    }

    fn token(&self, cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        feishu::token(cx, reply)
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

fn app(params: &Params) -> Result<App<'_>, SendError> {
    App::of(params, if params.text(spec::REGION.name) == Some("larksuite") { LARK } else { FEISHU })
}

fn next(cx: &Context, message: &Message, params: &Params, mut answers: Answers) -> Result<Step, Step> {
    let app = app(params).map_err(Step::Fail)?;
    let token = ask::token(cx, || Ok(app.credential()))?;
    // an answer can be judged without knowing to whom; a request cannot be made
    let (kind, id) = match Recipient::of(message, params) {
        Ok(Recipient::Id(kind, id)) => (kind, id.to_owned()),
        Ok(who) => ("open_id", answers.to(|| lookup(&app, &who, token), |reply| found(reply, cx.now))?),
        Err(error) if answers.is_empty() => return Err(Step::Fail(error)),
        Err(_) => ("open_id", String::new()),
    };
    let picture = message.picture.filter(|picture| is_sendable(picture));
    let uploaded = picture.map(|picture| app.uploaded(cx, token, picture, &mut answers)).transpose()?;
    let Some(reply) = answers.last() else {
        let image_key = uploaded.as_ref().and_then(Option::as_deref).or_else(|| params.text(spec::IMAGE_KEY.name));
        let body = body(&id, message, image_key);
        return Ok(Step::Call(app.post(&format!("im/v1/messages?receive_id_type={kind}"), token, &body)));
    };
    accepted(reply, cx.now)?;
    Ok(if uploaded == Some(None) { Step::DoneBut(WITHOUT_PICTURE.to_owned()) } else { Step::Done })
}

/// <https://open.feishu.cn/document/server-docs/contact-v3/user/batch_get_id>
fn lookup(app: &App, who: &Recipient, token: &Secret) -> Outgoing {
    let body = match who {
        Recipient::Email(email) => json!({ "emails": [email] }),
        Recipient::Mobile(mobile) => json!({ "mobiles": [mobile] }),
        Recipient::Id(..) => json!({}),
    };
    app.post("contact/v3/users/batch_get_id?user_id_type=open_id", token, &body)
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

#[cfg(test)]
mod tests;
