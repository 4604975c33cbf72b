//! Builds the server and the load program for speed, and lets one measure the other. Only figures go to standard output.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Hands `arguments` to the load program.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let build = ["build", "--release", "--all-features", "--package", "bellhop-local", "--package", "bellhop-bench"];
    done(Command::new(env!("CARGO")).args(build))?;
    done(Command::new("target/release/bellhop-bench").args(arguments))
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
