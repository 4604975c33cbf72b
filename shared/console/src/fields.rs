//! What came with a form, or stands in a query.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde_json::Value;
use url::form_urlencoded;

/// Names and values as they were sent; a name may come several times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads them as a browser writes them.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        // a form's line ends are CR LF, whatever was typed
        Self(form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n"))).collect())
    }

    /// What a form begins with.
    pub(crate) fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value as it was sent; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(there, _)| there == name).map_or("", |(_, value)| value)
    }

    /// The value without the blanks around it, unless there is nothing else.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|text| !text.is_empty())
    }

    /// The value as JSON: a text, or `null`.
    pub(crate) fn json(&self, name: &str) -> Value {
        self.text(name).map_or(Value::Null, Value::from)
    }

    /// The value as JSON with the blanks around it, which may be meant in a text of several lines; `null` where there is nothing else.
    pub(crate) fn whole(&self, name: &str) -> Value {
        self.text(name).map_or(Value::Null, |_| Value::from(self.get(name)))
    }

    /// A whole number as JSON. What is none goes on as text, so that the API says what is wrong with it.
    pub(crate) fn number(&self, name: &str) -> Value {
        self.text(name).map_or(Value::Null, |text| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from))
    }

    /// Whether a box was ticked.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.0.iter().any(|(there, _)| there == name)
    }

    /// Every value of that name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(there, _)| there == name).map(|(_, value)| value.as_str())
    }

    /// The words of a field that takes several, with blanks or commas between them.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.get(name).split([',', '，', ' ', '\n', '\t']).map(str::trim).filter(|word| !word.is_empty()).collect()
    }

    /// Everything but the values of that name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(there, _)| there != name);
        self
    }

    /// With one value more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A query of those that are not empty, `?` included; nothing if there is none: a form sends fields that were left empty,
    /// too, and the API takes none.
    pub(crate) fn query(&self, names: &[&str]) -> String {
        let given = self.0.iter().filter(|(name, value)| names.contains(&name.as_str()) && !value.trim().is_empty());
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in given {
            query.append_pair(name, value.trim());
        }
        Some(query.finish()).filter(|query| !query.is_empty()).map_or_else(String::new, |query| format!("?{query}"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_left_empty_is_in_no_query() {
        let fields = Fields::parse(b"state=&channel=+mail+&cursor=a%26b&other=x");
        assert_eq!(fields.query(&["state", "channel", "cursor"]), "?channel=mail&cursor=a%26b");
        assert_eq!(fields.query(&["state"]), "");
    }

    #[test]
    fn what_is_no_number_is_left_for_the_api_to_refuse() {
        let fields = Fields::parse(b"a=7&b=seven&c=+");
        assert_eq!([fields.number("a"), fields.number("b"), fields.number("c")], [json!(7), json!("seven"), Value::Null]);
    }

    #[test]
    fn words_are_apart_by_whatever_people_write_between_them() {
        assert_eq!(Fields::parse("g=a, b，c\r\nd".as_bytes()).words("g"), ["a", "b", "c", "d"]);
    }
}
