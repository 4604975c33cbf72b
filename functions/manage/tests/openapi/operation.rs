//! One operation as it is declared: who may call it, what it takes, what it answers, which codes it refuses with; and one
//! call of it, which is made for real, so that the examples in the document are what the code answers.

use bellhop_core::{Code, model::Scope};
use serde_json::{Map, Value, json};

use crate::errors;

/// What every operation may answer.
const ALWAYS: [Code; 2] = [Code::Internal, Code::Unavailable];
/// What every body may be refused with.
const OF_BODY: [Code; 7] = [
    Code::MalformedJson,
    Code::UnsupportedMediaType,
    Code::BodyTooLarge,
    Code::UnknownField,
    Code::MissingField,
    Code::InvalidField,
    Code::InvalidQuery,
];

pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    summary: &'static str,
    about: Option<&'static str>,
    scope: Option<Scope>,
    parameters: Vec<Value>,
    body: Option<Body>,
    /// Status, what it means, and the shape of what comes with it.
    answer: (u16, &'static str, Option<Value>),
    /// A second status that means the same request was answered before.
    repeated: bool,
    /// 202 besides, what it means, and the shape of what comes with it.
    later: Option<(&'static str, Value)>,
    media: &'static str,
    codes: Vec<Code>,
    /// What the example's path has in its place: `{delivery}` and the like stand for what an earlier example made.
    at: Option<&'static str>,
    called_with: &'static str,
    /// Its example comes after all others.
    pub(crate) is_last: bool,
}

struct Body {
    schema: Value,
    example: Value,
    required: bool,
}

/// What was answered to an operation's example.
pub(crate) struct Recorded {
    pub(crate) path: String,
    pub(crate) body: Value,
}

pub(crate) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(crate) fn operation(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        about: None,
        scope: None,
        parameters: Vec::new(),
        body: None,
        answer: (204, "Done; there is nothing to say.", None),
        repeated: false,
        later: None,
        media: "application/json",
        codes: ALWAYS.to_vec(),
        at: None,
        called_with: "",
        is_last: false,
    }
}

impl Operation {
    pub(crate) fn about(self, about: &'static str) -> Self {
        Self { about: Some(about), ..self }
    }

    /// The key that it takes.
    pub(crate) fn scope(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }.codes(&[Code::Unauthorized, Code::Forbidden])
    }

    /// What it is refused with, besides what follows from the rest.
    pub(crate) fn codes(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    fn parameter(mut self, place: &str, name: &str, required: bool, schema: &Value, about: &str) -> Self {
        let parameter = json!({ "name": name, "in": place, "required": required, "schema": schema, "description": about });
        self.parameters.push(parameter);
        self
    }

    /// It is about what has that name; `example` is one.
    pub(crate) fn named(self, example: &'static str) -> Self {
        Self { at: Some(example), ..self }
            .parameter("path", "name", true, &schema("Name"), "Percent-encoded once.")
            .codes(&[Code::InvalidName, Code::InvalidQuery])
    }

    /// There is one such name.
    pub(crate) fn named_only(self, name: &'static str) -> Self {
        Self { at: Some(name), ..self }
            .parameter("path", "name", true, &json!({ "type": "string", "enum": [name] }), "This word.")
            .codes(&[Code::InvalidName, Code::InvalidQuery])
    }

    /// It is about what has that id. `example` is a place in the answers before.
    pub(crate) fn identified(self, kind: &str, example: &'static str) -> Self {
        Self { at: Some(example), ..self }
            .parameter("path", "id", true, &schema(kind), "As an answer named it.")
            .codes(&[Code::NotFound, Code::InvalidQuery])
    }

    /// Its path ends with the token of a hook.
    pub(crate) fn with_token(self, example: &'static str) -> Self {
        let shape = json!({ "type": "string", "minLength": 1 });
        Self { at: Some(example), ..self }
            .parameter("path", "token", true, &shape, "The only credential.")
            .codes(&[Code::NotFound])
    }

    pub(crate) fn query(self, name: &str, required: bool, schema: &Value, about: &str) -> Self {
        self.parameter("query", name, required, schema, about).codes(&[Code::InvalidQuery])
    }

    /// It answers a page of these.
    pub(crate) fn lists(self, item: &str) -> Self {
        let page = json!({
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": schema(item) },
                "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins; `null` on the last." },
            },
            "required": ["items", "next_cursor"],
            "additionalProperties": false,
        });
        self.answers(200, "A page.", page)
    }

    /// Its pages are asked for one by one.
    pub(crate) fn paged(self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        self.query("limit", false, &limit, "The most items on the page.")
            .query("cursor", false, &json!({ "type": "string", "minLength": 1 }), "The `next_cursor` of the page before.")
            .codes(&[Code::InvalidCursor])
    }

    pub(crate) fn takes(self, schema: Value, example: Value) -> Self {
        Self { body: Some(Body { schema, example, required: true }), ..self }
            .codes(&OF_BODY)
            .codes(&[Code::InvalidIdempotencyKey])
    }

    /// It may take that.
    pub(crate) fn takes_optionally(self, schema: Value, example: Value) -> Self {
        let this = self.takes(schema, example);
        Self { body: this.body.map(|body| Body { required: false, ..body }), ..this }
    }

    /// It takes nothing, which may be said with an empty object.
    pub(crate) fn takes_nothing(self) -> Self {
        let nothing = json!({ "type": "object", "additionalProperties": false });
        self.takes_optionally(nothing, json!({}))
    }

    /// It takes what others send, in a form of theirs.
    pub(crate) fn takes_foreign(self, example: Value) -> Self {
        let object = json!({ "type": "object", "description": "docs/hooks.md says what each kind of system sends." });
        Self { body: Some(Body { schema: object, example, required: false }), ..self }.codes(&[
            Code::MalformedJson,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
        ])
    }

    /// The same request under the same key makes nothing new; `again` = it is then answered with 200.
    pub(crate) fn repeatable(self, again: bool) -> Self {
        let key = json!({ "type": "string", "pattern": "^[!-~]{1,255}$" });
        let about = "The same request under the same key within 24 hours makes nothing new.";
        Self { repeated: again, ..self }
            .parameter("header", "Idempotency-Key", false, &key, about)
            .codes(&[Code::IdempotencyMismatch, Code::InvalidIdempotencyKey])
    }

    pub(crate) fn answers(self, status: u16, about: &'static str, shape: Value) -> Self {
        Self { answer: (status, about, Some(shape)), ..self }
    }

    /// It answers 202, where it is not done by one call.
    pub(crate) fn or_later(self, about: &'static str, shape: Value) -> Self {
        Self { later: Some((about, shape)), ..self }
    }

    /// It answers text for programs that are none of ours.
    pub(crate) fn answers_text(self, about: &'static str) -> Self {
        Self { media: "text/plain; charset=utf-8", ..self.answers(200, about, json!({ "type": "string" })) }
    }

    /// Its example takes away what others need.
    pub(crate) fn last(self) -> Self {
        Self { is_last: true, ..self }
    }

    pub(crate) fn status(&self) -> u16 {
        self.answer.0
    }

    pub(crate) fn shape(&self) -> Option<&Value> {
        self.answer.2.as_ref()
    }

    pub(crate) fn is_text(&self) -> bool {
        self.media.starts_with("text/")
    }

    pub(crate) fn takes_what(&self) -> Option<(&Value, &Value)> {
        self.body.as_ref().map(|body| (&body.schema, &body.example))
    }

    /// The path of its example.
    pub(crate) fn called_at(&self) -> String {
        let filled = |part: &'static str| if part.starts_with('{') { self.at.unwrap_or(part) } else { part };
        let path: Vec<_> = self.path.split('/').map(filled).collect();
        path.join("/") + self.called_with
    }

    /// Its example is called with this query.
    pub(crate) fn with_query(self, query: &'static str) -> Self {
        Self { called_with: query, ..self }
    }

    pub(crate) fn described(&self, tag: &str, recorded: Option<&Recorded>) -> Value {
        let mut described = Map::new();
        described.insert("tags".to_owned(), json!([tag]));
        described.insert("operationId".to_owned(), self.id.into());
        described.insert("summary".to_owned(), self.summary.into());
        if let Some(about) = self.about {
            described.insert("description".to_owned(), about.into());
        }
        let security = match self.scope {
            Some(scope) => json!([{ "key": [scope.as_str()] }, { "header": [scope.as_str()] }]),
            None => json!([]),
        };
        described.insert("security".to_owned(), security);
        if !self.parameters.is_empty() {
            described.insert("parameters".to_owned(), self.parameters(recorded).into());
        }
        if let Some(Body { schema, example, required }) = &self.body {
            let content = json!({ "application/json": { "schema": schema, "example": example } });
            described.insert("requestBody".to_owned(), json!({ "required": required, "content": content }));
        }
        described.insert("responses".to_owned(), self.responses(recorded));
        Value::Object(described)
    }

    /// With the values that the example has for them.
    fn parameters(&self, recorded: Option<&Recorded>) -> Vec<Value> {
        let called = |parameter: &Value, recorded: &Recorded| -> Option<String> {
            let name = parameter["name"].as_str()?;
            let (path, query) = recorded.path.split_once('?').unwrap_or((&recorded.path, ""));
            match parameter["in"].as_str()? {
                "path" => {
                    let place = self.path.split('/').position(|part| part == format!("{{{name}}}"))?;
                    path.split('/').nth(place).map(str::to_owned)
                }
                "query" => query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned),
                _ => None,
            }
        };
        let with_example = |mut parameter: Value| {
            if let Some(example) = recorded.and_then(|recorded| called(&parameter, recorded)) {
                parameter["example"] = example.into();
            }
            parameter
        };
        self.parameters.iter().cloned().map(with_example).collect()
    }

    fn responses(&self, recorded: Option<&Recorded>) -> Value {
        let (status, about, shape) = &self.answer;
        let mut response = json!({ "description": about });
        if let Some(shape) = shape {
            response["content"][self.media] = json!({ "schema": shape });
            if let Some(recorded) = recorded {
                response["content"][self.media]["example"] = recorded.body.clone();
            }
        }
        let mut responses = Map::new();
        if self.repeated {
            let mut again = response.clone();
            again["description"] =
                "What an earlier request under the same `Idempotency-Key` made; its secret is not told again.".into();
            if let Some(content) = again["content"][self.media].as_object_mut() {
                content.remove("example");
            }
            responses.insert("200".to_owned(), again);
        }
        responses.insert(status.to_string(), response);
        if let Some((about, shape)) = &self.later {
            let later = json!({ "description": about, "content": { self.media: { "schema": shape } } });
            responses.insert("202".to_owned(), later);
        }
        let mut statuses: Vec<_> = self.codes.iter().map(|code| code.status()).collect();
        statuses.sort_unstable();
        statuses.dedup();
        for status in statuses {
            // in the order in which the list of codes has them, each once
            let codes = Code::ALL.iter().copied().filter(|code| code.status() == status && self.codes.contains(code));
            responses.insert(status.to_string(), errors::response(&codes.collect::<Vec<_>>()));
        }
        Value::Object(responses)
    }
}
