//! Mail through a real server: aiosmtpd.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use bellhop_core::{
    Reason,
    mail::{Login, Mail, Mailed, Server, SmtpReply, Tls, Trust},
    ports::{Sent, Smtp, TransportError},
};
use bellhop_egress::{Settings, SmtpEgress};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{settings, tls::Authority};

/// A running mail server. It ends when its standard input closes, however this process ends.
struct MailServer {
    port: u16,
    told: BufReader<ChildStdout>,
    authority: Authority,
    process: Child,
}

impl MailServer {
    fn start(options: &str) -> Self {
        let authority = Authority::new("mail.test");
        let directory = tempdir();
        let file = directory.join("mail.pem");
        fs::write(&file, [authority.pem(), authority.key_pem()].concat()).unwrap();
        let options = options.replace("CERT", file.to_str().unwrap());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/egress/mail_server.py");
        let mut process = Command::new(python())
            .arg(script)
            .arg(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // it complains of every client that hangs up
            .spawn()
            .expect("aiosmtpd is in a virtual environment: `.venv` beside Cargo.toml, or where `BELLHOP_VENV` says");
        let mut told = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        told.read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the server listens");
        Self { port, told, authority, process }
    }

    fn settings(&self) -> Settings {
        let address = format!("127.0.0.1:{}", self.port).parse().unwrap();
        Settings { resolve: vec![("mail.test".to_owned(), address)], extra_ca: vec![self.authority.pem()], ..settings(address) }
    }

    fn egress(&self) -> SmtpEgress {
        SmtpEgress::new(self.settings()).unwrap()
    }

    /// The next thing that it tells.
    fn told(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment")]
pub(crate) fn python() -> PathBuf {
    let venv = env::var("BELLHOP_VENV").map(PathBuf::from);
    venv.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv")).join("bin/python")
}

pub(crate) fn tempdir() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mail-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

const VERIFIED: Trust = Trust::Verified;

fn mail(tls: Tls) -> Mail {
    Mail {
        server: Server { host: "mail.test".to_owned(), port: 9, tls },
        login: None,
        from: "bot@example.com".to_owned(),
        to: vec!["a@example.org".to_owned()],
        message: b"Subject: s\r\n\r\nline 1\r\n.line 2\r\n".to_vec(),
    }
}

fn as_user(mail: Mail, password: &str) -> Mail {
    Mail { login: Some(Login { user: "u".to_owned(), password: password.to_owned() }), ..mail }
}

fn to(mail: Mail, to: &[&str]) -> Mail {
    Mail { to: to.iter().map(|to| (*to).to_owned()).collect(), ..mail }
}

fn is_taken(answer: &Mailed) -> bool {
    matches!(answer, Mailed::Answered { message: SmtpReply { code: 250, .. }, .. })
}

async fn failure(egress: &SmtpEgress, mail: &Mail) -> (Reason, Sent) {
    let TransportError { reason, sent, detail } = egress.send(mail).await.unwrap_err();
    assert!(!detail.contains("S3cr3t") && !detail.contains("example.org"), "{detail}");
    (reason, sent)
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_and_the_session_ends_with_quit() {
    let mut server = MailServer::start("{}");
    let answer = server.egress().send(&mail(Tls::Off)).await.unwrap();
    assert!(is_taken(&answer), "{answer:?}");
    let told = server.told();
    for part in [r#""from": "bot@example.com""#, r#""to": ["a@example.org"]"#, r"line 1\r\n.line 2\r\n", r#""tls": false"#] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert_eq!(server.told(), "{\"quit\": true}\n");
}

#[tokio::test]
async fn a_mail_with_a_login_goes_through_starttls_and_through_tls_from_the_first_byte() {
    for (how, tls) in [("starttls", Tls::StartTls(VERIFIED)), ("implicit", Tls::Implicit(VERIFIED))] {
        let options = format!(r#"{{"tls": "{how}", "cert": "CERT", "user": "u", "password": "S3cr3t"}}"#);
        let mut server = MailServer::start(&options);
        let answer = server.egress().send(&as_user(mail(tls), "S3cr3t")).await.unwrap();
        assert!(is_taken(&answer), "{how}: {answer:?}");
        let told = server.told();
        assert!(told.contains(r#""tls": true"#) && told.contains(r#""user": "u""#), "{told}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_the_servers_no() {
    let server = MailServer::start(r#"{"user": "u", "password": "S3cr3t"}"#);
    let answer = server.egress().send(&as_user(mail(Tls::Off), "wrong")).await.unwrap();
    assert!(matches!(&answer, Mailed::Refused(SmtpReply { code: 535, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_login_nor_mail() {
    let mut server = MailServer::start("{}");
    let mail = as_user(mail(Tls::StartTls(VERIFIED)), "S3cr3t");
    assert_eq!(failure(&server.egress(), &mail).await, (Reason::TlsFailed, Sent::No));
    assert_eq!(server.told(), "{\"quit\": true}\n");
}

#[tokio::test]
async fn a_login_where_none_is_offered_is_the_registrations_fault() {
    let server = MailServer::start("{}");
    let mail = as_user(mail(Tls::Off), "S3cr3t");
    assert_eq!(failure(&server.egress(), &mail).await, (Reason::InvalidParams, Sent::No));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_failed_handshake_unless_any_will_do() {
    for how in ["starttls", "implicit"] {
        let tls = |trust| if how == "starttls" { Tls::StartTls(trust) } else { Tls::Implicit(trust) };
        let server = MailServer::start(&format!(r#"{{"tls": "{how}", "cert": "CERT"}}"#));
        let egress = SmtpEgress::new(Settings { extra_ca: Vec::new(), ..server.settings() }).unwrap();
        assert_eq!(failure(&egress, &mail(tls(VERIFIED))).await, (Reason::TlsFailed, Sent::No), "{how}");
        let answer = egress.send(&mail(tls(Trust::Anyone))).await.unwrap();
        assert!(is_taken(&answer), "{how}: {answer:?}");
    }
}

#[tokio::test]
async fn each_recipient_is_answered_for_and_the_accepted_ones_get_the_mail() {
    let mut server = MailServer::start(r#"{"rcpt": {"bad@example.org": "550 5.1.1 unknown"}}"#);
    let mail = to(mail(Tls::Off), &["a@example.org", "bad@example.org"]);
    let answer = server.egress().send(&mail).await.unwrap();
    let Mailed::Answered { recipients, message } = answer else { panic!("{answer:?}") };
    assert_eq!(recipients.iter().map(ToString::to_string).collect::<Vec<_>>(), ["250", "550 5.1.1"]);
    assert_eq!(message.to_string(), "250 2.0.0");
    assert!(server.told().contains(r#""to": ["a@example.org"]"#));
}

#[tokio::test]
async fn nobody_gets_a_mail_while_somebody_asks_to_wait() {
    let mut server = MailServer::start(r#"{"rcpt": {"later@example.org": "450 4.2.0 Greylisted"}}"#);
    let mail = to(mail(Tls::Off), &["a@example.org", "later@example.org"]);
    let answer = server.egress().send(&mail).await.unwrap();
    assert!(matches!(&answer, Mailed::HeldBack(recipients) if recipients.len() == 2), "{answer:?}");
    assert_eq!(server.told(), "{\"quit\": true}\n");
}

#[tokio::test]
async fn a_message_that_was_refused_for_now_is_taken_the_next_time() {
    let server = MailServer::start(r#"{"data": ["451 4.3.0 later"]}"#);
    let egress = server.egress();
    let answer = egress.send(&mail(Tls::Off)).await.unwrap();
    assert!(matches!(&answer, Mailed::Answered { message, .. } if message.is_transient()), "{answer:?}");
    let answer = egress.send(&mail(Tls::Off)).await.unwrap();
    assert!(is_taken(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_message_leaves_the_outcome_unknown() {
    let server = MailServer::start(r#"{"data": ["close"]}"#);
    assert_eq!(failure(&server.egress(), &mail(Tls::Off)).await, (Reason::ConnectionLost, Sent::Maybe));
}

#[tokio::test]
async fn a_private_address_is_blocked_in_every_spelling() {
    let server = MailServer::start("{}");
    let egress = SmtpEgress::new(Settings::default()).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "::1", "::ffff:127.0.0.1", "127.0.0.1.", "localhost"] {
        let mail = Mail { server: Server { host: host.to_owned(), port: server.port, tls: Tls::Off }, ..mail(Tls::Off) };
        assert_eq!(failure(&egress, &mail).await, (Reason::BlockedAddress, Sent::No), "{host}");
    }
}

#[tokio::test]
async fn what_is_no_address_never_becomes_a_command() {
    let server = MailServer::start("{}");
    let mail = to(mail(Tls::Off), &["a@example.org>\r\nDATA"]);
    assert_eq!(failure(&server.egress(), &mail).await, (Reason::InvalidParams, Sent::No));
}

#[tokio::test]
async fn a_server_that_says_nothing_or_something_else_is_no_mail_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut greetings = [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""].into_iter();
        while let (Ok((mut stream, _)), Some(greeting)) = (listener.accept().await, greetings.next()) {
            stream.write_all(greeting).await.unwrap();
        }
    });
    let egress = SmtpEgress::new(Settings { resolve: vec![("mail.test".to_owned(), address)], ..settings(address) }).unwrap();
    for _ in 0..3 {
        assert_eq!(failure(&egress, &mail(Tls::Off)).await, (Reason::ConnectFailed, Sent::No));
    }
}

/// A server that says yes once too often, before TLS, as somebody in between could:
/// <https://nostarttls.secvuln.info/>
#[tokio::test]
async fn a_reply_too_many_is_never_taken_for_a_yes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tokio::io::BufStream::new(stream);
        stream.write_all(b"220 hello\r\n250 mail.test\r\n").await.unwrap();
        let mut said = Vec::new();
        loop {
            stream.flush().await.unwrap();
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return said;
            }
            let reply = if line.starts_with("DATA") { "354 go on\r\n" } else { "250 yes\r\n" };
            said.push(line);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    let egress = SmtpEgress::new(Settings { resolve: vec![("mail.test".to_owned(), address)], ..settings(address) }).unwrap();
    assert_eq!(failure(&egress, &mail(Tls::Off)).await, (Reason::UnexpectedAnswer, Sent::No));
    drop(egress);
    let said = server.await.unwrap();
    assert!(!said.iter().any(|line| line.contains("Subject")), "{said:?}");
}
