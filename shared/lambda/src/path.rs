//! The path of a request as its caller wrote it.
//!
//! API Gateway hands over a path with its escapes decoded, and `lambda_http` reads that as a URL: a `?` or `#` that was
//! escaped would begin a query or a fragment, and `/v1/registrations/a%23b` would act on `a`. Promise: the router sees the path
//! that was asked for. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use axum::http::{Uri, uri::PathAndQuery};
use lambda_http::{Request, RequestExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a path. <https://www.rfc-editor.org/rfc/rfc3986#section-3.3>
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The same request with its own path.
pub(crate) fn restored(mut request: Request) -> Request {
    let decoded = request.raw_http_path();
    if let Some(uri) = uri(decoded, request.uri().query()) {
        *request.uri_mut() = uri;
    }
    request
}

/// `None`: there is no path to restore.
fn uri(decoded: &str, query: Option<&str>) -> Option<Uri> {
    if decoded.is_empty() {
        return None;
    }
    let path = utf8_percent_encode(decoded, ENCODED).to_string();
    // what stands behind a `?` or `#` of the path was taken for the query; no route has such a path and a query
    let whole = match query.filter(|_| !decoded.contains(['?', '#'])) {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    Some(Uri::from(PathAndQuery::try_from(whole).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(decoded: &str, query: Option<&str>) -> String {
        uri(decoded, query).unwrap().to_string()
    }

    #[test]
    fn what_was_decoded_is_encoded_again() {
        assert_eq!(restored("/v1/registrations/值班", None), "/v1/registrations/%E5%80%BC%E7%8F%AD");
        assert_eq!(
            restored("/v1/registrations/a b%2F", Some("limit=1&state=%66ailed")),
            "/v1/registrations/a%20b%252F?limit=1&state=%66ailed"
        );
        assert_eq!(restored("/a\"<>\\^`{|}", None), "/a%22%3C%3E%5C%5E%60%7B%7C%7D");
    }

    #[test]
    fn a_question_mark_or_hash_of_the_path_begins_nothing() {
        assert_eq!(restored("/v1/registrations/slow#x", None), "/v1/registrations/slow%23x");
        assert_eq!(restored("/v1/registrations/q1?", Some("?a=b")), "/v1/registrations/q1%3F");
    }

    #[test]
    fn an_ordinary_path_stays_as_it_is() {
        assert_eq!(restored("/v1/deliveries/dlv_1:retry", Some("a=b")), "/v1/deliveries/dlv_1:retry?a=b");
    }
}
