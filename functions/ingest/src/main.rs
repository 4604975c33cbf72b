//! `ingest` on Lambda, behind the HTTP API.

use bellhop_http::{Api, complete};
use bellhop_lambda::{Error, start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let api = Api::new(start::ingest().await?);
    lambda_http::run(complete(bellhop_ingest::routes(api))).await
}
