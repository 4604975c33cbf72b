//! Every channel, end to end: the real binary dials the real host names, which lead to one server of ours that plays the
//! providers (and, for mail, to a mail server).
//!
//! Requests and answers are those of `shared/channels/cases`; [`content`] compares, [`others`] plays what is no plain request.
//! Nothing is waited for but what the provider asks for (a second, where it says so itself) and the first wait of the product's
//! own schedule, by all channels at once.

#![expect(clippy::unwrap_used, reason = "a test")]

mod content;
mod others;
mod trials;
mod web_push;

use std::{path::Path, process::Command};

use acceptance::{Answer, Bellhop, HEADER_SECRET, Part, Providers, URL_SECRET, cases::Case, eventually, find_planted};
use bellhop_channels::ALL;
use bellhop_core::channel::Spec;
use content::{assert_asked, assert_field, url};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// How a channel that speaks HTTP is known to be well played.
struct Provider {
    channel: &'static str,
    /// Where its requests have to go.
    host: &'static str,
    /// What has to be in its request as the case says: a JSON pointer into the body, or a name of the form or query.
    field: &'static str,
    /// Status and a part of the answer that says: this address is dead; or, where the provider cannot say so, another that
    /// is final.
    dead: (u16, &'static str),
    /// What is shown then.
    reason: &'static str,
}

#[rustfmt::skip]
const PROVIDERS: &[Provider] = &[
    Provider { channel: "aliyun_sms", host: "dysmsapi.aliyuncs.com", field: "TemplateParam", dead: (200, "isv.MOBILE_NUMBER_ILLEGAL"), reason: "rejected" },
    Provider { channel: "bark", host: "api.day.app", field: "/title", dead: (400, "device token invalid"), reason: "gone" },
    Provider { channel: "custom", host: "push.example.com", field: "t", dead: (404, "err"), reason: "rejected" },
    Provider { channel: "dingtalk", host: "oapi.dingtalk.com", field: "/text/content", dead: (200, "token is not exist"), reason: "gone" },
    Provider { channel: "discord", host: "discord.com", field: "/embeds/0/description", dead: (404, "Unknown Webhook"), reason: "gone" },
    Provider { channel: "fcm", host: "fcm.googleapis.com", field: "/message/token", dead: (404, "UNREGISTERED"), reason: "gone" },
    Provider { channel: "feishu_app", host: "open.feishu.cn", field: "/receive_id", dead: (400, "230013"), reason: "rejected" },
    Provider { channel: "feishu_bot", host: "open.feishu.cn", field: "/content/text", dead: (200, "19001"), reason: "gone" },
    Provider { channel: "gotify", host: "gotify.example.com", field: "/message", dead: (401, "valid access token"), reason: "unauthorized" },
    Provider { channel: "mailgun", host: "api.mailgun.net", field: "subject", dead: (400, "not a valid address"), reason: "rejected" },
    Provider { channel: "matrix", host: "matrix.example.org", field: "/formatted_body", dead: (403, "not in room"), reason: "unauthorized" },
    Provider { channel: "ntfy", host: "ntfy.sh", field: "/topic", dead: (403, "forbidden"), reason: "unauthorized" },
    Provider { channel: "onebot", host: "bot.example.com", field: "/user_id", dead: (200, r#""retcode":1200"#), reason: "rejected" },
    Provider { channel: "pushdeer", host: "api2.pushdeer.com", field: "pushkey", dead: (200, "80501"), reason: "rejected" },
    Provider { channel: "pushplus", host: "www.pushplus.plus", field: "/content", dead: (200, "401"), reason: "unauthorized" },
    Provider { channel: "serverchan", host: "sctapi.ftqq.com", field: "/desp", dead: (400, "权限不足"), reason: "unauthorized" },
    Provider { channel: "slack", host: "hooks.slack.com", field: "/text", dead: (410, "channel_is_archived"), reason: "gone" },
    Provider { channel: "teams", host: "prod-161.westeurope.logic.azure.com", field: "/attachments/0/content", dead: (404, "WorkflowNotFound"), reason: "gone" },
    Provider { channel: "telegram", host: "api.telegram.org", field: "/text", dead: (403, "blocked by the user"), reason: "gone" },
    Provider { channel: "webhook", host: "hooks.example.com", field: "/test", dead: (410, "no"), reason: "gone" },
    Provider { channel: "mpush", host: "client.example.com", field: "/data/message/desp", dead: (410, ""), reason: "gone" },
    Provider { channel: "wecom_app", host: "qyapi.weixin.qq.com", field: "access_token", dead: (200, "81013"), reason: "rejected" },
    Provider { channel: "wecom_bot", host: "qyapi.weixin.qq.com", field: "/text/content", dead: (200, "93000"), reason: "gone" },
    Provider { channel: "wxpusher", host: "wxpusher.zjiecode.com", field: "/content", dead: (200, "业务异常"), reason: "rejected" },
    Provider { channel: "xxtui", host: "www.xxtui.com", field: "/content", dead: (200, "API_KEY"), reason: "rejected" },
];

/// Channels that are played in [`others`], since they do not speak HTTP, or not by way of our egress; and in [`web_push`], since
/// what is sent has to be decrypted.
const OTHERS: &[&str] = &["email", "ses", "web_push", "websocket"];

/// How often each address is asked that is asked first: a token is fetched once for all messages, a person is looked up for
/// each attempt.
const BEFORE: &[(&str, usize)] = &[
    ("fcm asks /token", 1),
    ("feishu_app asks /open-apis/auth/v3/tenant_access_token/internal", 1),
    ("feishu_app asks /open-apis/contact/v3/users/batch_get_id", 4),
    ("wecom_app asks /cgi-bin/gettoken", 1),
];

/// The case that is played: the first, or one that shows more.
fn case(channel: &str) -> Case {
    match channel {
        "feishu_app" => Case::named(channel, "recipient by email: lookup then send"),
        // the first is one of two recipients
        "onebot" => Case::named(channel, "markup stays text, and a picture is fetched by its address"),
        _ => Case::first(channel),
    }
}

#[test]
fn every_channel_is_played() {
    let played = |id: &str| PROVIDERS.iter().any(|provider| provider.channel == id) || OTHERS.contains(&id);
    for Spec { id, .. } in ALL.specs {
        assert!(
            played(id),
            "nobody plays the provider of `{id}`: write an entry into `PROVIDERS` in tests/tests/providers/main.rs"
        );
    }
}

/// The parts of all providers, and of what some of them are asked for first.
fn parts(provider: &Provider) -> Vec<Part> {
    let case = case(provider.channel);
    let url = url(&case.request);
    assert_eq!(url.host_str(), Some(provider.host), "{}", provider.channel);
    // where the message's id stands in the path, the delivery's will
    let path = url.path().split(case.id().unwrap_or("\n")).next().unwrap().to_owned();
    let before = case.preflight.iter().map(|(request, response)| {
        let url = content::url(request);
        let (host, path) = (url.host_str().unwrap().to_owned(), url.path().to_owned());
        Part { name: before(provider.channel, request), host, path, usually: response.answer() }
    });
    let usually = case.success().answer();
    before.chain([Part { name: provider.channel.to_owned(), host: provider.host.to_owned(), path, usually }]).collect()
}

/// The name of what is asked first.
fn before(channel: &str, request: &Value) -> String {
    format!("{channel} asks {}", url(request).path())
}

/// Plays those parts, and has all of their hosts lead there.
async fn providers(data: &Path, parts: Vec<Part>) -> (Providers, Vec<String>) {
    let providers = Providers::start(parts).await;
    let options = providers.options(data);
    (providers, options)
}

/// Where the providers' certificate is.
fn ca(data: &Path) -> String {
    data.join("ca.pem").to_str().unwrap().to_owned()
}

fn start(data: &Path, options: &[String], adjust: impl FnOnce(&mut Command)) -> Bellhop {
    Bellhop::start_command(data, &options.iter().map(String::as_str).collect::<Vec<_>>(), adjust)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_delivers_and_retries_once_when_throttled_and_fails_for_good_when_its_address_is_dead() {
    let data = tempfile::tempdir().unwrap();
    let parts = PROVIDERS.iter().flat_map(parts).chain(others::parts()).collect();
    let (providers, mut options) = providers(data.path(), parts).await;
    let (mail, mut mail_options) = others::mail_server(data.path());
    options.append(&mut mail_options);
    let bellhop = start(data.path(), &options, |command| others::lead_ses_to(command, &providers, &ca(data.path())));

    let each = PROVIDERS.iter().map(|provider| play(&bellhop, &providers, provider));
    let (socket, ses) = (others::play_socket(&bellhop, &providers), others::play_ses(&bellhop, &providers));
    let browser = web_push::play(&bellhop, &providers);
    tokio::join!(join_all(each), others::play_mail(&bellhop), socket, ses, browser);

    let output = bellhop.stop();
    for channel in PROVIDERS.iter().map(|provider| provider.channel).chain(["ses", "web_push", "websocket"]) {
        let count = providers.arrivals(channel).len();
        assert_eq!(count, 4, "{channel}: one delivered, one throttled and sent again, one refused for good");
    }
    for (name, count) in BEFORE {
        assert_eq!(providers.arrivals(name).len(), *count, "{name}");
    }
    assert_eq!(mail.end().len(), 3, "one delivered, one held off and sent again; for nobody none is handed over");
    assert_eq!(providers.strays(), [] as [&str; 0]);
    let secrets = secrets();
    let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
    assert_eq!(find_planted(&output, &secrets), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_renewed_once_and_the_message_delivered() {
    // given an app of WeCom that is given one token, and then another
    let data = tempfile::tempdir().unwrap();
    let wecom = PROVIDERS.iter().find(|provider| provider.channel == "wecom_app").unwrap();
    let (providers, options) = providers(data.path(), parts(wecom)).await;
    let case = case(wecom.channel);
    let fetched = before(wecom.channel, &case.preflight[0].0);
    let token = |token: &str| json!({ "errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200 }).to_string();
    providers.answer(&fetched, [HEADER_SECRET, URL_SECRET].map(|given| Answer::status(200).body(token(given))));
    let bellhop = start(data.path(), &options, |_| {});
    register(&bellhop, &case).await;

    // when the first is refused
    providers.answer(wecom.channel, [case.response(200, "42001").answer()]);
    let delivered = send(&bellhop, &case, "delivered").await;

    // then the same attempt delivers with the other one, and neither is told
    assert_eq!(outcomes(&delivered), ["delivered"], "{delivered}");
    assert_eq!(providers.arrivals(&fetched).len(), 2);
    let sent: Vec<_> = providers.arrivals(wecom.channel).into_iter().map(|arrival| arrival.path).collect();
    let sent_with = |token: &str| format!("/cgi-bin/message/send?access_token={token}");
    assert_eq!(sent, [HEADER_SECRET, URL_SECRET].map(sent_with));
    bellhop.stop();
}

/// The story of a channel that speaks HTTP.
async fn play(bellhop: &Bellhop, providers: &Providers, provider: &Provider) {
    let case = case(provider.channel);
    let (status, text) = provider.dead;
    let dead = case.response(status, text).answer();
    let delivery = story(bellhop, providers, &case, case.throttle().answer(), (dead, provider.reason)).await;

    let first = &providers.arrivals(provider.channel)[0];
    assert_asked(first, &case.request, case.id().map(|id| (id, delivery.as_str())));
    assert_field(first, &case.request, provider.field);
    for (request, _) in &case.preflight {
        assert_asked(&providers.arrivals(&before(provider.channel, request))[0], request, None);
    }
}

/// Delivers, is throttled and delivers, and fails for good; tells the first delivery's id.
async fn story(
    bellhop: &Bellhop,
    providers: &Providers,
    case: &Case,
    throttle: Answer,
    (dead, reason): (Answer, &str),
) -> String {
    register(bellhop, case).await;
    let first = send(bellhop, case, "delivered").await;
    assert_eq!(outcomes(&first), ["delivered"], "{}: {first}", case.channel);

    providers.answer(&case.channel, [throttle]);
    let delivered = send(bellhop, case, "delivered").await;
    assert_eq!(outcomes(&delivered), ["retry", "delivered"], "{}: {delivered}", case.channel);

    providers.answer(&case.channel, [dead]);
    assert_refused(bellhop, case, reason).await;
    first["id"].as_str().unwrap().to_owned()
}

async fn register(bellhop: &Bellhop, case: &Case) {
    let path = format!("/v1/registrations/{}", case.channel);
    bellhop.client.put(&path, json!({ "channel": case.channel, "params": case.params })).await;
}

/// Sends the case's message and waits until its delivery is in that state.
async fn send(bellhop: &Bellhop, case: &Case, state: &str) -> Value {
    let mut message = case.message(&case.channel);
    message["wait_seconds"] = 25.into();
    let delivery = bellhop.client.send(message).await.remove(0);
    let found = bellhop.client.until(&delivery, &["delivered", "failed", "dropped"]).await;
    assert_eq!(found["state"], state, "{}: {found}", case.channel);
    found
}

/// The next message is refused, and the list of what has failed says why.
async fn assert_refused(bellhop: &Bellhop, case: &Case, reason: &str) {
    let failed = send(bellhop, case, "failed").await;
    assert_eq!(outcomes(&failed), ["failed"], "{}: {failed}", case.channel);
    let listed = bellhop.client.get(&format!("/v1/deliveries?state=failed&registration={}", case.channel)).await;
    let [listed] = listed["items"].as_array().unwrap().as_slice() else { panic!("{}: {listed}", case.channel) };
    assert_eq!((&listed["id"], &listed["reason"]), (&failed["id"], &json!(reason)), "{}", case.channel);
    if reason == "gone" {
        let path = format!("/v1/registrations/{}", case.channel);
        eventually(&format!("{} is switched off", case.channel), async || {
            (bellhop.client.get(&path).await["disabled"]["reason"] == "gone").then_some(())
        })
        .await;
    }
}

fn outcomes(delivery: &Value) -> Vec<&str> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

/// Every secret text of every registration; of one with several lines, each.
fn secrets() -> Vec<String> {
    let mut found = Vec::new();
    for spec in ALL.specs {
        let case = case(spec.id);
        let secret = spec.params.iter().filter(|param| param.secret);
        let texts = secret.filter_map(|param| case.params[param.name].as_str());
        found.extend(texts.flat_map(|text| text.split("\\n")).map(str::to_owned)); // a key's lines, as JSON has them
    }
    found.retain(|secret| secret.len() > 6); // a shorter one may be a part of something else
    assert!(found.len() > 10, "{}", found.len());
    found
}
