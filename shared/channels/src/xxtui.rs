//! xxtui: to whatever channels its key stands for.
//!
//! What is refused and why is published nowhere: a code that is not 0 is final, unless the provider's words ask to wait.
//! <https://www.xxtui.com/>

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    render::{cut, length},
};
use serde_json::json;

use crate::{
    answer::{Answer, Fault, refused, undocumented, unknown_code},
    join::Joined,
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
    template::percent_encoded,
};

/// Of two clients; a third one has 4000.
const CONTENT: Limit = Limit { max: 2000, unit: Unit::Chars };

const FROM: Limit = Limit { max: 20, unit: Unit::Chars };

pub(crate) static SPEC: Spec = Spec {
    id: "xxtui",
    label: text("xxtui", "xxtui 推送"),
    help: text("Sends by xxtui.", "通过 xxtui 发送。"),
    docs: "https://www.xxtui.com/",
    limits: Limits { title: Some(Limit { max: 20, unit: Unit::Chars }), body: None, part: Some(CONTENT), rate: None },
    shows: &[Format::Text],
    client: None,
    address: None,
    params: &[API_KEY, SENDER, CHANNEL, INCLUDE_PICTURE],
    short: None,
    check,
};

const API_KEY: Param = Param {
    required: true,
    secret: true,
    ..param("api_key", Kind::Text, text("API key", "API Key"), text("The key that xxtui shows.", "在 xxtui 中显示的 API Key。"))
};

const SENDER: Param =
    param("from", Kind::Text, text("From", "来源"), text("Who sends it; 20 characters at most.", "消息来源，最多 20 个字符。"));

const CHANNEL: Param = param(
    "channel",
    Kind::Text,
    text("Channel", "渠道"),
    text(
        "`WX_MP`, `WX_QY_ROBOT`, `DING_ROBOT`, `BARK`, `EMAIL`, `SMS_VOICE` or `CUSTOM_HTTP`, several separated by commas; \
         without it, the key's own.",
        "`WX_MP`、`WX_QY_ROBOT`、`DING_ROBOT`、`BARK`、`EMAIL`、`SMS_VOICE` 或 `CUSTOM_HTTP`，多个用逗号分隔；留空则使用 Key 的默认渠道。",
    ),
);

/// What `channel` may hold. xxtui itself takes any other word, and sends nothing there.
const CHANNELS: [&str; 7] = ["WX_MP", "WX_QY_ROBOT", "DING_ROBOT", "BARK", "EMAIL", "SMS_VOICE", "CUSTOM_HTTP"];

/// The channel `xxtui`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    if channels(params).all(|word| CHANNELS.contains(&word)) {
        return Ok(());
    }
    let detail = format!("it takes one or several of {}, separated by commas", CHANNELS.join(", "));
    Err(Problem::field(Code::InvalidParams, "params.channel", detail))
}

fn channels(params: &Params) -> impl Iterator<Item = &str> {
    params.text(CHANNEL.name).into_iter().flat_map(|words| words.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let key = percent_encoded(required(params, API_KEY.name)?.trim());
    let mut body = json!({ "content": content(message) });
    if !message.title.is_empty() {
        body["title"] = message.title.as_str().into();
    }
    if let Some(from) = params.text(SENDER.name) {
        body["from"] = cut(from.trim(), FROM).into();
    }
    let channels = channels(params).collect::<Vec<_>>().join(",");
    if !channels.is_empty() {
        body["channel"] = channels.into();
    }
    Ok(post_json(format!("https://www.xxtui.com/xxtui/{key}"), &body))
}

/// The text with picture and link below; a title alone is the text as well. `...` says that something had to go.
fn content(message: &Message) -> String {
    const MARK: &str = "...";
    let text = if message.body.is_empty() { &message.title } else { &message.body };
    let alone = Message { title: String::new(), body: text.clone(), ..message.clone() };
    let whole = Joined::plain(&alone).whole();
    let Some(over) = length(&whole, CONTENT.unit).checked_sub(CONTENT.max).filter(|over| *over > 0) else { return whole };
    match length(text, CONTENT.unit).checked_sub(over + MARK.len()) {
        Some(room) if room > 0 => {
            let short = cut(text, Limit { max: room, ..CONTENT }).to_owned() + MARK;
            Joined::plain(&alone).with_text(short).whole()
        }
        // the links alone are too long
        _ => cut(text, Limit { max: CONTENT.max - MARK.len(), ..CONTENT }).to_owned() + MARK,
    }
}

fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let wait = ["频繁", "稍后"].iter().any(|word| answer.text("msg").contains(word));
    match answer.number("code") {
        Some(0) if (200..300).contains(&reply.status) => Step::Done,
        Some(0) | None => undocumented(reply, now),
        Some(code) if wait => {
            let detail = format!("the provider answered code {code} and asks to wait; send less");
            Step::Fail(SendError::new(Reason::RateLimited, Retry::Later, detail))
        }
        Some(code) if (200..300).contains(&reply.status) => {
            refused(code, &Fault::Message, "it is not documented; check `api_key` and `channel`")
        }
        Some(code) => unknown_code(code, reply, now),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> String {
        content(&sample::message(&sample::event(text, fields)))
    }

    #[test]
    fn a_title_alone_is_the_content_and_links_stand_below() {
        assert_eq!(sent("", json!({"title": "t"})), "t");
        let fields = json!({"title": "t", "url": "https://e.com/", "image_url": "https://e.com/p"});
        assert_eq!(sent("b", fields), "b\n\nhttps://e.com/p\n\nhttps://e.com/");
    }

    #[test]
    fn a_long_text_keeps_its_link_unless_that_is_too_long_itself() {
        let long = sent(&"测".repeat(3000), json!({"url": "https://e.com/"}));
        assert!(long.ends_with("测...\n\nhttps://e.com/") && long.chars().count() == 2000);
        let url = format!("https://e.com/{}", "x".repeat(1995));
        assert_eq!(sent("a long text", json!({"url": url})), "a long text...");
    }

    #[test]
    fn a_channel_that_xxtui_has_not_is_refused() {
        let check = |words: &str| check(&sample::params(&SPEC, json!({"api_key": "k", "channel": words}))).is_ok();
        assert!(check("WX_MP, BARK,") && check("") && !check("WX_MP,WECHAT"));
    }

    #[test]
    fn a_code_is_final_unless_the_words_ask_to_wait() {
        let judged = |status, body: &Value| {
            judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(judged(200, &json!({"code": 0})), Step::Done);
        for (status, body, reason, retry) in [
            (200, json!({"code": 1, "msg": "API_KEY不存在"}), Reason::Rejected, Retry::Never),
            (200, json!({"code": 1, "msg": "操作频繁"}), Reason::RateLimited, Retry::Later),
            (200, json!({"code": "0"}), Reason::UnexpectedAnswer, Retry::Later),
            (200, json!({}), Reason::UnexpectedAnswer, Retry::Later),
            (500, json!({"code": 0}), Reason::ProviderError, Retry::Later),
            (500, json!({"code": 500}), Reason::ProviderError, Retry::Later),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_any_kind_fits(text in sample::any_text(), times in 1_usize..300) {
            let content = sent(&text.repeat(times), json!({"url": "https://e.com/"}));
            prop_assert!(length(&content, CONTENT.unit) <= CONTENT.max);
        }
    }
}
