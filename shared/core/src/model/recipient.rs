//! Who is to hear of it, as a caller writes it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Name, NameError};

/// `phone`, `group:ops`, `contact:alice` or a raw address such as `email:a@example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// One registration by its name.
    Registration(Name),
    /// Every registration that names this group.
    Group(Name),
    /// A person with addresses.
    Contact(Name),
    /// An address without a person.
    Address(Address),
}

/// A person's address on a channel that serves many people with one app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Which kind of channel can reach it.
    pub kind: AddressKind,
    /// The address, as that channel writes it.
    pub value: String,
}

/// The kinds of address that can be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// `email:a@example.org`
    Email,
    /// `sms:+8613800000000`
    Sms,
    /// `wecom:zhangsan`, a WeCom user id
    Wecom,
    /// `feishu:ou_…`, a Feishu open id
    Feishu,
}

impl AddressKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [Self::Email, Self::Sms, Self::Wecom, Self::Feishu];

    /// The prefix that announces it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Wecom => "wecom",
            Self::Feishu => "feishu",
        }
    }
}

/// The text is not a recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// A name in it is not a name.
    #[error("`{0}`: {NameError}")]
    Name(String),
    /// The address after the prefix is missing or too long.
    #[error("an address has 1 to 254 characters without spaces or control characters")]
    Address,
    /// The prefix is none of ours.
    #[error("`{0}:` is not a kind of recipient; use a name, `group:`, `contact:`, `email:`, `sms:`, `wecom:` or `feishu:`")]
    Kind(String),
}

impl FromStr for Address {
    type Err = RecipientError;
    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let (prefix, value) = text.split_once(':').unwrap_or((text, ""));
        let kind = AddressKind::ALL.into_iter().find(|kind| kind.as_str() == prefix);
        let kind = kind.ok_or_else(|| RecipientError::Kind(prefix.chars().take(32).collect()))?;
        Self::parse(kind, value)
    }
}

impl Address {
    /// An address of that kind.
    pub fn parse(kind: AddressKind, value: &str) -> Result<Self, RecipientError> {
        let fits = (1..=254).contains(&value.chars().count()) && !value.chars().any(|c| c.is_control() || c.is_whitespace());
        if fits { Ok(Self { kind, value: value.to_owned() }) } else { Err(RecipientError::Address) }
    }
}

impl FromStr for Recipient {
    type Err = RecipientError;
    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let name = |name: &str| Name::parse(name).map_err(|_| RecipientError::Name(name.chars().take(80).collect()));
        match text.split_once(':') {
            None => name(text).map(Self::Registration),
            Some(("group", rest)) => name(rest).map(Self::Group),
            Some(("contact", rest)) => name(rest).map(Self::Contact),
            Some(_) => text.parse().map(Self::Address),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.value)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registration(name) => name.fmt(f),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Contact(name) => write!(f, "contact:{name}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(Address, Recipient);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_its_text() {
        for text in
            ["phone", "group:ops", "contact:alice", "email:a@example.org", "sms:+8613800000000", "wecom:zs", "feishu:ou_1"]
        {
            assert_eq!(text.parse::<Recipient>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_recipient_is_refused_with_the_reason() {
        assert_eq!("a/b".parse::<Recipient>(), Err(RecipientError::Name("a/b".into())));
        assert_eq!("group:".parse::<Recipient>(), Err(RecipientError::Name(String::new())));
        assert_eq!("email:".parse::<Recipient>(), Err(RecipientError::Address));
        assert_eq!("email:a\r\nb".parse::<Recipient>(), Err(RecipientError::Address));
        assert_eq!("https://x".parse::<Recipient>(), Err(RecipientError::Kind("https".into())));
    }
}
