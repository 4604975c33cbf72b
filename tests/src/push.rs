//! A push service, and the browser's half of a subscription, which reads what it is handed: with another library than ours.

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{Answer, Part};

/// A push service that takes everything, by the name `push`.
pub fn push_service() -> Part {
    Part { name: "push".into(), host: "push.example.net".into(), path: "/send/".into(), usually: Answer::status(201) }
}

/// A browser that has subscribed.
pub struct Subscriber {
    private: PrivateKey,
    auth: Vec<u8>,
}

impl Subscriber {
    /// With keys of its own.
    pub fn new() -> Self {
        let mut auth = vec![0; 16];
        rand::fill(&mut auth).unwrap();
        Self { private: PrivateKey::generate(&ECDH_P256).unwrap(), auth }
    }

    /// With these keys, in base64url.
    pub fn of(private: &str, auth: &str) -> Self {
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        Self { private: PrivateKey::from_private_key(&ECDH_P256, &bytes(private)).unwrap(), auth: bytes(auth) }
    }

    fn public(&self) -> Vec<u8> {
        self.private.compute_public_key().unwrap().as_ref().to_vec()
    }

    /// At [`push_service`], as the browser writes it for a server. <https://www.w3.org/TR/push-api/#dom-pushsubscription-tojson>
    pub fn subscription(&self) -> Value {
        let [p256dh, auth] = [&self.public(), &self.auth].map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        json!({ "endpoint": format!("https://push.example.net/send/{p256dh}"), "expirationTime": null, "keys": { "p256dh": p256dh, "auth": auth } })
    }

    /// What the browser's service worker is told. <https://www.rfc-editor.org/rfc/rfc8291#section-3>
    pub fn read(&self, body: &[u8]) -> String {
        let (salt, rest) = body.split_at(16);
        let (size_and_length, rest) = rest.split_at(5);
        assert_eq!(size_and_length, [0, 0, 16, 0, 65]);
        let (theirs, sealed) = rest.split_at(65);
        let agreed = |secret: &[u8]| Ok::<_, ()>(secret.to_vec());
        let shared = agree(&self.private, UnparsedPublicKey::new(&ECDH_P256, theirs), (), agreed).unwrap();
        let material = derived(&self.auth, &shared, &[b"WebPush: info\0", &self.public(), theirs], 32);
        let key = derived(salt, &material, &[b"Content-Encoding: aes128gcm\0"], 16);
        let nonce = derived(salt, &material, &[b"Content-Encoding: nonce\0"], 12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).unwrap();
        let plain = key.open_in_place(nonce, Aad::empty(), &mut sealed).unwrap();
        let (last, plain) = plain.split_last().unwrap();
        assert_eq!(*last, 2, "the last record");
        String::from_utf8(plain.to_vec()).unwrap()
    }
}

impl Default for Subscriber {
    fn default() -> Self {
        Self::new()
    }
}

/// As long as HKDF is asked for.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derived(salt: &[u8], secret: &[u8], info: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    Salt::new(HKDF_SHA256, salt).extract(secret).expand(info, Length(length)).unwrap().fill(&mut out).unwrap();
    out
}
