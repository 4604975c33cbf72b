//! `docs/openapi.json` against the binary: every route is described, with its methods.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use acceptance::{
    Bellhop,
    operations::{document, operations},
};

/// Every path that the functions route, as their sources say.
fn routed() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for function in ["ingest", "manage", "local"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions").join(function).join("src");
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let text = fs::read_to_string(file).unwrap();
            for behind in text.split(".route(").skip(1) {
                let path = behind.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                found.insert(path.unwrap_or_else(|| panic!("a route is no plain text: {behind:.60}")).to_owned());
            }
        }
    }
    found
}

/// Every path that is described, with its methods.
fn described() -> BTreeMap<String, BTreeSet<String>> {
    let mut paths = BTreeMap::<_, BTreeSet<_>>::new();
    for operation in operations() {
        let methods = paths.entry(operation.path).or_default();
        if operation.method == "GET" {
            methods.insert("HEAD".to_owned());
        }
        methods.insert(operation.method);
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_with_its_methods() {
    let described = described();
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), routed(), "see functions/manage/tests/openapi/paths");

    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    for (path, methods) in described {
        let path = path.replace(['{', '}'], "");
        let answer = bellhop.client.respond("PROPFIND", &path, &[], None).await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap();
        assert_eq!(allowed.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_that_is_served_is_the_committed_one() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let served = bellhop.client.with_key("").call("GET", "/openapi.json", None).await;
    assert_eq!(served, (200, document()));
}
