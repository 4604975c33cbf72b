//! What the tests of this crate send: parameters, an event, and the message that tells it.

use std::sync::Arc;

use bellhop_core::{
    Timestamp,
    channel::{Channel, Context, Message, Outgoing, Params, Spec, Step},
    mail::Mail,
    model::{ChannelId, DeliveryId, Event, EventId, Format, Job, Name},
    token::Secret,
    vapid::{Contact, Sender, VapidKey},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

/// 2024-05-01 08:00:00 UTC.
const NOW: i64 = 1_714_550_400;

pub(crate) fn params(spec: &Spec, params: Value) -> Params {
    let Value::Object(params) = params else { panic!("not an object") };
    Params::parse(spec, params).unwrap()
}

/// An event with this text, and with these fields besides.
pub(crate) fn event(message: &str, fields: Value) -> Job {
    let id = EventId::new(Timestamp::from_second(NOW).unwrap(), 1);
    let mut event = json!({
        "id": id, "account": "main", "source": "QD/Example/main", "message": message, "accepted_at": "2024-05-01T08:00:00Z",
    });
    let Value::Object(fields) = fields else { panic!("not an object") };
    event.as_object_mut().unwrap().extend(fields);
    let event: Event = serde_json::from_value(event).unwrap();
    let registration = Name::parse("hook").unwrap();
    Job {
        delivery: DeliveryId::new(id, &registration, None),
        n: 1,
        registration,
        channel: ChannelId::new("webhook"),
        address: None,
        event: Arc::new(event),
    }
}

pub(crate) fn message(job: &Job) -> Message<'_> {
    crate::format::message(job, &crate::webhook::SPEC, None)
}

/// As for an attempt that has its token, if one is needed.
pub(crate) fn context() -> Context {
    let now = Timestamp::from_second(NOW).unwrap();
    let time_zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    Context {
        now,
        chance: 7,
        time_zone,
        locale: "en".to_owned(),
        default_image_url: None,
        done: 0,
        fixed: Vec::new(),
        token: Some(Secret::new("t0k")),
        connection: None,
        vapid: Some(sender()),
    }
}

/// The request that `channel` makes of a message.
pub(crate) fn request(channel: &dyn Channel, message: &Message, params: &Params) -> Outgoing {
    match channel.step(&context(), message, params, &[]) {
        Step::Call(outgoing) => outgoing,
        step => panic!("no request but {step:?}"),
    }
}

/// The mail that `channel` makes of a message.
pub(crate) fn mail(channel: &dyn Channel, message: &Message, params: &Params) -> Mail {
    match channel.step(&context(), message, params, &[]) {
        Step::Mail(mail) => *mail,
        step => panic!("no mail but {step:?}"),
    }
}

/// Any text, with more than its share of what breaks requests.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let awkward =
        prop::sample::select(vec!["{t}", "{log}", "$title", "\"", "\\", "\r\n", "&", "#", "=", "+", "%41", "👨‍👩‍👧", "\u{2028}"]);
    let piece = prop_oneof![awkward.prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Well-formed pieces of each format, with what is awkward to cut.
pub(crate) fn written(format: Format) -> impl Strategy<Value = String> {
    let pieces = match format {
        Format::Text => vec!["测试", "e\u{301}\u{302}", "👨‍👩‍👧", "🇩🇪", "a_b ", "*x* ", "<b>&amp;", "\\", "\n", "[l](u) "],
        Format::Markdown => {
            vec![
                "**粗体** ",
                "[链接](https://e.com/a_b) ",
                "`co*de` ",
                "~~s~~ ",
                "e\u{301} ",
                "👨‍👩‍👧 ",
                "\n\n- item ",
                "2 \\* 3 ",
                "*_x_* ",
            ]
        }
        Format::Html => vec![
            "<b>粗体</b>",
            "<a href=\"https://e.com/?a&amp;b\">链 &lt;<i>接</i></a>",
            "<p>e\u{301}</p>",
            "👨‍👩‍👧",
            "&amp;",
            "<ul><li>1</li></ul>",
            "<pre>a\nb</pre>",
        ],
    };
    vec(prop::sample::select(pieces), 0..40).prop_map(|pieces: Vec<&str>| pieces.concat())
}

/// As whom a test sends: the key of <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>'s application server.
pub(crate) fn sender() -> Sender {
    let private = Secret::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
    let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    Sender { key: VapidKey { private, public: public.to_owned() }, contact: Contact::default() }
}
