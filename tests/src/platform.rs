//! What a platform for mail and text messages is set up with: servers on this machine, and a default configuration of each kind.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Arrival, Client, HEADER_SECRET, MailServer, Part, Providers, cases::Case};

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
