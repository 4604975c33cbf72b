//! Each way to fail has its name, says how far the request came, and gives nothing away.

use std::time::Duration;

use bellhop_core::{
    Reason,
    channel::{Body, Method, Outgoing},
    ports::{Http, Sent},
};
use bellhop_egress::Settings;
use tokio::net::TcpListener;

use super::{egress, failure, get, servers, servers::Then, settings, strict, through};

/// A port where nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_refused_port_is_a_failed_connection() {
    let port = closed_port().await;
    let egress = egress(settings(([127, 0, 0, 1], port).into()));
    assert_eq!(failure(&egress, &get("http://target.test/")).await, (Reason::ConnectFailed, Sent::No));
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failed_lookup() {
    assert_eq!(failure(&strict(), &get("http://nowhere.invalid/")).await, (Reason::DnsFailed, Sent::No));
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout_and_may_have_the_request() {
    let server = servers::http(Then::Silence).await;
    let egress = egress(Settings { total_timeout: Duration::from_millis(200), ..settings(server.address) });
    assert_eq!(failure(&egress, &get(server.url("/"))).await, (Reason::Timeout, Sent::Maybe));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_timeout() {
    let server = servers::http(Then::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    let egress = egress(Settings { total_timeout: Duration::from_millis(200), ..settings(server.address) });
    assert_eq!(failure(&egress, &get(server.url("/"))).await, (Reason::Timeout, Sent::Maybe));
}

#[tokio::test]
async fn a_body_that_is_cut_is_a_lost_connection() {
    let server = servers::http(Then::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec())).await;
    assert_eq!(failure(&egress(settings(server.address)), &get(server.url("/"))).await, (Reason::ConnectionLost, Sent::Maybe));
}

#[tokio::test]
async fn a_server_that_hangs_up_without_an_answer_is_a_lost_connection_and_is_asked_once() {
    let server = servers::http(Then::Close(Vec::new())).await;
    let outgoing = get(server.url("/"));
    assert_eq!(failure(&egress(settings(server.address)), &outgoing).await, (Reason::ConnectionLost, Sent::Maybe));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_has_sent_nothing() {
    let server = servers::http(Then::Silence).await; // it waits for a request, and no TLS handshake is one
    let egress = egress(Settings { connect_timeout: Duration::from_millis(200), ..settings(server.address) });
    assert_eq!(failure(&egress, &get("https://target.test/")).await, (Reason::ConnectFailed, Sent::No));
    let proxied = through(server.url(""), get("https://target.test/"));
    assert_eq!(failure(&egress, &proxied).await, (Reason::ProxyFailed, Sent::No));
}

#[tokio::test]
async fn no_failure_tells_a_secret() {
    let cut = servers::http(Then::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsekret".to_vec())).await;
    let silent = servers::http(Then::Silence).await;
    let port = closed_port().await;
    let quick = Settings {
        connect_timeout: Duration::from_millis(50),
        total_timeout: Duration::from_millis(100),
        ..settings(([127, 0, 0, 1], port).into())
    };
    let path = "/sekret?token=sekret";
    let targets = [
        cut.url(path),
        silent.url(path),
        format!("https://{}{path}", cut.address),
        format!("https://{}{path}", silent.address),
        format!("http://target.test{path}"),
        format!("http://nowhere.invalid{path}"),
        format!("http://10.0.0.1{path}"),
        format!("http://sekret:sekret@target.test{path}"),
        format!("ftp://target.test{path}"),
        format!("http://target.test:99999{path}"),
    ];
    let proxies = [
        None,
        Some(format!("http://sekret:sekret@127.0.0.1:{port}")),
        Some(format!("http://sekret:sekret@{}", cut.address)),
        Some(format!("socks5://sekret:sekret@{}", cut.address)),
        Some(format!("socks5h://sekret:sekret@{}", silent.address)),
        Some("http://sekret:sekret@10.0.0.1:3128".to_owned()),
        Some("ftp://sekret:sekret@127.0.0.1".to_owned()),
    ];
    let egress = egress(quick);
    for url in &targets {
        for proxy in &proxies {
            let outgoing = Outgoing {
                method: Method::Post,
                url: url.clone(),
                headers: vec![("x-key".to_owned(), "sekret".to_owned())],
                body: Body::Json(r#""sekret""#.to_owned()),
                proxy: proxy.clone(),
            };
            let error = egress.call(&outgoing).await.unwrap_err();
            assert!(!format!("{error:?}").contains("sekret"), "{error:?}");
        }
    }
}
