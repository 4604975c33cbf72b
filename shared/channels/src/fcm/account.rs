//! A Google service account, and the statement by which it asks for a token.
//! <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bellhop_core::Timestamp;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use serde_json::json;

/// What a token is good for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// How long the statement is good, in seconds: as long as Google allows.
const LASTS: i64 = 3600;

/// The file that Google hands out, as far as it is needed. Prints nothing of itself.
#[derive(Deserialize)]
pub(super) struct Account {
    #[serde(rename = "type")]
    kind: String,
    pub(super) project_id: String,
    private_key_id: Option<String>,
    private_key: String,
    client_email: String,
    #[serde(default = "google")]
    pub(super) token_uri: String,
}

fn google() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

impl Account {
    /// Reads the file. Fails with what is wrong, without repeating it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let no_file = "it takes the whole JSON file of a service account's private key";
        let account: Self = serde_json::from_str(text).map_err(|_| no_file)?;
        match (account.kind.as_str(), account.token_uri.starts_with("https://")) {
            ("service_account", true) => Ok(account),
            ("service_account", false) => Err("its `token_uri` does not begin with `https://`; download the file again"),
            _ => Err(no_file),
        }
    }

    /// Its key, if it is one: reading it takes longer than all else.
    pub(super) fn key(&self) -> Result<RsaKeyPair, &'static str> {
        let no_key = "its `private_key` is no RSA key in PEM; download the file again";
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.private_key.as_bytes()).map_err(|_| no_key)?;
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| no_key)
    }

    /// The signed statement: a JWT with RS256.
    pub(super) fn assertion(&self, now: Timestamp) -> Result<String, &'static str> {
        let key = self.key()?;
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.private_key_id {
            header["kid"] = id.as_str().into();
        }
        let at = now.as_second();
        let claims = json!({
            "iss": self.client_email, "scope": SCOPE, "aud": self.token_uri, "iat": at, "exp": at + LASTS,
        });
        let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let mut signature = vec![0; key.public_modulus_len()];
        let failed = |_| "its `private_key` does not sign; download the file again";
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(failed)?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }
}
