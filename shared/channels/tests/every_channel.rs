//! Every channel's free tests: whoever adds a line to [`bellhop_channels::ALL`] adds an example here, and has these.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use bellhop_channels::ALL;
use bellhop_core::{
    Timestamp,
    channel::{Body, Channel, Context, Kind, Message, Outgoing, Params, Reply, Spec, Step},
    digest::{
        content::{Content, Gathering},
        wording::{Language, Part, form, parts},
    },
    mail::{Mail, Mailed, SmtpReply},
    model::{
        AccountId, Because, ChannelId, DeliveryId, Draft, Entry, EventId, Format, Job, Name, Picture, RunResult, Source, Trigger,
    },
    token::Secret,
};
use serde_json::{Map, Value, json};

/// Stands in every secret of every example.
const PLANTED: &str = "S3cr3t";

/// A registration of each channel with every secret that it may have.
fn example(channel: &dyn Channel) -> Map<String, Value> {
    let example = match channel.spec().id {
        "webhook" => json!({
            "url": "https://hooks.example.com/in/S3cr3t?key=S3cr3t%2F1",
            "headers": {"x-auth": "Bearer S3cr3t.S3cr3t"},
            "secret": "whsec_S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3t",
            "token": "a S3cr3t token",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "custom" => json!({
            "url": "https://hooks.example.com/S3cr3t?log={log}",
            "headers": {"x-auth": "S3cr3t"},
            "body": "{\"token\": \"S3cr3t\", \"text\": \"{t}\"}",
            "proxy": "socks5://user:S3cr3t@proxy.example.com:1080",
        }),
        "bark" => json!({
            "device_key": "S3cr3t",
            "device_keys": ["S3cr3t2"],
            "user": "u",
            "password": "S3cr3t",
            "encryption": {"algorithm": "AES128", "mode": "CBC", "padding": "pkcs7", "key": "S3cr3tS3cr3tS3cr"},
        }),
        "dingtalk" => json!({
            "access_token": "https://oapi.dingtalk.com/robot/send?access_token=S3cr3t",
            "secret": "SECS3cr3t",
        }),
        "feishu_bot" => json!({"token": "https://open.feishu.cn/open-apis/bot/v2/hook/S3cr3t", "secret": "S3cr3t"}),
        "serverchan" => json!({"send_key": "SCTS3cr3t"}),
        "telegram" => json!({
            "bot_token": "123456789:S3cr3t",
            "chat_id": "987654321",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "wecom_app" => json!({
            "corp_id": "ww1",
            "corp_secret": "S3cr3t",
            "agent_id": 1_000_002,
            "to_user": ["zhangsan", "lisi"],
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "feishu_app" => json!({
            "app_id": "cli_1",
            "app_secret": "S3cr3t",
            "receive_id": "ou_1",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "fcm" => json!({
            "service_account": *SERVICE_ACCOUNT,
            "token": "S3cr3t",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "wecom_bot" => json!({"key": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=S3cr3t"}),
        "email" => json!({
            "host": "smtp.example.com",
            "user": "bot@example.com",
            "password": "S3cr3t",
            "from": "Bellhop <bot@example.com>",
            "to": ["a@example.org"],
        }),
        "mailgun" => {
            json!({"domain": "mg.example.com", "api_key": "key-S3cr3t", "from": "bot@mg.example.com", "to": ["a@example.org"]})
        }
        "onebot" => json!({"endpoint": "http://bot.example.com/", "token": "S3cr3t", "user_ids": [10001]}),
        "ses" => {
            json!({"region": "eu-west-1", "from": "Bellhop <bot@example.com>", "to": ["a@example.org"], "configuration_set": "cs"})
        }
        "websocket" => json!({"url": "wss://ws.example.com/in?key=S3cr3t", "headers": {"authorization": "Bearer S3cr3t"}}),
        "ntfy" => json!({"base_url": "https://ntfy.example.com/sub", "topic": "S3cr3t", "token": "tk_S3cr3t"}),
        "gotify" => json!({"base_url": "https://gotify.example.com/sub/", "app_token": "S3cr3t"}),
        "slack" => json!({"webhook": "https://hooks.slack.com/services/T1/B1/S3cr3t"}),
        "discord" => json!({"webhook": "https://discord.com/api/webhooks/417/S3cr3t"}),
        "teams" => json!({"webhook": "https://prod-1.logic.azure.com:443/workflows/1/invoke?sp=%2Frun&sig=S3cr3t"}),
        "matrix" => {
            json!({"homeserver": "https://matrix.example.org", "access_token": "syt_S3cr3t", "room_id": "!abc:example.org"})
        }
        "pushdeer" => json!({"push_key": "PDUS3cr3t", "base_url": "https://pushdeer.example.com"}),
        "pushplus" => json!({"token": "S3cr3t", "topic": "grp", "to": "S3cr3t", "channel": "wechat"}),
        "wxpusher" => json!({"app_token": "AT_S3cr3t", "uids": ["UID_1"], "spt": ["SPT_S3cr3t"]}),
        "xxtui" => json!({"api_key": "S3cr3t", "from": "svc", "channel": "WX_MP"}),
        "aliyun_sms" => {
            json!({"access_key_id": "LTAI1", "access_key_secret": "S3cr3t", "sign_name": "n", "template_code": "SMS_1", "phone_numbers": ["13800138000"]})
        }
        id => panic!("write an example registration of `{id}` here, with every secret that it may have"),
    };
    example.as_object().unwrap().clone()
}

/// One with a key that was made for the cases.
static SERVICE_ACCOUNT: LazyLock<String> = LazyLock::new(|| {
    let case: Value = serde_json::from_str(include_str!("../cases/fcm.json")).unwrap();
    let account = case["cases"][0]["registration"]["service_account"].as_str().unwrap();
    let mut account: Value = serde_json::from_str(account).unwrap();
    account["private_key_id"] = PLANTED.into();
    account.to_string()
});

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
    }
}

fn step(channel: &dyn Channel, message: &Message, so_far: &[Reply]) -> Step {
    channel.step(&context(Some("S3cr3t token")), message, &params(channel), so_far)
}

/// The request for a token of each channel that needs one.
fn token_requests() -> impl Iterator<Item = (&'static dyn Channel, Outgoing)> {
    channels().filter_map(|channel| {
        let job = job(channel, "title", "text", Format::Text);
        let message = (ALL.render)(&job, channel.spec(), None);
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
    assert_eq!(token_requests().map(|(channel, _)| channel.spec().id).collect::<Vec<_>>(), ["fcm", "feishu_app", "wecom_app"]);
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
        for (length, format) in lengths.map(|length| (length, Format::Text)).chain(formatted) {
            let text = "👨‍👩‍👧测\u{7}".chars().cycle().take(length).collect::<String>();
            let job = job(channel, &text, &text, format);
            let step = step(channel, &(ALL.render)(&job, spec, None), &[]);
            assert!(
                matches!(step, Step::Ask(_) | Step::Call(_) | Step::Mail(_) | Step::Socket(_) | Step::Ses(_)),
                "{}: {length}, {format:?}: {step:?}",
                spec.id
            );
        }
    }
}

/// An event in a digest, with a word of its own and much that is escaped on the way.
fn entry(number: i64) -> Entry {
    let at = Timestamp::from_second(number).unwrap();
    Entry {
        event: EventId::new(at, 1),
        at,
        source: Source::parse(&format!("站点 {}/\"task\" {}", number % 3, number % 7)).unwrap(),
        result: [None, Some(RunResult::Success), Some(RunResult::Failure)][usize::try_from(number).unwrap() % 3],
        trigger: Trigger::Manual,
        occurred_at: None,
        title: Some("a_b".to_owned()),
        text: format!("<b>签到成功</b> & \"+{number}\" \\ {}", word(number)),
        at_once: true,
        to: Vec::new(),
    }
}

fn word(number: i64) -> String {
    format!("W{number:03}W")
}

fn digest(spec: &Spec) -> Vec<Part> {
    let mut gathering = Gathering::new(Timestamp::UNIX_EPOCH, 200);
    (1..=70).for_each(|number| gathering.add(&entry(number)));
    let (tally, sites, unlisted_sources) = gathering.end();
    let content = Content {
        rule: Name::parse("nightly").unwrap(),
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::from_second(200).unwrap(),
        time_zone: jiff::tz::TimeZone::UTC,
        intervals: 1,
        because: Because::Due,
        tally,
        sites,
        unlisted_sources,
        idle: Vec::new(),
        link: Some("https://bellhop.example.com/".to_owned()),
    };
    parts(&content, Language::Chinese, form(spec.shows), spec.limits.title, spec.limits.part)
}

#[test]
fn every_line_of_a_digest_arrives_in_one_of_its_parts() {
    // what a text message says stands in its template; what is encrypted cannot be read here
    for channel in channels().filter(|channel| channel.spec().id != "aliyun_sms") {
        let spec = channel.spec();
        let mut example = example(channel);
        example.remove("encryption");
        let params = Params::parse(spec, example).unwrap();
        let mut arrived = Vec::new();
        for part in digest(spec) {
            let mut job = job(channel, &part.title, &part.message, form(spec.shows));
            Arc::get_mut(&mut job.event).unwrap().screenshot = None;
            let message = (ALL.render)(&job, spec, None);
            arrived.push(match channel.step(&context(Some("token")), &message, &params, &[]) {
                Step::Call(outgoing) => String::from_utf8(echo(&outgoing)).unwrap(),
                // no limit, nothing is cut
                Step::Mail(_) | Step::Ses(_) | Step::Socket(_) => message.body.clone(),
                step => panic!("{}: {step:?}", spec.id),
            });
        }
        for number in 1..=70 {
            let times = arrived.iter().filter(|part| part.contains(&word(number))).count();
            assert_eq!(times, 1, "{}: {}", spec.id, word(number));
        }
    }
}
