//! `docs/channels.md` against the running binary: what stands there works.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs};

use acceptance::{Bellhop, HEADER_SECRET, cases::Case};
use serde_json::Value;

/// Each section's channel with its example.
fn examples() -> Vec<(String, Value)> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/channels.md")).unwrap();
    let example = |section: &str| {
        let (id, rest) = section.split_once('\n').unwrap();
        let json = rest.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        (id.to_owned(), serde_json::from_str(json).unwrap())
    };
    page.split("\n## ").skip(1).map(example).collect()
}

/// A service account's private key is not shown in the docs: whoever uses the example has one.
fn fill_in_key(params: &mut Value) {
    let Some(file) = params.get("service_account").and_then(Value::as_str) else { return };
    let mut file: Value = serde_json::from_str(file).unwrap();
    let case = Case::first("fcm");
    let whole: Value = serde_json::from_str(case.params["service_account"].as_str().unwrap()).unwrap();
    assert_eq!(file["private_key"], "as it stands in the file");
    file["private_key"] = whole["private_key"].clone();
    params["service_account"] = file.to_string().into();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_in_the_docs_can_be_registered_and_every_channel_has_one() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start_command(data.path(), &["--allow-private", "127.0.0.0/8"], |command| {
        // without a way to Amazon SES, a registration on it is refused
        command
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", HEADER_SECRET);
    });
    for (id, mut example) in examples() {
        assert_eq!(example["channel"], id.as_str());
        fill_in_key(&mut example["params"]);
        let (status, answer) = bellhop.client.call("PUT", &format!("/v1/registrations/{id}"), Some(example)).await;
        assert_eq!((status, &answer["channel"]), (200, &Value::from(id.as_str())), "{answer}");
    }
    let listed = bellhop.client.get("/v1/channels").await;
    let listed: BTreeSet<_> =
        listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, examples().into_iter().map(|(id, _)| id).collect());
}
