//! A Telegram bot: text of any length in several messages, and a picture by its URL.
//!
//! Formatting goes beside the text, as entities, which no text can break; or in it, where `parse_mode` asks for that. Three refusals are met by another request: without formatting where Telegram cannot read it, with a link where it cannot
//! fetch the picture, and to the new chat where a group has become a supergroup. Each is tried once.
//! <https://core.telegram.org/bots/api>

mod spec;
mod text;

use std::{collections::VecDeque, time::Duration};

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Channel, Context, Limit, Message, Outgoing, Params, Reply, Spec, Step, Unit},
    pace::SendRate,
    render,
};
use serde_json::{Value, json};
pub(crate) use spec::SPEC;
use text::{Markup, split};

use crate::{
    address,
    answer::{Answer, Fault, as_error, refused, undocumented, unknown_code},
    format::{
        self,
        rich::{Mark, Rich},
    },
    multipart,
    param::{PROXY, required, with_picture},
    request::post_json,
    template::percent_encoded,
};

/// Of one message. Counted in UTF-16 units, which is never more than Telegram allows.
const TEXT: Limit = Limit { max: 4096, unit: Unit::Utf16 };

/// Of the text below a picture.
const CAPTION: Limit = Limit { max: 1024, unit: Unit::Utf16 };

/// The channel `telegram`.
pub(crate) struct Telegram;

impl Channel for Telegram {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    /// One a second in a chat, twenty a minute in a group.
    /// <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>
    fn rate(&self, params: &Params) -> Option<SendRate> {
        let chat = params.text(spec::CHAT_ID.name)?.trim();
        let is_group = chat.starts_with(['-', '@']);
        if is_group { Some(SendRate::of(20, Duration::from_mins(1))) } else { spec::SPEC.limits.rate }
    }

    fn arrived(&self, so_far: &[Reply]) -> usize {
        so_far.iter().filter(|reply| matches!(judge(reply, Timestamp::UNIX_EPOCH), Judged::Accepted)).count()
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        let message = &with_picture(cx, message, params);
        let mut plan = Plan::new(message, params);
        plan.parts.drain(..cx.done.min(plan.parts.len()));
        for reply in so_far {
            let answered = match judge(reply, cx.now) {
                Judged::Accepted => {
                    plan.accepted();
                    Ok(())
                }
                Judged::Unreadable(error) => plan.without_markup().ok_or(error),
                Judged::NoPicture(error) => plan.without_picture(message, params).ok_or(error),
                Judged::Moved(chat, error) => plan.moved_to(chat).ok_or(error),
                Judged::Refused(error) => Err(error),
            };
            if let Err(error) = answered {
                return Step::Fail(error);
            }
        }
        match (plan.parts.front(), plan.moved) {
            (Some(part), _) => request(cx, &plan, part, message, params).map_or_else(Step::Fail, Step::Call),
            (None, None) => Step::Done,
            (None, Some(chat)) => Step::DoneBut(format!("{}; this message went there", moved_to(chat))),
        }
    }
}

fn check(params: &Params) -> Result<(), Problem> {
    address::check_base(params, &spec::BASE_URL)?;
    address::check_proxy(params, &PROXY)?;
    let detail = "it takes the token as BotFather shows it: digits, a colon, and letters, digits, `_` and `-`";
    let token = token(params.text(spec::BOT_TOKEN.name).unwrap_or_default());
    token.map(drop).ok_or_else(|| Problem::field(Code::InvalidParams, "params.bot_token", detail))
}

fn moved_to(chat: i64) -> String {
    format!("the group has become the supergroup {chat}: set `chat_id` to that")
}

/// A picture on its way.
#[derive(Debug, Clone)]
enum Photo {
    /// Telegram fetches it.
    Url(String),
    /// It goes along: the message's own.
    Bytes,
}

impl Photo {
    fn of(message: &Message) -> Option<Self> {
        match message.picture {
            Some(_) => Some(Self::Bytes),
            None => message.image_url.map(|url| Self::Url(url.to_owned())),
        }
    }
}

/// One message.
struct Part {
    text: Rich,
    picture: Option<Photo>,
}

/// What is still to be sent, and how.
struct Plan {
    parts: VecDeque<Part>,
    markup: Markup,
    /// The chat that the registration's has become.
    moved: Option<i64>,
}

impl Plan {
    fn new(message: &Message, params: &Params) -> Self {
        let markup = Markup::of(params);
        let bold = markup != Markup::Entities || params.flag(spec::BOLD_TITLE.name, false);
        Self { parts: parts(text(message, bold), Photo::of(message)), markup, moved: None }
    }

    fn accepted(&mut self) {
        self.parts.pop_front();
    }

    fn without_markup(&mut self) -> Option<()> {
        (self.markup != Markup::Bare).then(|| self.markup = Markup::Bare)
    }

    /// The picture is the first part, so that nothing of the text was sent yet.
    fn without_picture(&mut self, message: &Message, params: &Params) -> Option<()> {
        let link = match self.parts.front()?.picture.clone()? {
            Photo::Url(url) => url,
            Photo::Bytes => String::new(),
        };
        let whole = Self::new(message, params).parts.into_iter().fold(Rich::default(), |whole, part| stacked(whole, &part.text));
        self.parts = parts(stacked(whole, &Rich::plain(link)), None);
        Some(())
    }

    fn moved_to(&mut self, chat: i64) -> Option<()> {
        self.moved.replace(chat).is_none().then_some(())
    }
}

/// One above the other, with a blank line between; an empty part vanishes.
fn stacked(above: Rich, below: &Rich) -> Rich {
    let between = if above.text().is_empty() || below.text().is_empty() { "" } else { "\n\n" };
    above.followed_by(&Rich::plain(between)).followed_by(below)
}

fn text(message: &Message, bold: bool) -> Rich {
    let title = Rich::plain(&*message.title);
    let title = if bold { title.marked(0..message.title.len(), Mark::Bold) } else { title };
    stacked(title, &format::read(&message.body, message.format))
}

/// What is sent, one after the other: the picture with the text below it if that fits, else the picture and then the text.
fn parts(text: Rich, picture: Option<Photo>) -> VecDeque<Part> {
    if picture.is_some() && render::length(text.text(), CAPTION.unit) <= CAPTION.max {
        return VecDeque::from([Part { text, picture }]);
    }
    let alone = picture.map(|picture| Part { text: Rich::default(), picture: Some(picture) });
    let texts = split(text.text(), TEXT).into_iter().map(|piece| Part { text: text.part(piece), picture: None });
    alone.into_iter().chain(texts).collect()
}

/// Both halves of a token.
fn token(text: &str) -> Option<(&str, &str)> {
    let (bot, secret) = text.trim().split_once(':')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_token = !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit()) && !secret.is_empty();
    (is_token && secret.bytes().all(fits)).then_some((bot, secret))
}

fn request(cx: &Context, plan: &Plan, part: &Part, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let unusable = || SendError::new(Reason::InvalidParams, Retry::Never, "the `bot_token` of the registration is not usable");
    let (bot, secret) = token(required(params, spec::BOT_TOKEN.name)?).ok_or_else(unusable)?;
    let chat = required(params, spec::CHAT_ID.name)?.trim();
    let (text, entities) = plan.markup.write(&part.text);
    let mut body = json!({ "chat_id": plan.moved.map_or_else(|| chat.into(), Value::from) });
    let method = if let Some(picture) = &part.picture {
        if let Photo::Url(url) = picture {
            body["photo"] = url.as_str().into();
        }
        if !text.is_empty() {
            body["caption"] = text.into();
        }
        "sendPhoto"
    } else {
        body["text"] = text.into();
        body["link_preview_options"] = json!({ "is_disabled": true });
        "sendMessage"
    };
    if let Some(mode) = plan.markup.parse_mode().filter(|_| !part.text.text().is_empty()) {
        body["parse_mode"] = mode.into();
    }
    if let Some(entities) = entities {
        body[if part.picture.is_some() { "caption_entities" } else { "entities" }] = entities;
    }
    if let Some(topic) = params.number(spec::MESSAGE_THREAD_ID.name) {
        body["message_thread_id"] = topic.into();
    }
    if params.flag(spec::SILENT.name, false) {
        body["disable_notification"] = true.into();
    }
    if let Some(url) = message.url.filter(|_| plan.parts.len() == 1) {
        body["reply_markup"] = json!({ "inline_keyboard": [[{ "text": "Open", "url": url }]] });
    }
    let base = params.text(spec::BASE_URL.name).unwrap_or("https://api.telegram.org").trim().trim_end_matches('/');
    let url = format!("{base}/bot{bot}:{}/{method}", percent_encoded(secret));
    let outgoing = match (&part.picture, message.picture) {
        (Some(Photo::Bytes), Some(picture)) => multipart::post(cx, url, &fields(&body), "photo", picture),
        _ => post_json(url, &body),
    };
    Ok(Outgoing { proxy: params.text(PROXY.name).map(str::to_owned), ..outgoing })
}

/// The same in a form: what is no text is JSON there.
fn fields(body: &Value) -> Vec<(&str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    body.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// What an answer means for the plan. What may be met by another request holds the refusal for when it may not.
enum Judged {
    Accepted,
    Unreadable(SendError),
    NoPicture(SendError),
    Moved(i64, SendError),
    Refused(SendError),
}

/// Judges by `ok` and `error_code`, and a 400 by its words, which are all that tells one from another.
/// <https://core.telegram.org/bots/api#responseparameters>
fn judge(reply: &Reply, now: Timestamp) -> Judged {
    const MOST: i64 = 3600;
    let Some(answer) = Answer::of(reply) else { return refusal(undocumented(reply, now)) };
    let code = answer.number("error_code");
    let code = match (answer.get("ok").and_then(Value::as_bool), code) {
        (Some(true), _) if (200..300).contains(&reply.status) => return Judged::Accepted,
        (Some(false), Some(code)) => code,
        _ => return refusal(undocumented(reply, now)),
    };
    let parameter = |name: &str| answer.get("parameters").and_then(|parameters| parameters.get(name)?.as_i64());
    let words = answer.text("description");
    let says = |part: &str| words.contains(part);
    let error = |fault, advice: &str| as_error(refused(code, &fault, advice));
    match code {
        429 => match parameter("retry_after").and_then(|wait| u64::try_from(wait.min(MOST)).ok()) {
            Some(wait) => Judged::Refused(error(Fault::TooFast(Duration::from_secs(wait)), "the bot sends too fast")),
            None => refusal(unknown_code(code, &Reply { status: 429, ..reply.clone() }, now)),
        },
        401 => Judged::Refused(error(Fault::Credentials, "the token was revoked: check `bot_token`")),
        404 => Judged::Refused(error(Fault::Credentials, "there is no such bot there: check `bot_token` and `base_url`")),
        403 => {
            Judged::Refused(error(Fault::Dead, "the bot may not write to this chat: it was blocked or removed, or never started"))
        }
        400 => {
            if let Some(chat) = parameter("migrate_to_chat_id") {
                return Judged::Moved(chat, error(Fault::Message, &moved_to(chat)));
            }
            if says("can't parse entities") {
                return Judged::Unreadable(error(Fault::Message, "Telegram cannot read the formatting"));
            }
            if [
                "failed to get HTTP URL content",
                "wrong file identifier",
                "wrong type of the web page content",
                "IMAGE_PROCESS_FAILED",
                "PHOTO_",
            ]
            .into_iter()
            .any(says)
            {
                return Judged::NoPicture(error(Fault::Message, "Telegram cannot fetch the picture"));
            }
            let advice = if says("chat not found") {
                "there is no such chat for the bot: check `chat_id`, and write to the bot first"
            } else if says("BUTTON_URL_INVALID") {
                "Telegram refuses the message's `url`"
            } else {
                "Telegram refuses the message"
            };
            Judged::Refused(error(Fault::Message, advice))
        }
        500..=599 => Judged::Refused(error(Fault::Theirs, "Telegram is busy")),
        _ => refusal(unknown_code(code, reply, now)),
    }
}

fn refusal(step: Step) -> Judged {
    Judged::Refused(as_error(step))
}

#[cfg(test)]
mod tests;
