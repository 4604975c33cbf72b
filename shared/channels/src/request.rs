//! The request that most providers want: a POST of JSON.

use bellhop_core::channel::{Body, Method, Outgoing};
use serde_json::Value;

/// A POST of this JSON, of the type `application/json`.
pub(crate) fn post_json(url: String, body: &Value) -> Outgoing {
    post_json_as("application/json", url, body)
}

/// The same, for providers that want the type spelt their way.
pub(crate) fn post_json_as(content_type: &str, url: String, body: &Value) -> Outgoing {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Outgoing { method: Method::Post, url, headers, body: Body::Json(body.to_string()), proxy: None }
}
