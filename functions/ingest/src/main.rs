//! `ingest` on Lambda, behind the HTTP API.

use axum::extract::Request;
use bellhop_http::{Api, complete_or};
use bellhop_ingest::{mpush::otherwise, routes};
use bellhop_lambda::{Error, serve, start};
use bellhop_mpush::Mpush;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (ports, account) = start::ingest().await?;
    let api = Api::new(ports);
    let mpush = Mpush::new(api.clone(), account);
    serve(complete_or(routes(api), |request: Request| otherwise(mpush, request))).await
}
