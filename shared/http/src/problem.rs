//! A refusal as callers see it: RFC 9457 `application/problem+json`. <https://www.rfc-editor.org/rfc/rfc9457>

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_core::{Code, Problem, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};

/// A refused request on its way out: what handlers fail with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

/// The JSON of a problem, also as an item of a bulk answer.
#[derive(Debug, Clone, Serialize)]
pub struct Body {
    /// Where the code is explained, as a reference that holds on every host.
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Members that only this problem has.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl From<Problem> for Body {
    fn from(problem: Problem) -> Self {
        let Problem { code, detail, field, retry_after_s: _ } = problem;
        let r#type = format!("/docs/errors#{code}");
        Self { r#type, title: code.title(), status: code.status(), detail, code, field, more: Map::new() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        response(self.0, Map::new())
    }
}

/// A problem with members of its own. <https://www.rfc-editor.org/rfc/rfc9457#name-extension-members>
pub fn response(problem: Problem, more: Map<String, Value>) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (code, retry_after) = (problem.code, problem.retry_after_s);
    let mut response = (status, Json(Body { more, ..Body::from(problem) })).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if code == Code::Unauthorized {
        // https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bellhop_core::Reason;

    use super::*;

    #[test]
    fn every_word_has_its_section_in_the_docs_and_no_section_is_left_over() {
        let page = include_str!("../../../docs/errors.md");
        let headed = |mark: &str| -> BTreeSet<_> {
            page.lines().filter_map(|line| line.strip_prefix(mark)).filter(|word| !word.contains(' ')).collect()
        };
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let reasons: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(headed("## "), codes);
        assert_eq!(headed("### "), reasons);
    }

    #[test]
    fn a_problem_says_when_to_come_again_and_how_to_be_let_in() {
        let problem = |code| Problem { retry_after_s: Some(7), ..Problem::new(code, "x") };
        let response = Refused(problem(Code::RateLimited)).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
        let response = Refused(problem(Code::Unauthorized)).into_response();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn a_problem_has_the_members_that_callers_rely_on() {
        let body = Body::from(Problem::field(Code::InvalidName, "to[0]", "no"));
        let json = serde_json::json!({"type": "/docs/errors#invalid_name", "title": "Not a name", "status": 422,
            "detail": "no", "code": "invalid_name", "field": "to[0]"});
        assert_eq!(serde_json::to_value(body).unwrap(), json);
    }
}
