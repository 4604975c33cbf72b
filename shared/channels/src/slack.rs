//! A Slack incoming webhook.
//!
//! The title is bold, the link stands below. Only `&`, `<` and `>` are escaped: with that, no text can mention everybody.
//! The answer is plain text, `ok` or the word for what is wrong.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use std::time::Duration;

use bellhop_core::{
    Problem, SendError, Timestamp,
    channel::{Kind, Limit, Limits, Message, Outgoing, Param, Params, Reply, Spec, Step, Unit},
    pace::SendRate,
};
use serde_json::json;

use crate::{
    address,
    answer::{Fault, refused_as, undocumented},
    param::{INCLUDE_PICTURE, param, required, text},
    request::{Once, post_json},
};

/// Slack cuts longer texts. <https://docs.slack.dev/changelog/2018-truncating-really-long-messages>
const MOST_CHARS: usize = 40_000;

pub(crate) static SPEC: Spec = Spec {
    id: "slack",
    label: text("Slack", "Slack"),
    help: text("Posts to a Slack channel by an incoming webhook.", "通过传入 Webhook 发送到 Slack 频道。"),
    docs: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    limits: Limits {
        title: Some(Limit { max: 1000, unit: Unit::Chars }), // so that it leaves room for the text
        body: Some(Limit { max: MOST_CHARS, unit: Unit::Chars }),
        rate: Some(SendRate::of(1, Duration::from_secs(1))),
    },
    address: None,
    params: &[WEBHOOK, INCLUDE_PICTURE],
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
    let title = match (escaped(&message.title, MOST_CHARS), message.body.is_empty()) {
        (title, _) if title.is_empty() => title,
        (title, true) => format!("*{title}*"),
        (title, false) => format!("*{title}*\n\n"),
    };
    let links = [message.image_url, message.url].into_iter().flatten().map(link).collect::<Vec<_>>().join("\n");
    let chars = |text: &str| text.chars().count();
    let room = MOST_CHARS.saturating_sub(chars(&title) + chars(&links) + 1);
    let text = title + &escaped(&message.body, room);
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

/// The text as Slack wants it written, in `max` characters; `…` says that something had to go. No entity is torn.
fn escaped(text: &str, max: usize) -> String {
    let escape = |character: char| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    };
    let pieces = || text.chars().map(escape);
    if pieces().map(|piece| piece.chars().count()).sum::<usize>() <= max {
        return pieces().collect();
    }
    let Some(mut room) = max.checked_sub(1) else { return String::new() };
    let mut short = String::new();
    for piece in pieces() {
        match room.checked_sub(piece.chars().count()) {
            Some(rest) => room = rest,
            None => break,
        }
        short += &piece;
    }
    short + "…"
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
    use bellhop_core::{Reason, render};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::sample;

    fn sent(text: &str, fields: Value) -> String {
        let job = sample::event(text, fields);
        mrkdwn(&render::message(&job, &SPEC, None))
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
    fn no_entity_is_torn() {
        assert_eq!(escaped("ab&c", 8), "ab&amp;c");
        assert_eq!(escaped("ab&c", 7), "ab…");
        assert_eq!(escaped("abcd", 3), "ab…");
        assert_eq!(escaped("&&", 0), "");
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
        fn a_text_of_any_kind_fits(text in sample::any_text(), max in 0_usize..80) {
            let short = escaped(&text, max);
            prop_assert!(short.chars().count() <= max);
            let whole = escaped(&text, usize::MAX);
            let fits = short == whole;
            prop_assert!(whole.starts_with(short.trim_end_matches('…')) && fits == (whole.chars().count() <= max));
        }
    }
}
