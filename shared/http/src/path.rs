//! What a path names.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use bellhop_core::{
    Code, Problem,
    model::{Name, NameError},
};

use crate::Refused;

/// The name at the end of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        no_query(parts)?;
        let refused = || Refused(Problem::field(Code::InvalidName, "name", NameError.to_string()));
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| refused())?;
        Name::parse(&text).map(Self).map_err(|_| refused())
    }
}

/// The id at the end of the path. What is no id names nothing: 404, like an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Identified<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        no_query(parts)?;
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

/// The id of what a list belongs to; its query is the list's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owning<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Owning<T> {
    type Rejection = Refused;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

/// What a path names takes no query.
fn no_query(parts: &Parts) -> Result<(), Refused> {
    match parts.uri.query().and_then(|query| url::form_urlencoded::parse(query.as_bytes()).next()) {
        Some((name, _)) => Err(Refused(Problem::field(Code::InvalidQuery, name, "this route takes no query parameters"))),
        None => Ok(()),
    }
}

/// The answer for what is not there, or not this account's.
pub fn not_found() -> Refused {
    Refused(Problem::new(Code::NotFound, "there is no such object in this account"))
}
