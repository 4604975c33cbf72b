//! What can go wrong, in closed lists: [`Code`] for callers, [`Reason`] for deliveries, [`Retry`] for what to do next.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Declares an enum of stable `snake_case` words, so that the list exists once.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// Every word there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                let found = Self::ALL.iter().copied().find(|known| known.as_str() == word);
                found.ok_or_else(|| serde::de::Error::custom(format!("`{word}` is not a known word")))
            }
        }
    };
}

words! {
    /// Why a request was refused. Each has a section of its name in `docs/errors.md`.
    Code {
        /// The body is not JSON.
        MalformedJson => "malformed_json",
        /// The body is not of a type we read.
        UnsupportedMediaType => "unsupported_media_type",
        /// A field that we do not know.
        UnknownField => "unknown_field",
        /// A field that must be there is not.
        MissingField => "missing_field",
        /// A field has a value that it cannot have.
        InvalidField => "invalid_field",
        /// A name has characters that names do not have.
        InvalidName => "invalid_name",
        /// Not base64.
        InvalidBase64 => "invalid_base64",
        /// The body is larger than we take.
        BodyTooLarge => "body_too_large",
        /// The picture is larger than we take.
        PictureTooLarge => "picture_too_large",
        /// More items than one request may have.
        TooManyItems => "too_many_items",
        /// A query parameter has a value that it cannot have.
        InvalidQuery => "invalid_query",
        /// The cursor is not one of ours.
        InvalidCursor => "invalid_cursor",
        /// Nobody of that name.
        UnknownRecipient => "unknown_recipient",
        /// No registration takes raw addresses of that kind.
        NoDefaultRegistration => "no_default_registration",
        /// A contact has no address that any registration is for.
        NoAddress => "no_address",
        /// No such channel.
        UnknownChannel => "unknown_channel",
        /// A channel parameter is missing or has a value that it cannot have.
        InvalidParams => "invalid_params",
        /// A registration did not pass the test on which saving it depends.
        TestFailed => "test_failed",
        /// A per-message option that may not be set there.
        InvalidOption => "invalid_option",
        /// The idempotency key is not usable.
        InvalidIdempotencyKey => "invalid_idempotency_key",
        /// The same idempotency key came with another body.
        IdempotencyMismatch => "idempotency_mismatch",
        /// No valid key.
        Unauthorized => "unauthorized",
        /// The key lacks the scope, or a report the hook's token.
        Forbidden => "forbidden",
        /// No such object in this account.
        NotFound => "not_found",
        /// No such method on that path.
        MethodNotAllowed => "method_not_allowed",
        /// The object is not in a state for that.
        Conflict => "conflict",
        /// The account has as many of these as it may.
        QuotaExceeded => "quota_exceeded",
        /// More requests than the account may make.
        RateLimited => "rate_limited",
        /// We cannot keep it now; the same request may be sent again.
        Unavailable => "unavailable",
        /// Our own fault.
        Internal => "internal",
    }
}

impl Code {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::MalformedJson => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::QuotaExceeded => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::BodyTooLarge | Self::PictureTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::UnknownField
            | Self::MissingField
            | Self::InvalidField
            | Self::InvalidName
            | Self::InvalidBase64
            | Self::TooManyItems
            | Self::InvalidQuery
            | Self::InvalidCursor
            | Self::UnknownRecipient
            | Self::NoDefaultRegistration
            | Self::NoAddress
            | Self::UnknownChannel
            | Self::InvalidParams
            | Self::TestFailed
            | Self::InvalidOption
            | Self::InvalidIdempotencyKey
            | Self::IdempotencyMismatch => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// A short name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not JSON",
            Self::UnsupportedMediaType => "The body is of a type that is not read here",
            Self::UnknownField => "Unknown field",
            Self::MissingField => "A field is missing",
            Self::InvalidField => "A field has a wrong value",
            Self::InvalidName => "Not a name",
            Self::InvalidBase64 => "Not base64",
            Self::BodyTooLarge => "The body is too large",
            Self::PictureTooLarge => "The picture is too large",
            Self::TooManyItems => "Too many items",
            Self::InvalidQuery => "A query parameter has a wrong value",
            Self::InvalidCursor => "Not a cursor",
            Self::UnknownRecipient => "Unknown recipient",
            Self::NoDefaultRegistration => "No registration takes this address",
            Self::NoAddress => "The contact cannot be reached",
            Self::UnknownChannel => "Unknown channel",
            Self::InvalidParams => "A channel parameter has a wrong value",
            Self::TestFailed => "The test was not delivered",
            Self::InvalidOption => "An option may not be set here",
            Self::InvalidIdempotencyKey => "Not an idempotency key",
            Self::IdempotencyMismatch => "The idempotency key was used with another body",
            Self::Unauthorized => "A valid key is needed",
            Self::Forbidden => "What was shown does not allow this",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Not possible in this state",
            Self::QuotaExceeded => "The account has as many as it may",
            Self::RateLimited => "Too many requests",
            Self::Unavailable => "Not available now",
            Self::Internal => "Internal error",
        }
    }
}

/// A refused request: a stable code, a sentence, and the field if there is one. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// What kind of refusal.
    pub code: Code,
    /// A sentence for people: what is wrong and what to do.
    pub detail: String,
    /// The field, as a path such as `events[3].result`.
    pub field: Option<String>,
    /// When to try again, for 429 and 503.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A refusal of the whole request.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, retry_after_s: None }
    }

    /// A refusal because of one field.
    pub fn field(code: Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(code, detail) }
    }

    /// The same, with the field seen from outside: `title` under `events[3]` is `events[3].title`.
    #[must_use]
    pub fn under(mut self, outer: &str) -> Self {
        self.field = Some(match self.field {
            Some(inner) => format!("{outer}.{inner}"),
            None => outer.to_owned(),
        });
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed a request");
        match error {
            StoreError::Unavailable(_) => Self {
                retry_after_s: Some(1),
                ..Self::new(Code::Unavailable, "the store did not answer; send the same request again")
            },
            StoreError::Corrupt(_) => Self::new(Code::Internal, "a stored object cannot be read; the operator's log says which"),
        }
    }
}

/// A store that could not do its work. The text is for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing is wrong with the request; whether it took effect is unknown.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be read.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}

words! {
    /// Why an attempt or a delivery ended as it did: the label on metrics, the word in logs and answers.
    Reason {
        /// No answer in time.
        Timeout => "timeout",
        /// No connection came about.
        ConnectFailed => "connect_failed",
        /// The host name has no address.
        DnsFailed => "dns_failed",
        /// The TLS handshake failed.
        TlsFailed => "tls_failed",
        /// The proxy refused or did not answer.
        ProxyFailed => "proxy_failed",
        /// The connection broke before the answer was whole.
        ConnectionLost => "connection_lost",
        /// The address may not be dialled from here.
        BlockedAddress => "blocked_address",
        /// The answer was a redirect, which is not followed.
        Redirected => "redirected",
        /// The provider asks to slow down.
        RateLimited => "rate_limited",
        /// The registration's turn has not come: its provider takes so many messages in a time, and no more.
        Paced => "paced",
        /// The provider asked the registration to slow down, and nothing is sent before that time is over.
        Paused => "paused",
        /// The provider has a fault of its own.
        ProviderError => "provider_error",
        /// The provider refuses the credentials.
        Unauthorized => "unauthorized",
        /// The provider refuses the message.
        Rejected => "rejected",
        /// The address is dead.
        Gone => "gone",
        /// The answer is not what the provider documents.
        UnexpectedAnswer => "unexpected_answer",
        /// The registration's parameters do not make a request.
        InvalidParams => "invalid_params",
        /// Nobody knows whether the last attempt arrived.
        OutcomeUnknown => "outcome_unknown",
        /// The worker died or gave up too often.
        DeadLetter => "dead_letter",
        /// What the message needs could not be read from the store.
        StoreFailed => "store_failed",
        /// Another sender is fetching the provider's token.
        TokenPending => "token_pending",
        /// A panic in our own code.
        Bug => "bug",
        /// The registration was deleted in the meantime.
        RegistrationDeleted => "registration_deleted",
        /// The registration is switched off.
        RegistrationDisabled => "registration_disabled",
        /// The registration is on another channel now than when the delivery was planned.
        ChannelChanged => "channel_changed",
        /// The registration's channel is not deployed here.
        ChannelNotDeployed => "channel_not_deployed",
        /// The rule does not tell of such runs.
        NotifySwitchedOff => "notify_switched_off",
        /// The source is switched off for all rules.
        SourceSwitchedOff => "source_switched_off",
        /// Not enough failures in a row.
        BelowFailureThreshold => "below_failure_threshold",
        /// The rule tells of failures in a row once, and has.
        AlreadyTold => "already_told",
        /// The rule names somebody who is not there.
        UnknownRecipient => "unknown_recipient",
        /// The rule names a contact without an address that any registration is for.
        NoAddress => "no_address",
        /// The event reaches as many as it may, and the rule names more.
        TooManyRecipients => "too_many_recipients",
        /// The client has it and has not acknowledged it yet.
        Unacknowledged => "unacknowledged",
        /// The client gets its messages in order, and has not acknowledged one before it.
        BehindAnother => "behind_another",
        /// The client is not connected.
        NotConnected => "not_connected",
        /// The client did not acknowledge it for as long as messages are kept for it.
        Expired => "expired",
        /// Too many messages wait for the client.
        ClientQueueFull => "client_queue_full",
        /// Planned, but never queued: its request was never answered.
        NotAccepted => "not_accepted",
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// By the general schedule.
    Later,
    /// Not before this much time has passed: the provider's own word.
    After(Duration),
}

/// A provider's refusal, as a channel understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// Why.
    pub reason: Reason,
    /// What next.
    pub retry: Retry,
    /// The provider's words or ours; never a secret.
    pub detail: String,
    /// This address is dead: switch the registration off.
    pub dead_address: bool,
}

impl SendError {
    /// A refusal that keeps the registration as it is.
    pub fn new(reason: Reason, retry: Retry, detail: impl Into<String>) -> Self {
        Self { reason, retry, detail: detail.into(), dead_address: false }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_is_there_once_and_reads_back() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for reason in Reason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), *reason);
        }
    }

    #[test]
    fn a_field_is_seen_from_outside() {
        let problem = Problem::field(Code::InvalidField, "result", "x").under("events[3]");
        assert_eq!(problem.field.as_deref(), Some("events[3].result"));
        assert_eq!(Problem::new(Code::NotFound, "x").under("to").field.as_deref(), Some("to"));
    }
}
