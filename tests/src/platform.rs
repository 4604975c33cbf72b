//! What a platform for mail and text messages is set up with: servers on this machine, and a default configuration of each kind.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Arrival, Client, HEADER_SECRET, MailServer, Part, Providers, cases::Case, eventually};

const ALIYUN: &str = "dysmsapi.aliyuncs.com";

/// Planted in the configuration for text messages; that for mail has [`HEADER_SECRET`].
pub const SMS_SECRET: &str = "an-access-key-secret";

/// Makes the two configurations: mail by a preset, text messages by Aliyun.
pub async fn configure(client: &Client) {
    let params = json!({ "service": "163", "user": "bot@163.com", "password": HEADER_SECRET });
    client.put("/v1/registrations/mail-config", json!({ "channel": "email", "params": params, "default": true })).await;
    let params = json!({
        "access_key_id": "LTAI1", "access_key_secret": SMS_SECRET, "sign_name": "Bellhop", "template_code": "SMS_1",
    });
    client.put("/v1/registrations/sms-config", json!({ "channel": "aliyun_sms", "params": params, "default": true })).await;
}

/// The variables of a text message as Aliyun was handed them.
pub fn template_params(arrival: &Arrival) -> Value {
    let url = reqwest::Url::parse(&format!("https://{ALIYUN}{}", arrival.path)).unwrap();
    let found = url.query_pairs().find(|(name, _)| name == "TemplateParam").unwrap().1;
    serde_json::from_str(&found).unwrap()
}

/// Aliyun on this machine, and the options that lead to it.
pub async fn aliyun(data: &Path) -> (Providers, Vec<String>) {
    let usually = Case::first("aliyun_sms").success().answer();
    let part = Part { name: "sms".to_owned(), host: ALIYUN.to_owned(), path: "/".to_owned(), usually };
    let providers = Providers::start(vec![part]).await;
    let ca = data.join("sms.pem");
    fs::write(&ca, &providers.certificate).unwrap();
    let options = vec!["--resolve".to_owned(), format!("{ALIYUN}={}", providers.address), "--extra-ca".to_owned()];
    (providers, [options, vec![ca.to_str().unwrap().to_owned()]].concat())
}

/// A server as the preset `163` has it, for `smtp.163.com`.
pub fn mail_server(data: &Path) -> (MailServer, Vec<String>) {
    let made = rcgen::generate_simple_self_signed(["smtp.163.com".to_owned()]).unwrap();
    let (ca, cert) = (data.join("mail-ca.pem"), data.join("mail.pem"));
    fs::write(&ca, made.cert.pem()).unwrap();
    fs::write(&cert, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let options = json!({ "tls": "implicit", "cert": cert, "user": "bot@163.com", "password": HEADER_SECRET });
    let (server, address) = MailServer::start(&options);
    let options = ["--resolve", &format!("smtp.163.com={address}"), "--extra-ca", ca.to_str().unwrap()];
    (server, options.map(str::to_owned).to_vec())
}

pub async fn make(client: &Client, task: Value) -> Value {
    let (status, made) = client.call("POST", "/v1/tasks", Some(task)).await;
    assert_eq!(status, 201, "{made}");
    made
}

pub fn path(task: &Value) -> String {
    format!("/v1/tasks/{}", task["id"].as_str().unwrap())
}

/// The task, once it is in that state.
pub async fn until(client: &Client, task: &Value, state: &str) -> Value {
    eventually(&format!("{} is {state}", task["name"]), async || {
        let found = client.get(&path(task)).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

/// A day on the platform, wherever the server runs that [`configure`] has set up: a mail to several at once, a text message with
/// its template's variables at its time, the list and the log, an end. Answers how late the text message was.
#[expect(clippy::disallowed_methods, reason = "a test, which has no other clock")]
pub async fn a_day(client: &Client, mail: &mut MailServer, sms: &Providers) -> SignedDuration {
    let letter = json!({
        "name": "letter", "source": "crm", "to": ["email:a@example.org", "email:b@example.org"], "title": "Hello",
        "body": "**bold**", "format": "markdown", "schedule": { "kind": "now" },
    });
    let letter = make(client, letter).await;
    let at = Timestamp::try_from(std::time::SystemTime::now()).unwrap() + SignedDuration::from_secs(2);
    let code = json!({
        "name": "code", "source": "shop", "to": "sms:+8613800000000", "body": "your code", "params": { "code": "1521" },
        "schedule": { "kind": "at", "at": at.to_string() },
    });
    let code = make(client, code).await;
    let hourly = json!({ "kind": "hourly", "minute": 45, "time_zone": "Asia/Shanghai" });
    let hourly = json!({ "name": "hourly", "source": "crm", "to": "email:a@example.org", "body": "x", "schedule": hourly });
    let hourly = make(client, hourly).await;

    // both arrive as they should
    let letter = until(client, &letter, "succeeded").await;
    let mails: Vec<_> = (0..4).map(|_| mail.told()).filter(|told| told["message"].is_string()).collect();
    let mut to: Vec<_> = mails.iter().map(|told| told["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    assert!(mails.iter().all(|told| told["user"] == "bot@163.com" && told["tls"] == true), "{mails:?}");
    assert!(mails[0]["message"].as_str().unwrap().contains("<strong>bold</strong>"), "markdown is rendered: {}", mails[0]);
    let code = until(client, &code, "succeeded").await;
    let arrival = sms.arrivals("sms").pop().unwrap();
    assert!(arrival.path.contains("PhoneNumbers=13800000000"), "{}", arrival.path);
    assert_eq!(template_params(&arrival), json!({ "code": "1521" }));

    // the list and the log tell of them
    let names = async |query: &str| {
        let listed = client.get(&format!("/v1/tasks?{query}")).await;
        listed["items"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("state=succeeded&source=crm").await, ["letter"]);
    assert_eq!(names("channel=aliyun_sms").await, ["code"]);
    assert_eq!(names("source=crm&limit=1").await, ["hourly"]);
    let log = client.get(&format!("{}/runs", path(&code))).await;
    let run = &log["items"][0];
    let ran = run["deliveries"][0]["attempts"][0]["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let late = ran.duration_since(at);
    assert!(!late.is_negative(), "{late}");
    assert_eq!((&run["at"], &run["deliveries"][0]["attempts"][0]["status"]), (&code["schedule"]["at"], &json!(200)));
    let log = client.get(&format!("{}/runs", path(&letter))).await;
    assert_eq!(log["items"][0]["deliveries"].as_array().unwrap().len(), 2);

    // what is cancelled is over
    let (_, cancelled) = client.call("POST", &format!("{}/cancel", path(&hourly)), None).await;
    assert_eq!((&cancelled["state"], &cancelled["next_run"]), (&json!("cancelled"), &Value::Null));
    late
}
