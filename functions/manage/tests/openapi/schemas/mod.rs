//! The shapes of what is sent and answered. Words of closed lists come from the code that reads them.

mod account;
mod hooks;
mod rules;
mod sending;
mod tasks;

use bellhop_core::{
    Code, Reason,
    channel::Spec,
    model::{AddressKind, Scope, State},
};
use serde_json::{Map, Value, json};

use crate::{
    channels,
    shape::{number, object, text, words},
};

/// Text on one line: the control characters of Unicode are none.
const ONE_LINE: &str = r"^[^\x00-\x1F\x7F-\x9F]*$";
/// Something that can be seen.
const SEEN: &str = r"\S";
/// See `core::model::Name`.
const NAME: &str = r"^[\p{L}\p{N}_-]{1,64}$";
/// The letters of ids.
const DIGIT: &str = "[0-9a-hjkmnp-tv-z]";
/// See `core::model::Recipient`.
const RECIPIENT: &str = r"^((group:|contact:)?[\p{L}\p{N}_-]{1,64}|(email|sms|wecom|feishu):[^\s\x00-\x1F\x7F-\x9F]{1,254})$";

pub(crate) fn schemas(specs: &'static [&'static Spec]) -> Value {
    let mut all = Map::new();
    for (name, shape) in simple(specs)
        .into_iter()
        .chain(sending::sending())
        .chain(sending::told())
        .chain(rules::kept())
        .chain(account::kept())
        .chain(hooks::hooks())
        .chain(tasks::tasks())
    {
        assert!(all.insert(name.to_owned(), shape).is_none(), "`{name}` is there twice");
    }
    all.extend(channels::schemas(specs, &account::registration_body()));
    Value::Object(all)
}

fn simple(specs: &'static [&'static Spec]) -> Vec<(&'static str, Value)> {
    let id = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let result = ["success", "failure", "partial"];
    vec![
        (
            "Name",
            json!({ "type": "string", "pattern": NAME, "description": "1 to 64 letters and digits of any script, `_`, `-`." }),
        ),
        ("EventId", id(&format!("^evt_[0-7]{DIGIT}{{25}}$"))),
        ("DeliveryId", id(&format!("^dlv_[0-7]{DIGIT}{{25}}_{DIGIT}{{12}}$"))),
        ("TaskId", id(&format!("^tsk_[0-7]{DIGIT}{{25}}$"))),
        ("KeyId", id("^key_[0-9A-Za-z]{4,32}$")),
        ("AuditId", id(&format!("^aud_[0-7]{DIGIT}{{25}}$"))),
        ("Channel", words(specs.iter().map(|spec| spec.id))),
        (
            "Source",
            json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": ONE_LINE, "description": "`site/task`, split at the last `/`." }),
        ),
        ("EventType", json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^\s\x00-\x1F\x7F-\x9F]*$" })),
        (
            "Pattern",
            json!({ "type": "string", "minLength": 1, "maxLength": 256, "description": "`*` stands for anything, `/` included; case does not matter." }),
        ),
        (
            "Recipient",
            json!({ "type": "string", "pattern": RECIPIENT, "description": "A registration's name, `group:…`, `contact:…`, or an address: `email:…`, `sms:…`, `wecom:…`, `feishu:…`." }),
        ),
        ("Trigger", words(["auto", "manual"])),
        ("Result", words(result)),
        (
            "ResultGiven",
            json!({ "enum": [result[0], result[1], result[2], "Success", "Fail", "PartialSuccess", "0", "1", "2", 0, 1, 2], "description": "`0`, `1`, `2` are success, failure, partial." }),
        ),
        ("Format", words(["text", "markdown", "html"])),
        ("State", words(State::ALL.map(State::as_str))),
        ("Reason", words(Reason::ALL.iter().map(|reason| reason.as_str()))),
        ("Scope", words(Scope::ALL.map(Scope::as_str))),
        (
            "WebPush",
            object(&["public_key"], [("public_key", json!({ "type": "string", "description": "65 bytes in base64url." }))]),
        ),
        ("AddressKind", words(AddressKind::ALL.map(AddressKind::as_str))),
        ("Text", object(&["en", "zh"], [("en", text()), ("zh", text())])),
        (
            "Problem",
            json!({
                "type": "object",
                "description": "RFC 9457. docs/errors.md has a section for each code.",
                "properties": {
                    "type": text(), "title": text(), "status": number(400, 599), "detail": text(),
                    "code": words(Code::ALL.iter().map(|code| code.as_str())),
                    "field": { "type": "string", "description": "The path of the field, e.g. `events[3].result`." },
                },
                "required": ["type", "title", "status", "detail", "code"],
            }),
        ),
    ]
}
