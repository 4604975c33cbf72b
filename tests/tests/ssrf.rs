//! Whatever a tenant writes where a host belongs, this machine and its networks are not dialled.

#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::print_stdout, reason = "counts, for whoever asks with `--no-capture`")]

use std::{io::ErrorKind, net::TcpListener};

use acceptance::{Bellhop, eventually};
use serde_json::{Value, json};

/// This machine, its networks and the cloud's metadata, as people who should not get there write them.
const HOSTS: [&str; 27] = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "１２７.0.0.1",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::1]",
    "[fd00:ec2::254]",
];

/// Each way out of the house, with a place for a host.
fn ways(host: &str, port: u16) -> Vec<(&'static str, &'static str, Value)> {
    let http = format!("http://{host}:{port}");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mail = json!({ "host": bare, "port": port, "tls": "none", "from": "a@example.org", "to": ["b@example.org"] });
    let push = json!({
        "endpoint": format!("https://{host}:{port}/push"), "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    });
    let telegram = json!({ "bot_token": "1:x", "chat_id": "1" });
    let with = |base: &Value, more: Value| {
        let mut params = base.as_object().unwrap().clone();
        params.extend(more.as_object().unwrap().clone());
        Value::Object(params)
    };
    vec![
        ("webhook", "webhook", json!({ "url": format!("{http}/in") })),
        ("userinfo", "webhook", json!({ "url": format!("http://example.org@{host}:{port}/in") })),
        ("custom", "custom", json!({ "method": "GET", "url": format!("{http}/?t={{t}}") })),
        ("gotify", "gotify", json!({ "base_url": http, "app_token": "x" })),
        ("ntfy", "ntfy", json!({ "base_url": http, "topic": "x" })),
        ("matrix", "matrix", json!({ "homeserver": http, "access_token": "x", "room_id": "!a:example.org" })),
        ("onebot", "onebot", json!({ "endpoint": http, "user_ids": [1] })),
        ("pushdeer", "pushdeer", json!({ "base_url": http, "push_key": "x" })),
        ("telegram", "telegram", with(&telegram, json!({ "base_url": http }))),
        ("proxy", "telegram", with(&telegram, json!({ "base_url": "http://1.1.1.1", "proxy": http }))),
        (
            "socks",
            "telegram",
            with(&telegram, json!({ "base_url": "http://1.1.1.1", "proxy": format!("socks5h://{host}:{port}") })),
        ),
        ("websocket", "websocket", json!({ "url": format!("ws://{host}:{port}/") })),
        ("email", "email", mail),
        ("push", "web_push", push),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_private_host_is_dialled_by_any_way_out() {
    let data = tempfile::tempdir().unwrap();
    // of both families; whoever connects stays in its queue
    let listener = TcpListener::bind("[::]:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let bellhop = Bellhop::start_with(data.path(), &[]);

    let (mut saved, mut refused) = (0, 0);
    for (number, host) in HOSTS.iter().enumerate() {
        for (way, channel, params) in ways(host, port) {
            let body = json!({ "channel": channel, "params": params, "groups": ["inside"], "description": host });
            let (status, answer) = bellhop.client.call("PUT", &format!("/v1/registrations/{way}-{number}"), Some(body)).await;
            if status == 200 {
                saved += 1;
            } else {
                assert_eq!((status, &answer["code"]), (422, &json!("invalid_params")), "{way} {host}: {answer}");
                refused += 1;
            }
        }
    }
    let (_, sent) = bellhop.client.call("POST", "/v1/messages", Some(json!({ "to": "group:inside", "body": "x" }))).await;
    assert_eq!(sent["deliveries"].as_array().unwrap().len(), saved);
    let event = format!("/v1/events/{}", sent["event"].as_str().unwrap());
    let deliveries = eventually("every delivery was tried", async || {
        let deliveries = bellhop.client.get(&event).await["deliveries"].as_array().unwrap().clone();
        deliveries.iter().all(|delivery| delivery["attempts"].get(0).is_some()).then_some(deliveries)
    })
    .await;

    let mut blocked = 0;
    for delivery in &deliveries {
        let reason = delivery["attempts"][0]["reason"].as_str().unwrap_or("none");
        // a spelling that only some lookups understand has no address
        assert!(["blocked_address", "invalid_params", "dns_failed"].contains(&reason), "{delivery}");
        blocked += usize::from(reason == "blocked_address");
    }
    assert_eq!(listener.accept().map_err(|error| error.kind()).unwrap_err(), ErrorKind::WouldBlock, "somebody connected");
    assert!(blocked > saved * 9 / 10, "{blocked} of {saved}");
    println!(
        "{} cases: {refused} refused when saved, {blocked} blocked, {} without an address",
        saved + refused,
        saved - blocked
    );
}
