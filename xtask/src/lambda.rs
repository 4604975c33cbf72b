//! Builds what is deployed to Lambda, once, and lays it where `template.yaml` looks for it.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result};

use crate::{step, tools};

/// The functions, as their crates are named.
const FUNCTIONS: [&str; 4] = ["ingest", "manage", "sender", "batch"];

/// What is laid out for `sam`, and where cargo-lambda puts what it builds.
const LAID_OUT: &str = "target/functions";

/// cargo-lambda links against a C library as old as Lambda's; `CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu` builds for
/// arm64.
pub(crate) fn build() -> Result<()> {
    let binaries = Path::new(LAID_OUT).join("built");
    let mut build = tools::DEPLOYING.command("cargo-lambda")?;
    build.args(["lambda", "build", "--profile", "lambda", "--all-features", "--lambda-dir"]).arg(&binaries);
    for function in FUNCTIONS {
        build.args(["--package", &format!("bellhop-{function}")]);
    }
    step("functions for Lambda", &mut build)?;
    for function in FUNCTIONS {
        let binary = binaries.join(format!("bellhop-{function}")).join("bootstrap");
        match function {
            "sender" => channels()?.iter().try_for_each(|channel| lay(&binary, &format!("sender-{channel}")))?,
            other => lay(&binary, other)?,
        }
    }
    Ok(())
}

/// Puts a binary where the template's `CodeUri` names it: as another name of the same file, not as a copy.
fn lay(binary: &Path, name: &str) -> Result<()> {
    let folder = Path::new(LAID_OUT).join(name);
    fs::create_dir_all(&folder)?;
    let there = folder.join("bootstrap");
    match fs::remove_file(&there) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    fs::hard_link(binary, &there).with_context(|| format!("`{}` was not built", binary.display()))?;
    println!("{}: {} KB", folder.display(), fs::metadata(&there)?.len() / 1_000);
    Ok(())
}

/// Every channel: each has a file of cases.
fn channels() -> Result<Vec<String>> {
    let mut channels = Vec::new();
    for file in fs::read_dir("shared/channels/cases")? {
        let name = file?.path();
        channels.push(name.file_stem().context("a file has a name")?.to_string_lossy().into_owned());
    }
    Ok(channels)
}
