//! Links that lead people to the console.

use std::fmt;

use crate::Timestamp;

/// Where people reach the deployment: a URL that begins with `https://` or `http://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads one; else what it takes.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).map(|rest| rest.trim_end_matches('/'));
        let fits = |rest: &&str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        match rest.filter(fits) {
            Some(_) => Ok(Self(text.trim_end_matches('/').to_owned())),
            None => Err("it takes a URL that begins with `https://` or `http://`, without `?` and `#`"),
        }
    }

    /// The page of what happened from then on and before then.
    pub fn messages(&self, from: Timestamp, to: Timestamp) -> String {
        format!("{self}/console/messages?from={from}&to={to}")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_page_of_that_time() {
        let url = PublicUrl::parse("https://bellhop.example.com/").unwrap();
        let link = url.messages(Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        let page = "https://bellhop.example.com/console/messages?from=1970-01-01T00:00:00Z&to=1970-01-01T00:01:00Z";
        assert_eq!(link, page);
    }

    #[test]
    fn what_is_no_place_for_people_is_refused() {
        for bad in
            ["", "bellhop.example.com", "ftp://example.com", "https://", "https:///", "https://a b", "https://a?b", "https://a#b"]
        {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(PublicUrl::parse("http://127.0.0.1:8080").is_ok());
    }
}
