//! Calls of the API, within the process.

use std::fmt::Display;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use bellhop_core::{Code, Problem, channel::Text, model::Language};
use bellhop_http::key::hash_secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

use crate::{
    fields::Fields,
    form::ONCE,
    language::tag,
    visitor::{Stop, Visitor},
};

/// The most bytes of an answer: more than a page of a list may have.
const MOST: usize = 8_000_000;

/// What was refused, as the API says it, or the console itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) detail: String,
    /// The field, as a path such as `params.url`.
    pub(crate) field: Option<String>,
    /// What came of a test, where that is why.
    pub(crate) test: Option<Value>,
    /// Whether the words are in the page's language, since the console says them; the API's are English.
    #[serde(skip)]
    pub(crate) speaks_as_the_page: bool,
}

impl Refusal {
    /// What the console refuses itself, on a page in that language.
    pub(crate) fn on_page(language: Language, code: Code, text: Text) -> Self {
        Self { speaks_as_the_page: true, ..Problem::new(code, text.read_by(language)).into() }
    }

    /// The attribute `lang` of its words, where they are not in the page's language.
    pub(crate) fn lang(&self) -> Option<&'static str> {
        (!self.speaks_as_the_page).then_some(tag(Language::English))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let Problem { code, detail, field, retry_after_s: _ } = problem;
        Self { status: code.status(), code: code.as_str().to_owned(), detail, field, test: None, speaks_as_the_page: false }
    }
}

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Value>,
    /// Where the next page begins.
    pub(crate) next_cursor: Option<String>,
}

/// A name or an id as a part of a path.
pub(crate) fn segment(text: &str) -> impl Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

impl Visitor {
    /// What a page shows; a page that cannot have it is the refusal instead.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Stop> {
        self.call(Method::GET, path, None).await.map_err(|refusal| self.stop(refusal))
    }

    /// A page of a list; see [`crate::fields::Fields::query`].
    pub(crate) async fn list(&self, path: &str) -> Result<Listed, Stop> {
        let page = self.get(path).await?;
        serde_json::from_value(page).map_err(|_| self.stop(broken()))
    }

    /// What this console refuses itself, at a field of its form.
    pub(crate) fn refuse(&self, code: Code, field: &str, text: Text) -> Refusal {
        Refusal { field: Some(field.to_owned()), ..Refusal::on_page(self.language, code, text) }
    }

    /// Whether nothing is at that path yet, as far as this key may know: a form that makes something does not save over what is
    /// there. `taken` says what to do if it is.
    pub(crate) async fn is_free(&self, path: &str, taken: Text) -> Result<(), Refusal> {
        match self.call(Method::GET, path, None).await {
            Ok(_) => Err(self.refuse(Code::Conflict, "name", taken)),
            Err(refusal) if refusal.code == Code::NotFound.as_str() => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// What a form makes: once, however often it is sent as it is. What was changed before it was sent again is another one.
    pub(crate) async fn make(&self, path: &str, body: &Value, form: &Fields) -> Result<Value, Refusal> {
        let key = form.text(ONCE).map(|once| hash_secret(&format!("{once} {body}")));
        self.ask(Method::POST, path, Some(body), key).await
    }

    /// What a form asks for; a refusal is shown in the form.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        self.ask(method, path, body, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>, once: Option<String>) -> Result<Value, Refusal> {
        let request = once.into_iter().fold(Request::builder(), |request, key| request.header("idempotency-key", key));
        let request = request
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.session().expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .map_err(|_| broken())?;
        let answer = match self.api().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), MOST).await.map_err(|_| broken())?;
        if status.is_success() {
            return if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).map_err(|_| broken()) };
        }
        Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| broken()))
    }
}

pub(crate) fn broken() -> Refusal {
    Problem::new(Code::Internal, "a fault in our own code: the API has answered what this page does not understand").into()
}
