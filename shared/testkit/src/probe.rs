//! A channel for tests: one request, or one for each part, with the delivery's id in a header, read by its status alone.

use std::time::Duration;

use bellhop_core::{
    Reason, Retry, SendError,
    channel::{
        Body, Catalog, Channel, Context, Kind, Limits, Message, Method, Outgoing, Param, Params, Reply, Spec, Step, Text,
        unchecked,
    },
    model::Format,
    pace::SendRate,
    render,
};

/// The header with the delivery's id.
pub(crate) const ID_HEADER: &str = "x-delivery";

const fn text(text: &'static str) -> Text {
    Text { en: text, zh: text }
}

/// What a channel declares that takes texts and nothing else, for tests with a channel of their own.
pub static BARE: Spec = Spec {
    id: "probe",
    label: text("Bare"),
    help: text("For tests"),
    docs: "https://bare.invalid/",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text],
    client: None,
    address: None,
    params: &[],
    short: None,
    check: unchecked,
};

static SPEC: Spec = Spec {
    id: "probe",
    label: text("Probe"),
    help: text("For tests"),
    docs: "https://probe.invalid/",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text, Format::Markdown, Format::Html],
    client: None,
    address: None,
    params: &[
        Param {
            name: "url",
            label: text("URL"),
            help: text("Where to"),
            kind: Kind::Url,
            required: false,
            secret: true,
            default: Some("https://probe.invalid/"),
            per_message: false,
        },
        Param {
            name: "a_minute",
            label: text("Rate"),
            help: text("How many it takes in a minute"),
            kind: Kind::Number,
            required: false,
            secret: false,
            default: None,
            per_message: false,
        },
        Param {
            name: "parts",
            label: text("Parts"),
            help: text("In how many a message goes"),
            kind: Kind::Number,
            required: false,
            secret: false,
            default: None,
            per_message: false,
        },
        Param {
            name: "tone",
            label: text("Tone"),
            help: text("What it sounds like"),
            kind: Kind::Text,
            required: false,
            secret: false,
            default: None,
            per_message: true,
        },
    ],
    short: None,
    check: unchecked,
};

/// The one channel of tests, `probe`.
pub const CATALOG: Catalog = Catalog { specs: &[&SPEC], speakers: &[&Probe], render: render::message };

struct Probe;

fn is_taken(reply: &Reply) -> bool {
    (200..300).contains(&reply.status)
}

/// How fast a registration with these parameters may be sent to.
pub fn probe_rate(params: &Params) -> Option<SendRate> {
    let most = u32::try_from(params.number("a_minute")?).ok()?;
    Some(SendRate::of(most, Duration::from_mins(1)))
}

impl Channel for Probe {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn rate(&self, params: &Params) -> Option<SendRate> {
        probe_rate(params)
    }

    fn arrived(&self, so_far: &[Reply]) -> usize {
        so_far.iter().filter(|reply| is_taken(reply)).count()
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        let parts = params.number("parts").and_then(|parts| usize::try_from(parts).ok()).unwrap_or(1);
        let is_whole = cx.done + self.arrived(so_far) >= parts;
        let Some(reply) = so_far.last().filter(|reply| is_whole || !is_taken(reply)) else {
            let id = message.id.clone().map(|id| (ID_HEADER.to_owned(), id));
            return Step::Call(Outgoing {
                method: Method::Post,
                url: params.text("url").unwrap_or("https://probe.invalid/").to_owned(),
                headers: id.into_iter().collect(),
                body: Body::Raw(message.body.clone().into_bytes()),
                proxy: None,
            });
        };
        let wait = reply.retry_after(cx.now).map_or(Retry::Later, Retry::After);
        let fail = |reason, retry| SendError::new(reason, retry, format!("the provider answered {}", reply.status));
        match reply.status {
            200..=299 => Step::Done,
            410 => Step::Fail(SendError { dead_address: true, ..fail(Reason::Gone, Retry::Never) }),
            429 => Step::Fail(fail(Reason::RateLimited, wait)),
            500..=599 => Step::Fail(fail(Reason::ProviderError, wait)),
            _ => Step::Fail(fail(Reason::Rejected, Retry::Never)),
        }
    }
}
