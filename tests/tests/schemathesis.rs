//! [schemathesis](https://schemathesis.io) calls the binary as `docs/openapi.json` allows, and as it does not, and looks at
//! each answer with all of its checks. What it is told besides stands in `tests/openapi/schemathesis.toml`.

#![expect(clippy::print_stdout, reason = "a count, for whoever asks with `--no-capture`")]

use std::{path::Path, process::Command};

use acceptance::{
    Bellhop, Sink,
    operations::{furnish, operations},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start(data.path());
    let client = &bellhop.client;
    let known = furnish(client, &operations(), &sink).await;
    let id = |prefix: &str| known.all().find(|id| id.starts_with(prefix)).unwrap().to_owned();
    let (status, hook) = client.call("POST", "/v1/hooks", Some(json!({ "name": "reporter", "kind": "generic" }))).await;
    assert_eq!(status, 201);
    let (_, token) = hook["url"].as_str().unwrap().rsplit_once('/').unwrap();

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = root.join(".venv-openapi/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run `cargo xtask python`", program.display());
    let mut command = Command::new(program);
    command.arg("--config-file").arg(root.join("tests/openapi/schemathesis.toml")).arg("run");
    command.arg(format!("{}/openapi.json", client.url)).args(["--checks", "all"]).current_dir(data.path());
    command.env("BELLHOP_KEY", &client.key).env("BELLHOP_TOKEN", token);
    command.env("BELLHOP_EVENT", id("evt_")).env("BELLHOP_DELIVERY", id("dlv_")).env("BELLHOP_SPARE_KEY", id("key_"));
    command.env("BELLHOP_TASK", id("tsk_"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // it does not call the document that it reads
    let called = operations().iter().filter(|operation| operation.path != "/openapi.json").count();
    assert!(said.contains(&format!("Tested: {called}\n")), "{said}");
    println!("{}", said.lines().find(|line| line.contains(" generated, ")).unwrap());
    assert_eq!(client.call("GET", "/readyz", None).await.0, 200);
    bellhop.stop();
}
