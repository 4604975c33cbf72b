//! Mail from the binary to a real server.

use acceptance::{BODY_SECRET, Bellhop, HEADER_SECRET, MailServer};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_as_mail_through_tls_and_whoever_was_refused_is_told() {
    // given a mail server with a certificate of its own that knows one of two recipients
    let data = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["smtp.example.com".to_owned()]).unwrap();
    let (ca, cert) = (data.path().join("ca.pem"), data.path().join("server.pem"));
    std::fs::write(&ca, made.cert.pem()).unwrap();
    std::fs::write(&cert, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let (mut server, address) = MailServer::start(&json!({
        "tls": "starttls", "cert": cert, "user": "bot@example.com", "password": HEADER_SECRET,
        "rcpt": {"nobody@example.org": "550 5.1.1 nobody"},
    }));
    let resolve = format!("smtp.example.com={address}");
    let bellhop = Bellhop::start_with(data.path(), &["--resolve", &resolve, "--extra-ca", ca.to_str().unwrap()]);
    let params = json!({
        "host": "smtp.example.com", "user": "bot@example.com", "password": HEADER_SECRET,
        "to": ["a@example.org", "nobody@example.org"],
    });
    bellhop.client.put("/v1/registrations/mail", json!({ "channel": "email", "params": params })).await;

    // when something is sent
    let delivery = bellhop.client.send(json!({ "to": "mail", "title": "Hello", "body": BODY_SECRET })).await.remove(0);
    let delivered = bellhop.client.until(&delivery, &["delivered"]).await;

    // then it is there, and the attempt says who did not get it
    let told = server.told();
    assert_eq!((&told["to"], &told["tls"], &told["user"]), (&json!(["a@example.org"]), &json!(true), &json!("bot@example.com")));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains(&format!("Message-ID: <{delivery}@example.com>")) && message.contains(BODY_SECRET), "{message}");
    let attempt = &delivered["attempts"][0];
    assert_eq!(attempt["status"], 250);
    assert_eq!(attempt["detail"], "1 of 2 recipients were refused: number 2 with 550 5.1.1");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_on_a_private_address_is_not_dialled() {
    let data = tempfile::tempdir().unwrap();
    let (_server, address) = MailServer::start(&json!({}));
    let bellhop = Bellhop::start_with(data.path(), &[]);
    let (host, port) = address.split_once(':').unwrap();
    let params = json!({ "host": host, "port": port, "tls": "none", "from": "bot@example.com", "to": "a@example.org" });
    bellhop.client.put("/v1/registrations/mail", json!({ "channel": "email", "params": params })).await;
    let delivery = bellhop.client.send(json!({ "to": "mail", "body": "x" })).await.remove(0);
    assert_eq!(bellhop.client.until(&delivery, &["failed"]).await["reason"], "blocked_address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_mail_goes_to_whom_it_says_and_shows_the_dialog() {
    // given a registration that serves contacts, and so names nobody itself
    let data = tempfile::tempdir().unwrap();
    let (mut server, address) = MailServer::start(&json!({ "rcpt": {"nobody@example.org": "550 5.1.1 nobody"} }));
    let bellhop = Bellhop::start(data.path());
    let (host, port) = address.split_once(':').unwrap();
    let params = json!({ "host": host, "port": port, "tls": "none", "from": "bot@example.com" });
    let serving = json!({ "channel": "email", "params": params, "serves": "contacts" });
    bellhop.client.put("/v1/registrations/people", serving).await;
    let tested = async |to: &str| {
        let path = "/v1/registrations/people/test";
        let (status, tested) = bellhop.client.call("POST", path, Some(json!({ "to": to, "body": "hello" }))).await;
        assert_eq!(status, 200, "{tested}");
        tested
    };

    let good = tested("email:a@example.org").await;
    assert_eq!((&good["delivered"], &good["status"]), (&json!(true), &json!(250)), "{good}");
    assert_eq!(server.told()["to"], json!(["a@example.org"]));
    let dialog = &good["dialog"];
    assert_eq!((&dialog["server"], &dialog["tls"]), (&json!(address), &json!("none")));
    assert_eq!(dialog["lines"][1]["said"], "RCPT TO:<a@example.org>");
    assert!(dialog["lines"][2]["heard"].as_str().unwrap().starts_with("250"), "{dialog}");

    let bad = tested("nobody@example.org").await;
    assert_eq!((&bad["delivered"], &bad["reason"]), (&json!(false), &json!("gone")), "{bad}");
    assert_eq!(bad["dialog"]["lines"][1]["heard"], "550 5.1.1 nobody");
    bellhop.stop();
}
