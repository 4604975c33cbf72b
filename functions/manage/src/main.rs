//! `manage` on Lambda, behind the HTTP API.

use bellhop_http::{Api, complete};
use bellhop_lambda::{Error, serve, start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let api = Api::new(start::manage().await?);
    let routes = bellhop_manage::routes(api.clone()).merge(bellhop_manage::console(api)).merge(bellhop_manage::root());
    serve(complete(routes)).await
}
