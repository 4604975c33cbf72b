//! An app of a WeCom organization: text, markdown, a card or an article with a picture, to members, departments and tags.
//!
//! The token is for app and secret together, and is fetched where messages are sent, since the same trusted IPs count for
//! both. A picture's bytes are uploaded first; where WeCom does not take them, the text goes without. That some recipients
//! are unknown fails nothing: the rest have it. Left out: a rate, since WeCom's is of each member and not of the registration.
//! <https://developer.work.weixin.qq.com/document/path/90236>

mod spec;

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Channel, Context, Limit, Message, Method, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render::{cut, shorten},
    token::{Credential, Secret, Token},
};
use serde_json::{Map, Value, json};

use crate::{
    address,
    answer::{Answer, Fault, as_error, refused, undocumented, unknown_code},
    ask::{self, Answers, either},
    format::{self, markdown},
    html,
    join::Joined,
    multipart,
    param::{PROXY, required, with_picture},
    request::post_json,
    template::percent_encoded,
    wecom_bot::is_sendable,
};

pub(crate) use spec::SPEC;

const TEXT: Limit = Limit { max: 2048, unit: Unit::Bytes };
const CARD_TITLE: Limit = Limit { max: 128, unit: Unit::Chars };
const CARD_TEXT: Limit = Limit { max: 512, unit: Unit::Chars };
const TITLE: Limit = Limit { max: 128, unit: Unit::Bytes };
const DIGEST: Limit = Limit { max: 512, unit: Unit::Bytes };

const MOST_USERS: usize = 1000;
const MOST_PARTIES_OR_TAGS: usize = 100;

/// Four hours.
const LONGEST_DUPLICATE_CHECK: i64 = 14_400;

/// The channel `wecom_app`.
pub(crate) struct WecomApp;

impl Channel for WecomApp {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        either(next(cx, &with_picture(cx, message, params), params, Answers::new(so_far)))
    }

    fn fetch(&self, _cx: &Context, params: &Params) -> Result<Outgoing, SendError> {
        fetch(params)
    }

    fn token(&self, cx: &Context, reply: &Reply) -> Result<Token, SendError> {
        let answer = accepted(reply, cx.now).map_err(as_error)?;
        match (answer.text("access_token"), answer.seconds("expires_in")) {
            (value, Some(lasts)) if !value.is_empty() => Ok(Token { value: Secret::new(value), lasts }),
            _ => Err(as_error(undocumented(reply, cx.now))),
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    let problem =
        |param: &Param, detail: String| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    address::check_base(params, &spec::BASE_URL)?;
    address::check_proxy(params, &PROXY)?;
    let lists = [(spec::TO_USER, MOST_USERS), (spec::TO_PARTY, MOST_PARTIES_OR_TAGS), (spec::TO_TAG, MOST_PARTIES_OR_TAGS)];
    for (param, most) in lists {
        if ids(params, &param).split('|').count() > most {
            return problem(&param, format!("it takes at most {most}"));
        }
    }
    match params.number(spec::DUPLICATE_CHECK_S.name) {
        None | Some(1..=LONGEST_DUPLICATE_CHECK) => Ok(()),
        Some(_) => problem(&spec::DUPLICATE_CHECK_S, format!("it takes 1 to {LONGEST_DUPLICATE_CHECK}")),
    }
}

/// The items of a list as WeCom wants them, however they are written.
fn ids(params: &Params, param: &Param) -> String {
    params.list(param.name).iter().map(|item| item.trim()).collect::<Vec<_>>().join("|")
}

fn next(cx: &Context, message: &Message, params: &Params, mut answers: Answers) -> Result<Step, Step> {
    let token = ask::token(cx, || credential(params))?;
    let upload = upload(cx, message, params, token);
    let media = upload.map(|upload| answers.to(|| upload, |reply| uploaded(reply, cx.now))).transpose()?.flatten();
    Ok(match answers.last() {
        Some(reply) => judge(reply, cx.now),
        None => send(message, params, token, media.as_deref()).map_or_else(Step::Fail, Step::Call),
    })
}

/// The request that sends the message.
fn send(message: &Message, params: &Params, token: &Secret, media: Option<&str>) -> Result<Outgoing, SendError> {
    call(params, "message/send", token, |url| {
        let mut body = recipients(message, params)?;
        body.extend(content(message, params, media)?);
        Ok(post_json(url, &Value::Object(body)))
    })
}

fn base(params: &Params) -> &str {
    params.text(spec::BASE_URL.name).unwrap_or("https://qyapi.weixin.qq.com")
}

fn proxy(params: &Params) -> Option<String> {
    params.text(PROXY.name).map(str::to_owned)
}

/// <https://developer.work.weixin.qq.com/document/path/91039>
fn fetch(params: &Params) -> Result<Outgoing, SendError> {
    let (id, secret) = (required(params, spec::CORP_ID.name)?.trim(), required(params, spec::CORP_SECRET.name)?.trim());
    let query = format!("cgi-bin/gettoken?corpid={}&corpsecret={}", percent_encoded(id), percent_encoded(secret));
    let url = address::below(base(params), &query);
    Ok(Outgoing { method: Method::Get, url, headers: Vec::new(), body: Body::Empty, proxy: proxy(params) })
}

/// All that the answer depends on stands in the request.
fn credential(params: &Params) -> Result<Credential, SendError> {
    let Outgoing { url, proxy, .. } = fetch(params)?;
    Ok(Credential::of(&[&url, proxy.as_deref().unwrap_or_default()]))
}

/// A request with the token in its query.
fn call(
    params: &Params,
    path: &str,
    token: &Secret,
    make: impl FnOnce(String) -> Result<Outgoing, SendError>,
) -> Result<Outgoing, SendError> {
    let url = address::below(base(params), &format!("cgi-bin/{path}?access_token={}", percent_encoded(token.expose())));
    Ok(Outgoing { proxy: proxy(params), ..make(url)? })
}

/// The request that uploads the message's own picture, if it has one that WeCom takes and that would be shown.
/// <https://developer.work.weixin.qq.com/document/path/90253>
fn upload(cx: &Context, message: &Message, params: &Params, token: &Secret) -> Option<Outgoing> {
    let is_shown = matches!(params.text(spec::STYLE.name), None | Some("mpnews"));
    let picture = message.picture.filter(|picture| is_shown && is_sendable(picture))?;
    let outgoing = |url: String| Ok(multipart::post(cx, format!("{url}&type=image"), &[], "media", picture));
    call(params, "media/upload", token, outgoing).ok()
}

/// The id of the uploaded picture; none if WeCom does not want the picture, which is no reason to withhold the text.
fn uploaded(reply: &Reply, now: Timestamp) -> Result<Option<String>, Step> {
    let answer = Answer::of(reply).filter(|_| (200..300).contains(&reply.status));
    let media = answer.map(|answer| answer.text("media_id").to_owned()).filter(|id| !id.is_empty());
    match (media, accepted(reply, now)) {
        (Some(media), _) => Ok(Some(media)),
        (None, Ok(_)) => Err(undocumented(reply, now)),
        (None, Err(Step::Fail(error))) if error.reason == Reason::Rejected => Ok(None),
        (None, Err(step)) => Err(step),
    }
}

/// To whom, and by which app.
fn recipients(message: &Message, params: &Params) -> Result<Map<String, Value>, SendError> {
    let mut to = Map::new();
    if let Some(address) = message.address {
        // several, or everybody, are not one member's address
        if address.value.contains('|') || address.value.starts_with('@') {
            let detail = "the recipient is no user id; write `wecom:` and the id of one member";
            return Err(SendError::new(Reason::Rejected, Retry::Never, detail));
        }
        to.insert("touser".to_owned(), address.value.as_str().into());
    } else {
        let lists = [("touser", spec::TO_USER), ("toparty", spec::TO_PARTY), ("totag", spec::TO_TAG)];
        let lists = lists.into_iter().map(|(name, param)| (name, ids(params, &param)));
        to.extend(lists.filter(|(_, ids)| !ids.is_empty()).map(|(name, ids)| (name.to_owned(), ids.into())));
        if to.is_empty() {
            to.insert("touser".to_owned(), "@all".into());
        }
    }
    let missing = || SendError::new(Reason::InvalidParams, Retry::Never, "the registration has no `agent_id`; set it");
    to.insert("agentid".to_owned(), params.number(spec::AGENT_ID.name).ok_or_else(missing)?.into());
    if let Some(seconds) = params.number(spec::DUPLICATE_CHECK_S.name) {
        to.insert("enable_duplicate_check".to_owned(), 1.into());
        to.insert("duplicate_check_interval".to_owned(), seconds.into());
    }
    Ok(to)
}

/// What a message may be.
enum Style<'a> {
    Text,
    Markdown,
    TextCard(&'a str),
    /// An article with an uploaded picture.
    Article(&'a str),
    /// A card with a picture that WeCom loads by itself.
    News(&'a str),
}

/// A picture that the message does not bring itself.
enum Registered<'a> {
    Media(&'a str),
    Url(&'a str),
}

fn registered(params: &Params) -> Option<Registered<'_>> {
    let wanted = params.flag("include_picture", true);
    let picture = params.text(spec::PICTURE.name).filter(|_| wanted)?.trim();
    Some(if picture.contains("://") { Registered::Url(picture) } else { Registered::Media(picture) })
}

impl<'a> Style<'a> {
    /// What is asked for, if the message has what that needs. Left to the message, a picture by URL makes a card only if
    /// the text fits onto it.
    fn of(message: &Message<'a>, params: &'a Params, media: Option<&'a str>) -> Self {
        let (media, url) = match (media, message.image_url, registered(params)) {
            (Some(media), ..) | (None, None, Some(Registered::Media(media))) => (Some(media), None),
            (None, Some(url), _) | (None, None, Some(Registered::Url(url))) => (None, Some(url)),
            (None, None, None) => (None, None),
        };
        let fits = cut(&message.body, DIGEST).len() == message.body.len();
        match (params.text(spec::STYLE.name), media, url, message.url) {
            (Some("markdown"), ..) => Self::Markdown,
            (Some("textcard"), _, _, Some(link)) => Self::TextCard(link),
            (None | Some("mpnews"), Some(media), ..) => Self::Article(media),
            (Some("mpnews"), None, Some(url), _) => Self::News(url),
            (None, None, Some(url), _) if fits && message.format == Format::Text => Self::News(url),
            (None, ..) if message.format == Format::Markdown => Self::Markdown,
            _ => Self::Text, // every other style that lacks what it needs
        }
    }
}

/// The message itself.
fn content(message: &Message, params: &Params, media: Option<&str>) -> Result<Map<String, Value>, SendError> {
    let is_safe = i32::from(params.flag(spec::SAFE.name, false));
    let plain = match message.format {
        Format::Text | Format::Markdown => message.clone(),
        Format::Html => Message { body: format::as_text(message), format: Format::Text, ..message.clone() },
    };
    let content = match Style::of(message, params, media) {
        Style::Text => {
            let text = json!({ "content": Joined::plain(&plain).within(TEXT) });
            json!({ "msgtype": "text", "text": text, "safe": is_safe })
        }
        Style::Markdown => {
            json!({ "msgtype": "markdown", "markdown": { "content": Joined::markdown(&plain).within(TEXT) } })
        }
        Style::TextCard(url) => {
            let write = |text: &str| html::escaped(text).replace("\r\n", "\n").replace('\n', "<br>");
            let text = Joined::body(&plain).fit(CARD_TEXT.max, |text| write(text).chars().count());
            let card = json!({ "title": title(&plain, CARD_TITLE), "description": write(&text), "url": url, "btntxt": "详情" });
            json!({ "msgtype": "textcard", "textcard": card })
        }
        Style::Article(media) => {
            let mut article = json!({ "title": title(&plain, TITLE), "thumb_media_id": media, "content": article(message) });
            article["digest"] = shorten(&plain.body, DIGEST).into();
            if let Some(url) = message.url {
                article["content_source_url"] = url.into();
            }
            json!({ "msgtype": "mpnews", "mpnews": { "articles": [article] }, "safe": is_safe })
        }
        Style::News(picture) => {
            let (title, text) = (title(&plain, TITLE), shorten(&plain.body, DIGEST));
            let url = message.url.unwrap_or(picture);
            let article = json!({ "title": title, "description": text, "url": url, "picurl": picture });
            json!({ "msgtype": "news", "news": { "articles": [article] } })
        }
    };
    let bug = || SendError::new(Reason::Bug, Retry::Never, "the message did not become an object");
    content.as_object().cloned().ok_or_else(bug)
}

/// A title, which cards and articles must have: without one the first line.
fn title(message: &Message, limit: Limit) -> String {
    let first_line = message.body.lines().find(|line| !line.trim().is_empty()).unwrap_or("-");
    shorten(if message.title.is_empty() { first_line } else { &message.title }, limit)
}

/// The text of an article, in HTML within its limit.
fn article(message: &Message) -> String {
    let write = |text: &str| match message.format {
        Format::Text => html::escaped(text).replace("\r\n", "\n").replace('\n', "<br>"),
        Format::Markdown => markdown::to_html(text),
        Format::Html => text.to_owned(),
    };
    let text = Joined::body(message).fit(spec::ARTICLE.max, |text| write(text).len());
    write(&text)
}

/// The answer, if its code is the one of success. The token's errors ask for another one.
/// <https://developer.work.weixin.qq.com/document/path/90313>
fn accepted(reply: &Reply, now: Timestamp) -> Result<Answer, Step> {
    let Some(answer) = Answer::of(reply) else { return Err(undocumented(reply, now)) };
    let Some(code) = answer.number("errcode") else { return Err(undocumented(reply, now)) };
    let (fault, advice) = match code {
        0 if (200..300).contains(&reply.status) => return Ok(answer),
        0 => return Err(undocumented(reply, now)),
        40_014 | 41_001 | 42_001 => {
            let refusal = refused(code, &Fault::Credentials, "WeCom refuses the token, and the one fetched after it");
            return Err(Step::Renew(as_error(refusal)));
        }
        -1 => (Fault::Theirs, "WeCom is busy"),
        45_009 => (Fault::TooFast(Duration::from_mins(1)), "the app calls WeCom too often"),
        45_033 => (Fault::TooFast(Duration::from_secs(5)), "the app makes too many calls at once"),
        40_001 => (Fault::Credentials, "WeCom refuses the secret: check `corp_secret`"),
        40_013 => (Fault::Credentials, "there is no such organization: check `corp_id`"),
        40_056 | 301_002 => (Fault::Credentials, "the secret is not of this app: check `agent_id` and `corp_secret`"),
        60_011 => (Fault::Credentials, "the app may not do this: look at its visible range"),
        50_003 => (Fault::Credentials, "the app is switched off in WeCom"),
        60_020 => (
            Fault::Credentials,
            "the address that we send from is none of the app's trusted IPs: add it, or set `base_url` or `proxy`",
        ),
        81_013 => (Fault::Message, "none of the recipients is known to the app: check `to_user`, `to_party` and `to_tag`"),
        40_007 => (Fault::Message, "there is no such picture: media ids are good for three days, check `picture`"),
        40_058 | 44_004 | 45_002 => (Fault::Message, "WeCom refuses the form of the message, such as an empty or too long text"),
        40_074 => (Fault::Message, "a message of this style cannot be confidential: check `safe` and `style`"),
        41_010 | 45_034 => (Fault::Message, "WeCom refuses the message's `url`: it has to begin with `https://` or `http://`"),
        _ => return Err(unknown_code(code, reply, now)),
    };
    Err(refused(code, &fault, advice))
}

/// Who does not have it is counted, not named.
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let answer = match accepted(reply, now) {
        Ok(answer) => answer,
        Err(step) => return step,
    };
    let count = |(field, what): (&str, &str)| {
        let count = answer.text(field).split('|').filter(|id| !id.is_empty()).count();
        (count > 0).then(|| format!("{count} {what}"))
    };
    let left_out = [
        ("invaliduser", "unknown or outside of the app's visible range"),
        ("invalidparty", "departments unknown or outside of it"),
        ("invalidtag", "tags unknown or outside of it"),
        ("unlicenseduser", "without a license for the app"),
    ];
    let left_out: Vec<_> = left_out.into_iter().filter_map(count).collect();
    if left_out.is_empty() { Step::Done } else { Step::DoneBut(format!("not for all recipients: {}", left_out.join(", "))) }
}

#[cfg(test)]
mod tests;
