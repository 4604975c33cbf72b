//! What the channel `webhook` declares.

use bellhop_core::{
    channel::{Kind, Limits, Param, Spec},
    model::Format,
};

use crate::param::{INCLUDE_PICTURE, PROXY, param, text};

/// The channel, as forms, schema and docs show it.
pub(crate) static SPEC: Spec = Spec {
    id: "webhook",
    label: text("Webhook", "Webhook"),
    help: text(
        "Sends the event as JSON to a URL of yours, signed by Standard Webhooks if there is a secret; or a body of your own \
         by a template.",
        "将事件以 JSON 发送到您的地址；设置密钥后按 Standard Webhooks 签名，也可以用模板自定义请求体。",
    ),
    docs: "https://www.standardwebhooks.com/",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text, Format::Markdown, Format::Html],
    client: None,
    address: None,
    params: &[URL, METHOD, HEADERS, SECRET, SCHEME, FORMAT, TEMPLATE, TOKEN, PROXY, SEND_TO, RAW_BODY, INCLUDE_SCREENSHOT],
    short: None,
    check: super::check,
};

/// Where to.
pub(crate) const URL: Param = Param {
    required: true,
    secret: true, // receivers like to have their token in it
    ..param(
        "url",
        Kind::Url,
        text("URL", "地址"),
        text(
            "Where to send. Behind the host it may hold `$title`, `$content` and `$url`, which are filled in percent-encoded.",
            "接收地址。主机名之后可以包含 `$title`、`$content` 和 `$url`，填入时会进行百分号编码。",
        ),
    )
};

const METHOD: Param = Param {
    default: Some("POST"),
    ..param(
        "method",
        Kind::Choice(&["POST", "GET"]),
        text("Method", "请求方法"),
        text("`GET` sends no body: put the texts into the URL.", "`GET` 不发送请求体，请把内容写在地址里。"),
    )
};

/// The tenant's own headers.
pub(crate) const HEADERS: Param = Param {
    secret: true,
    ..param(
        "headers",
        Kind::Headers,
        text("Headers", "请求头"),
        text(
            "Headers of your own. Values may hold `$title`, `$content` and `$url`; line breaks become spaces.",
            "自定义请求头。值中可以包含 `$title`、`$content` 和 `$url`，换行会变成空格。",
        ),
    )
};

/// What requests are signed with.
pub(crate) const SECRET: Param = Param {
    secret: true,
    ..param(
        "secret",
        Kind::Text,
        text("Signing secret", "签名密钥"),
        text(
            "Signs every request. For `standard`: `whsec_` and the base64 of 24 to 64 bytes; while you replace it, write the \
             new and the old one with a space in between. For `github`: any text.",
            "用于对每个请求签名。`standard`：`whsec_` 加 24 至 64 字节的 base64；更换期间可同时填写新旧两个，以空格分隔。\
             `github`：任意文本。",
        ),
    )
};

const SCHEME: Param = Param {
    default: Some("standard"),
    ..param(
        "scheme",
        Kind::Choice(&["standard", "github"]),
        text("Signature scheme", "签名方式"),
        text(
            "`standard` sends `webhook-id`, `webhook-timestamp` and `webhook-signature`; `github` sends `X-Hub-Signature-256`.",
            "`standard` 发送 `webhook-id`、`webhook-timestamp` 和 `webhook-signature`；`github` 发送 `X-Hub-Signature-256`。",
        ),
    )
};

const FORMAT: Param = Param {
    default: Some("bellhop"),
    ..param(
        "format",
        Kind::Choice(&["bellhop", "bettergi"]),
        text("Body", "请求体格式"),
        text(
            "`bellhop` is the whole event; `bettergi` is the body that receivers written for BetterGI expect.",
            "`bellhop` 为完整事件；`bettergi` 为 BetterGI 的接收端所期望的请求体。",
        ),
    )
};

const TEMPLATE: Param = param(
    "template",
    Kind::LongText,
    text("Template", "模板"),
    text(
        "A body of your own with `$title`, `$content` and `$url`. If it is JSON, the texts are filled in as JSON; anything \
         else is sent as plain text.",
        "自定义请求体，可包含 `$title`、`$content` 和 `$url`。模板是 JSON 时按 JSON 转义填入，否则作为纯文本发送。",
    ),
);

const TOKEN: Param = Param {
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Token", "令牌"),
        text(
            "Sent as `Authorization: Bearer …`; with `bettergi` as `token` in the body.",
            "以 `Authorization: Bearer …` 发送；格式为 `bettergi` 时写入请求体的 `token`。",
        ),
    )
};

const SEND_TO: Param = param(
    "send_to",
    Kind::Text,
    text("Send to", "接收人"),
    text(
        "Whom the receiver is to tell, passed on as `send_to`; without it, the recipients that the event names.",
        "请求体中的 `send_to`：由接收端转发给谁；留空时为事件自带的接收人。",
    ),
);

const RAW_BODY: Param = Param {
    per_message: true,
    ..param(
        "raw_body",
        Kind::LongText,
        text("Raw body", "原始请求体"),
        text("A body that is sent unchanged, instead of any other.", "原样发送的请求体，优先于其他任何格式。"),
    )
};

const INCLUDE_SCREENSHOT: Param = Param {
    help: text(
        "Send the event's screenshot along, and the account's picture with events that have none.",
        "将事件的截图一并发送；事件没有图片时发送账户的默认图片。",
    ),
    ..INCLUDE_PICTURE
};
