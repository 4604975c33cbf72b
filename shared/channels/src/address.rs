//! URLs that a tenant writes: of a receiver, which may be a template, and of a proxy. Whether an address may be dialled is
//! not decided here but where it is dialled.

use bellhop_core::{
    Code, Problem,
    channel::{Param, Params},
};
use url::Url;

use crate::template::Texts;

/// Refuses a URL of which no text could make a request, and one that would let a message choose where it goes. The URL
/// parser itself is asked where that is: `https:///$title` looks harmless and is not.
pub(crate) fn check_url<const N: usize>(params: &Params, param: &Param, marks: [&'static str; N]) -> Result<(), Problem> {
    let Some(url) = params.text(param.name) else { return Ok(()) };
    let refuse = |detail: String| Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail));
    if url.trim().contains(char::is_control) {
        return refuse("it takes one line without control characters".to_owned());
    }
    let filled = |text: &'static str| Url::parse(&Texts(marks.map(|mark| (mark, text))).url(url.trim()));
    match (filled("a"), filled("b")) {
        (Err(error), _) | (_, Err(error)) => refuse(format!("it is not a URL: {error}")),
        (Ok(a), Ok(b)) if a.origin() != b.origin() => {
            refuse(format!("a message may not choose the host: write {} behind it only", marks.join(", ")))
        }
        (Ok(url), Ok(_)) if !url.username().is_empty() || url.password().is_some() => {
            refuse("a URL may not hold a user name or password; put them into an `Authorization` header".to_owned())
        }
        (Ok(_), Ok(_)) => Ok(()),
    }
}

/// Refuses a proxy that we cannot go through. Without a scheme it is an `http://` one, as it is where it is dialled.
pub(crate) fn check_proxy(params: &Params, param: &Param) -> Result<(), Problem> {
    let Some(proxy) = params.text(param.name) else { return Ok(()) };
    let known = |url: Url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.has_host();
    let proxy = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    if Url::parse(&proxy).is_ok_and(known) {
        return Ok(());
    }
    let detail = "it takes `host:port` or a URL that begins with `http://`, `https://`, `socks5://` or `socks5h://`";
    Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail))
}

/// Refuses what is no server's base URL: what comes behind it is the channel's business.
pub(crate) fn check_base(params: &Params, param: &Param) -> Result<(), Problem> {
    check_url(params, param, [])?;
    if params.text(param.name).is_none_or(|base| !base.contains(['?', '#'])) {
        return Ok(());
    }
    let detail = "it takes the server's address without `?` and `#`";
    Err(Problem::field(Code::InvalidParams, format!("params.{}", param.name), detail))
}

/// A path on a server that the tenant names, with or without a slash at the end.
pub(crate) fn below(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim().trim_end_matches('/'))
}

/// The token of a robot, which people paste as it is or as the robot's whole URL: there it is the value of `name` in the
/// query. Fails with what is wrong.
pub(crate) fn token(pasted: &str, host: &str, name: &str) -> Result<String, String> {
    let pasted = pasted.trim();
    if !pasted.contains("://") {
        return Ok(pasted.to_owned());
    }
    let url = Url::parse(pasted).ok().filter(|url| url.host_str() == Some(host));
    let token = url.and_then(|url| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()));
    let token = token.filter(|token| !token.trim().is_empty());
    token.ok_or_else(|| format!("it takes the robot's token, or its whole URL on `{host}` with `{name}=` in it"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{param::PROXY, sample, webhook};

    fn url(url: &str) -> Result<(), Problem> {
        let params = sample::params(&webhook::SPEC, json!({ "url": url }));
        check_url(&params, &webhook::URL, ["$title", "$url"])
    }

    #[test]
    fn a_message_may_fill_in_a_path_or_query_but_not_the_host() {
        for good in ["https://example.com/$title?u=$url#$title", "http://127.0.0.1:8080?$title", " HTTPS://例え.jp/{x}/测 试 "]
        {
            assert_eq!(url(good), Ok(()), "{good}");
        }
        for bad in ["https://$title/", "https://$title.example.com?x", r"https://\/$url\@example.com/", "https:///$title/x"] {
            assert!(url(bad).unwrap_err().detail.contains("may not choose the host"), "{bad}");
        }
        for bad in ["https://x:$title/", "https://$title@example.com/", "https://x:8$title/"] {
            assert_eq!(url(bad).unwrap_err().field.as_deref(), Some("params.url"), "{bad}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for bad in ["https://", "https://exa mple.com/s3cret", "https://u:s3cret@example.com/", "https://example.com/a\ns3cret"] {
            let problem = url(bad).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("params.url"), "{bad}");
            assert!(!problem.detail.contains("s3cret"), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_url_with_a_host() {
        let proxy = |proxy: &str| {
            check_proxy(&sample::params(&webhook::SPEC, json!({ "url": "http://x", "proxy": proxy })), &PROXY).is_ok()
        };
        for good in [
            "http://127.0.0.1:7890",
            "proxy:7890",
            "u:p@127.0.0.1:7890",
            "https://u:p@proxy.example.com",
            "socks5://[::1]:1080",
            "socks5h://proxy:1080",
        ] {
            assert!(proxy(good), "{good}");
        }
        for bad in ["ftp://proxy", "socks4://proxy:1", "http://", "proxy:port", "two words"] {
            assert!(!proxy(bad), "{bad}");
        }
    }

    #[test]
    fn a_base_may_have_a_path_but_nothing_behind_it() {
        let base = |base: &str| check_base(&sample::params(&webhook::SPEC, json!({ "url": base })), &webhook::URL).is_ok();
        assert!(base("https://example.com/sub/") && base("http://127.0.0.1:8080"));
        assert!(!base("https://example.com/?x") && !base("https://example.com/#x") && !base("https://"));
        assert_eq!(below(" https://example.com/sub/ ", "message"), "https://example.com/sub/message");
    }

    #[test]
    fn a_robots_url_is_as_good_as_its_token() {
        let token = |pasted: &str| token(pasted, "oapi.example.com", "key").ok();
        assert_eq!(token(" t0k "), Some("t0k".to_owned()));
        assert_eq!(token("https://oapi.example.com/send?x=1&key=t0k%2B"), Some("t0k+".to_owned()));
        for bad in ["https://oapi.example.com/send", "https://oapi.example.com/?key=", "https://evil.example.com/?key=t0k"] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }
}
