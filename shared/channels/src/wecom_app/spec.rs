//! What the channel `wecom_app` declares.

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Spec, Unit},
    model::{AddressKind, Format},
    short::Short,
};

use crate::param::{INCLUDE_PICTURE, PROXY, param, text};

/// The text of an mpnews article, in bytes of HTML; the other styles are cut shorter.
/// <https://developer.work.weixin.qq.com/document/path/90236>
pub(super) const ARTICLE: Limit = Limit { max: 666 * 1024, unit: Unit::Bytes };

pub(crate) static SPEC: Spec = Spec {
    id: "wecom_app",
    label: text("WeCom app", "企业微信应用"),
    help: text(
        "Sends to members of a WeCom organization by an app of its own. A member gets 30 messages in a minute and 1000 in an \
         hour from one app; WeCom drops the rest without a word.",
        "通过自建应用发送给企业微信成员。同一应用每分钟最多向同一成员发送 30 条、每小时 1000 条，超出部分会被企业微信静默丢弃。",
    ),
    docs: "https://developer.work.weixin.qq.com/document/path/90236",
    limits: Limits { title: None, body: Some(ARTICLE), part: Some(Limit { max: 1_800, unit: Unit::Bytes }), rate: None },
    shows: &[Format::Text, Format::Markdown, Format::Html],
    client: None,
    address: Some(AddressKind::Wecom),
    params: &[
        CORP_ID,
        CORP_SECRET,
        AGENT_ID,
        TO_USER,
        TO_PARTY,
        TO_TAG,
        STYLE,
        PICTURE,
        SAFE,
        DUPLICATE_CHECK_S,
        BASE_URL,
        PROXY,
        INCLUDE_PICTURE,
    ],
    short: Some(Short::Positions(&["corp_id", "agent_id", "corp_secret", "picture", "base_url"])),
    check: super::check,
};

pub(super) const CORP_ID: Param = Param {
    required: true,
    ..param(
        "corp_id",
        Kind::Text,
        text("Corp ID", "企业 ID"),
        text(
            "At the end of `My Company` in the admin console, <https://work.weixin.qq.com/wework_admin/frame#profile>.",
            "管理后台“我的企业”页面底部的企业 ID：<https://work.weixin.qq.com/wework_admin/frame#profile>。",
        ),
    )
};

pub(super) const CORP_SECRET: Param = Param {
    required: true,
    secret: true,
    ..param(
        "corp_secret",
        Kind::Text,
        text("App secret", "应用 Secret"),
        text(
            "On the app's page, <https://work.weixin.qq.com/wework_admin/frame#apps>. There, the addresses that Bellhop sends \
             from have to be among the app's trusted IPs, or WeCom refuses with 60020: \
             <https://open.work.weixin.qq.com/devtool/query?e=60020>.",
            "在应用详情页查看：<https://work.weixin.qq.com/wework_admin/frame#apps>。还需在该页面把 Bellhop 的出口地址加入“企业可信 IP”，\
             否则企业微信返回 60020：<https://open.work.weixin.qq.com/devtool/query?e=60020>。",
        ),
    )
};

pub(super) const AGENT_ID: Param = Param {
    required: true,
    ..param(
        "agent_id",
        Kind::Number,
        text("Agent ID", "应用 AgentId"),
        text("The app's number, on the same page as its secret.", "与 Secret 同一页面显示的应用编号。"),
    )
};

pub(super) const TO_USER: Param = param(
    "to_user",
    Kind::List,
    text("Users", "成员"),
    text(
        "User ids, up to 1000, also as `a|b`; `@all` is everybody who sees the app, and what is meant where users, parties and \
         tags are all left out. A message to `wecom:` and a user id goes to that member alone.",
        "成员 userid，最多 1000 个，也可写作 `a|b`；`@all` 为应用可见范围内的所有成员，成员、部门、标签都留空时即为 `@all`。\
         发往 `wecom:` 加 userid 的消息只发给该成员。",
    ),
);

pub(super) const TO_PARTY: Param =
    param("to_party", Kind::List, text("Parties", "部门"), text("Numbers of departments, up to 100.", "部门 ID，最多 100 个。"));

pub(super) const TO_TAG: Param =
    param("to_tag", Kind::List, text("Tags", "标签"), text("Numbers of tags, up to 100.", "标签 ID，最多 100 个。"));

pub(super) const STYLE: Param = Param {
    per_message: true,
    ..param(
        "style",
        Kind::Choice(&["text", "markdown", "textcard", "mpnews"]),
        text("Style", "样式"),
        text(
            "Left out, it follows from the message: with a picture `mpnews`, in markdown `markdown`, else `text`. `text` and \
             `markdown` hold 2048 bytes; `markdown` shows in WeCom only, not in WeChat; `textcard` holds 512 characters and \
             needs a link, without which it is `text`.",
            "留空时由消息决定：有图片为 `mpnews`，markdown 格式为 `markdown`，否则为 `text`。`text` 与 `markdown` 最多 2048 字节；\
             `markdown` 仅企业微信可见，微信插件不显示；`textcard` 最多 512 字，必须有链接，否则按 `text` 发送。",
        ),
    )
};

pub(super) const PICTURE: Param = Param {
    per_message: true,
    ..param(
        "picture",
        Kind::Text,
        text("Picture", "图片"),
        text(
            "For messages without one: the id of an uploaded picture (good for three days), or a URL. What has a URL only is \
             a card (`news`), since WeCom loads that by itself.",
            "消息自身没有图片时使用：已上传素材的 media_id（三天内有效）或图片地址。只有地址的图片以图文卡片（`news`）发送，由企业微信自行加载。",
        ),
    )
};

pub(super) const SAFE: Param = Param {
    default: Some("false"),
    ..param(
        "safe",
        Kind::Bool,
        text("Confidential", "保密消息"),
        text(
            "With a watermark, and not to be forwarded; `text` and `mpnews` only.",
            "带水印且不能转发；仅用于 `text` 与 `mpnews`。",
        ),
    )
};

pub(super) const DUPLICATE_CHECK_S: Param = param(
    "duplicate_check_s",
    Kind::Number,
    text("Duplicate check", "重复检查"),
    text(
        "So many seconds (at most 14400) the same message is shown once: one that is sent again because its answer was lost, \
         but also one that just says the same.",
        "在这么多秒内（最多 14400）相同的消息只显示一次：既避免因应答丢失而重发的消息，也会去掉内容恰好相同的消息。",
    ),
);

pub(super) const BASE_URL: Param = Param {
    default: Some("https://qyapi.weixin.qq.com"),
    ..param(
        "base_url",
        Kind::Url,
        text("Base URL", "接口地址"),
        text(
            "A reverse proxy in front of WeCom with a trusted IP; tokens are fetched through it, too.",
            "位于可信 IP 上的企业微信反向代理；获取令牌也经过它。",
        ),
    )
};
