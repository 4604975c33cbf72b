//! What the channel `telegram` declares.

use std::time::Duration;

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Spec, Unit},
    model::Format,
    pace::SendRate,
    short::Short,
};

use crate::param::{INCLUDE_PICTURE, PROXY, param, text};

/// The channel, as forms, schema and docs show it.
pub(crate) static SPEC: Spec = Spec {
    id: "telegram",
    label: text("Telegram bot", "Telegram 机器人"),
    help: text(
        "Sends to a chat, group or channel by a bot: one message a second, and to a group or channel (a `chat_id` that begins with \
         `-` or `@`) twenty a minute.",
        "通过机器人发送到聊天、群组或频道：每秒最多一条；群组或频道（`chat_id` 以 `-` 或 `@` 开头）每分钟最多 20 条。",
    ),
    docs: "https://core.telegram.org/bots/api",
    // ten messages of 4096
    limits: Limits {
        title: None,
        body: Some(Limit { max: 40_960, unit: Unit::Utf16 }),
        part: Some(Limit { max: 3_800, unit: Unit::Utf16 }),
        rate: Some(SendRate::of(1, Duration::from_secs(1))),
    },
    shows: &[Format::Html, Format::Text],
    client: None,
    address: None,
    params: &[BOT_TOKEN, CHAT_ID, BASE_URL, PROXY, PARSE_MODE, BOLD_TITLE, MESSAGE_THREAD_ID, SILENT, IMAGE_URL, INCLUDE_PICTURE],
    short: Some(Short::Positions(&["bot_token", "chat_id", "base_url", "proxy", "image_url"])),
    check: super::check,
};

pub(crate) const BOT_TOKEN: Param = Param {
    required: true,
    secret: true,
    ..param(
        "bot_token",
        Kind::Text,
        text("Bot token", "Bot Token"),
        text("As BotFather shows it, such as `123456789:AA…`.", "BotFather 给出的令牌，如 `123456789:AA…`。"),
    )
};

pub(crate) const CHAT_ID: Param = Param {
    required: true,
    ..param(
        "chat_id",
        Kind::Text,
        text("Chat", "Chat ID"),
        text(
            "The chat's number (groups have a minus sign), or `@name` of a public channel.",
            "聊天的数字 ID（群组带负号），或公开频道的 `@名称`。",
        ),
    )
};

pub(crate) const BASE_URL: Param = Param {
    default: Some("https://api.telegram.org"),
    ..param(
        "base_url",
        Kind::Url,
        text("Server", "API 地址"),
        text("A Bot API server of your own, or a reverse proxy.", "自建的 Bot API 服务器或反向代理地址。"),
    )
};

pub(crate) const PARSE_MODE: Param = Param {
    default: Some("none"),
    ..param(
        "parse_mode",
        Kind::Choice(&["none", "MarkdownV2", "HTML"]),
        text("Formatting", "格式"),
        text(
            "`MarkdownV2` and `HTML` make the title bold; texts are escaped, but for messages that are HTML themselves.",
            "`MarkdownV2` 与 `HTML` 会将标题加粗；内容会自动转义，`HTML` 格式的消息除外。",
        ),
    )
};

pub(crate) const BOLD_TITLE: Param = Param {
    default: Some("false"),
    ..param(
        "bold_title",
        Kind::Bool,
        text("Bold title", "标题加粗"),
        text("Make the title bold without any `parse_mode`.", "在不使用 `parse_mode` 时将标题加粗。"),
    )
};

pub(crate) const MESSAGE_THREAD_ID: Param = Param {
    per_message: true,
    ..param(
        "message_thread_id",
        Kind::Number,
        text("Topic", "话题"),
        text("The topic's number in a group with topics.", "开启话题的群组中话题的编号。"),
    )
};

pub(crate) const SILENT: Param = Param {
    default: Some("false"),
    per_message: true,
    ..param("silent", Kind::Bool, text("Silent", "静默"), text("Notify without a sound.", "通知时不发出声音。"))
};

const IMAGE_URL: Param = param(
    "image_url",
    Kind::Url,
    text("Picture", "图片"),
    text("A picture for messages that have none of their own.", "消息自身没有图片时使用的图片地址。"),
);
