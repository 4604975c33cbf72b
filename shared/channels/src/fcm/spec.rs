//! What the channel `fcm` declares.

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Spec, Unit},
    model::Format,
};

use crate::param::{INCLUDE_PICTURE, PROXY, param, text};

pub(crate) static SPEC: Spec = Spec {
    id: "fcm",
    label: text("Firebase Cloud Messaging", "Firebase 云消息（FCM）"),
    help: text(
        "Push notifications of Android, iOS and web apps by Firebase's HTTP v1 API.",
        "通过 Firebase HTTP v1 接口向 Android、iOS 与网页应用推送通知。",
    ),
    docs: "https://firebase.google.com/docs/cloud-messaging/send/v1-api",
    limits: Limits {
        title: None,
        body: Some(Limit { max: 4096, unit: Unit::Bytes }),
        part: Some(Limit { max: 1500, unit: Unit::Bytes }),
        rate: None,
    },
    shows: &[Format::Text],
    client: None,
    address: None,
    params: &[SERVICE_ACCOUNT, SERVER_KEY, PROJECT_ID, TOKEN, TOPIC, CONDITION, DATA, PROXY, INCLUDE_PICTURE],
    short: None,
    check: super::check,
};

pub(super) const SERVICE_ACCOUNT: Param = Param {
    secret: true,
    ..param(
        "service_account",
        Kind::LongText,
        text("Service account", "服务账号"),
        text(
            "The whole JSON file of a private key, which the Firebase console makes under `Project settings`, `Service \
             accounts`: <https://console.firebase.google.com/project/_/settings/serviceaccounts/adminsdk>. Required.",
            "私钥 JSON 文件的全部内容，在 Firebase 控制台“项目设置 → 服务账号”中生成：\
             <https://console.firebase.google.com/project/_/settings/serviceaccounts/adminsdk>。必填。",
        ),
    )
};

pub(super) const SERVER_KEY: Param = param(
    "server_key",
    Kind::Text,
    text("Server key", "服务器密钥（旧版）"),
    text(
        "Of the former API, which Google switched off in 2024; it is refused. Set `service_account`.",
        "旧版接口的密钥，Google 已于 2024 年停用，填写会被拒绝；请使用 `service_account`。",
    ),
);

pub(super) const PROJECT_ID: Param = param(
    "project_id",
    Kind::Text,
    text("Project ID", "项目 ID"),
    text("Left out, it is the service account's own.", "留空则为服务账号所属的项目。"),
);

pub(super) const TOKEN: Param = Param {
    secret: true,
    ..param(
        "token",
        Kind::Text,
        text("Device token", "设备令牌"),
        text(
            "The registration token that the app gets on the device; or set `topic` or `condition`.",
            "应用在设备上取得的注册令牌；也可改用 `topic` 或 `condition`。",
        ),
    )
};

pub(super) const TOPIC: Param = param(
    "topic",
    Kind::Text,
    text("Topic", "主题"),
    text("Everybody who subscribed to it; without `/topics/`.", "发送给订阅该主题的所有设备，不带 `/topics/`。"),
);

pub(super) const CONDITION: Param = param(
    "condition",
    Kind::Text,
    text("Condition", "条件"),
    text("Topics combined, such as `'a' in topics && 'b' in topics`.", "主题的组合，例如 `'a' in topics && 'b' in topics`。"),
);

pub(super) const DATA: Param = Param {
    per_message: true,
    ..param(
        "data",
        Kind::Object,
        text("Data", "数据"),
        text("Names and texts that the app is handed with the notification.", "随通知一起交给应用的名称与文本。"),
    )
};
