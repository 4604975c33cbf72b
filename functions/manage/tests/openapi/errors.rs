//! Refusals: their one shape, and an example of each code, which is the one in `docs/errors.md`.

use bellhop_core::Code;
use serde_json::{Map, Value, json};

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// What refuses with one of these, which share a status.
pub(crate) fn response(codes: &[Code]) -> Value {
    match codes {
        [one] => json!({ "$ref": format!("#/components/responses/{one}") }),
        many => {
            let mut words = many.iter().map(|code| format!("`{code}`"));
            let about = format!("One of {}.", words.by_ref().collect::<Vec<_>>().join(", "));
            json!({ "description": about, "content": content(many) })
        }
    }
}

fn content(codes: &[Code]) -> Value {
    let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let examples: Map<_, _> =
        words.iter().map(|word| ((*word).to_owned(), json!({ "$ref": format!("#/components/examples/{word}") }))).collect();
    let schema = json!({
        "$ref": "#/components/schemas/Problem",
        "properties": { "code": { "enum": words } },
    });
    json!({ "application/problem+json": { "schema": schema, "examples": examples } })
}

/// Each code alone.
pub(crate) fn responses() -> Value {
    let response = |code: &Code| {
        let mut response = json!({ "description": format!("{}.", code.title()), "content": content(&[*code]) });
        let headers = match code {
            Code::Unauthorized => Some(("WWW-Authenticate", json!({ "type": "string" }), "`Bearer`.")),
            Code::RateLimited | Code::Unavailable => {
                Some(("Retry-After", json!({ "type": "integer", "minimum": 0 }), "In how many seconds to try again."))
            }
            _ => None,
        };
        if let Some((name, schema, about)) = headers {
            response["headers"][name] = json!({ "schema": schema, "description": about });
        }
        (code.to_string(), response)
    };
    Value::Object(Code::ALL.iter().map(response).collect())
}

/// The example of each code.
pub(crate) fn examples() -> Value {
    let example = |code: &Code| {
        let section = PAGE.split("\n## ").find(|section| section.lines().next() == Some(code.as_str())).unwrap();
        let block = section.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let problem: Value = serde_json::from_str(block).unwrap();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(code.status())), "the example of `{code}`");
        assert_eq!(problem["title"], code.title(), "the example of `{code}`");
        (code.to_string(), json!({ "summary": code.title(), "value": problem }))
    };
    Value::Object(Code::ALL.iter().map(example).collect())
}
