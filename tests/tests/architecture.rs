//! The workspace's own rules: which crate may import what, and what stands where. They are written in `ARCHITECTURE.md`.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Each package of the workspace with its normal dependencies (not those of its tests).
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let normal = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
            let names = normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
            (package["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

/// Packages that have this dependency.
fn users_of(matches: impl Fn(&str) -> bool) -> Vec<String> {
    let found = dependencies().into_iter().filter(|(_, names)| names.iter().any(|name| matches(name)));
    found.map(|(package, _)| package).collect()
}

/// Every Rust source of a folder, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

#[test]
fn a_crate_imports_only_what_stands_below_it() {
    let shared = ["bellhop-channels", "bellhop-egress", "bellhop-http", "bellhop-testkit"];
    let functions = ["bellhop-sender", "bellhop-batch", "bellhop-kafka"];
    let ours = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names.iter().filter(|name| name.starts_with("bellhop-")).cloned().collect()
    };
    let allowed = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    for (package, names) in dependencies() {
        let below = match package.as_str() {
            "bellhop-core" => allowed(&[]),
            "bellhop-seal" => allowed(&["bellhop-core"]),
            "bellhop-aws" | "bellhop-embedded" => allowed(&["bellhop-core", "bellhop-seal"]),
            name if shared.contains(&name) => allowed(&["bellhop-core"]),
            "bellhop-mpush" | "bellhop-console" => allowed(&["bellhop-core", "bellhop-http"]),
            "bellhop-ingest" | "bellhop-socket" => {
                allowed(&["bellhop-core", "bellhop-channels", "bellhop-http", "bellhop-lambda", "bellhop-mpush"])
            }
            // what the mains on Lambda share
            "bellhop-lambda" => allowed(&["bellhop-core", "bellhop-aws", "bellhop-channels", "bellhop-egress"]),
            "bellhop-manage" => {
                allowed(&["bellhop-core", "bellhop-channels", "bellhop-console", "bellhop-http", "bellhop-lambda"])
            }
            name if functions.contains(&name) => allowed(&["bellhop-core", "bellhop-channels", "bellhop-http", "bellhop-lambda"]),
            // speak to the binaries as anybody does, or are one beside them
            "bellhop-bench" | "bellhop-hello" => allowed(&[]),
            "bellhop-local" | "acceptance" | "xtask" => continue,
            other => panic!("`{other}` is new: say here what it may import"),
        };
        let too_much: Vec<_> = ours(&names).difference(&below).cloned().collect();
        assert!(too_much.is_empty(), "`{package}` imports {too_much:?}");
    }
}

#[test]
fn core_has_no_runtime_no_client_and_no_store() {
    let names = &dependencies()["bellhop-core"];
    for banned in ["tokio", "reqwest", "axum", "hyper", "rusqlite", "getrandom"] {
        assert!(!names.contains(banned), "core depends on {banned}");
    }
    assert!(!names.iter().any(|name| name.starts_with("aws")));
    for (path, text) in sources("shared/core/src") {
        for banned in ["std::env", "SystemTime", "Timestamp::now", "Instant::now", "std::fs", "std::net"] {
            assert!(!text.contains(banned), "{} has {banned}", path.display());
        }
    }
}

#[test]
fn each_world_is_entered_in_one_crate() {
    assert_eq!(users_of(|name| name == "rusqlite"), ["bellhop-embedded"]);
    assert_eq!(users_of(|name| name == "reqwest" || name == "lettre"), ["acceptance", "bellhop-egress"]);
    // local takes connections in, and opens none
    assert_eq!(users_of(|name| name.contains("tungstenite")), ["acceptance", "bellhop-bench", "bellhop-egress", "bellhop-local"]);
    // the member of a consumer group on one machine
    assert_eq!(users_of(|name| name == "rdkafka"), ["bellhop-local"]);
    // aws-lc-rs is cryptography
    assert_eq!(users_of(|name| name.starts_with("aws-") && name != "aws-lc-rs"), ["bellhop-aws"]);
}

#[test]
fn sockets_are_opened_by_egress_alone() {
    let folders = ["shared", "functions"];
    for (path, text) in folders.iter().flat_map(|folder| sources(folder)) {
        let is_egress_or_test =
            path.starts_with(root().join("shared/egress")) || path.components().any(|part| part.as_os_str() == "tests");
        if !is_egress_or_test {
            assert!(!text.contains("TcpStream"), "{} opens sockets", path.display());
        }
    }
}

#[test]
fn a_channel_file_does_no_io() {
    for (path, text) in sources("shared/channels/src") {
        for banned in ["std::net", "std::fs", "std::env", "tokio", "reqwest", "async fn", ".await", "Timestamp::now", "getrandom"]
        {
            assert!(!text.contains(banned), "{} has {banned}", path.display());
        }
    }
}

#[test]
fn the_top_level_is_what_the_readme_says() {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let found: BTreeSet<_> =
        listed.lines().map(|path| path.split('/').next().unwrap()).filter(|name| !name.starts_with('.')).collect();
    let wanted = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "README.zh-CN.md",
        "SECURITY.md",
        "clippy.toml",
        "deny.toml",
        "docs",
        "fuzz",
        "functions",
        "infra",
        "rustfmt.toml",
        "samconfig.toml",
        "shared",
        "template.yaml",
        "tests",
        "typos.toml",
        "xtask",
    ];
    assert_eq!(found, BTreeSet::from(wanted));
}

/// All that is written in Rust, tests included.
fn code() -> String {
    ["shared", "functions", "tests"].iter().flat_map(|folder| sources(folder)).map(|(_, text)| text).collect()
}

#[test]
fn the_page_on_security_names_a_test_for_every_wall_and_the_test_exists() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let (walls, _) = text.split_once("\n## Fuzzing").unwrap();
    let rows: Vec<_> = walls.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.len() >= 30, "{}", rows.len());
    let code = code();
    for row in rows.iter().filter(|row| !row.starts_with("| threat ")) {
        let tests: Vec<_> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test is named in: {row}");
        for name in tests {
            assert!(code.contains(&format!("fn {name}(")), "there is no test `{name}`");
        }
    }
}

#[test]
fn architecture_names_a_test_for_every_invariant_and_the_test_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 150, "ARCHITECTURE.md is to be read in one sitting");
    let invariants: Vec<_> = text.lines().filter(|line| line.contains("Invariant:")).collect();
    assert!(invariants.len() >= 5);
    let code = code();
    for line in invariants {
        let named = line.rsplit_once("(test: `").and_then(|(_, rest)| rest.strip_suffix("`)"));
        let named = named.unwrap_or_else(|| panic!("no test is named in: {line}"));
        assert!(code.contains(&format!("fn {named}(")), "there is no test `{named}`");
    }
}
