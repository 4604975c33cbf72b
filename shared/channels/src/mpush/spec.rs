//! What the channel `mpush` declares.

use bellhop_core::{
    channel::{Kind, Limits, Param, Spec},
    model::{Format, WAY},
};

use crate::{
    param::{PROXY, param, text},
    web_push,
};

/// The channel, as forms, schema and docs show it.
pub(crate) static SPEC: Spec = Spec {
    id: "mpush",
    label: text("Mpush client", "Mpush 客户端"),
    help: text(
        "A client of the Mpush protocol, known by its name: connected by WebSocket (it gets its messages in order and acknowledges \
         each), or called by a webhook.",
        "Mpush 协议的客户端，以名称识别：通过 WebSocket 连接（按顺序接收并逐条确认），或通过 webhook 调用。",
    ),
    docs: "https://github.com/kooritea/mpush",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Markdown, Format::Text, Format::Html],
    client: Some(super::is_live),
    address: None,
    params: &[METHOD, URL, TOKEN, ENDPOINT, P256DH, AUTH, PROXY],
    short: None,
    check: super::check,
};

pub(super) const METHOD: Param = Param {
    default: Some("socket"),
    ..param(
        WAY,
        Kind::Choice(&["socket", "webhook_get", "webhook_post", "web_push"]),
        text("Method", "方式"),
        text(
            "`socket`: the client connects to Bellhop under this registration's name. `webhook_get`, `webhook_post`: Bellhop calls \
             the URL. `web_push`: the browser's push service is told.",
            "`socket`：客户端以此注册的名称连接 Bellhop。`webhook_get`、`webhook_post`：由 Bellhop 调用该地址。`web_push`：通过浏览器的推送服务。",
        ),
    )
};

pub(super) const URL: Param = Param {
    secret: true, // receivers like to have their token in it
    ..param("url", Kind::Url, text("URL", "地址"), text("Which address a webhook is called at.", "webhook 的调用地址。"))
};

pub(super) const TOKEN: Param = Param {
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Token", "令牌"),
        text(
            "What a webhook is shown in its header `Authorization`, as it is, without a scheme.",
            "调用 webhook 时放入请求头 `Authorization` 的内容，原样发送，不加前缀。",
        ),
    )
};

/// Of a subscription to Web Push, by which a client is told that is not connected.
const ENDPOINT: Param = Param { required: false, ..web_push::ENDPOINT };
const P256DH: Param = Param { required: false, ..web_push::P256DH };
const AUTH: Param = Param { required: false, ..web_push::AUTH };
