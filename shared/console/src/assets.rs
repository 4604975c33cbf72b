//! The stylesheet and the scripts. Their addresses change with what is in them, so that browsers may keep them.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderName, header},
    routing::get,
};
use bellhop_http::key::sha256_hex;

use crate::Console;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("console.js");
const BROWSER: &str = include_str!("pages/browser.js");

/// A year.
const KEPT: &str = "public, max-age=31536000, immutable";

/// Where a page finds its style.
pub(crate) static STYLE_AT: LazyLock<String> = LazyLock::new(|| address("/console/style.css", STYLE));

/// Where a page finds its script.
pub(crate) static SCRIPT_AT: LazyLock<String> = LazyLock::new(|| address("/console/console.js", SCRIPT));

/// Where the page of this browser finds its own.
pub(crate) static BROWSER_AT: LazyLock<String> = LazyLock::new(|| address("/console/browser.js", BROWSER));

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/console/console.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/console/browser.js", get(async || asset("text/javascript; charset=utf-8", BROWSER)))
}

fn asset(kind: &'static str, text: &'static str) -> ([(HeaderName, &'static str); 2], &'static str) {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEPT)], text)
}

fn address(path: &str, text: &str) -> String {
    let digest = sha256_hex(text.as_bytes());
    format!("{path}?v={}", digest.get(..12).unwrap_or_default())
}
