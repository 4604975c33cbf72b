//! What an HTTP status means where the status is all that a receiver promises: a webhook's or a plain URL's.
//!
//! Standard Webhooks would retry everything but 2xx and 410. Here a 4xx other than 408, 409, 425 and 429 is final: it says
//! that the request itself is wrong, and the next one will be the same.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#interpreting-the-response>

use bellhop_core::{
    Reason, Retry, SendError, Timestamp,
    channel::{Reply, Step},
};

/// Done for 2xx, else a failure. The answer's body is not quoted: receivers like to repeat what they were sent, and no search
/// finds every spelling of a secret.
pub(crate) fn by_status(reply: &Reply, now: Timestamp) -> Step {
    let slow_down = || reply.retry_after(now).map_or(Retry::Later, Retry::After);
    let (reason, retry, advice) = match reply.status {
        200..=299 => return Step::Done,
        300..=399 => (Reason::Redirected, Retry::Never, "; redirects are not followed, so `url` has to be the final address"),
        401 | 403 => (Reason::Unauthorized, Retry::Never, "; look at the token, headers or secret of the registration"),
        408 | 409 | 425 => (Reason::ProviderError, Retry::Later, ""),
        410 => (Reason::Gone, Retry::Never, "; the address is gone for good"),
        429 => (Reason::RateLimited, slow_down(), ""),
        400..=499 => (Reason::Rejected, Retry::Never, ""),
        502..=504 => (Reason::ProviderError, slow_down(), ""),
        500..=599 => (Reason::ProviderError, Retry::Later, ""),
        _ => (Reason::UnexpectedAnswer, Retry::Later, ", which is no final HTTP status"),
    };
    let detail = format!("the receiver answered {}{advice}", reply.status);
    Step::Fail(SendError { dead_address: reason == Reason::Gone, ..SendError::new(reason, retry, detail) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failure(status: u16, retry_after: Option<&str>) -> SendError {
        let headers = retry_after.into_iter().map(|value| ("retry-after".to_owned(), value.to_owned())).collect();
        let reply = Reply { status, headers, body: b"sorry".to_vec() };
        match by_status(&reply, Timestamp::UNIX_EPOCH) {
            Step::Fail(error) => error,
            step => panic!("{status}: {step:?}"),
        }
    }

    #[test]
    fn a_status_decides_whether_to_try_again() {
        for (status, reason, retry) in [
            (100, Reason::UnexpectedAnswer, Retry::Later),
            (301, Reason::Redirected, Retry::Never),
            (307, Reason::Redirected, Retry::Never),
            (400, Reason::Rejected, Retry::Never),
            (401, Reason::Unauthorized, Retry::Never),
            (403, Reason::Unauthorized, Retry::Never),
            (404, Reason::Rejected, Retry::Never),
            (408, Reason::ProviderError, Retry::Later),
            (409, Reason::ProviderError, Retry::Later),
            (410, Reason::Gone, Retry::Never),
            (413, Reason::Rejected, Retry::Never),
            (425, Reason::ProviderError, Retry::Later),
            (429, Reason::RateLimited, Retry::Later),
            (500, Reason::ProviderError, Retry::Later),
            (503, Reason::ProviderError, Retry::Later),
            (599, Reason::ProviderError, Retry::Later),
        ] {
            let error = failure(status, None);
            assert_eq!((error.reason, error.retry, error.dead_address), (reason, retry, status == 410), "{status}");
            assert!(error.detail.contains(&status.to_string()) && !error.detail.contains("sorry"), "{}", error.detail);
        }
    }

    #[test]
    fn a_receiver_that_names_a_time_gets_its_way() {
        for status in [429, 502, 503, 504] {
            assert_eq!(failure(status, Some("7")).retry, Retry::After(Duration::from_secs(7)), "{status}");
            assert_eq!(failure(status, Some("soon")).retry, Retry::Later, "{status}");
        }
        assert_eq!(failure(500, Some("7")).retry, Retry::Later);
        assert_eq!(failure(404, Some("7")).retry, Retry::Never);
    }
}
