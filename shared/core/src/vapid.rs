//! The key by which push services know a deployment: one for all accounts, made once. <https://www.rfc-editor.org/rfc/rfc8292>
//!
//! Browsers bind a subscription to its public part, so that nobody else can use it, and no other key later on. Promise: the
//! private part is never printed. Left to others: making and keeping it ([`crate::ports::Vapid`]), signing with it (the
//! channel).

use std::fmt;

use crate::token::Secret;

/// The channel by whose data key it is sealed.
pub const CHANNEL: &str = "web_push";

/// A key on the curve P-256, both parts in base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VapidKey {
    /// The number, 32 bytes.
    pub private: Secret,
    /// The point that belongs to it, 65 bytes: what a browser calls `applicationServerKey`.
    pub public: String,
}

/// To whom push services turn who have trouble with what is sent: a `mailto:` or `https:` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact(String);

impl Contact {
    /// Reads one; else what it takes.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let address = text.strip_prefix("mailto:").filter(|address| address.contains('@'));
        let rest = address.or_else(|| text.strip_prefix("https://"));
        let fits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
        if rest.is_some_and(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("it takes `mailto:` and a mail address, or a URL that begins with `https://`")
        }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Contact {
    /// Nobody: Apple's push service refuses those who name none.
    fn default() -> Self {
        Self("mailto:nobody@example.com".to_owned())
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As whom a deployment sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its key.
    pub key: VapidKey,
    /// Who runs it.
    pub contact: Contact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_a_mail_address_or_an_https_url() {
        for good in ["mailto:ops@example.com", "https://example.com/contact"] {
            assert_eq!(Contact::parse(good).map(|contact| contact.to_string()), Ok(good.to_owned()));
        }
        for bad in
            ["", "ops@example.com", "mailto:", "mailto:ops", "https://", "http://example.com", "mailto:a@b c", "https://a\nb"]
        {
            assert!(Contact::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_prints_its_public_part_alone() {
        let key = VapidKey { private: Secret::new("S3cr3t"), public: "BPublic".to_owned() };
        let printed = format!("{key:?}");
        assert!(printed.contains("BPublic") && !printed.contains("S3cr3t"), "{printed}");
    }
}
