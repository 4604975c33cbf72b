//! A registration's proxy, read from its URL.
//!
//! Promise: the host that is judged is the host that is dialled, in one spelling; a proxy that cannot be used is an error
//! and never a direct connection. Left to others: the judgement ([`crate::resolve`]), the talking (reqwest).

use bellhop_core::ports::TransportError;
use url::{Host, Url};

use crate::failure::invalid;

/// A proxy that can be used. Prints nothing of itself: its URL holds credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    kind: Kind,
    /// With credentials, percent-encoded as they came.
    pub(crate) url: String,
    /// As it will be dialled.
    pub(crate) host: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks,
}

impl Proxy {
    /// Reads `http://`, `https://`, `socks5://` (names are looked up here) and `socks5h://` (by the proxy); without a
    /// scheme it is `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self, TransportError> {
        let text = text.trim();
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.map_err(|error| invalid(format!("the proxy's URL cannot be read: {error}")))?;
        let kind = match url.scheme() {
            "http" | "https" => Kind::Http,
            "socks5" | "socks5h" => Kind::Socks,
            _ => return Err(invalid("a proxy begins with `http://`, `https://`, `socks5://` or `socks5h://`")),
        };
        // For `socks5` the URL standard leaves the host as it is written; `0x7f.1` must become what it means.
        let host = Host::parse(url.host_str().unwrap_or_default());
        let host = host.map_err(|error| invalid(format!("the proxy's host cannot be read: {error}")))?.to_string();
        let credentials = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(password)) => format!("{user}:{password}@"),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("{}://{credentials}{host}{port}", url.scheme());
        // The client would go without a proxy whose URL is no URI.
        url.parse::<http::Uri>().map_err(|_| invalid("the proxy's URL cannot be used; percent-encode its credentials"))?;
        Ok(Self { kind, url, host })
    }

    /// Whether requests to that URL are answered by the proxy itself, and not through a tunnel.
    pub(crate) fn forwards(&self, target: &Url) -> bool {
        self.kind == Kind::Http && target.scheme() == "http"
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::Reason;

    use super::*;

    fn parsed(text: &str) -> (String, String) {
        let proxy = Proxy::parse(text).map_err(|error| error.detail).unwrap();
        (proxy.url, proxy.host)
    }

    #[test]
    fn every_spelling_of_an_address_becomes_the_address() {
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1."] {
            for scheme in ["http", "https", "socks5", "socks5h"] {
                assert_eq!(parsed(&format!("{scheme}://{host}:9")).1, "127.0.0.1", "{scheme}://{host}");
            }
        }
        assert_eq!(parsed("socks5://[::ffff:127.0.0.1]:9").1, "[::ffff:7f00:1]");
    }

    #[test]
    fn credentials_stay_as_they_were_encoded() {
        assert_eq!(parsed("http://user:p%40ss@proxy.example:3128").0, "http://user:p%40ss@proxy.example:3128");
        assert_eq!(parsed("socks5://us%3Aer:p%25@Proxy.Example").0, "socks5://us%3Aer:p%25@proxy.example");
    }

    #[test]
    fn without_a_scheme_it_is_an_http_proxy() {
        assert_eq!(parsed("user:pw@proxy.example:3128").0, "http://user:pw@proxy.example:3128");
    }

    #[test]
    fn an_unusable_proxy_is_refused_without_repeating_it() {
        for text in
            ["ftp://u:sekret@h:1", "socks4://u:sekret@h:1", "http://u:sekret@:1", "socks5://u:sekret@", "http://u:sekret@h:x"]
        {
            let error = Proxy::parse(text).err().unwrap();
            assert_eq!(error.reason, Reason::InvalidParams, "{text}");
            assert!(!error.detail.contains("sekret"), "{}", error.detail);
        }
    }
}
