//! Three kinds of proxies, with credentials.

use bellhop_core::{Reason, channel::Outgoing, ports::Sent};
use bellhop_egress::Settings;

use super::{answer, egress, failure, get, servers, servers::Then, settings, through, tls::Authority};

/// `user:p@ss`, known from a provider's docs.
const BASIC: &str = "Basic dXNlcjpwQHNz";

#[tokio::test]
async fn a_plain_request_is_handed_to_an_http_proxy_whole_and_with_credentials() {
    let target = servers::http(Then::ok("")).await;
    let proxy = servers::http_proxy(BASIC, target.address).await;
    let outgoing = through(format!("http://user:p%40ss@{}", proxy.address), get("http://target.test/a%20b?c=d"));
    let reply = answer(&egress(settings(target.address)), &outgoing).await;
    assert_eq!((reply.body.as_slice(), target.connections()), (b"forwarded".as_slice(), 0));
    let seen = proxy.only();
    assert_eq!(seen.line, "GET http://target.test/a%20b?c=d HTTP/1.1");
    assert_eq!(seen.header("proxy-authorization"), Some(BASIC));
}

#[tokio::test]
async fn an_https_request_tunnels_through_an_http_proxy_and_the_credentials_stay_there() {
    let authority = Authority::new("target.test");
    let target = servers::https(authority.acceptor(), Then::ok("secret")).await;
    let proxy = servers::http_proxy(BASIC, target.address).await;
    let egress = egress(Settings { extra_ca: vec![authority.pem()], ..settings(target.address) });
    let outgoing = Outgoing {
        headers: vec![("x-key".to_owned(), "k".to_owned())],
        ..through(format!("http://user:p%40ss@{}", proxy.address), get("https://target.test:8443/x"))
    };
    assert_eq!(answer(&egress, &outgoing).await.body, b"secret");
    let (connect, request) = (proxy.only(), target.only());
    assert_eq!(connect.line, "CONNECT target.test:8443 HTTP/1.1");
    assert_eq!((connect.header("proxy-authorization"), connect.header("x-key")), (Some(BASIC), None));
    assert_eq!((request.line.as_str(), request.header("proxy-authorization")), ("GET /x HTTP/1.1", None));
}

#[tokio::test]
async fn a_proxy_can_itself_be_behind_tls() {
    let authority = Authority::new("proxy.test");
    let proxy = servers::https(authority.acceptor(), Then::ok("forwarded")).await;
    let mut settings = Settings { extra_ca: vec![authority.pem()], ..settings(proxy.address) };
    settings.resolve.push(("proxy.test".to_owned(), proxy.address));
    let reply = answer(&egress(settings), &through("https://user:p%40ss@proxy.test", get("http://target.test/"))).await;
    assert_eq!(reply.body, b"forwarded");
    assert_eq!(proxy.only().header("proxy-authorization"), Some(BASIC));
}

#[tokio::test]
async fn socks5_is_told_the_address_and_socks5h_the_name() {
    let target = servers::http(Then::ok("through")).await;
    let proxy = servers::socks_proxy("user", "p@ss", target.address).await;
    let egress = egress(settings(target.address));
    for scheme in ["socks5", "socks5h"] {
        let outgoing = through(format!("{scheme}://user:p%40ss@{}", proxy.address), get("http://target.test:8080/"));
        assert_eq!(answer(&egress, &outgoing).await.body, b"through");
    }
    let lines: Vec<_> = proxy.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["address 127.0.0.1:8080", "name target.test:8080"]);
}

#[tokio::test]
async fn https_works_through_socks5() {
    let authority = Authority::new("target.test");
    let target = servers::https(authority.acceptor(), Then::ok("secret")).await;
    let proxy = servers::socks_proxy("user", "p@ss", target.address).await;
    let egress = egress(Settings { extra_ca: vec![authority.pem()], ..settings(target.address) });
    let outgoing = through(format!("socks5://user:p%40ss@{}", proxy.address), get("https://target.test/"));
    assert_eq!(answer(&egress, &outgoing).await.body, b"secret");
    assert_eq!(proxy.only().line, "address 127.0.0.1:443");
}

#[tokio::test]
async fn wrong_credentials_are_a_proxy_that_failed_and_nothing_was_sent() {
    let target = servers::http(Then::ok("")).await;
    let http = servers::http_proxy(BASIC, target.address).await;
    let socks = servers::socks_proxy("user", "p@ss", target.address).await;
    let egress = egress(settings(target.address));
    for (proxy, url) in [
        (format!("http://user:wrong@{}", http.address), "http://target.test/"),
        (format!("http://user:wrong@{}", http.address), "https://target.test/"),
        (format!("socks5://user:wrong@{}", socks.address), "http://target.test/"),
    ] {
        assert_eq!(failure(&egress, &through(&proxy, get(url))).await, (Reason::ProxyFailed, Sent::No), "{proxy} for {url}");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_a_proxy_that_failed() {
    let target = servers::http(Then::ok("")).await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let egress = egress(settings(target.address));
    for scheme in ["http", "socks5"] {
        let outgoing = through(format!("{scheme}://127.0.0.1:{port}"), get("http://target.test/"));
        assert_eq!(failure(&egress, &outgoing).await, (Reason::ProxyFailed, Sent::No), "{scheme}");
    }
    assert_eq!(target.connections(), 0, "it is never gone around");
}

#[tokio::test]
async fn connections_to_a_proxy_are_used_again() {
    let proxy = servers::http(Then::ok("forwarded")).await;
    let egress = egress(settings(proxy.address));
    for _ in 0..3 {
        answer(&egress, &through(proxy.url(""), get("http://target.test/"))).await;
    }
    assert_eq!((proxy.seen().len(), proxy.connections()), (3, 1));
}
