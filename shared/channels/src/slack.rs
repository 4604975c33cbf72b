//! A Slack incoming webhook.
//!
//! The title is bold, the link stands below. Only `&`, `<` and `>` are escaped: with that, no text can mention everybody.
//! The answer is plain text, `ok` or the word for what is wrong.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use std::time::Duration;

use bellhop_core::{
    Problem, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    model::Format,
    pace::SendRate,
};
use serde_json::json;

use crate::{
    address,
    answer::{Fault, refused_as, undocumented},
    format::{
        self,
        rich::{Dialect, Mark},
    },
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

/// Slack cuts longer texts. <https://docs.slack.dev/changelog/2018-truncating-really-long-messages>
const MOST_CHARS: usize = 40_000;

pub(crate) static SPEC: Spec = Spec {
    id: "slack",
    label: text("Slack", "Slack"),
    help: text(
        "Posts to a Slack channel by an incoming webhook. Those take no files: a picture goes as a link to its URL, and one that \
         is uploaded with the message is left out.",
        "通过传入 Webhook 发送到 Slack 频道。Webhook 不能上传文件：图片以其地址的链接发送，随消息上传的图片不发送。",
    ),
    docs: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    limits: Limits {
        title: Some(Limit { max: 1000, unit: Unit::Chars }), // so that it leaves room for the text
        body: Some(Limit { max: MOST_CHARS, unit: Unit::Chars }),
        part: Some(Limit { max: 8_000, unit: Unit::Chars }),
        rate: Some(SendRate::of(1, Duration::from_secs(1))),
    },
    shows: &[Format::Html, Format::Text],
    client: None,
    address: None,
    params: &[WEBHOOK, INCLUDE_PICTURE],
    short: None,
    check,
};

const WEBHOOK: Param = Param {
    required: true,
    secret: true,
    ..param(
        "webhook",
        Kind::Url,
        text("Webhook URL", "Webhook 地址"),
        text(
            "The URL that Slack shows for the incoming webhook, such as `https://hooks.slack.com/services/…`.",
            "Slack 中传入 Webhook 的地址，例如 `https://hooks.slack.com/services/…`。",
        ),
    )
};

/// The channel `slack`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request: |_, message, params| request(message, params), judge };

fn check(params: &Params) -> Result<(), Problem> {
    address::check_url(params, &WEBHOOK, [])
}

fn request(message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let url = required(params, WEBHOOK.name)?.trim().to_owned();
    Ok(post_json(url, &json!({ "text": mrkdwn(message) })))
}

/// <https://docs.slack.dev/messaging/formatting-message-text>
fn mrkdwn(message: &Message) -> String {
    let title = match (escaped(&message.title), message.body.is_empty()) {
        (title, _) if title.is_empty() => title,
        (title, true) => format!("*{title}*"),
        (title, false) => format!("*{title}*\n\n"),
    };
    let links = [message.image_url, message.url].into_iter().flatten().map(link).collect::<Vec<_>>().join("\n");
    let chars = |text: &str| text.chars().count();
    let room = MOST_CHARS.saturating_sub(chars(&title) + chars(&links) + 1);
    let body = format::read(&message.body, message.format);
    let text = title + &body.write_fitting(&MRKDWN, |text| chars(text) <= room);
    match (text.is_empty(), links.is_empty()) {
        (_, true) => text,
        (true, false) => links,
        (false, false) => format!("{text}\n{links}"),
    }
}

/// In a link, `|` begins a label and `>` ends it all.
fn link(url: &str) -> String {
    format!("<{}>", url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E"))
}

/// <https://docs.slack.dev/messaging/formatting-message-text>
const MRKDWN: Dialect = Dialect {
    words: escaped,
    verbatim: escaped,
    around: |mark, _| {
        let (before, behind) = match mark {
            Mark::Bold | Mark::Heading(_) => ("*", "*"),
            Mark::Italic => ("_", "_"),
            Mark::Strike => ("~", "~"),
            Mark::Code => ("`", "`"),
            Mark::Pre => ("```\n", "\n```"),
            Mark::Underline | Mark::Layout => ("", ""),
            Mark::Link(url) => return (link(url).replace('>', "|"), ">".to_owned()),
        };
        (before.to_owned(), behind.to_owned())
    },
};

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// <https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let word = str::from_utf8(&reply.body).unwrap_or_default().trim();
    let (fault, advice) = match word {
        "ok" if reply.status == 200 => return Step::Done,
        "no_service" | "no_active_hooks" | "no_team" => (Fault::Dead, "the webhook was removed or switched off in Slack"),
        "channel_is_archived" => (Fault::Dead, "the channel is archived in Slack"),
        "channel_not_found" => (Fault::Dead, "the channel is gone in Slack"),
        "invalid_token" => (Fault::Credentials, "Slack does not know the webhook: check `webhook`"),
        "action_prohibited" => (Fault::Credentials, "an administrator of the workspace does not allow it"),
        "posting_to_general_channel_denied" => (Fault::Credentials, "only some members may post to this channel"),
        "invalid_payload" | "no_text" | "too_many_attachments" | "user_not_found" => {
            (Fault::Message, "Slack refuses the form of the message")
        }
        _ => return undocumented(reply, now),
    };
    refused_as(word, &fault, advice)
}

#[cfg(test)]
mod tests {
    use bellhop_core::Reason;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{format::rich::Rich, sample};

    fn sent(text: &str, fields: Value) -> String {
        let job = sample::event(text, fields);
        mrkdwn(&format::message(&job, &SPEC, None))
    }

    fn judged(status: u16, body: &str) -> Step {
        judge(&Reply { status, headers: Vec::new(), body: body.into() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn parts_that_are_not_there_vanish() {
        assert_eq!(sent("b", json!({})), "b");
        assert_eq!(sent("", json!({"title": "t"})), "*t*");
        assert_eq!(sent("", json!({"url": "https://e.com"})), "<https://e.com>");
        let both = json!({"url": "https://e.com/", "image_url": "https://e.com/p.png"});
        assert_eq!(sent("b", both), "b\n<https://e.com/p.png>\n<https://e.com/>");
    }

    #[test]
    fn no_text_can_mention_everybody_and_no_link_can_be_left() {
        assert_eq!(sent("<!channel>", json!({})), "&lt;!channel&gt;");
        assert_eq!(link("https://e.com/?a|b> <!channel>"), "<https://e.com/?a%7Cb%3E %3C!channel%3E>");
    }

    #[test]
    fn formatting_is_written_as_slack_reads_it() {
        let text = "# Head\n\n**b** *i* ~~s~~ `a<b` [l](https://e.com/?a|b)\n\n- 1\n- 2";
        let written = "*Head*\n\n*b* _i_ ~s~ `a&lt;b` <https://e.com/?a%7Cb|l>\n\n- 1\n- 2";
        assert_eq!(sent(text, json!({"format": "markdown"})), written);
    }

    #[test]
    fn no_entity_is_torn() {
        let short = |text: &str, max| Rich::plain(text).write_fitting(&MRKDWN, |text| text.chars().count() <= max);
        assert_eq!(short("ab&c", 8), "ab&amp;c");
        assert_eq!(short("ab&c", 7), "ab…");
        assert_eq!(short("abcd", 3), "ab…");
        assert_eq!(short("&&", 0), "");
    }

    #[test]
    fn only_ok_is_success_and_a_webhook_that_is_gone_is_dead() {
        assert_eq!(judged(200, "ok"), Step::Done);
        for (status, body, reason, dead) in [
            (200, "<html>ok</html>", Reason::UnexpectedAnswer, false),
            (500, "ok", Reason::ProviderError, false),
            (404, "no_service", Reason::Gone, true),
            (410, "channel_is_archived", Reason::Gone, true),
            (403, "invalid_token", Reason::Unauthorized, false),
            (400, "no_text", Reason::Rejected, false),
            (500, "rollup_error", Reason::ProviderError, false),
        ] {
            let Step::Fail(error) = judged(status, body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.dead_address), (reason, dead), "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn no_entity_and_no_link_is_torn(html in sample::written(Format::Html), max in 0_usize..120) {
            let short = format::read(&html, Format::Html).write_fitting(&MRKDWN, |text| text.chars().count() <= max);
            prop_assert!(short.chars().count() <= max);
            prop_assert_eq!(short.matches('<').count(), short.matches('>').count());
            let whole = |rest: &str| ["amp;", "lt;", "gt;", "b|"].iter().any(|entity| rest.starts_with(entity));
            prop_assert!(short.split('&').skip(1).all(whole), "{}", short);
        }
    }
}
