//! Every channel's free tests: whoever adds a line to [`bellhop_channels::ALL`] adds an example here, and has these.
#![expect(clippy::unwrap_used, reason = "a test")]

mod digest;
mod examples;
mod hostile;
mod injection;

use std::{collections::HashSet, sync::Arc};

use bellhop_channels::ALL;
use bellhop_core::{
    Timestamp,
    channel::{Body, Channel, Context, Kind, Message, Outgoing, Params, Reply, Step},
    mail::{Mail, Mailed, SmtpReply},
    model::{AccountId, ChannelId, DeliveryId, Draft, EventId, Format, Job, Name, Picture},
    token::Secret,
    vapid::{Contact, Sender, VapidKey},
};
use examples::{PLANTED, example};
use serde_json::{Value, json};

/// Bytes of a text as long as it may come: with the rest of its event it has to fit into 256 KiB.
const LONGEST: usize = 250_000;

fn channels() -> impl Iterator<Item = &'static dyn Channel> {
    ALL.speakers.iter().copied()
}

fn params(channel: &dyn Channel) -> Params {
    Params::parse(channel.spec(), example(channel)).unwrap()
}

fn job(channel: &dyn Channel, title: &str, text: &str, format: Format) -> Job {
    let now = Timestamp::UNIX_EPOCH;
    let id = EventId::new(now, 1);
    let draft = Draft { title: Some(title.to_owned()), screenshot: Some(picture()), format, ..Draft::new(text) };
    let registration = Name::parse("example").unwrap();
    Job {
        delivery: DeliveryId::new(id, &registration, None),
        n: 1,
        registration,
        channel: ChannelId::new(channel.spec().id),
        address: None,
        event: Arc::new(draft.into_event(id, AccountId::parse("main").unwrap(), now)),
    }
}

fn picture() -> Picture {
    Picture(b"\x89PNG\r\n\x1a\n".as_slice().into())
}

/// What a channel may know, with a token if there is to be one.
fn context(token: Option<&str>) -> Context {
    Context {
        done: 0,
        now: Timestamp::UNIX_EPOCH,
        chance: 7,
        time_zone: jiff::tz::TimeZone::UTC,
        locale: "zh-CN".to_owned(),
        default_image_url: None,
        fixed: Vec::new(),
        token: token.map(Secret::new),
        connection: None,
        vapid: Some(sender()),
    }
}

/// As whom all of them send that are asked who they are.
fn sender() -> Sender {
    let private = Secret::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
    let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    Sender { key: VapidKey { private, public: public.to_owned() }, contact: Contact::default() }
}

fn step(channel: &dyn Channel, message: &Message, so_far: &[Reply]) -> Step {
    channel.step(&context(Some("S3cr3t token")), message, &params(channel), so_far)
}

/// The request for a token of each channel that needs one.
fn token_requests() -> impl Iterator<Item = (&'static dyn Channel, Outgoing)> {
    channels().filter_map(|channel| {
        let (job, picture) = (job(channel, "title", "text", Format::Text), picture());
        let message = (ALL.render)(&job, channel.spec(), Some(&picture));
        match channel.step(&context(None), &message, &params(channel), &[]) {
            Step::Token(_) => Some((channel, channel.fetch(&context(None), &params(channel)).unwrap())),
            _ => None,
        }
    })
}

fn reply(status: u16, body: &[u8]) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_vec() }
}

/// Everything that a receiver could repeat.
fn echo(outgoing: &Outgoing) -> Vec<u8> {
    let body = match &outgoing.body {
        Body::Empty => String::new(),
        Body::Json(text) => text.clone(),
        Body::Form(pairs) => format!("{pairs:?}"),
        Body::Raw(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let Outgoing { method, url, headers, proxy, .. } = outgoing;
    format!("{body}\n{} {url} {proxy:?}\n{headers:?}", method.as_str()).into_bytes()
}

/// Answers that no provider documents.
fn strange_answers() -> Vec<Vec<u8>> {
    let html = "<!DOCTYPE html><title>502 Bad Gateway</title>😀".repeat(100);
    vec![
        Vec::new(),
        html.into_bytes(),
        vec![0xff, 0xfe, 0x00, 0xf0, 0x9f],
        b"null".to_vec(),
        b"{}".to_vec(),
        br#"{"code":"0","errcode":null,"ok":"yes","data":[[]]}"#.to_vec(),
        "😀".repeat(64 * 1024).into_bytes(),
    ]
}

#[test]
fn every_channel_that_is_declared_is_spoken() {
    let declared: Vec<_> = ALL.specs.iter().map(|spec| spec.id).collect();
    let spoken: Vec<_> = channels().map(|channel| channel.spec().id).collect();
    assert_eq!(declared, spoken);
}

#[test]
fn every_spec_is_well_formed() {
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let mut ids = HashSet::new();
    for channel in channels() {
        let spec = channel.spec();
        assert!(is_word(spec.id) && ids.insert(spec.id), "{}", spec.id);
        assert!(spec.docs.starts_with("https://"), "{}", spec.id);
        let mut names = HashSet::new();
        for param in spec.params {
            let at = format!("{}.{}", spec.id, param.name);
            assert!(is_word(param.name) && names.insert(param.name), "{at}");
            assert!(!(param.required && param.default.is_some()), "{at}: required and with a default");
            assert!(!(param.secret && param.per_message), "{at}: a message may not hold secrets");
            match (param.kind, param.default) {
                (Kind::Choice(words), Some(word)) => assert!(words.contains(&word), "{at}: `{word}` is no choice"),
                (Kind::Bool, default) => assert!(matches!(default, None | Some("true" | "false")), "{at}"),
                (Kind::Number, default) => assert!(default.is_none_or(|number| number.parse::<i64>().is_ok()), "{at}"),
                (Kind::List | Kind::Object | Kind::Headers, default) => assert_eq!(default, None, "{at}"),
                (Kind::Text | Kind::LongText | Kind::Url | Kind::Choice(_), _) => {}
            }
        }
        let texts = spec.params.iter().flat_map(|param| [param.label, param.help]).chain([spec.label, spec.help]);
        assert!(texts.into_iter().all(|text| !text.en.trim().is_empty() && !text.zh.trim().is_empty()), "{}", spec.id);
    }
}

#[test]
fn every_example_is_accepted() {
    for channel in channels() {
        assert_eq!((channel.spec().check)(&params(channel)), Ok(()), "{}", channel.spec().id);
    }
}

#[test]
fn a_missing_or_blank_required_parameter_is_refused_with_its_field() {
    for channel in channels() {
        let spec = channel.spec();
        for required in spec.params.iter().filter(|param| param.required) {
            let mut missing = example(channel);
            missing.remove(required.name);
            let problem = Params::parse(spec, missing).unwrap_err();
            assert_eq!(problem.field, Some(format!("params.{}", required.name)), "{}", spec.id);
        }
    }
}

#[test]
fn a_parameter_of_another_channel_is_refused() {
    for channel in channels() {
        let mut raw = example(channel);
        raw.insert("no_such_parameter".to_owned(), json!("x"));
        let problem = Params::parse(channel.spec(), raw).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("params.no_such_parameter"), "{}", channel.spec().id);
    }
}

#[test]
fn whatever_is_answered_nothing_panics_and_only_2xx_can_be_delivered() {
    for channel in channels() {
        let job = job(channel, "title", "text", Format::Text);
        let message = (ALL.render)(&job, channel.spec(), None);
        for status in 100..=599 {
            for answer in strange_answers() {
                let step = step(channel, &message, &[reply(status, &answer)]);
                let delivered = matches!(step, Step::Done | Step::DoneBut(_));
                assert!(!delivered || (200..300).contains(&status), "{}: {status}", channel.spec().id);
            }
        }
    }
}

#[test]
fn without_its_parameters_a_channel_fails_in_words() {
    for channel in channels() {
        let job = job(channel, "title", "text", Format::Text);
        let message = (ALL.render)(&job, channel.spec(), None);
        for token in [None, Some("token")] {
            let step = channel.step(&context(token), &message, &Params::default(), &[]);
            assert!(matches!(step, Step::Fail(_)), "{}: {step:?}", channel.spec().id);
        }
    }
}

#[test]
fn every_secret_stands_in_the_example() {
    for channel in channels() {
        let example = example(channel);
        for secret in channel.spec().params.iter().filter(|param| param.secret) {
            let value = example.get(secret.name).map(Value::to_string).unwrap_or_default();
            assert!(value.contains(PLANTED), "{}.{}", channel.spec().id, secret.name);
        }
    }
}

#[test]
fn no_secret_and_no_text_is_shown_even_if_it_is_echoed() {
    for channel in channels() {
        let job = job(channel, "a private title", "private line 1\nprivate \"line 2\"", Format::Text);
        let picture = picture();
        let message = (ALL.render)(&job, channel.spec(), Some(&picture));
        let (outgoing, echoed) = match step(channel, &message, &[]) {
            Step::Ask(outgoing) | Step::Call(outgoing) => (format!("{outgoing:?}"), echo(&outgoing)),
            Step::Socket(frame) => {
                (format!("{frame:?}"), format!("{} {:?} {}", frame.url, frame.headers, frame.text).into_bytes())
            }
            Step::Ses(mail) => {
                (format!("{mail:?}"), json!({ "message": String::from_utf8_lossy(&mail.message) }).to_string().into_bytes())
            }
            Step::Mail(mail) => {
                a_mail_server_that_echoes_it_makes_nothing_shown(channel, &message, &mail);
                continue;
            }
            step => panic!("{}: no request but {step:?}", channel.spec().id),
        };
        let shown = [outgoing, format!("{:?}", params(channel))];
        assert!(shown.iter().all(|shown| !shown.contains(PLANTED)), "{}", channel.spec().id);
        for status in 300..=599 {
            let (Step::Fail(error) | Step::Renew(error)) = step(channel, &message, &[reply(status, &echoed)]) else { continue };
            let shown = format!("{error:?}");
            assert!(!shown.contains(PLANTED) && !shown.contains("private"), "{}: {shown}", channel.spec().id);
        }
    }
}

#[test]
fn whatever_is_answered_to_who_asks_for_a_token_nothing_panics_and_only_2xx_gives_one() {
    assert_eq!(
        token_requests().map(|(channel, _)| channel.spec().id).collect::<Vec<_>>(),
        ["fcm", "feishu_app", "feishu_bot", "wecom_app"]
    );
    let given = br#"{"errcode":0,"code":0,"access_token":"t","tenant_access_token":"t","expires_in":7200,"expire":7200}"#;
    for (channel, _) in token_requests() {
        let token = |status, body: &[u8]| channel.token(&context(None), &reply(status, body));
        for status in 100..=599 {
            assert_eq!(token(status, given).is_ok(), (200..300).contains(&status), "{}: {status}", channel.spec().id);
            for answer in strange_answers() {
                assert!(token(status, &answer).is_err(), "{}: {status}", channel.spec().id);
            }
        }
    }
}

#[test]
fn no_secret_is_shown_if_it_is_echoed_to_who_asks_for_a_token() {
    for (channel, outgoing) in token_requests() {
        assert!(!format!("{outgoing:?}").contains(PLANTED), "{}", channel.spec().id);
        for status in 200..=599 {
            let shown = format!("{:?}", channel.token(&context(None), &reply(status, &echo(&outgoing))));
            assert!(!shown.contains(PLANTED), "{}: {shown}", channel.spec().id);
        }
    }
}

fn a_mail_server_that_echoes_it_makes_nothing_shown(channel: &dyn Channel, message: &Message, mail: &Mail) {
    let login = mail.login.as_ref().map(|login| login.password.clone());
    let text = format!("{} {login:?} {}", mail.to.join(" "), String::from_utf8_lossy(&mail.message));
    for answer in answers_to_mail(&text) {
        let shown = format!("{mail:?} {:?} {answer:?} {:?}", params(channel), channel.mailed(message, &answer));
        let hidden = [PLANTED, "private", "example.org"];
        assert!(hidden.iter().all(|hidden| !shown.contains(hidden)), "{}: {shown}", channel.spec().id);
    }
}

/// Every answer that a mail server can give to one recipient.
fn answers_to_mail(text: &str) -> impl Iterator<Item = Mailed> {
    let reply = |code| SmtpReply { code, text: text.to_owned() };
    let to_all = move |code| {
        let answered = Mailed::Answered { recipients: vec![reply(250)], message: reply(code) };
        [Mailed::Refused(reply(code)), Mailed::HeldBack(vec![reply(code)]), answered]
    };
    (200..600).flat_map(to_all).chain([Mailed::HeldBack(Vec::new())])
}

#[test]
fn whatever_a_mail_server_says_nothing_panics_and_only_a_taken_message_is_delivered() {
    for channel in channels() {
        let job = job(channel, "title", "text", Format::Text);
        let message = (ALL.render)(&job, channel.spec(), None);
        let sends_mail = matches!(step(channel, &message, &[]), Step::Mail(_));
        for answer in answers_to_mail("5.1.1 \u{1f600}") {
            let taken = matches!(&answer, Mailed::Answered { message, .. } if message.code == 250);
            assert_eq!(channel.mailed(&message, &answer).is_ok(), taken && sends_mail, "{}: {answer:?}", channel.spec().id);
        }
    }
}

#[test]
fn a_text_of_any_length_and_format_makes_a_request() {
    for channel in channels() {
        let spec = channel.spec();
        let limits = [spec.limits.title, spec.limits.body].into_iter().flatten().map(|limit| limit.max);
        let lengths = limits.clone().chain([0, 1, 20_000]).flat_map(|max| [max.saturating_sub(1), max, max + 1]);
        let formatted = limits.flat_map(|max| [(max + 1, Format::Markdown), (max + 1, Format::Html)]);
        let all = lengths.map(|length| (length, Format::Text)).chain(formatted).filter(|(length, _)| *length <= LONGEST / 4);
        for (length, format) in all {
            let text = "👨‍👩‍👧测\u{7}".chars().cycle().take(length).collect::<String>();
            let job = job(channel, &text, &text, format);
            let step = step(channel, &(ALL.render)(&job, spec, None), &[]);
            assert!(sends(&step), "{}: {length}, {format:?}: {step:?}", spec.id);
        }
    }
}

fn sends(step: &Step) -> bool {
    matches!(step, Step::Ask(_) | Step::Call(_) | Step::Mail(_) | Step::Socket(_) | Step::Ses(_))
}
