//! Builds the server, or the functions, and the load program for speed, and lets one measure the other. Only figures go to standard output.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lambda;

/// Hands `arguments` to the load program.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let arguments: Vec<_> = arguments.collect();
    let mut build = cargo_build();
    build.args(["--all-features", "--package", "bellhop-bench"]);
    match arguments.first().map(String::as_str) {
        Some("lambda") => lambda::build_with_hello()?,
        // what Lambda and AWS need is not measured
        Some("digest") => done(cargo_build().args(["--package", "bellhop-batch", "--example", "digests"]))?,
        Some(_) | None => drop(build.args(["--package", "bellhop-local"])),
    }
    done(&mut build)?;
    done(Command::new("target/release/bellhop-bench").args(arguments))
}

fn cargo_build() -> Command {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release"]);
    build
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
