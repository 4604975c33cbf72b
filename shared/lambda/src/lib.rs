//! What the Lambda binaries share, so that each is its transport and nothing else: the environment ([`mod@env`]), the start
//! ([`start`]), the operator's key ([`admin`]), and the way out of an environment that is frozen now and then ([`way_out`]).
//!
//! Promise: a function that lacks what it needs ends during its start, and says what is missing. Left to others: what an
//! event means (the functions), what is kept where (`bellhop_aws`).

pub mod admin;
pub mod env;
mod path;
mod silent;
pub mod start;
pub mod way_out;

use axum::Router;
use bellhop_aws::{Arrived, Store, wake_from};
use bellhop_core::ports::Wake;
use tower::util::MapRequest;

pub use bellhop_aws::Letterbox;

/// Why a function could not start, or could not answer an event.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers what the HTTP API hands over.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(MapRequest::new(router, path::restored)).await
}

/// Makes a wake-up of a message's body.
pub async fn read(store: &Store, body: &str, receives: u32, receipt: &str) -> Result<Wake, Error> {
    match wake_from(body, receives, receipt)? {
        Arrived::Whole(wake) => Ok(wake),
        reference @ Arrived::Reference(_) => {
            let wake = store.whole(reference).await?;
            wake.ok_or_else(|| "the event that it tells is not there any more".into())
        }
    }
}
