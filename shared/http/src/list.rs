//! Lists: a page of limited length, an opaque cursor, filters that are read strictly.

use std::fmt::Display;

use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bellhop_core::{Code, Problem};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Refused, json};

/// How long a page is if nobody says.
const USUAL: usize = 50;

/// How long a page may be.
const MOST: usize = 200;

/// What a list is asked for: `F` are the filters of that list, `C` is what its cursor points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<F, C> {
    /// The most items on the page.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<C>,
    /// Which items.
    pub filter: F,
}

/// No filters at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Everything {}

/// A page as callers see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Items<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// The most bytes of a page: Lambda answers 6 MB at most, in which a page is a text within JSON, with each quote and backslash
/// escaped once more. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_BYTES: usize = 3_000_000;

impl<T: Serialize> Items<T> {
    /// A page, and where it ended if there may be more.
    pub fn new(items: Vec<T>, next: Option<&impl Display>) -> Self {
        Self { items, next_cursor: next.map(|next| URL_SAFE_NO_PAD.encode(next.to_string())) }
    }

    /// The first `limit` of these, or as many as a page holds, and a cursor at the last of them if there are more.
    pub fn first<C: Display>(mut items: Vec<T>, limit: usize, place: impl Fn(&T) -> C) -> Self {
        let room = fitting(&items).min(limit);
        let more = items.len() > room;
        items.truncate(room);
        let next = items.last().filter(|_| more).map(place);
        Self::new(items, next.as_ref())
    }

    /// A list that fits on one page.
    pub fn all(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// How many of these a page holds: one at least, however long.
fn fitting<T: Serialize>(items: &[T]) -> usize {
    let mut bytes = 0;
    let fits = |item: &&T| {
        bytes += serde_json::to_vec(item).map_or(0, |text| text.len());
        bytes <= MOST_BYTES
    };
    items.iter().take_while(fits).count().max(1)
}

impl<F: DeserializeOwned, C: DeserializeOwned> Listing<F, C> {
    /// Reads a query. A parameter without a value is refused: an unset variable in a script must not list everything.
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut given = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                return Err(Problem::field(Code::InvalidQuery, name, "it has no value; leave it out to mean none"));
            }
            if given.insert(name.to_string(), Value::from(&*value)).is_some() {
                return Err(Problem::field(Code::InvalidQuery, name, "it is there twice"));
            }
        }
        let limit = given.remove("limit").map_or(Ok(USUAL), |limit| length(&limit))?;
        let cursor = given.remove("cursor").map(|cursor| place(&cursor)).transpose()?;
        let filter = json::read(Value::Object(given)).map_err(|problem| Problem { code: Code::InvalidQuery, ..problem })?;
        Ok(Self { limit, cursor, filter })
    }
}

fn length(limit: &Value) -> Result<usize, Problem> {
    let number = limit.as_str().and_then(|text| text.parse().ok()).filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| Problem::field(Code::InvalidQuery, "limit", format!("expected a number from 1 to {MOST}")))
}

fn place<C: DeserializeOwned>(cursor: &Value) -> Result<C, Problem> {
    let text = cursor.as_str().and_then(|text| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok());
    let place = text.and_then(|text| C::deserialize(Value::String(text)).ok());
    place.ok_or_else(|| Problem::field(Code::InvalidCursor, "cursor", "expected the `next_cursor` of the page before"))
}

impl<F: DeserializeOwned, C: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Listing<F, C> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default())?)
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::model::{EventId, RunResult};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        source: Option<String>,
        result: Option<RunResult>,
    }

    fn refusal(query: &str) -> (Code, Option<String>) {
        let problem = Listing::<Filter, EventId>::parse(query).unwrap_err();
        (problem.code, problem.field)
    }

    #[test]
    fn a_query_is_read_with_its_defaults() {
        let listing = Listing::<Filter, EventId>::parse("source=a%2Fb").unwrap();
        let filter = Filter { source: Some("a/b".into()), result: None };
        assert_eq!(listing, Listing { limit: 50, cursor: None, filter });
        assert_eq!(Listing::<Filter, EventId>::parse("limit=200&result=failure").unwrap().limit, 200);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let query = |name: &str| (Code::InvalidQuery, Some(name.to_owned()));
        for bad in ["limit=0", "limit=201", "limit=ten", "limit=-1", "limit=", "limit"] {
            assert_eq!(refusal(bad), query("limit"), "{bad}");
        }
        assert_eq!(refusal("sauce=x"), query("sauce"));
        assert_eq!(refusal("result=maybe"), query("result"));
        assert_eq!(refusal("source=a&source=b"), query("source"));
        assert_eq!(refusal("source="), query("source"));
        for bad in ["cursor=!", "cursor=YWJj", "cursor=_w"] {
            assert_eq!(refusal(bad), (Code::InvalidCursor, Some("cursor".to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_page_ends_where_an_answer_would_be_too_long() {
        let long = "x".repeat(MOST_BYTES / 3);
        let page = Items::first(vec![long.clone(); 5], 50, |_| 7);
        assert!(page.items.len() == 2 && page.next_cursor.is_some());
        assert_eq!(Items::first(vec!["x".repeat(2 * MOST_BYTES); 2], 50, |_| 7).items.len(), 1, "one at least");
        assert_eq!(Items::first(vec![1, 2, 3], 3, |_| 7), Items::all(vec![1, 2, 3]));
    }

    #[test]
    fn a_page_of_quotes_is_within_what_lambda_answers() {
        let page = Items::first(vec!["\"\\".repeat(100_000); 50], 50, |_| 7);
        let wrapped = serde_json::json!({ "statusCode": 200, "body": serde_json::to_string(&page).unwrap() });
        assert!(wrapped.to_string().len() <= 6 * 1024 * 1024, "{}", wrapped.to_string().len());
    }

    #[test]
    fn a_cursor_leads_back_to_where_it_was_made() {
        let page = Items::new(vec![()], Some(&EventId(77)));
        let query = format!("cursor={}", page.next_cursor.unwrap());
        assert_eq!(Listing::<Everything, EventId>::parse(&query).unwrap().cursor, Some(EventId(77)));
    }
}
