//! What every HTTP function shares: who is calling ([`caller`]), what the body says ([`body`], [`json`], [`event`], [`message`],
//! [`task`]), how a refusal looks ([`problem`]), how lists are paged ([`list`]), how fast an account may send ([`rate`]), who is
//! signed in ([`session`]).
//!
//! Promises: whatever goes wrong is answered as `application/problem+json` with a code that stands in `docs/errors.md`; a
//! handler that asks for a [`caller::Sender`] is never entered without a valid key of that scope; nothing that a caller
//! sent appears in a log line. Left to others: which routes there are and what they do.

pub mod body;
pub mod caller;
pub mod event;
pub mod json;
pub mod key;
pub mod list;
pub mod message;
pub mod path;
pub mod problem;
pub mod rate;
pub mod session;
pub mod task;
mod uses;
pub mod wait;

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    handler::Handler,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use bellhop_core::{
    Code, Problem, StoreError,
    model::{Account, AccountId},
    ports::Ports,
};
use futures_util::FutureExt;
use tokio::sync::watch;

pub use problem::Refused;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The world.
    pub ports: Arc<Ports>,
    rates: Arc<rate::Rates>,
    uses: Arc<uses::Uses>,
    stopping: watch::Sender<bool>,
}

impl Api {
    /// One per process: the accounts' rates are counted in it.
    pub fn new(ports: Ports) -> Self {
        Self { ports: Arc::new(ports), rates: Arc::default(), uses: Arc::default(), stopping: watch::Sender::new(false) }
    }

    /// Tells those who wait for an outcome that there will be none here.
    pub fn stop_waiting(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether waiting for an outcome is over.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Is ready when it is.
    pub async fn stopped(&self) {
        // the sender is here, and so cannot be gone
        drop(self.stopping.subscribe().wait_for(|stopping| *stopping).await);
    }

    /// The account's settings; those of a new account if it has saved none.
    pub async fn account(&self, id: &AccountId) -> Result<Arc<Account>, StoreError> {
        self.ports.accounts.settings(id).await
    }

    /// Counts `n` requests that send, or refuses them all.
    pub fn spend(&self, account: &Account, n: u32) -> Result<(), Problem> {
        self.rates.spend(account, n, self.ports.clock.now())
    }

    /// Counts `n` of those requests less.
    pub fn give_back(&self, account: &Account, n: u32) {
        self.rates.give_back(&account.id, n);
    }
}

/// Gives `routes` what every server must have: problems for unknown paths, wrong methods and panics. To be called once, on
/// the merged routes of all functions that one process serves.
pub fn complete(routes: Router) -> Router {
    complete_or(routes, async || {
        Refused(Problem::new(Code::NotFound, "there is nothing at this path; see the API's documentation"))
    })
}

/// The same, with somebody else to answer what is at no route.
pub fn complete_or<T: 'static>(routes: Router, otherwise: impl Handler<T, ()>) -> Router {
    routes
        .fallback(otherwise)
        .method_not_allowed_fallback(async || {
            Refused(Problem::new(Code::MethodNotAllowed, "this path does not take that method; `Allow` says which it takes"))
        })
        .layer(middleware::from_fn(catch_panic))
}

/// A panic is one request's misfortune, not the process's.
async fn catch_panic(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(route = route.as_ref().map(MatchedPath::as_str), "a panic while answering a request");
        Refused(Problem::new(Code::Internal, "a fault in our own code; the operator's log says where")).into_response()
    })
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{StatusCode, header},
        routing::{get, post},
    };
    use tower::ServiceExt;

    use super::*;

    async fn call(method: &str, path: &str) -> Response {
        let panics = get(async || -> () { panic!("on purpose") });
        let routes = Router::new().route("/panics", panics).route("/", post(async || "ok")).route("/", get(async || "ok"));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        complete(routes).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_problem() {
        let response = call("GET", "/panics").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn an_unknown_path_is_a_problem() {
        let response = call("GET", "/nowhere").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
        let response = call("DELETE", "/").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::ALLOW], "POST,GET,HEAD");
    }
}
