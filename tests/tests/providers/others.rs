//! The channels that are no plain requests of our egress: mail, a WebSocket, and SES.

use std::{fs, path::Path, process::Command};

use acceptance::{Bellhop, HEADER_SECRET, MailServer, Part, Providers, cases::Case};
use serde_json::json;

use crate::{assert_refused, content::form, outcomes, register, send, story, web_push};

/// Whom the mail server does not know.
const NOBODY: &str = "nobody@example.org";

/// A mail server that takes a message, is busy, and takes it again; and the options that lead there.
pub(crate) fn mail_server(data: &Path) -> (MailServer, Vec<String>) {
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

pub(crate) async fn play_mail(bellhop: &Bellhop) {
    let mut case = Case::first("email");
    register(bellhop, &case).await;
    assert_eq!(outcomes(&send(bellhop, &case, "delivered").await), ["delivered"]);
    assert_eq!(outcomes(&send(bellhop, &case, "delivered").await), ["retry", "delivered"]);

    case.params["to"] = json!([NOBODY]);
    register(bellhop, &case).await;
    assert_refused(bellhop, &case, "gone").await;
}

/// The parts of those that are played by the providers' server, too.
pub(crate) fn parts() -> [Part; 3] {
    let part = |name: &str, host: &str, path: &str, usually| Part {
        name: name.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        usually,
    };
    let (socket, ses) = (Case::first("websocket"), Case::first("ses"));
    [
        part("websocket", "ws.example.com", "/in", socket.success().answer()),
        part("ses", SES, "/", ses.success().answer_of_ses()),
        web_push::part(),
    ]
}

pub(crate) async fn play_socket(bellhop: &Bellhop, providers: &Providers) {
    let case = Case::first("websocket");
    let dead = case.response(410, "").answer();
    let delivery = story(bellhop, providers, &case, case.throttle().answer(), (dead, "gone")).await;

    let first = &providers.arrivals("websocket")[0];
    assert_eq!((first.path.as_str(), first.header("authorization")), ("/in?key=k", "Bearer t0k"));
    assert_eq!((first.header("webhook-id"), &first.json()["id"]), (delivery.as_str(), &json!(delivery)));
    assert_eq!(first.json()["message"], case.message("websocket")["body"]);
}

/// Where SES is played. The SDK has a way to AWS of its own, by the operator's word and not by a tenant's: it knows neither
/// `--resolve` nor `--extra-ca`, but the variables of its environment. So this one is not reached by its real host's name.
const SES: &str = "localhost";

/// Has the SDK send there.
pub(crate) fn lead_ses_to(command: &mut Command, providers: &Providers, ca: &str) {
    command.env("AWS_ENDPOINT_URL", format!("https://{SES}:{}", providers.address.port())).env("SSL_CERT_FILE", ca);
    command.env("AWS_REGION", "eu-west-1");
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", HEADER_SECRET);
}

pub(crate) async fn play_ses(bellhop: &Bellhop, providers: &Providers) {
    let case = Case::first("ses");
    // asked to slow down, but not for how long, a registration pauses for a minute; after a fault it is tried again sooner
    let fault = case.response(503, "").answer_of_ses();
    let dead = case.response(400, "not verified").answer_of_ses();
    story(bellhop, providers, &case, fault, (dead, "rejected")).await;

    let first = &providers.arrivals("ses")[0];
    let signed = first.header("authorization");
    assert!(signed.contains("Credential=AKIDEXAMPLE/") && signed.contains("/us-east-1/ses/aws4_request"), "{signed}");
    let sent = form(first);
    for (name, value) in [
        ("Action", "SendRawEmail"),
        ("Source", "no-reply@example.com"),
        ("Destinations.member.2", "b@example.org"),
        ("ConfigurationSetName", "cs"),
    ] {
        assert!(sent.contains(&(name.to_owned(), value.to_owned())), "`{name}` is not {value}");
    }
}
