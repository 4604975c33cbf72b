//! What the channel `web_push` declares.

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Spec, Unit},
    model::Format,
    short::Short,
    vapid::CHANNEL,
};

use crate::param::{PROXY, param, text};

pub(crate) static SPEC: Spec = Spec {
    id: CHANNEL,
    label: text("Web Push", "Web Push"),
    help: text(
        "Notifications of browsers, on desktops and phones, by the subscription that a page or a service worker has made.",
        "通过网页或 Service Worker 创建的订阅，向桌面与手机浏览器推送通知。",
    ),
    docs: "https://www.rfc-editor.org/rfc/rfc8030",
    limits: Limits {
        title: None,
        body: Some(Limit { max: 4096, unit: Unit::Bytes }),
        part: Some(Limit { max: 1500, unit: Unit::Bytes }),
        rate: None,
    },
    // what Mpush's page shows
    shows: &[Format::Markdown, Format::Text],
    client: Some(|_| false), // told without a connection
    address: None,
    params: &[ENDPOINT, P256DH, AUTH, TTL, URGENCY, TOPIC, PROXY],
    short: Some(Short::Own(super::from_json)),
    check: super::check,
};

pub(crate) const ENDPOINT: Param = Param {
    required: true,
    secret: true, // whoever has it can address the browser
    ..param(
        "endpoint",
        Kind::Url,
        text("Endpoint", "订阅地址"),
        text(
            "`endpoint` of the subscription, made with the key that `GET /v1/web-push` tells.",
            "订阅的 `endpoint`；订阅须使用 `GET /v1/web-push` 返回的公钥创建。",
        ),
    )
};

pub(crate) const P256DH: Param = Param {
    required: true,
    ..param(
        "p256dh",
        Kind::Text,
        text("Public key", "公钥"),
        text("`keys.p256dh` of the subscription.", "订阅的 `keys.p256dh`。"),
    )
};

pub(crate) const AUTH: Param = Param {
    required: true,
    secret: true,
    ..param("auth", Kind::Text, text("Secret", "密钥"), text("`keys.auth` of the subscription.", "订阅的 `keys.auth`。"))
};

pub(super) const TTL: Param = Param {
    default: Some("2419200"),
    per_message: true,
    ..param(
        "ttl",
        Kind::Number,
        text("Time to live", "保留时间"),
        text(
            "For how many seconds the push service keeps a message for a browser that is not there; four weeks at most.",
            "浏览器离线时推送服务保留消息的秒数，最多四周。",
        ),
    )
};

pub(super) const URGENCY: Param = Param {
    default: Some("high"),
    per_message: true,
    ..param(
        "urgency",
        Kind::Choice(&["very-low", "low", "normal", "high"]),
        text("Urgency", "紧急程度"),
        text("Less urgent ones may wait until a device is charged.", "紧急程度较低的消息可能等到设备充电时才送达。"),
    )
};

pub(super) const TOPIC: Param = Param {
    per_message: true,
    ..param(
        "topic",
        Kind::Text,
        text("Topic", "主题"),
        text(
            "A message takes the place of the one before with the same topic, as long as that was not handed on. Without it, \
             every message is handed on.",
            "相同主题的新消息会替换尚未送达的旧消息；留空则每条都送达。",
        ),
    )
};
