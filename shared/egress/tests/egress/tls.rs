//! Whom to trust.

use std::sync::Arc;

use bellhop_core::{Reason, ports::Sent};
use bellhop_egress::{HttpEgress, Settings, SettingsError};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::{answer, egress, failure, get, servers, servers::Then, settings};

/// Vouches for one name.
pub(crate) struct Authority(rcgen::CertifiedKey<rcgen::KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self(rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap())
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.cert.pem().into_bytes()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.0.signing_key.serialize_pem().into_bytes()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.0.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![self.0.cert.der().clone()], key).unwrap()))
    }
}

#[tokio::test]
async fn an_authority_that_the_operator_adds_is_trusted() {
    let authority = Authority::new("target.test");
    let server = servers::https(authority.acceptor(), Then::ok("hello")).await;
    let both = [Authority::new("other.test").pem(), authority.pem()].concat();
    let egress = egress(Settings { extra_ca: vec![both], ..settings(server.address) });
    assert_eq!(answer(&egress, &get("https://target.test/")).await.body, b"hello");
}

#[tokio::test]
async fn an_unknown_authority_is_a_failed_handshake_and_nothing_was_sent() {
    let server = servers::https(Authority::new("target.test").acceptor(), Then::ok("")).await;
    let egress = egress(settings(server.address));
    assert_eq!(failure(&egress, &get("https://target.test/")).await, (Reason::TlsFailed, Sent::No));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_failed_handshake() {
    let authority = Authority::new("other.test");
    let server = servers::https(authority.acceptor(), Then::ok("")).await;
    let egress = egress(Settings { extra_ca: vec![authority.pem()], ..settings(server.address) });
    assert_eq!(failure(&egress, &get("https://target.test/")).await, (Reason::TlsFailed, Sent::No));
}

#[tokio::test]
async fn a_server_that_hangs_up_on_the_handshake_is_a_failed_handshake() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut hello = [0; 1];
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(tokio::io::AsyncReadExt::read_exact(&mut stream, &mut hello).await);
            drop(tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let egress = egress(settings(address));
    assert_eq!(failure(&egress, &get("https://target.test/")).await, (Reason::TlsFailed, Sent::No));
}

#[tokio::test]
async fn a_file_without_a_certificate_is_refused_at_the_start() {
    let files = vec![Authority::new("a.test").pem(), b"no PEM at all".to_vec()];
    let error = HttpEgress::new(Settings { extra_ca: files, ..Settings::default() }).err();
    assert_eq!(error, Some(SettingsError::Certificate { number: 2 }));
}
