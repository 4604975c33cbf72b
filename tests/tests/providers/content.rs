//! What a request says, compared with what a case wants of it.

use std::collections::BTreeSet;

use acceptance::Arrival;
use reqwest::Url;
use serde_json::Value;

pub(crate) fn url(request: &Value) -> Url {
    request["url"].as_str().unwrap().parse().unwrap()
}

/// Method and path are the wanted ones, with the delivery's id in place of the case's; every name in query and body is there,
/// and the token, if it is to be in a header.
pub(crate) fn assert_asked(arrival: &Arrival, wanted: &Value, ids: Option<(&str, &str)>) {
    let whole = url(wanted);
    let path = ids.map_or_else(|| whole.path().to_owned(), |(case, delivery)| whole.path().replace(case, delivery));
    assert_eq!(
        (arrival.method.as_str(), address(arrival).path()),
        (wanted["method"].as_str().unwrap(), path.as_str()),
        "{whole}"
    );
    let (names, sent) = (Content::wanted(wanted), Content::sent(arrival, wanted));
    assert!(names.names().is_subset(&sent.names()), "{whole}: {:?} are sent, {:?} wanted", sent.names(), names.names());
    let bearer = wanted["headers"]["authorization"].as_str().filter(|value| value.starts_with("Bearer "));
    assert!(bearer.is_none_or(|bearer| arrival.header("authorization") == bearer), "{whole}: not by its token");
}

/// The field holds what is wanted.
pub(crate) fn assert_field(arrival: &Arrival, wanted: &Value, field: &str) {
    let (whole, sent) = (url(wanted), Content::sent(arrival, wanted));
    let wanted = Content::wanted(wanted).field(field);
    assert!(!wanted.is_empty(), "{whole}: its case has no `{field}`");
    assert_eq!(sent.field(field), wanted, "{whole}");
}

/// The pairs of a form.
pub(crate) fn form(arrival: &Arrival) -> Vec<(String, String)> {
    let form = format!("form:?{}", String::from_utf8(arrival.body.clone()).unwrap());
    Url::parse(&form).unwrap().query_pairs().into_owned().collect()
}

fn address(arrival: &Arrival) -> Url {
    format!("https://{}{}", arrival.header("host"), arrival.path).parse().unwrap()
}

/// What a request says: names with values in query or form, and a body in JSON.
struct Content {
    pairs: Vec<(String, String)>,
    body: Value,
}

impl Content {
    fn wanted(request: &Value) -> Self {
        let body = &request["body"];
        match request["body_kind"].as_str().unwrap() {
            "form" => Self { pairs: [pairs(&request["query"]), pairs(body)].concat(), body: Value::Null },
            "raw" => Self { pairs: pairs(&request["query"]), body: serde_json::from_str(body.as_str().unwrap()).unwrap() },
            _ => Self { pairs: pairs(&request["query"]), body: body.clone() },
        }
    }

    /// In the kind of body that was wanted.
    fn sent(arrival: &Arrival, wanted: &Value) -> Self {
        let mut pairs: Vec<_> = address(arrival).query_pairs().into_owned().collect();
        match wanted["body_kind"].as_str().unwrap() {
            "form" => {
                pairs.extend(form(arrival));
                Self { pairs, body: Value::Null }
            }
            "none" => {
                assert!(arrival.body.is_empty());
                Self { pairs, body: Value::Null }
            }
            _ => Self { pairs, body: arrival.json() },
        }
    }

    fn names(&self) -> BTreeSet<&str> {
        let body = self.body.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        self.pairs.iter().map(|(name, _)| name.as_str()).chain(body).collect()
    }

    /// The value under a JSON pointer, or those of a name.
    fn field(&self, field: &str) -> Vec<Value> {
        if field.starts_with('/') {
            return self.body.pointer(field).cloned().into_iter().collect();
        }
        self.pairs.iter().filter(|(name, _)| name == field).map(|(_, value)| value.as_str().into()).collect()
    }
}

/// An object of texts, or a list of pairs.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        Value::Array(pairs) => pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        _ => Vec::new(),
    }
}
