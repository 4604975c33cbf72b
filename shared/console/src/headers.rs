//! What a browser is told with each page, and what it tells of where a form comes from.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

/// Nothing is loaded from anywhere else, and no script or style stands in a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On every answer. The referrer is told within the console alone, and not left out there: without it, a browser would not say
/// either from where a form comes. <https://fetch.spec.whatwg.org/#append-a-request-origin-header>
const ALWAYS: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
];

/// Lays the headers on whatever is answered. A page is in no cache, unless it says otherwise itself.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a form was sent by a page of ours, as far as the browser says. One that says nothing is none that could be misled.
pub(crate) fn is_of_our_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, host)| text("host") == Some(host)),
        (None, None) => true,
    }
}

/// Whether the browser came by TLS, perhaps to somebody before us. Only what a cookie is called hangs on it.
pub(crate) fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("bellhop.example:8080"));
        headers.extend(given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))));
        is_of_our_own(&headers)
    }

    #[test]
    fn a_form_of_another_site_is_known_by_what_the_browser_says() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]), "another host under the same name may be somebody else's");
        assert!(!own(&[("sec-fetch-site", "cross-site"), ("origin", "http://bellhop.example:8080")]));
    }

    #[test]
    fn an_old_browser_or_one_without_tls_says_the_origin() {
        assert!(own(&[("origin", "http://bellhop.example:8080")]));
        for other in
            ["http://evil.example", "http://bellhop.example", "null", "bellhop.example:8080", "x://y://bellhop.example:8080"]
        {
            assert!(!own(&[("origin", other)]), "{other}");
        }
    }

    #[test]
    fn a_program_that_is_no_browser_says_neither() {
        assert!(own(&[]));
    }
}
