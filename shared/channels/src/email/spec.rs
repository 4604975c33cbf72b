//! What the channel `email` declares.

use bellhop_core::{
    channel::{Kind, Limits, Param, Spec},
    model::{AddressKind, Format},
};

use crate::param::{HTML, INCLUDE_PICTURE, param, text};

/// The channel, as forms, schema and docs show it.
pub(crate) static SPEC: Spec = Spec {
    id: "email",
    label: text("Email (SMTP)", "邮件（SMTP）"),
    help: text("Sends mail through a mail server.", "通过邮件服务器发送邮件。"),
    docs: "https://www.rfc-editor.org/rfc/rfc6409",
    // servers say for themselves what is too much
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Html, Format::Markdown, Format::Text],
    client: None,
    address: Some(AddressKind::Email),
    params: &[SERVICE, HOST, PORT, TLS, SKIP_VERIFY, USER, PASSWORD, FROM, TO, HTML, INCLUDE_PICTURE],
    short: None,
    check: super::check,
};

pub(crate) const SERVICE: Param = param(
    "service",
    Kind::Text,
    text("Service", "邮件服务"),
    text(
        "A well-known provider such as `QQ`, `163`, `Gmail` or `Outlook365`, in place of server, port and security.",
        "知名服务商，例如 `QQ`、`163`、`Gmail`、`Outlook365`，可代替服务器、端口与加密方式。",
    ),
);

pub(crate) const HOST: Param = param(
    "host",
    Kind::Text,
    text("Server", "服务器"),
    text(
        "The name of the mail server; left out, it follows from the user's address.",
        "邮件服务器地址；留空则根据用户的邮箱地址推断。",
    ),
);

pub(crate) const PORT: Param = Param {
    default: Some("587"),
    ..param(
        "port",
        Kind::Number,
        text("Port", "端口"),
        text("465 for TLS from the first byte, 587 for STARTTLS.", "465 为直接 TLS，587 为 STARTTLS。"),
    )
};

pub(crate) const TLS: Param = param(
    "tls",
    Kind::Choice(&["implicit", "starttls", "none"]),
    text("Security", "加密方式"),
    text(
        "Left out: `implicit` on port 465, else `starttls`, without which nothing is sent; `none` sends everything in clear.",
        "留空时端口 465 为 `implicit`，其他为 `starttls`（服务器不支持则不发送）；`none` 为明文发送。",
    ),
);

pub(crate) const SKIP_VERIFY: Param = Param {
    default: Some("false"),
    ..param(
        "skip_verify",
        Kind::Bool,
        text("Any certificate", "不验证证书"),
        text(
            "Trust whatever certificate the server shows; whoever sits in between may read along.",
            "信任任意证书；中间人可能读取内容。",
        ),
    )
};

pub(crate) const USER: Param = param(
    "user",
    Kind::Text,
    text("User", "用户名"),
    text("Mostly one's own address; left out, there is no login.", "通常为自己的邮箱地址；留空则不登录。"),
);

pub(crate) const PASSWORD: Param = Param {
    secret: true,
    ..param(
        "password",
        Kind::Text,
        text("Password", "密码"),
        text("Many providers want one that is made for programs.", "许多服务商要求使用授权码或应用专用密码。"),
    )
};

pub(crate) const FROM: Param = param(
    "from",
    Kind::Text,
    text("From", "发件人"),
    text(
        "`name@example.com` or `Name <name@example.com>`; left out, the user.",
        "`name@example.com` 或 `名称 <name@example.com>`；留空则使用用户名。",
    ),
);

pub(crate) const TO: Param = param(
    "to",
    Kind::List,
    text("To", "收件人"),
    text("Up to 100 addresses, for messages that name none themselves.", "最多 100 个地址，用于未指定收件地址的消息。"),
);
