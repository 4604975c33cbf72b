//! Every channel, end to end: the real binary dials the real host names, which lead to one server of ours that plays the
//! providers (and, for mail, to a mail server).
//!
//! Requests and answers are those of `shared/channels/cases`. Nothing is waited for but what the provider asks for (a second,
//! where it says so itself) and the first wait of the product's own schedule, by all channels at once.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

use acceptance::{
    Arrival, Bellhop, MailServer, Part, Providers,
    cases::{Case, NOT_YET},
    eventually, find_planted,
};
use bellhop_channels::ALL;
use bellhop_core::channel::Spec;
use futures_util::future::join_all;
use reqwest::Url;
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
    Provider { channel: "feishu_bot", host: "open.feishu.cn", field: "/content/text", dead: (200, "19001"), reason: "gone" },
    Provider { channel: "gotify", host: "gotify.example.com", field: "/message", dead: (401, "valid access token"), reason: "unauthorized" },
    Provider { channel: "mailgun", host: "api.mailgun.net", field: "subject", dead: (400, "not a valid address"), reason: "rejected" },
    Provider { channel: "matrix", host: "matrix.example.org", field: "/formatted_body", dead: (403, "not in room"), reason: "unauthorized" },
    Provider { channel: "ntfy", host: "ntfy.sh", field: "/topic", dead: (403, "forbidden"), reason: "unauthorized" },
    Provider { channel: "pushdeer", host: "api2.pushdeer.com", field: "pushkey", dead: (200, "80501"), reason: "rejected" },
    Provider { channel: "pushplus", host: "www.pushplus.plus", field: "/content", dead: (200, "401"), reason: "unauthorized" },
    Provider { channel: "serverchan", host: "sctapi.ftqq.com", field: "/desp", dead: (400, "权限不足"), reason: "unauthorized" },
    Provider { channel: "slack", host: "hooks.slack.com", field: "/text", dead: (410, "channel_is_archived"), reason: "gone" },
    Provider { channel: "teams", host: "prod-161.westeurope.logic.azure.com", field: "/attachments/0/content", dead: (404, "WorkflowNotFound"), reason: "gone" },
    Provider { channel: "telegram", host: "api.telegram.org", field: "/text", dead: (403, "blocked by the user"), reason: "gone" },
    Provider { channel: "webhook", host: "hooks.example.com", field: "/test", dead: (410, "no"), reason: "gone" },
    Provider { channel: "wecom_bot", host: "qyapi.weixin.qq.com", field: "/text/content", dead: (200, "93000"), reason: "gone" },
    Provider { channel: "wxpusher", host: "wxpusher.zjiecode.com", field: "/content", dead: (200, "业务异常"), reason: "rejected" },
    Provider { channel: "xxtui", host: "www.xxtui.com", field: "/content", dead: (200, "API_KEY"), reason: "rejected" },
];

/// Channels that have a test of their own here, since they do not speak HTTP.
const OTHERS: &[&str] = &["email"];

/// Every channel that is to be played.
fn specs() -> impl Iterator<Item = &'static Spec> {
    ALL.specs.iter().copied().filter(|spec| !NOT_YET.contains(&spec.id))
}

#[test]
fn every_channel_is_played() {
    let played = |id: &&str| PROVIDERS.iter().any(|provider| provider.channel == *id) || OTHERS.contains(id);
    for Spec { id, .. } in specs() {
        assert!(played(id), "nobody plays the provider of `{id}`: write an entry into `PROVIDERS` in tests/tests/providers.rs");
    }
    let both: Vec<_> = NOT_YET.iter().filter(|id| played(id)).collect();
    assert!(both.is_empty(), "{both:?} are played now: take them out of `NOT_YET` in tests/src/cases.rs");
}

/// The parts of all providers, and of what some of them are asked for first.
fn parts(provider: &Provider) -> Vec<Part> {
    let case = Case::first(provider.channel);
    let url = url(&case.request);
    assert_eq!(url.host_str(), Some(provider.host), "{}", provider.channel);
    // where the message's id stands in the path, the delivery's will
    let path = url.path().split(case.id().unwrap_or("\n")).next().unwrap().to_owned();
    let before = case.preflight.iter().map(|(request, response)| {
        let url = self::url(request);
        let (host, path) = (url.host_str().unwrap().to_owned(), url.path().to_owned());
        Part { name: format!("before {}", provider.channel), host, path, usually: response.answer() }
    });
    let usually = case.success().answer();
    before.chain([Part { name: provider.channel.to_owned(), host: provider.host.to_owned(), path, usually }]).collect()
}

fn url(request: &Value) -> Url {
    request["url"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_delivers_and_retries_once_when_throttled_and_fails_for_good_when_its_address_is_dead() {
    let data = tempfile::tempdir().unwrap();
    let providers = Providers::start(PROVIDERS.iter().flat_map(parts).collect()).await;
    let (mail, mut mail_options) = mail_server(data.path());
    let ca = data.path().join("ca.pem");
    fs::write(&ca, &providers.certificate).unwrap();
    let mut options = vec!["--extra-ca".to_owned(), ca.to_str().unwrap().to_owned()];
    options.append(&mut mail_options);
    for provider in PROVIDERS {
        options.extend(["--resolve".to_owned(), format!("{}={}", provider.host, providers.address)]);
    }
    let bellhop = Bellhop::start_with(data.path(), &options.iter().map(String::as_str).collect::<Vec<_>>());

    let each = PROVIDERS.iter().map(|provider| play(&bellhop, &providers, provider));
    tokio::join!(join_all(each), play_mail(&bellhop));

    let output = bellhop.stop();
    for provider in PROVIDERS {
        let count = providers.arrivals(provider.channel).len();
        assert_eq!(count, 4, "{}: one delivered, one throttled and sent again, one refused for good", provider.channel);
    }
    assert_eq!(mail.end().len(), 3, "one delivered, one held off and sent again; for nobody none is handed over");
    assert_eq!(providers.strays(), [] as [&str; 0]);
    let secrets = secrets();
    let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
    assert_eq!(find_planted(&output, &secrets), None);
}

/// One channel's story.
async fn play(bellhop: &Bellhop, providers: &Providers, provider: &Provider) {
    let case = Case::first(provider.channel);
    register(bellhop, &case).await;

    let delivered = send(bellhop, &case, "delivered").await;
    assert_eq!(outcomes(&delivered), ["delivered"], "{}: {delivered}", provider.channel);
    assert_request(&providers.arrivals(provider.channel)[0], &case, provider, delivered["id"].as_str().unwrap());

    providers.answer(provider.channel, [case.throttle().answer()]);
    let delivered = send(bellhop, &case, "delivered").await;
    assert_eq!(outcomes(&delivered), ["retry", "delivered"], "{}: {delivered}", provider.channel);

    let (status, text) = provider.dead;
    providers.answer(provider.channel, [case.response(status, text).answer()]);
    assert_refused(bellhop, &case, provider.reason).await;
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

/// Method, host and path are the case's; every name in query and body is there; the field holds what the case says.
fn assert_request(arrival: &Arrival, case: &Case, provider: &Provider, delivery: &str) {
    let channel = provider.channel;
    assert_eq!(arrival.method, case.request["method"], "{channel}");
    let address: Url = format!("https://{}{}", provider.host, arrival.path).parse().unwrap();
    let path = url(&case.request).path().to_owned();
    assert_eq!(address.path(), case.id().map_or(path.clone(), |id| path.replace(id, delivery)), "{channel}");

    let (wanted, sent) = (Content::wanted(&case.request), Content::sent(&address, arrival, &case.request));
    assert!(wanted.names().is_subset(&sent.names()), "{channel}: {:?} are sent, {:?} wanted", sent.names(), wanted.names());
    assert!(!wanted.field(provider.field).is_empty(), "{channel}: its case has no `{}`", provider.field);
    assert_eq!(sent.field(provider.field), wanted.field(provider.field), "{channel}");
}

/// What a request says: names with values in query or form, and a body in JSON.
struct Content {
    pairs: Vec<(String, String)>,
    body: Value,
}

impl Content {
    fn wanted(request: &Value) -> Self {
        let body = &request["body"];
        match request["body_kind"].as_str().unwrap() {
            "form" => Self { pairs: [pairs(&request["query"]), pairs(body)].concat(), body: Value::Null },
            "raw" => Self { pairs: pairs(&request["query"]), body: serde_json::from_str(body.as_str().unwrap()).unwrap() },
            _ => Self { pairs: pairs(&request["query"]), body: body.clone() },
        }
    }

    /// In the kind of body that was wanted.
    fn sent(address: &Url, arrival: &Arrival, wanted: &Value) -> Self {
        let mut pairs: Vec<_> = address.query_pairs().into_owned().collect();
        match wanted["body_kind"].as_str().unwrap() {
            "form" => {
                let form = format!("form:?{}", String::from_utf8(arrival.body.clone()).unwrap());
                pairs.extend(Url::parse(&form).unwrap().query_pairs().into_owned());
                Self { pairs, body: Value::Null }
            }
            "none" => {
                assert!(arrival.body.is_empty());
                Self { pairs, body: Value::Null }
            }
            _ => Self { pairs, body: arrival.json() },
        }
    }

    fn names(&self) -> BTreeSet<&str> {
        let body = self.body.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        self.pairs.iter().map(|(name, _)| name.as_str()).chain(body).collect()
    }

    /// The value under a JSON pointer, or those of a name.
    fn field(&self, field: &str) -> Vec<Value> {
        if field.starts_with('/') {
            return self.body.pointer(field).cloned().into_iter().collect();
        }
        self.pairs.iter().filter(|(name, _)| name == field).map(|(_, value)| value.as_str().into()).collect()
    }
}

/// An object of texts, or a list of pairs.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Value::Array(pairs) => pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        _ => Vec::new(),
    }
}

/// Whom the mail server does not know.
const NOBODY: &str = "nobody@example.org";

/// A mail server that takes a message, is busy, and takes it again; and the options that lead there.
fn mail_server(data: &Path) -> (MailServer, Vec<String>) {
    let case = Case::first("email");
    let host = case.params["host"].as_str().unwrap();
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let (ca, cert) = (data.join("mail-ca.pem"), data.join("mail.pem"));
    fs::write(&ca, made.cert.pem()).unwrap();
    fs::write(&cert, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let said = |text: &str| case.response(0, text).text();
    let (server, address) = MailServer::start(&json!({
        "tls": "implicit", "cert": cert, "user": case.params["user"], "password": case.params["password"],
        "data": [said("250 2.0.0"), said("451 4.3.0"), said("250 2.0.0")],
        "rcpt": { NOBODY: said("550 5.1.1 No such user") },
    }));
    let options = ["--extra-ca".to_owned(), ca.to_str().unwrap().to_owned(), "--resolve".to_owned(), format!("{host}={address}")];
    (server, options.into())
}

async fn play_mail(bellhop: &Bellhop) {
    let mut case = Case::first("email");
    register(bellhop, &case).await;
    assert_eq!(outcomes(&send(bellhop, &case, "delivered").await), ["delivered"]);
    assert_eq!(outcomes(&send(bellhop, &case, "delivered").await), ["retry", "delivered"]);

    case.params["to"] = json!([NOBODY]);
    register(bellhop, &case).await;
    assert_refused(bellhop, &case, "gone").await;
}

/// Every secret text of every registration.
fn secrets() -> Vec<String> {
    let mut found = Vec::new();
    for spec in specs() {
        let case = Case::first(spec.id);
        let secret = spec.params.iter().filter(|param| param.secret);
        found.extend(secret.filter_map(|param| Some(case.params[param.name].as_str()?.to_owned())));
    }
    found.retain(|secret| secret.len() > 6); // a shorter one may be a part of something else
    assert!(found.len() > 10, "{}", found.len());
    found
}
