//! The least that a function can be: it answers `{}`. `cargo xtask bench lambda` measures ours beside it; it is never deployed.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_event: LambdaEvent<Value>| Ok::<_, Error>(json!({})))).await
}
