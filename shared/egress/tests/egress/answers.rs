//! What leaves and what comes back.

use bellhop_core::channel::{Body, Method, Outgoing};

use super::{answer, egress, get, servers, servers::Then, settings};

#[tokio::test]
async fn a_url_leaves_byte_for_byte() {
    let server = servers::http(Then::ok("")).await;
    let path = "/bot1:AA/a%2Fb//c?t=a%26b%3Dc%20d%2F%C3%A9&x=%7e+~";
    answer(&egress(settings(server.address)), &get(server.url(path))).await;
    assert_eq!(server.only().line, format!("GET {path} HTTP/1.1"));
}

#[tokio::test]
async fn bodies_leave_with_their_type_and_length() {
    let server = servers::http(Then::ok("")).await;
    let egress = egress(settings(server.address));
    let bodies = [
        Body::Json(r#"{"a":"é"}"#.to_owned()),
        Body::Form(vec![("a b".to_owned(), "1&2".to_owned())]),
        Body::Raw(vec![0, 255]),
        Body::Empty,
    ];
    for body in bodies {
        answer(&egress, &Outgoing { method: Method::Post, body, ..get(server.url("/")) }).await;
    }
    let of = |seen: &servers::Seen, name: &str| seen.header(name).unwrap_or("none").to_owned();
    let seen = server.seen();
    let seen: Vec<_> =
        seen.iter().map(|seen| (of(seen, "content-type"), of(seen, "content-length"), seen.body.as_slice())).collect();
    let text = str::to_owned;
    let expected: [(String, String, &[u8]); 4] = [
        (text("application/json"), text("10"), r#"{"a":"é"}"#.as_bytes()),
        (text("application/x-www-form-urlencoded"), text("9"), b"a+b=1%262"),
        (text("none"), text("2"), &[0, 255]),
        (text("none"), text("0"), b""),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_user_agent_is_ours_unless_the_channel_has_one() {
    let server = servers::http(Then::ok("")).await;
    let egress = egress(settings(server.address));
    answer(&egress, &get(server.url("/"))).await;
    answer(&egress, &Outgoing { headers: vec![("User-Agent".into(), "curl/8".into())], ..get(server.url("/")) }).await;
    let agents: Vec<_> = server.seen().iter().map(|seen| seen.header("user-agent").unwrap().to_owned()).collect();
    assert_eq!(agents, [concat!("Bellhop/", env!("CARGO_PKG_VERSION")), "curl/8"]);
}

#[tokio::test]
async fn header_names_come_back_in_lower_case_and_unreadable_values_not_at_all() {
    let raw = b"HTTP/1.1 418 Teapot\r\nRetry-After: 7\r\nX-Name: \xc3\xa9\r\nX-Bad: \xff\r\nContent-Length: 2\r\n\r\nno";
    let server = servers::http(Then::Answer(raw.to_vec())).await;
    let reply = answer(&egress(settings(server.address)), &get(server.url("/"))).await;
    assert_eq!((reply.status, reply.body.as_slice()), (418, b"no".as_slice()));
    assert_eq!((reply.header("retry-after"), reply.header("x-name"), reply.header("x-bad")), (Some("7"), Some("é"), None));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = servers::http(Then::ok("")).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url("/"));
    let server = servers::http(Then::Answer(redirect.into_bytes())).await;
    let reply = answer(&egress(settings(server.address)), &get(server.url("/"))).await;
    assert_eq!((reply.status, elsewhere.connections()), (302, 0));
}

#[tokio::test]
async fn of_ten_megabytes_the_first_256_kib_are_read() {
    let mut raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    raw.resize(raw.len() + 10_000_000, b'x');
    let server = servers::http(Then::Answer(raw)).await;
    let reply = answer(&egress(settings(server.address)), &get(server.url("/"))).await;
    assert_eq!((reply.body.len(), reply.body.iter().all(|byte| *byte == b'x')), (256 * 1024, true));
}

#[tokio::test]
async fn a_compressed_answer_is_neither_asked_for_nor_unpacked() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let server = servers::http(Then::Answer(raw.to_vec())).await;
    let reply = answer(&egress(settings(server.address)), &get(server.url("/"))).await;
    assert_eq!((reply.body.as_slice(), server.only().header("accept-encoding")), (b"\x1f\x8b\x08\x00".as_slice(), None));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = servers::http(Then::ok("again")).await;
    let egress = egress(settings(server.address));
    for _ in 0..3 {
        answer(&egress, &get(server.url("/"))).await;
    }
    assert_eq!((server.seen().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn the_operators_port_is_used_where_the_url_names_none() {
    let server = servers::http(Then::ok("here")).await;
    let reply = answer(&egress(settings(server.address)), &get("http://target.test/x")).await;
    assert_eq!((reply.body.as_slice(), server.only().header("host")), (b"here".as_slice(), Some("target.test")));
}
