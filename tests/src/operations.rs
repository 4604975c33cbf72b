//! The operations that `docs/openapi.json` describes, to be called one by one.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::{SignedDuration, Zoned};
use serde_json::Value;

use crate::{Client, Sink, eventually};

/// One operation, with its examples.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: String,
    /// As it is described, e.g. `/v1/rules/{name}`.
    pub path: String,
    /// The scope that it takes; none where it takes no key.
    pub scope: Option<String>,
    pub body: Option<Value>,
    parameters: Vec<Value>,
}

/// All of them, in the order of the document.
pub fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(method, of)| (path, method, of)));
    each.map(|(path, method, described)| Operation {
        method: method.to_uppercase(),
        path: path.clone(),
        scope: described["security"].pointer("/0/key/0").map(|scope| scope.as_str().unwrap().to_owned()),
        body: described.pointer("/requestBody/content/application~1json/example").cloned(),
        parameters: described["parameters"].as_array().cloned().unwrap_or_default(),
    })
    .collect()
}

/// The document as it is committed.
pub fn document() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn in_half_a_day() -> String {
    Zoned::now().saturating_add(SignedDuration::from_hours(12)).strftime("%H:00:00").to_string()
}

impl Operation {
    /// The body of its example, with deliveries that arrive and digests that are far away.
    pub fn body_to(&self, sink: &Sink) -> Option<String> {
        let adapted = self.body.as_ref()?.to_string().replace("https://desk.example.org", &sink.url);
        Some(adapted.replace("12:00:00", &in_half_a_day()))
    }

    /// It is about one thing, which its path or its query has to name.
    pub fn is_about_one(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter["required"] == true)
    }

    /// Where it is called: names are those of its example, and an id or token is the one that is known of that kind.
    pub fn at(&self, known: &Known) -> String {
        let example = |parameter: &Value| {
            let example = parameter["example"].as_str().unwrap_or_else(|| panic!("no example: {parameter}"));
            known.instead_of(parameter["name"].as_str().unwrap(), example).to_owned()
        };
        let required = |place: &str| {
            let found = self.parameters.iter().filter(move |parameter| parameter["in"] == place && parameter["required"] == true);
            found.map(|parameter| (parameter["name"].as_str().unwrap(), example(parameter))).collect::<Vec<_>>()
        };
        let path =
            required("path").iter().fold(self.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let query: Vec<_> = required("query").iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }
}

/// The ids and tokens that answers told, by how they begin.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<&'static str, Vec<String>>);

impl Known {
    /// Looks for ids in an answer.
    pub fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) => {
                for prefix in ["evt_", "dlv_", "key_", "tsk_"] {
                    if text.starts_with(prefix) {
                        self.0.entry(prefix).or_default().push(text.clone());
                    }
                }
                if let Some((_, token)) = text.split_once("/in/") {
                    self.0.entry("token").or_default().push(token.to_owned());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.learn(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn instead_of<'a>(&'a self, parameter: &str, example: &'a str) -> &'a str {
        let kinds = self.0.iter().find(|(kind, _)| parameter == **kind || example.starts_with(**kind));
        kinds.and_then(|(_, ids)| ids.first()).map_or(example, String::as_str)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }
}

/// Everything that the examples make, in the caller's account; nothing is under way behind them.
pub async fn furnish(client: &Client, operations: &[Operation], sink: &Sink) -> Known {
    let mut known = Known::default();
    for operation in operations.iter().filter(|operation| ["PUT", "POST"].contains(&operation.method.as_str())) {
        if ["/flush", "/retry", "/redrive", "/reveal"].iter().any(|end| operation.path.ends_with(end)) {
            continue; // these make nothing, or want a key
        }
        let at = operation.at(&known);
        let (status, answer) = client.try_call(&operation.method, &at, &[], operation.body_to(sink)).await.unwrap();
        assert!((200..300).contains(&status), "{} {at}: {status} {answer}", operation.method);
        // what a test tells of was never kept
        if !at.ends_with("/test") {
            known.learn(&answer);
        }
    }
    eventually("every delivery has arrived", async || {
        let page = client.get("/v1/deliveries").await;
        let states: Vec<_> = page["items"].as_array().unwrap().iter().map(|delivery| delivery["state"].clone()).collect();
        (!states.is_empty() && states.iter().all(|state| state == "delivered")).then_some(())
    })
    .await;
    known
}
