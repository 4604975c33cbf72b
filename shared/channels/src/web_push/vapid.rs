//! How a deployment shows a push service who it is: a statement for the service's origin, signed.
//!
//! Nothing is said of when it was made: a clock that is a little ahead would have it refused.
//! <https://www.rfc-editor.org/rfc/rfc8292>

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bellhop_core::{Reason, Retry, SendError, Timestamp, vapid::Sender};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde_json::json;
use url::Url;

use super::decoded;

/// For how long it is good, in seconds: half of what push services take.
const LASTS: i64 = 12 * 60 * 60;

/// The `authorization` for a request to that endpoint.
pub(super) fn authorization(sender: &Sender, endpoint: &str, now: Timestamp) -> Result<String, SendError> {
    let fails = |reason, detail: &str| SendError::new(reason, Retry::Never, detail);
    let endpoint = Url::parse(endpoint).map_err(|_| fails(Reason::InvalidParams, "`endpoint`: it is not a URL"))?;
    let key = decoded(sender.key.private.expose()).and_then(|bytes| SigningKey::from_slice(&bytes).ok());
    let key = key.ok_or_else(|| fails(Reason::Bug, "the deployment's key of Web Push is no key"))?;
    let claims = json!({
        "aud": endpoint.origin().ascii_serialization(),
        "exp": now.as_second() + LASTS,
        "sub": sender.contact.as_str(),
    });
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let header = json!({ "typ": "JWT", "alg": "ES256" });
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature: Signature = key.sign(signed.as_bytes());
    Ok(format!("vapid t={signed}.{}, k={}", encode(&signature.to_bytes()), sender.key.public))
}

#[cfg(test)]
mod tests {
    use bellhop_core::vapid::Contact;
    use p256::ecdsa::{VerifyingKey, signature::Verifier};
    use serde_json::Value;

    use super::*;
    use crate::sample;

    /// The claims of a token that this key has signed.
    fn verified(token: &str, key: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let key = VerifyingKey::from_sec1_bytes(&decoded(key)?).ok()?;
        key.verify(signed.as_bytes(), &Signature::from_slice(&decoded(signature)?).ok()?).ok()?;
        serde_json::from_slice(&decoded(signed.split_once('.')?.1)?).ok()
    }

    fn shown(endpoint: &str) -> (String, String) {
        let now = Timestamp::from_second(1_453_480_000).unwrap();
        let header = authorization(&sample::sender(), endpoint, now).unwrap();
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        (token.to_owned(), key.to_owned())
    }

    /// <https://www.rfc-editor.org/rfc/rfc8292#section-2.4>
    #[test]
    fn the_published_example_verifies() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6\
                     Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHz\
                     voD1oA";
        let key = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
        let claims = json!({ "aud": "https://push.example.net", "exp": 1_453_523_768, "sub": "mailto:push@example.com" });
        assert_eq!(verified(token, key), Some(claims));
        assert_eq!(verified(&token.replace("i3CYb", "i3CYc"), key), None);
    }

    #[test]
    fn a_statement_is_for_the_origin_alone_and_says_nothing_of_when_it_was_made() {
        let (token, key) = shown("https://PUSH.example.net:8443/push/S3cr3t?x#y");
        let claims = json!({
            "aud": "https://push.example.net:8443", "exp": 1_453_480_000 + 43_200, "sub": Contact::default().as_str(),
        });
        assert_eq!(verified(&token, &key), Some(claims));
        assert_eq!(key, sample::sender().key.public);
    }

    #[test]
    fn the_same_statement_is_signed_in_the_same_way() {
        assert_eq!(shown("https://push.example.net/a"), shown("https://push.example.net/b"));
    }
}
