//! The minute's tick on Lambda. A tick is only a reason to look at what is due: whatever event brings it is as good.

use bellhop_batch::handle_tick;
use bellhop_lambda::{Error, start};
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let ports = &start::batch().await?;
    run(service_fn(async |_tick: LambdaEvent<IgnoredAny>| handle_tick(ports).await.map_err(Error::from))).await
}
