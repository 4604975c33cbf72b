//! Declaring parameters in few words: a plain one, to be changed by struct update, and those that many channels have; and
//! reading those.

use bellhop_core::{
    Reason, Retry, SendError,
    channel::{Context, Kind, Message, Param, Params, Text},
};

/// One text in both languages.
pub(crate) const fn text(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

/// A parameter that is optional, not secret, without default, and the registration's alone.
pub(crate) const fn param(name: &'static str, kind: Kind, label: Text, help: Text) -> Param {
    Param { name, label, help, kind, required: false, secret: false, default: None, per_message: false }
}

/// The way through a proxy. Checked by [`crate::address::check_proxy`].
pub(crate) const PROXY: Param = Param {
    secret: true,
    ..param(
        "proxy",
        Kind::Text,
        text("Proxy", "代理"),
        text(
            "A proxy for this registration alone, as `http://user:password@host:port` or `socks5://host:port`.",
            "仅用于此注册的代理，格式为 `http://用户:密码@主机:端口` 或 `socks5://主机:端口`。",
        ),
    )
};

/// Whether a picture that came with the event goes along.
pub(crate) const INCLUDE_PICTURE: Param = Param {
    default: Some("true"),
    ..param(
        "include_picture",
        Kind::Bool,
        text("Include picture", "附带图片"),
        text("Send a picture along: the event's, or else the account's own.", "附带图片：事件的图片；没有时为账户的默认图片。"),
    )
};

/// A mail's HTML, beside its text.
pub(crate) const HTML: Param = Param {
    per_message: true,
    ..param(
        "html",
        Kind::LongText,
        text("HTML", "HTML 正文"),
        text(
            "Shown in place of the text where HTML can be; messages in markdown and HTML have it without this.",
            "在支持 HTML 的客户端中代替纯文本显示；markdown 与 HTML 格式的消息无需填写。",
        ),
    )
};

/// The value of a required parameter. It is there, unless what is stored was written by another version of this program.
pub(crate) fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, SendError> {
    let missing = || SendError::new(Reason::InvalidParams, Retry::Never, format!("the registration has no `{name}`; set it"));
    params.text(name).ok_or_else(missing)
}

/// The message with the picture that goes along: its own, or the registration's `image_url`, or none if `include_picture` is
/// off.
pub(crate) fn with_own_picture<'a>(message: &Message<'a>, params: &'a Params) -> Message<'a> {
    let wanted = params.flag(INCLUDE_PICTURE.name, true);
    let image_url = message.image_url.or_else(|| params.text("image_url")).filter(|_| wanted);
    Message { image_url, picture: message.picture.filter(|_| wanted), ..message.clone() }
}

/// The same with the account's picture where there is no other.
pub(crate) fn with_picture<'a>(cx: &'a Context, message: &Message<'a>, params: &'a Params) -> Message<'a> {
    let own = with_own_picture(message, params);
    let is_wanted = params.flag(INCLUDE_PICTURE.name, true) && own.picture.is_none();
    let accounts = cx.default_image_url.as_deref().filter(|_| is_wanted);
    Message { image_url: own.image_url.or(accounts), ..own }
}

/// The message with the account's picture where it has none, for channels that hand the whole event on: whether the event's
/// own is shown is the receiver's business.
pub(crate) fn with_default_picture<'a>(cx: &'a Context, message: &Message<'a>, params: &'a Params) -> Message<'a> {
    let image_url = message.image_url.or_else(|| with_picture(cx, message, params).image_url);
    Message { image_url, ..message.clone() }
}
