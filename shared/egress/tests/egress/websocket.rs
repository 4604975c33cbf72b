//! WebSockets: to a real server (the package `websockets` from PyPI), and to listeners that misbehave in ways that it does not.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use bellhop_core::{
    Reason,
    ports::{Sent, Sockets, TransportError},
    socket::{Frame, Framed},
};
use bellhop_egress::{Settings, SettingsError, SocketEgress};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::accept_async;

use super::{
    mail::{python, tempdir},
    settings,
    tls::Authority,
};

/// A running server. It ends when its standard input closes, however this process ends.
struct SocketServer {
    address: SocketAddr,
    told: Receiver<String>,
    authority: Authority,
    process: Child,
}

impl SocketServer {
    fn start(mut options: Value) -> Self {
        let authority = Authority::new("target.test");
        if options["cert"] == true {
            let file = tempdir().join("socket.pem");
            fs::write(&file, [authority.pem(), authority.key_pem()].concat()).unwrap();
            options["cert"] = file.to_str().unwrap().into();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/egress/websocket_server.py");
        let mut process = Command::new(python())
            .arg(script)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // it complains of every client that hangs up
            .spawn()
            .expect("websockets is in a virtual environment: `.venv` beside Cargo.toml, or where `BELLHOP_VENV` says");
        // heard at once: a server that waits for a reader of its long text says no farewell
        let (tell, told) = mpsc::channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        thread::spawn(move || lines.map(|line| tell.send(line)).all(|sent| sent.is_ok()));
        let address = format!("127.0.0.1:{}", told.recv().unwrap()).parse().expect("the server listens");
        Self { address, told, authority, process }
    }

    fn settings(&self) -> Settings {
        Settings { extra_ca: vec![self.authority.pem()], ..settings(self.address) }
    }

    fn egress(&self) -> SocketEgress {
        SocketEgress::new(self.settings()).unwrap()
    }

    /// The next thing that it tells.
    fn told(&self) -> Value {
        serde_json::from_str(&self.told.recv().unwrap()).unwrap()
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

fn frame(url: &str) -> Frame {
    let headers = vec![("Authorization".to_owned(), "Bearer S3cr3t".to_owned())];
    Frame { url: url.to_owned(), headers, text: "测试 😀".to_owned() }
}

fn at(address: SocketAddr) -> Frame {
    frame(&format!("ws://{address}/in?key=S3cr3t"))
}

async fn failure(egress: &SocketEgress, frame: &Frame) -> (Reason, Sent) {
    let TransportError { reason, sent, detail } = egress.send(frame).await.unwrap_err();
    assert!(!detail.contains("S3cr3t"), "{detail}");
    (reason, sent)
}

#[tokio::test]
async fn a_text_arrives_with_its_headers_and_the_connection_closes_with_1000_on_both_sides() {
    let server = SocketServer::start(json!({}));
    let framed = server.egress().send(&at(server.address)).await.unwrap();
    assert_eq!(framed, Framed::Closed(Some(1000)));
    let told = server.told();
    assert_eq!((&told["text"], &told["path"]), (&json!("测试 😀"), &json!("/in?key=S3cr3t")));
    assert_eq!(told["headers"]["authorization"], "Bearer S3cr3t");
    assert!(told["headers"]["user-agent"].as_str().unwrap().starts_with("Bellhop/"));
    assert_eq!(server.told(), json!({ "closed": 1000 }));
}

#[tokio::test]
async fn through_tls_it_arrives_if_the_certificate_is_trusted_and_not_otherwise() {
    let server = SocketServer::start(json!({ "cert": true }));
    let frame = frame("wss://target.test/");
    assert_eq!(server.egress().send(&frame).await.unwrap(), Framed::Closed(Some(1000)));
    assert_eq!(server.told()["headers"]["host"], "target.test");
    let stranger = SocketEgress::new(settings(server.address)).unwrap();
    assert_eq!(failure(&stranger, &frame).await, (Reason::TlsFailed, Sent::No));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_failed_handshake() {
    let server = SocketServer::start(json!({ "cert": true }));
    let settings = Settings { resolve: vec![("other.test".to_owned(), server.address)], ..server.settings() };
    let egress = SocketEgress::new(settings).unwrap();
    assert_eq!(failure(&egress, &frame("wss://other.test/")).await, (Reason::TlsFailed, Sent::No));
}

#[tokio::test]
async fn a_megabyte_arrives_whole_though_the_server_speaks_first() {
    let server = SocketServer::start(json!({ "greeting": 30_000 }));
    let text = "测".repeat(350_000);
    let framed = server.egress().send(&Frame { text: text.clone(), ..at(server.address) }).await.unwrap();
    assert_eq!(framed, Framed::Closed(Some(1000)));
    assert_eq!(server.told()["text"], text);
}

#[tokio::test]
async fn a_server_that_says_more_than_anybody_wants_to_hear_leaves_the_outcome_unknown() {
    let server = SocketServer::start(json!({ "greeting": 1_000_000 }));
    assert_eq!(failure(&server.egress(), &at(server.address)).await, (Reason::UnexpectedAnswer, Sent::Maybe));
}

#[tokio::test]
async fn the_code_that_a_server_closes_with_is_handed_on() {
    for code in [1000, 1008, 1011, 4001] {
        let server = SocketServer::start(json!({ "close": code }));
        assert_eq!(server.egress().send(&at(server.address)).await.unwrap(), Framed::Closed(Some(code)));
    }
}

#[tokio::test]
async fn a_refused_handshake_is_handed_on_with_status_and_headers_and_no_redirect_is_followed() {
    for status in [200, 301, 401, 404, 429, 503] {
        let server = SocketServer::start(json!({ "refuse": status, "headers": { "Retry-After": "7" } }));
        let Framed::Refused(reply) = server.egress().send(&at(server.address)).await.unwrap() else { panic!("{status}") };
        assert_eq!((reply.status, reply.header("retry-after")), (status, Some("7")));
    }
}

#[tokio::test]
async fn a_private_address_is_blocked_in_every_spelling() {
    let server = SocketServer::start(json!({}));
    let egress = SocketEgress::new(Settings::default()).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1.", "localhost"] {
        let frame = frame(&format!("ws://{host}:{}/", server.address.port()));
        assert_eq!(failure(&egress, &frame).await, (Reason::BlockedAddress, Sent::No), "{host}");
    }
}

#[tokio::test]
async fn a_port_in_the_url_wins_over_the_one_that_the_operator_names() {
    let server = SocketServer::start(json!({}));
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let egress = SocketEgress::new(settings(nowhere)).unwrap();
    let frame = frame(&format!("ws://target.test:{}/", server.address.port()));
    assert_eq!(egress.send(&frame).await.unwrap(), Framed::Closed(Some(1000)));
    assert_eq!(failure(&egress, &self::frame("ws://target.test/")).await, (Reason::ConnectFailed, Sent::No));
}

#[test]
fn a_file_without_a_certificate_is_refused_at_the_start() {
    let error = SocketEgress::new(Settings { extra_ca: vec![b"no PEM at all".to_vec()], ..Settings::default() }).err();
    assert_eq!(error, Some(SettingsError::Certificate { number: 1 }));
}

/// A listener that does this with the only connection it gets.
async fn listener<F: Future<Output = ()> + Send + 'static>(act: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { act(listener.accept().await.unwrap().0).await });
    address
}

/// The connection after the handshake, with what the frame and the farewell of [`at`] amount to in bytes.
async fn opened(stream: TcpStream) -> (TcpStream, usize, usize) {
    let stream = accept_async(stream).await.unwrap().into_inner();
    // header, mask, content: <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>
    (stream, 2 + 4 + "测试 😀".len(), 2 + 4 + 2)
}

fn impatient(address: SocketAddr) -> SocketEgress {
    SocketEgress::new(Settings { total_timeout: Duration::from_millis(300), ..settings(address) }).unwrap()
}

#[tokio::test]
async fn a_server_that_hangs_up_in_order_without_a_farewell_has_the_text() {
    let address = listener(async |stream| {
        let (mut stream, text, farewell) = opened(stream).await;
        stream.read_exact(&mut vec![0; text + farewell]).await.unwrap();
    })
    .await;
    let egress = SocketEgress::new(settings(address)).unwrap();
    assert_eq!(egress.send(&at(address)).await.unwrap(), Framed::Closed(None));
}

#[tokio::test]
async fn a_connection_that_is_cut_after_the_text_leaves_the_outcome_unknown() {
    let address = listener(async |stream| {
        let (mut stream, text, farewell) = opened(stream).await;
        stream.read_exact(&mut vec![0; text + farewell]).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let egress = SocketEgress::new(settings(address)).unwrap();
    assert_eq!(failure(&egress, &at(address)).await, (Reason::ConnectionLost, Sent::Maybe));
}

#[tokio::test]
async fn a_server_that_never_takes_its_leave_leaves_the_outcome_unknown() {
    let address = listener(async |stream| {
        let _opened = opened(stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(failure(&impatient(address), &at(address)).await, (Reason::Timeout, Sent::Maybe));
}

#[tokio::test]
async fn before_the_handshake_is_done_surely_nothing_was_sent() {
    let silent = listener(async |_stream| std::future::pending().await).await;
    assert_eq!(failure(&impatient(silent), &at(silent)).await, (Reason::Timeout, Sent::No));
    let cut = listener(async |mut stream| assert_eq!(stream.read_u8().await.unwrap(), b'G')).await;
    assert_eq!(failure(&impatient(cut), &at(cut)).await, (Reason::ConnectionLost, Sent::No));
}

#[tokio::test]
async fn what_is_no_websocket_server_is_sent_nothing() {
    for answer in
        ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"]
    {
        let address = listener(async move |mut stream: TcpStream| {
            let mut asked = [0; 4096];
            assert_ne!(stream.read(&mut asked).await.unwrap(), 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        assert_eq!(failure(&impatient(address), &at(address)).await, (Reason::UnexpectedAnswer, Sent::No), "{answer}");
    }
}
