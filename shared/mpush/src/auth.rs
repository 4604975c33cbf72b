//! Who asks: the account by its token, and a client by what AUTH gave it.
//!
//! What AUTH gives is a JWT, as Mpush's, which clients hand back without looking into it; it is signed with what we keep of the
//! account's token, so that it ends when the token does. <https://www.rfc-editor.org/rfc/rfc7519>

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bellhop_core::{
    StoreError, Timestamp,
    model::{Account, AccountId, Name},
};
use bellhop_http::key::hash_secret;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Command, Mpush};

/// Why somebody is not listened to.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// In words.
    Info(String),
    /// In AUTH's own.
    Auth {
        /// 401 or 403.
        code: u16,
        /// Why.
        msg: String,
    },
}

impl Refusal {
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self::Info(text.into())
    }

    pub(crate) fn forbidden(msg: impl Into<String>) -> Self {
        Self::Auth { code: 403, msg: msg.into() }
    }

    /// Nobody knows who that is yet.
    pub(crate) fn need_auth() -> Self {
        Self::Auth { code: 401, msg: "Need Auth".to_owned() }
    }

    /// The packet that says it.
    pub fn packet(&self) -> Value {
        match self {
            Self::Info(text) => crate::info(text.as_str()),
            Self::Auth { code, msg } => json!({ "cmd": "AUTH", "data": { "code": code, "msg": msg } }),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Info(bellhop_core::Problem::from(error).detail)
    }
}

impl From<bellhop_core::Problem> for Refusal {
    fn from(problem: bellhop_core::Problem) -> Self {
        Self::Info(problem.detail)
    }
}

/// Who AUTH said that somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Under which name.
    pub name: Name,
    /// With which others; empty if with none.
    #[serde(default)]
    pub group: String,
    /// When, in seconds since 1970.
    pub iat: i64,
    /// Whose client.
    pub account: AccountId,
}

impl Mpush {
    /// The account of a request that shows this token, or none.
    pub async fn account_of_request(&self, token: Option<&str>) -> Result<Arc<Account>, Refusal> {
        if let Some(account) = self.by_token(token).await? {
            return Ok(account);
        }
        let own = self.without_token().await?.filter(|account| !account.mpush.http_verify_token);
        own.ok_or_else(|| Refusal::info("Authorization verify error: show the token in the header `authorization`"))
    }

    /// The account of a request that shows this token, or none, and this packet.
    pub async fn account_of_packet(&self, token: Option<&str>, packet: &Command) -> Result<Arc<Account>, Refusal> {
        if let Some(auth) = &packet.auth
            && let Some(said) = self.proven(auth).await?
        {
            return Ok(self.api.account(&said.account).await?);
        }
        self.account_of_request(token.or(packet.text("token"))).await
    }

    /// The account of a connection that shows this token, or none.
    pub(crate) async fn account_of_connection(&self, token: Option<&str>) -> Result<Arc<Account>, Refusal> {
        if let Some(account) = self.by_token(token).await? {
            return Ok(account);
        }
        let own = self.without_token().await?.filter(|account| !account.mpush.ws_verify_token);
        own.ok_or_else(|| Refusal::forbidden("Token invalid"))
    }

    /// The account that the operator has named for those without a token, if it wants to be reached.
    pub async fn without_token(&self) -> Result<Option<Arc<Account>>, StoreError> {
        let Some(id) = &self.account else { return Ok(None) };
        let account = self.api.account(id).await?;
        Ok(Some(account).filter(|account| account.mpush.token_hash.is_some()))
    }

    async fn by_token(&self, token: Option<&str>) -> Result<Option<Arc<Account>>, StoreError> {
        let Some(hash) = token.map(hash_secret) else { return Ok(None) };
        let Some(id) = self.api.ports.clients.account_of(&hash).await? else { return Ok(None) };
        let account = self.api.account(&id).await?;
        let has_it = account.mpush.token_hash.as_ref().is_some_and(|kept| bool::from(kept.as_bytes().ct_eq(hash.as_bytes())));
        Ok(Some(account).filter(|account| has_it && account.deleted_at.is_none()))
    }

    /// Whoever hands this back is who AUTH said.
    pub(crate) async fn proven(&self, jwt: &str) -> Result<Option<Said>, StoreError> {
        let Some((head, signature)) = jwt.rsplit_once('.') else { return Ok(None) };
        let claims = head.split_once('.').and_then(|(_, claims)| BASE64.decode(claims).ok());
        let Some(said) = claims.and_then(|claims| serde_json::from_slice::<Said>(&claims).ok()) else { return Ok(None) };
        let account = self.api.account(&said.account).await?;
        let key = account.mpush.token_hash.as_deref().filter(|_| account.deleted_at.is_none());
        let expected = key.map(|key| sign(head, key));
        let is_ours = expected.is_some_and(|expected| bool::from(expected.as_bytes().ct_eq(signature.as_bytes())));
        Ok(Some(said).filter(|_| is_ours))
    }
}

/// What AUTH gives to somebody of that account.
pub(crate) fn granted(account: &Account, name: &Name, group: &str, now: Timestamp) -> String {
    let said = Said { name: name.clone(), group: group.to_owned(), iat: now.as_second(), account: account.id.clone() };
    let part = |value: String| BASE64.encode(value);
    let head = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned()), part(json!(said).to_string()));
    let signature = sign(&head, account.mpush.token_hash.as_deref().unwrap_or_default());
    format!("{head}.{signature}")
}

fn sign(head: &str, key: &str) -> String {
    // a key of any length will do
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(head.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}
