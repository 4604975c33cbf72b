//! A channel with parameters of every kind, most of them secret.

use bellhop_core::{
    Code, Problem,
    channel::{Kind, Limits, Param, Params, Spec, Text},
    model::Format,
    short::Short,
};

const fn text(text: &'static str) -> Text {
    Text { en: text, zh: text }
}

const fn param(name: &'static str, kind: Kind, required: bool, secret: bool) -> Param {
    Param { name, label: text(name), help: text(name), kind, required, secret, default: None, per_message: false }
}

pub(crate) static SPEC: Spec = Spec {
    id: "safe",
    label: text("Safe"),
    help: text("For tests"),
    docs: "https://safe.invalid/",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text],
    client: None,
    address: None,
    params: &[
        param("token", Kind::Text, true, true),
        param("pin", Kind::Text, false, true),
        param("headers", Kind::Headers, false, true),
        param("room", Kind::Text, false, false),
        param("loud", Kind::Bool, false, false),
    ],
    short: Some(Short::Positions(&["token", "pin", "room"])),
    check,
};

fn check(params: &Params) -> Result<(), Problem> {
    let known = params.text("room") != Some("nowhere");
    if known { Ok(()) } else { Err(Problem::field(Code::InvalidParams, "params.room", "there is no such room")) }
}
