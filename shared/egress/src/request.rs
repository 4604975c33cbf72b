//! From what a channel wants said to the request that leaves. Pure.
//!
//! Promise: a URL that is valid leaves byte for byte; the body is the channel's. Left to others: whether the host may be
//! reached ([`crate::resolve`]).

use bellhop_core::{
    channel::{Body, Method, Outgoing},
    ports::TransportError,
};
use reqwest::{
    Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use url::{Url, form_urlencoded};

use crate::failure::invalid;

/// The request, or what keeps it from being one.
pub(crate) fn build(outgoing: &Outgoing) -> Result<Request, TransportError> {
    let method = match outgoing.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let mut headers = headers(&outgoing.headers)?;
    let (content_type, body) = match &outgoing.body {
        Body::Empty => (None, None),
        Body::Json(text) => (Some("application/json"), Some(text.clone().into())),
        Body::Form(pairs) => (Some("application/x-www-form-urlencoded"), Some(form(pairs).into())),
        Body::Raw(bytes) => (None, Some(bytes.clone().into())),
    };
    if let Some(content_type) = content_type {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    }
    // The client leaves it out where there is no body, and some servers then answer 411.
    // <https://www.rfc-editor.org/rfc/rfc9110#section-8.6-5>
    if body.is_none() && method != reqwest::Method::GET {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(method, url(&outgoing.url)?);
    *request.headers_mut() = headers;
    *request.body_mut() = body;
    Ok(request)
}

fn url(text: &str) -> Result<Url, TransportError> {
    let url = Url::parse(text).map_err(|error| invalid(format!("the URL cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("the URL has to begin with `http://` or `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the URL may not hold a user or password; put them into a header"));
    }
    Ok(url)
}

/// The tenant's headers, without those that say where a message ends.
pub(crate) fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).map_err(|_| invalid("a header's name has characters that names do not have"))?;
        // Where a message ends is not for a tenant to say: a wrong answer smuggles a second request into a proxy.
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(invalid(format!("the header `{name}` is set by the platform; remove it")));
        }
        let value = HeaderValue::from_bytes(value.as_bytes());
        let mut value = value.map_err(|_| invalid(format!("the header `{name}` has a line break or control character")))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>
fn form(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, ports::Sent};

    use super::*;

    fn outgoing(url: &str, headers: &[(&str, &str)], body: Body) -> Outgoing {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Outgoing { method: Method::Post, url: url.to_owned(), headers, body, proxy: None }
    }

    fn refused(url: &str, headers: &[(&str, &str)]) -> TransportError {
        build(&outgoing(url, headers, Body::Empty)).unwrap_err()
    }

    fn content_type(headers: &[(&str, &str)], body: Body) -> Option<String> {
        let request = build(&outgoing("https://x.example/", headers, body)).unwrap();
        request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_valid_url_stays_as_it_is() {
        for url in [
            "https://x.example/bot1:AA-b_c/sendMessage?t=a%26b%3Dc%20d%2F%C3%A9",
            "https://x.example/a%2Fb/c+d;e=f,g/~h!$&()*=@?q=%7e%E4%BD%A0&r=+&s=a:b/c?d&t",
            "http://x.example:8080//double//slash/",
        ] {
            assert_eq!(build(&outgoing(url, &[], Body::Empty)).unwrap().url().as_str(), url);
        }
    }

    #[test]
    fn what_is_no_plain_web_address_is_refused_before_anything_leaves() {
        for url in
            ["ftp://x.example/", "file:///etc/passwd", "x.example/a", "http://", "https://u@x.example/", "http://:p@x.example/"]
        {
            let error = refused(url, &[]);
            assert_eq!((error.reason, error.sent), (Reason::InvalidParams, Sent::No), "{url}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused_and_its_value_not_repeated() {
        for (name, value) in
            [("a b", "sekret"), ("x", "sekret\r\ny: z"), ("Content-Length", "sekret"), ("transfer-encoding", "sekret")]
        {
            let error = refused("https://x.example/", &[(name, value)]);
            assert_eq!((error.reason, error.sent), (Reason::InvalidParams, Sent::No), "{name}");
            assert!(!error.detail.contains("sekret"), "{}", error.detail);
        }
    }

    #[test]
    fn the_content_type_is_the_bodys_unless_the_channel_names_one() {
        let form = || Body::Form(vec![("a".to_owned(), "b".to_owned())]);
        let own = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(content_type(&[], Body::Json("{}".to_owned())).as_deref(), Some("application/json"));
        assert_eq!(content_type(&[], form()).as_deref(), Some("application/x-www-form-urlencoded"));
        assert_eq!(content_type(&[("Content-Type", own)], form()).as_deref(), Some(own));
        assert_eq!(content_type(&[("content-type", "text/json")], Body::Json("{}".to_owned())).as_deref(), Some("text/json"));
        assert_eq!(content_type(&[], Body::Raw(vec![1])), None);
        assert_eq!(content_type(&[], Body::Empty), None);
    }

    #[test]
    fn a_form_is_encoded_as_browsers_do() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form(&[pair("a b", "1&2=3"), pair("é", "+*~")]), "a+b=1%262%3D3&%C3%A9=%2B*%7E");
    }
}
