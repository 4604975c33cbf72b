//! Builds what is deployed to Lambda, once, holds it to its size budget, and lays it where `template.yaml` looks for it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{budget, step, tools};

/// The functions, as their crates are named.
const FUNCTIONS: [&str; 6] = ["ingest", "manage", "sender", "batch", "socket", "kafka"];

/// What is laid out for `sam`, and where cargo-lambda puts what it builds.
const LAID_OUT: &str = "target/functions";

/// cargo-lambda links against a C library as old as Lambda's; `CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu` builds for
/// arm64.
pub(crate) fn build() -> Result<()> {
    let binaries = built(&FUNCTIONS)?;
    let mut sizes = Vec::new();
    for (function, binary) in FUNCTIONS.iter().zip(&binaries) {
        sizes.push((*function, fs::metadata(binary)?.len()));
        match *function {
            "sender" => channels()?.iter().try_for_each(|channel| lay(binary, &format!("sender-{channel}")))?,
            other => lay(binary, other)?,
        }
    }
    for (function, size) in &sizes {
        eprintln!("{function}: {size} bytes");
    }
    budget::keep(&fs::read_to_string(budget::FILE)?, &sizes)
}

/// Builds what `bench lambda` measures: the functions, and one that does nothing.
pub(crate) fn build_with_hello() -> Result<()> {
    build()?;
    built(&["hello"]).map(drop)
}

/// Builds these packages. Answers their binaries.
fn built(functions: &[&str]) -> Result<Vec<PathBuf>> {
    let binaries = Path::new(LAID_OUT).join("built");
    let mut build = tools::DEPLOYING.command("cargo-lambda")?;
    build.args(["lambda", "build", "--profile", "lambda", "--all-features", "--lambda-dir"]).arg(&binaries);
    // Collecting entropy from the jitter of the CPU takes each new process ten times as long as the rest of its warm-up.
    // Lambda has the kernel's and the CPU's own. <https://aws.github.io/aws-lc-rs/resources.html#entropy-configuration>
    build.env("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");
    // At a fixed place, a new process has no table of 22,000 addresses to correct, which also is a twentieth of the file.
    build.env("RUSTFLAGS", "-C relocation-model=static");
    for function in functions {
        build.args(["--package", &format!("bellhop-{function}")]);
    }
    step("functions for Lambda", &mut build)?;
    Ok(functions.iter().map(|function| binaries.join(format!("bellhop-{function}")).join("bootstrap")).collect())
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
    Ok(())
}

/// Every channel, as `template.yaml` names it: each has a file of cases, and a logical id has no `_`.
fn channels() -> Result<Vec<String>> {
    let mut channels = Vec::new();
    for file in fs::read_dir("shared/channels/cases")? {
        let name = file?.path();
        channels.push(name.file_stem().context("a file has a name")?.to_string_lossy().replace('_', ""));
    }
    Ok(channels)
}
