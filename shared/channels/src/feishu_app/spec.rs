//! What the channel `feishu_app` declares.

use std::time::Duration;

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Spec, Unit},
    model::{AddressKind, Format},
    pace::SendRate,
};

use crate::param::{INCLUDE_PICTURE, PROXY, param, text};

/// What one person or group takes: five messages a second.
/// <https://open.feishu.cn/document/server-docs/im-v1/message/create>
const TO_ONE: SendRate = SendRate::of(5, Duration::from_secs(1));

/// What the app may call: fifty times a second, and a thousand times a minute.
/// <https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control>
pub(super) const TO_MANY: SendRate = SendRate { burst: 30, every: Duration::from_millis(62) };

pub(crate) static SPEC: Spec = Spec {
    id: "feishu_app",
    label: text("Feishu app", "飞书应用"),
    help: text(
        "Sends to people and groups of a Feishu or Lark organization by an app with a bot. The app needs the scope \
         `im:message:send_as_bot`, `contact:user.id:readonly` to find people by e-mail or mobile number, and `im:resource` to send \
         pictures: <https://open.feishu.cn/document/server-docs/application-scope/scope-list>. A registration without a \
         recipient of its own, for those that messages name, sends 50 in a second and 1000 in a minute.",
        "通过带机器人能力的应用发送给飞书或 Lark 的成员与群。应用需要权限 `im:message:send_as_bot`；按邮箱或手机号查找成员还需要 \
         `contact:user.id:readonly`，发送图片还需要 `im:resource`：<https://open.feishu.cn/document/server-docs/application-scope/scope-list>。未设置接收者、由消息指定接收者的注册每秒最多发送 50 条、每分钟 1000 条。",
    ),
    docs: "https://open.feishu.cn/document/server-docs/im-v1/message/create",
    limits: Limits {
        title: None,
        body: Some(Limit { max: 150 * 1024, unit: Unit::Bytes }),
        part: Some(Limit { max: 9_000, unit: Unit::Bytes }),
        rate: Some(TO_ONE),
    },
    shows: &[Format::Markdown, Format::Text],
    client: None,
    address: Some(AddressKind::Feishu),
    params: &[APP_ID, APP_SECRET, RECEIVE_ID_TYPE, RECEIVE_ID, EMAIL, MOBILE, REGION, IMAGE_KEY, PROXY, INCLUDE_PICTURE],
    short: None,
    check: super::check,
};

pub(super) const APP_ID: Param = Param {
    required: true,
    ..param(
        "app_id",
        Kind::Text,
        text("App ID", "App ID"),
        text(
            "Under `Credentials & Basic Info` of the app, <https://open.feishu.cn/app>; it begins with `cli_`.",
            "应用的“凭证与基础信息”页面：<https://open.feishu.cn/app>，以 `cli_` 开头。",
        ),
    )
};

pub(super) const APP_SECRET: Param = Param {
    required: true,
    secret: true,
    ..param("app_secret", Kind::Text, text("App secret", "App Secret"), text("On the same page.", "与 App ID 同一页面。"))
};

pub(super) const RECEIVE_ID_TYPE: Param = Param {
    default: Some("open_id"),
    ..param(
        "receive_id_type",
        Kind::Choice(&["open_id", "user_id", "union_id", "email", "chat_id"]),
        text("Kind of recipient", "接收者类型"),
        text(
            "What `receive_id` is; `chat_id` is a group, in which the bot has to be.",
            "`receive_id` 的类型；`chat_id` 为群，机器人须在群中。",
        ),
    )
};

pub(super) const RECEIVE_ID: Param = param(
    "receive_id",
    Kind::Text,
    text("Recipient", "接收者"),
    text(
        "The id of a person or a group. A message to `feishu:` and an open id goes to that person alone.",
        "成员或群的 ID。发往 `feishu:` 加 open_id 的消息只发给该成员。",
    ),
);

pub(super) const EMAIL: Param = param(
    "email",
    Kind::Text,
    text("E-mail", "邮箱"),
    text("A person by the e-mail address in Feishu, in place of an id.", "以成员在飞书中的邮箱代替 ID。"),
);

pub(super) const MOBILE: Param = param(
    "mobile",
    Kind::Text,
    text("Mobile number", "手机号"),
    text(
        "A person by the mobile number in Feishu, in place of an id; outside of mainland China with `+` and the country.",
        "以成员在飞书中的手机号代替 ID；非中国大陆号码须带 `+` 与国家/地区码。",
    ),
);

pub(super) const REGION: Param = Param {
    default: Some("feishu"),
    ..param(
        "region",
        Kind::Choice(&["feishu", "larksuite"]),
        text("Region", "区域"),
        text("`larksuite` for Lark, outside of China.", "中国大陆以外的 Lark 为 `larksuite`。"),
    )
};

pub(super) const IMAGE_KEY: Param = Param {
    per_message: true,
    ..param(
        "image_key",
        Kind::Text,
        text("Image key", "image_key"),
        text("The key of a picture that the app has uploaded.", "由该应用上传图片后得到的 image_key。"),
    )
};
