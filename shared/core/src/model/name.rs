//! Names that people give, and names that code gives.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};

/// The text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 characters: letters and digits of any script, `_` and `-`")]
pub struct NameError;

/// What an account calls a registration, group, rule or contact: 1–64 letters and digits of any script, `_`, `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(Arc<str>);

impl Name {
    /// Parses; the only way to make one.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let length = text.chars().count();
        let fits = (1..=64).contains(&length) && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if fits { Ok(Self(text.into())) } else { Err(NameError) }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A tenant. Owns everything else; nothing of one account is visible to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
pub struct AccountId(Name);

impl AccountId {
    /// An account is named like everything else.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Name::parse(text).map(Self)
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A way to deliver, by the id in its `SPEC`: `webhook`, `custom` …
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// Whether a channel of this name exists is the catalog's knowledge, not this type's.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_letters_and_digits_of_any_script() {
        for good in ["phone", "值班-1", "ночь_2", "a", &"x".repeat(64)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_name_with_anything_else_is_refused() {
        for bad in ["", "a/b", "a b", "a.b", "group:x", "a\n", "😀", &"x".repeat(65)] {
            assert_eq!(Name::parse(bad), Err(NameError), "{bad}");
        }
    }
}
