use bellhop_core::model::{Address, Picture};
use serde_json::{Value, json};

use super::*;
use crate::sample;

fn params(params: Value) -> Params {
    sample::params(&SPEC, params)
}

fn plain(more: Value) -> Params {
    let mut all =
        json!({"host": "smtp.example.com", "from": "通知 <bot@example.com>", "to": ["a@example.org", "B <b@example.org>"]});
    let Value::Object(more) = more else { panic!("not an object") };
    all.as_object_mut().unwrap().extend(more);
    params(all)
}

fn sent(text: &str, fields: Value) -> Mail {
    let job = sample::event(text, fields);
    sample::mail(&Email, &sample::message(&job), &plain(json!({})))
}

fn written(text: &str, fields: Value) -> String {
    String::from_utf8(sent(text, fields).message).unwrap()
}

fn headers(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().0
}

#[test]
fn without_security_a_port_says_it_and_without_a_port_it_is_587() {
    let verified = Trust::Verified;
    for (given, port, tls) in [
        (json!({"host": "h.example"}), 587, Tls::StartTls(verified)),
        (json!({"host": "h.example", "port": 465}), 465, Tls::Implicit(verified)),
        (json!({"host": "h.example", "port": "25"}), 25, Tls::StartTls(verified)),
        (json!({"host": "h.example", "port": 25, "tls": "none"}), 25, Tls::Off),
        (json!({"host": "h.example", "tls": "implicit", "skip_verify": true}), 587, Tls::Implicit(Trust::Anyone)),
        (json!({"service": "QQ"}), 465, Tls::Implicit(verified)),
        (json!({"service": "qq", "port": 587}), 587, Tls::StartTls(verified)),
        (json!({"service": "Outlook365"}), 587, Tls::StartTls(verified)),
        (json!({"service": "Maildev"}), 1025, Tls::Off),
        (json!({"user": "u@163.com"}), 465, Tls::Implicit(verified)),
        (json!({"from": "U <u@gmail.com>"}), 465, Tls::Implicit(verified)),
    ] {
        let Ok(server) = server(&params(given.clone())) else { panic!("{given}") };
        assert_eq!((server.port, server.tls), (port, tls), "{given}");
    }
}

#[test]
fn what_makes_no_mail_is_refused_with_its_field() {
    for (given, field) in [
        (json!({"host": ""}), "params.host"),
        (json!({"host": "a b"}), "params.host"),
        (json!({"host": "h", "port": 0, "from": "a@b"}), "params.port"),
        (json!({"service": "no such"}), "params.service"),
        (json!({"host": "h", "user": "u@b"}), "params.password"),
        (json!({"host": "h", "password": "x", "from": "a@b"}), "params.user"),
        (json!({"host": "h", "user": "u", "password": "x"}), "params.from"),
        (json!({"host": "h", "from": "a@b", "to": ["x"]}), "params.to"),
        (json!({"host": "h", "from": "a@b", "to": vec!["a@b"; MOST_RECIPIENTS + 1]}), "params.to"),
    ] {
        assert_eq!(check(&params(given.clone())).unwrap_err().field.as_deref(), Some(field), "{given}");
    }
    assert_eq!(check(&params(json!({"host": "h", "user": "u@b", "password": "x"}))), Ok(()), "the user is the sender");
}

#[test]
fn the_envelope_holds_addresses_alone_and_the_message_names() {
    let mail = sent("b", json!({"title": "部署完成 ✅"}));
    assert_eq!(
        (mail.from.as_str(), &*mail.to),
        ("bot@example.com", ["a@example.org".to_owned(), "b@example.org".to_owned()].as_slice())
    );
    let message = String::from_utf8(mail.message).unwrap();
    let id = message.lines().find_map(|line| line.strip_prefix("Message-ID: <dlv_")).unwrap();
    assert!(id.ends_with("@example.com>"), "{id}");
    for line in [
        "From: =?utf-8?B?6YCa55+l?= <bot@example.com>",
        "To: <a@example.org>, \"B\" <b@example.org>",
        "Subject: =?utf-8?B?6YOo572y5a6M5oiQIOKchQ==?=",
        "Date: Wed, 1 May 2024 08:00:00 +0000",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=\"utf-8\"",
    ] {
        assert!(headers(&message).lines().any(|header| header == line), "{line} is not in\n{message}");
    }
}

#[test]
fn no_title_ends_a_header() {
    let message = written("b", json!({"title": "x\r\nBcc: evil@example.com\r\n\r\nbody"}));
    assert!(message.contains("\r\nSubject: x Bcc: evil@example.com body\r\n"), "{message}");
}

#[test]
fn text_comes_first_html_last_and_the_picture_is_attached() {
    let job = sample::event("**b**", json!({"format": "markdown"}));
    let picture = Picture(b"\x89PNG1234".as_slice().into());
    let message = Message { picture: Some(&picture), ..sample::message(&job) };
    let mail = String::from_utf8(sample::mail(&Email, &message, &plain(json!({}))).message).unwrap();
    let kinds = ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/png"];
    let found: Vec<_> = mail.lines().filter_map(|line| line.strip_prefix("Content-Type: ")?.split(';').next()).collect();
    assert_eq!(found, kinds);
    assert!(mail.contains("Content-Disposition: attachment; filename=\"picture.png\""), "{mail}");
    let without = plain(json!({"include_picture": false}));
    assert!(!String::from_utf8(sample::mail(&Email, &message, &without).message).unwrap().contains("image/png"));
}

#[test]
fn a_text_without_title_has_its_beginning_as_subject() {
    assert!(written("line 1\nline 2", json!({})).contains("\r\nSubject: line 1\r\n"));
}

#[test]
fn a_message_to_an_address_goes_there_alone_and_one_that_is_none_is_refused() {
    let job = sample::event("b", json!({}));
    let (good, bad): (Address, Address) = ("email:c@example.org".parse().unwrap(), "email:nobody".parse().unwrap());
    let to = |address| Message { address: Some(address), ..sample::message(&job) };
    assert_eq!(sample::mail(&Email, &to(&good), &plain(json!({}))).to, ["c@example.org"]);
    let step = Email.step(&sample::context(), &to(&bad), &plain(json!({})), &[]);
    assert!(matches!(step, Step::Fail(error) if error.reason == Reason::Rejected));
}

mod any_text {
    use proptest::prelude::*;
    use serde_json::json;

    use super::written;
    use crate::sample;

    proptest! {
        #[test]
        fn becomes_lines_of_ascii_that_every_server_takes(title in sample::any_text(), text in sample::any_text(), times in 1_usize..100) {
            for format in ["text", "markdown", "html"] {
                let message = written(&text.repeat(times), json!({"title": title, "format": format}));
                prop_assert!(message.is_ascii() && !message.contains('\0'));
                for line in message.split("\r\n") {
                    prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line:?}");
                }
                let headers: Vec<_> = super::headers(&message).split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).collect();
                let names: Vec<_> = headers.iter().filter_map(|line| line.split(':').next()).collect();
                let wanted = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
                prop_assert_eq!(names.get(..8), Some(wanted.as_slice()));
                prop_assert!(names.len() <= 9, "{:?}", names);
            }
        }
    }
}
