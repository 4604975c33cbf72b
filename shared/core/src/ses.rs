//! A mail that is to leave through Amazon SES. Plain data: who makes the message is a channel's business, who carries it the
//! port [`crate::ports::Ses`]'s.

use std::fmt;

/// A mail for SES. Prints no more than how many it is for: all else is a secret or somebody's address.
#[derive(Clone, PartialEq, Eq)]
pub struct SesMail {
    /// The region whose SES sends it; `None`: the one that this program runs in.
    pub region: Option<String>,
    /// The configuration set, if one is named.
    pub configuration_set: Option<String>,
    /// Tags, which SES hands on to whoever listens to its events.
    pub tags: Vec<(String, String)>,
    /// The envelope's sender: an address alone.
    pub from: String,
    /// The envelope's recipients: addresses alone.
    pub to: Vec<String>,
    /// The whole message as of RFC 5322, in ASCII: headers, blank line, body.
    pub message: Vec<u8>,
}

impl fmt::Debug for SesMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SesMail(to {}, {} bytes)", self.to.len(), self.message.len())
    }
}
