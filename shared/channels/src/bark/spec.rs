//! What the channel `bark` declares.

use bellhop_core::{
    channel::{Kind, Limit, Limits, Param, Params, Spec, Unit},
    model::Format,
    short::Short,
};

use crate::param::{INCLUDE_PICTURE, param, text};

/// The channel, as forms, schema and docs show it.
pub(crate) static SPEC: Spec = Spec {
    id: "bark",
    label: text("Bark", "Bark"),
    help: text("Pushes to iPhones by the app Bark.", "通过 Bark App 推送到 iPhone。"),
    docs: "https://bark.day.app/#/tutorial",
    limits: Limits {
        title: Some(Limit { max: 500, unit: Unit::Bytes }),
        body: Some(Limit { max: 3000, unit: Unit::Bytes }), // of Apple's 4096 for everything
        part: Some(Limit { max: 2000, unit: Unit::Bytes }),
        rate: None,
    },
    shows: &[Format::Text, Format::Markdown],
    client: None,
    address: None,
    params: &[
        BASE_URL,
        DEVICE_KEY,
        DEVICE_KEYS,
        USER,
        PASSWORD,
        FORM,
        ENCRYPTION,
        SUBTITLE,
        GROUP,
        SOUND,
        ICON,
        LEVEL,
        VOLUME,
        BADGE,
        CALL,
        COPY,
        AUTO_COPY,
        IS_ARCHIVE,
        TTL,
        ACTION,
        ID,
        DELETE,
        INCLUDE_PICTURE,
    ],
    short: Some(Short::Own(super::from_url)),
    check: super::check,
};

/// Parameters that are passed on, and Bark's words for them.
pub(super) const FIELDS: [(&Param, &str); 12] = [
    (&GROUP, "group"),
    (&SOUND, "sound"),
    (&ICON, "icon"),
    (&LEVEL, "level"),
    (&VOLUME, "volume"),
    (&BADGE, "badge"),
    (&CALL, "call"),
    (&COPY, "copy"),
    (&AUTO_COPY, "autoCopy"),
    (&IS_ARCHIVE, "isArchive"),
    (&TTL, "ttl"),
    (&ACTION, "action"),
];

/// What a parameter is passed on as.
pub(super) fn value(params: &Params, param: &Param) -> Option<String> {
    match param.kind {
        Kind::Number => params.number(param.name).map(|number| number.to_string()),
        Kind::Bool => params.get(param.name).map(|_| if params.flag(param.name, false) { "1" } else { "0" }.to_owned()),
        Kind::Text | Kind::LongText | Kind::Url | Kind::Choice(_) => params.text(param.name).map(str::to_owned),
        Kind::Headers | Kind::List | Kind::Object => None,
    }
}

pub(crate) const BASE_URL: Param = Param {
    default: Some("https://api.day.app"),
    ..param(
        "base_url",
        Kind::Url,
        text("Server", "服务器"),
        text("A Bark server of your own; it may have a path.", "自建的 Bark 服务器地址，可以带路径。"),
    )
};

pub(crate) const DEVICE_KEY: Param = Param {
    secret: true,
    ..param(
        "device_key",
        Kind::Text,
        text("Device key", "设备 Key"),
        text("What follows the server's name in the URL that the app shows.", "App 中显示的地址里服务器之后的部分。"),
    )
};

pub(crate) const DEVICE_KEYS: Param = Param {
    secret: true,
    ..param(
        "device_keys",
        Kind::List,
        text("More device keys", "更多设备 Key"),
        text("For several devices at once (server 2.1.9 or later).", "同时推送到多台设备（服务器 2.1.9 以上）。"),
    )
};

pub(crate) const USER: Param = param(
    "user",
    Kind::Text,
    text("User", "用户名"),
    text("If a server of your own asks for one.", "自建服务器要求认证时填写。"),
);

pub(crate) const PASSWORD: Param = Param {
    secret: true,
    ..param("password", Kind::Text, text("Password", "密码"), text("That goes with the user.", "与用户名对应的密码。"))
};

pub(crate) const FORM: Param = Param {
    default: Some("json"),
    ..param(
        "form",
        Kind::Choice(&["json", "path"]),
        text("Form", "请求形式"),
        text(
            "`path` writes title and text into the URL, for servers that take nothing else; what a path cannot hold goes as JSON.",
            "`path` 将标题和内容写入地址，用于只支持这种形式的服务器；无法写入时仍使用 JSON。",
        ),
    )
};

pub(crate) const ENCRYPTION: Param = Param {
    secret: true,
    ..param(
        "encryption",
        Kind::Object,
        text("Encryption", "推送加密"),
        text(
            "The same as in the app: `{\"algorithm\": \"AES256\", \"mode\": \"GCM\", \"key\": \"…\"}`; AES128, AES192 or AES256 \
             with a key of 16, 24 or 32 characters; CBC, ECB or GCM.",
            "与 App 中的设置一致：`{\"algorithm\": \"AES256\", \"mode\": \"GCM\", \"key\": \"…\"}`。AES128、AES192、AES256 的密钥分别为 \
             16、24、32 个字符；模式为 CBC、ECB 或 GCM。",
        ),
    )
};

pub(crate) const SUBTITLE: Param = Param {
    per_message: true,
    ..param("subtitle", Kind::Text, text("Subtitle", "副标题"), text("Below the title.", "显示在标题下方。"))
};

const GROUP: Param = Param {
    per_message: true,
    ..param(
        "group",
        Kind::Text,
        text("Group", "分组"),
        text("Pushes of one group are shown together.", "同一分组的推送显示在一起。"),
    )
};

const SOUND: Param = Param {
    per_message: true,
    ..param("sound", Kind::Text, text("Sound", "铃声"), text("A sound's name, such as `minuet`.", "铃声名称，如 `minuet`。"))
};

const ICON: Param = Param {
    per_message: true,
    ..param("icon", Kind::Url, text("Icon", "图标"), text("A picture in place of Bark's icon.", "代替 Bark 图标的图片地址。"))
};

const LEVEL: Param = Param {
    per_message: true,
    ..param(
        "level",
        Kind::Choice(&["active", "timeSensitive", "passive", "critical"]),
        text("Level", "中断级别"),
        text(
            "`timeSensitive` is shown in a focus, `passive` lights up nothing, `critical` rings even when muted.",
            "`timeSensitive` 专注模式下显示，`passive` 不亮屏，`critical` 静音时也响铃。",
        ),
    )
};

const VOLUME: Param = Param {
    per_message: true,
    ..param("volume", Kind::Number, text("Volume", "音量"), text("Of critical pushes, 0 to 10.", "重要警告的音量，0 至 10。"))
};

const BADGE: Param = Param {
    per_message: true,
    ..param("badge", Kind::Number, text("Badge", "角标"), text("The number on the app's icon.", "App 图标上的数字。"))
};

const CALL: Param = Param {
    per_message: true,
    ..param("call", Kind::Bool, text("Ring", "持续响铃"), text("Ring for 30 seconds.", "铃声持续 30 秒。"))
};

const COPY: Param = Param {
    per_message: true,
    ..param("copy", Kind::Text, text("Copy", "复制"), text("What is copied instead of the text.", "复制时代替内容的文本。"))
};

const IS_ARCHIVE: Param = Param {
    per_message: true,
    ..param("is_archive", Kind::Bool, text("Keep", "保存"), text("Keep it in the app's history.", "保存到 App 的历史记录。"))
};

const AUTO_COPY: Param = Param {
    per_message: true,
    ..param(
        "auto_copy",
        Kind::Bool,
        text("Copy by itself", "自动复制"),
        text("Copy without being asked to, where iOS allows it.", "在 iOS 允许时自动复制推送内容。"),
    )
};

const TTL: Param = Param {
    per_message: true,
    ..param(
        "ttl",
        Kind::Number,
        text("Time to live", "有效期"),
        text("After so many seconds it leaves the app's history.", "历史记录保留的秒数，到期自动删除。"),
    )
};

const ACTION: Param = Param {
    per_message: true,
    ..param(
        "action",
        Kind::Choice(&["alert", "none"]),
        text("On a tap", "点击动作"),
        text("`alert` shows it in the app once more; `none` does nothing.", "`alert` 点击后弹窗显示；`none` 点击后不弹窗。"),
    )
};

pub(crate) const ID: Param = Param {
    per_message: true,
    ..param(
        "id",
        Kind::Text,
        text("Id", "推送 ID"),
        text(
            "A push replaces an earlier one of the same id (server 2.2.5 or later); without it, each delivery has its own.",
            "相同 ID 的推送会替换之前的推送（服务器 2.2.5 以上）；留空时每次推送各不相同。",
        ),
    )
};

pub(crate) const DELETE: Param = Param {
    per_message: true,
    ..param(
        "delete",
        Kind::Bool,
        text("Delete", "删除推送"),
        text("Take back the push of that `id`, in place of showing one.", "删除该 `id` 的推送，而不显示新的推送。"),
    )
};
