//! `ingest` on Lambda, behind the HTTP API.

use bellhop_http::{Api, complete};
use bellhop_lambda::{Error, serve, start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let api = Api::new(start::ingest().await?);
    serve(complete(bellhop_ingest::routes(api))).await
}
