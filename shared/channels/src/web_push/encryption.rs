//! Encryption for one browser: a key of the moment agrees with the browser's on what nobody else knows.
//! <https://www.rfc-editor.org/rfc/rfc8291>, <https://www.rfc-editor.org/rfc/rfc8188>

use aes_gcm::{Aes128Gcm, KeyInit, aead::Aead};
use bellhop_core::{Reason, Retry, SendError, channel::Context};
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};

use super::decoded;
use crate::sign::hmac_sha256;

/// The longest body that every push service takes, and the length of its one record.
/// <https://www.rfc-editor.org/rfc/rfc8291#section-4>
const BODY: u32 = 4096;

/// Before the ciphertext: salt, record size, and the public key with its length.
const HEADER: usize = 16 + 4 + 1 + 65;

/// Behind the text: a sign that this record is the last, and a tag.
const BEHIND: usize = 1 + 16;

/// The longest text.
pub(super) const MOST: usize = BODY as usize - HEADER - BEHIND;

/// Whom a message is for.
pub(super) struct Subscription {
    pub(super) public: PublicKey,
    pub(super) auth: [u8; 16],
}

impl Subscription {
    /// The point of a browser's public key.
    pub(super) fn point(bytes: &[u8]) -> Option<PublicKey> {
        PublicKey::from_sec1_bytes(bytes).ok().filter(|_| bytes.len() == 65)
    }
}

/// What is new with each message.
pub(super) struct Ephemeral {
    private: SecretKey,
    salt: [u8; 16],
}

impl Ephemeral {
    /// Of the context's chance, or what a dry run wants to see.
    pub(super) fn of(cx: &Context) -> Result<Self, SendError> {
        let unusable = || SendError::new(Reason::Bug, Retry::Later, "no key could be made for this message");
        let private = match cx.fixed("as_private") {
            Some(fixed) => decoded(fixed).and_then(|bytes| SecretKey::from_slice(&bytes).ok()),
            // one in four thousand million numbers is no key
            None => (0..=u8::MAX).find_map(|turn| SecretKey::from_slice(&random(cx, "as_private", turn)).ok()),
        };
        let salt = match cx.fixed("salt") {
            Some(fixed) => decoded(fixed).and_then(|bytes| bytes.try_into().ok()),
            None => random(cx, "salt", 0).first_chunk().copied(),
        };
        Ok(Self { private: private.ok_or_else(unusable)?, salt: salt.ok_or_else(unusable)? })
    }
}

fn random(cx: &Context, name: &str, turn: u8) -> [u8; 32] {
    Sha256::new().chain_update(cx.chance.to_be_bytes()).chain_update(name).chain_update([turn]).finalize().into()
}

/// What both sides make of the secret that they share: HKDF's steps as the RFC writes them out, since each output is one
/// block. <https://www.rfc-editor.org/rfc/rfc8291#section-3.4>
fn keying_material(shared: &[u8], to: &Subscription, public: &[u8]) -> [u8; 32] {
    let browsers = p256::Sec1Point::from(&to.public);
    let key = hmac_sha256(&to.auth, &[shared]);
    hmac_sha256(&key, &[b"WebPush: info\0", browsers.as_bytes(), public, &[1]])
}

/// The blocks with which key and nonce begin. <https://www.rfc-editor.org/rfc/rfc8188#section-2.2>
fn key_and_nonce(material: &[u8; 32], salt: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    let key = hmac_sha256(salt, &[material]);
    let block = |info: &[u8]| hmac_sha256(&key, &[info, b"\0\x01"]);
    (block(b"Content-Encoding: aes128gcm"), block(b"Content-Encoding: nonce"))
}

/// The body of a request, with `plain` as its one record.
pub(super) fn encrypt(to: &Subscription, new: &Ephemeral, plain: &[u8]) -> Result<Vec<u8>, SendError> {
    if plain.len() > MOST {
        let detail = format!("{} bytes are left of the message without its text, and push services take {MOST}", plain.len());
        return Err(SendError::new(Reason::Rejected, Retry::Never, detail));
    }
    let public = p256::Sec1Point::from(&new.private.public_key());
    let shared = new.private.diffie_hellman(&to.public);
    let material = keying_material(shared.raw_secret_bytes(), to, public.as_bytes());
    let (key, nonce) = key_and_nonce(&material, &new.salt);
    let sealed = seal(&key, &nonce, &[plain, &[2]].concat());
    let sealed = sealed.ok_or_else(|| SendError::new(Reason::Bug, Retry::Never, "the message could not be encrypted"))?;
    Ok([&new.salt[..], &BODY.to_be_bytes(), &[65], public.as_bytes(), &sealed].concat())
}

fn seal(key: &[u8; 32], nonce: &[u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
    let (key, nonce) = (key.first_chunk::<16>()?, nonce.first_chunk::<12>()?);
    Aes128Gcm::new(key.into()).encrypt(nonce.into(), plain).ok()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use super::*;
    use crate::sample;

    fn bytes(text: &str) -> Vec<u8> {
        decoded(text).unwrap()
    }

    fn browser() -> Subscription {
        let public = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap();
        Subscription { public: Subscription::point(&bytes(public)).unwrap(), auth }
    }

    fn ephemeral() -> Ephemeral {
        let private = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        Ephemeral { private, salt: bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap() }
    }

    /// <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>
    #[test]
    fn the_published_example_is_met_step_by_step() {
        let (browser, ephemeral) = (browser(), ephemeral());
        let public = p256::Sec1Point::from(&ephemeral.private.public_key());
        let shared = ephemeral.private.diffie_hellman(&browser.public);
        let material = keying_material(shared.raw_secret_bytes(), &browser, public.as_bytes());
        let (key, nonce) = key_and_nonce(&material, &ephemeral.salt);
        let shown = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(shown(shared.raw_secret_bytes()), "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        assert_eq!(shown(&material), "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg");
        assert_eq!(shown(&key[..16]), "oIhVW04MRdy2XN9CiKLxTg");
        assert_eq!(shown(&nonce[..12]), "4h_95klXJ5E_qnoN");
        let body = encrypt(&browser, &ephemeral, b"When I grow up, I want to be a watermelon").unwrap();
        assert_eq!(
            shown(&body),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7\
             A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_longest_text_makes_the_longest_body_and_a_longer_one_none() {
        let body = |length: usize| encrypt(&browser(), &ephemeral(), &vec![b'a'; length]);
        assert_eq!((MOST, body(MOST).unwrap().len()), (3993, 4096));
        assert_eq!(body(MOST + 1).unwrap_err().retry, Retry::Never);
    }

    #[test]
    fn every_message_has_a_key_and_a_salt_of_its_own() {
        let new = |chance| Ephemeral::of(&Context { chance, ..sample::context() }).unwrap();
        assert!(new(1).private != new(2).private && new(1).salt != new(2).salt);
        assert!(new(1).private == new(1).private && new(1).salt == new(1).salt);
    }

    #[test]
    fn what_is_no_point_on_the_curve_is_refused() {
        let good = p256::Sec1Point::from(&browser().public);
        let mut off = good.as_bytes().to_vec();
        off[64] ^= 1;
        for bad in [&off[..], &good.as_bytes()[..64], &[0], &[4; 65], &[]] {
            assert!(Subscription::point(bad).is_none(), "{} bytes", bad.len());
        }
    }
}
