//! What the binary dials, and what it does not.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use acceptance::{Bellhop, Sink, URL_SECRET};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_not_dialled_unless_the_operator_allows_it() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with(data.path(), &[]);
    bellhop.client.put("/v1/registrations/inside", json!({ "channel": "webhook", "params": { "url": sink.url } })).await;
    let delivery = bellhop.client.send(json!({ "to": "inside", "body": "x" })).await.remove(0);
    let failed = bellhop.client.until(&delivery, &["failed"]).await;
    assert_eq!(failed["reason"], "blocked_address");
    assert_eq!(sink.arrivals().len(), 0);
}

/// A TLS server for `hooks.example.com` that answers one request with 204, and its certificate.
async fn tls_receiver() -> (std::net::SocketAddr, String, tokio::task::JoinHandle<String>) {
    let made = rcgen::generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receiving = tokio::spawn(async move {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"}") {
            stream.read_buf(&mut received).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
        String::from_utf8(received).unwrap()
    });
    (address, made.cert.pem(), receiving)
}

#[tokio::test(flavor = "multi_thread")]
async fn resolve_and_extra_ca_lead_a_real_host_name_to_a_server_of_ones_own() {
    let data = tempfile::tempdir().unwrap();
    let (address, certificate, receiving) = tls_receiver().await;
    let file = data.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let resolve = format!("hooks.example.com={address}");
    let bellhop = Bellhop::start_with(data.path(), &["--resolve", &resolve, "--extra-ca", file.to_str().unwrap()]);
    let params = json!({ "url": "https://hooks.example.com/in" });
    bellhop.client.put("/v1/registrations/far", json!({ "channel": "webhook", "params": params })).await;
    let delivery = bellhop.client.send(json!({ "to": "far", "body": "x" })).await.remove(0);
    bellhop.client.until(&delivery, &["delivered"]).await;
    let received = receiving.await.unwrap();
    assert!(received.starts_with("POST /in HTTP/1.1") && received.contains("host: hooks.example.com"), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_may_not_be_dialled_or_finds_nobody_says_so() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start_with(data.path(), &[]);
    let tested = async |url: &str| {
        let typed = json!({ "channel": "webhook", "params": { "url": url } });
        let (status, tested) = bellhop.client.call("POST", "/v1/registrations/test", Some(typed)).await;
        assert_eq!((status, &tested["delivered"]), (200, &json!(false)), "{tested}");
        tested
    };

    assert_eq!(tested("http://127.0.0.1:9/x").await["reason"], "blocked_address");
    let nobody = tested(&format!("https://nobody.invalid/{URL_SECRET}")).await;
    assert_eq!((&nobody["reason"], &nobody["request"]["url"]), (&json!("dns_failed"), &json!("https://nobody.invalid/***")));
    assert!(!nobody.to_string().contains(URL_SECRET), "{nobody}");
    bellhop.stop();
}
