//! The project's own commands: `cargo xtask <command>`.
//!
//! `check` and `test` install what they need and this machine lacks, into `target/tools` and `.venv`, and nothing else
//! anywhere.

#![expect(clippy::print_stdout, reason = "a command line for developers")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};

/// Cargo tools, built from source once: name, version, what to leave out.
const TOOLS: [(&str, &str, &[&str]); 2] = [
    ("cargo-nextest", "0.9.143", &["--no-default-features", "--features", "default-no-update"]),
    ("cargo-deny", "0.20.2", &["--no-default-features"]),
];

/// What runs on Lambda.
const FUNCTIONS: [&str; 4] = ["ingest", "manage", "sender", "batch"];

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    env::set_current_dir(root)?;
    match env::args().nth(1).as_deref() {
        Some("check") => check(),
        Some("test") => check().and_then(|()| test()),
        Some("lambda") => lambda(),
        _ => bail!("usage: cargo xtask check | test | lambda"),
    }
}

/// Everything that can be said without running the code.
fn check() -> Result<()> {
    step("format", &mut cargo(["fmt", "--all", "--check"]))?;
    step("lints", &mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let docs = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    step("documentation", cargo(docs).env("RUSTDOCFLAGS", "-D warnings"))?;
    step("bans, licences, sources", Command::new(tool("cargo-deny")?).args(["check", "bans", "licenses", "sources"]))?;
    step("spelling", &mut Command::new(python_tool("typos")?))
}

/// Every test there is.
fn test() -> Result<()> {
    let profile = if env::var_os("CI").is_some() { "ci" } else { "default" };
    let mut nextest = Command::new(tool("cargo-nextest")?);
    step("tests", nextest.args(["nextest", "run", "--workspace", "--profile", profile]))?;
    step("examples in the documentation", &mut cargo(["test", "--workspace", "--doc"]))
}

/// Builds what is deployed to Lambda, once, and lays it where `template.yaml` looks for it. cargo-lambda links against a C
/// library as old as Lambda's; `CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu` builds for arm64.
fn lambda() -> Result<()> {
    let built = Path::new("target/functions/built");
    let mut build = Command::new(aws_tool("cargo-lambda")?);
    build.args(["lambda", "build", "--profile", "lambda", "--all-features", "--lambda-dir"]).arg(built);
    for function in FUNCTIONS {
        build.args(["--package", &format!("bellhop-{function}")]);
    }
    step("functions for Lambda", &mut build)?;
    for function in FUNCTIONS {
        let binary = built.join(format!("bellhop-{function}")).join("bootstrap");
        match function {
            "sender" => channels()?.iter().try_for_each(|channel| lay(&binary, &format!("sender-{channel}")))?,
            other => lay(&binary, other)?,
        }
    }
    Ok(())
}

/// Puts a binary where the template's `CodeUri` names it.
fn lay(binary: &Path, name: &str) -> Result<()> {
    let folder = Path::new("target/functions").join(name);
    fs::create_dir_all(&folder)?;
    let size = fs::copy(binary, folder.join("bootstrap")).with_context(|| format!("`{}` was not built", binary.display()))?;
    println!("{}: {:.1} MB", folder.display(), size as f64 / 1e6);
    Ok(())
}

/// The channels that `template.yaml` deploys by default.
fn channels() -> Result<Vec<String>> {
    let template = fs::read_to_string("template.yaml")?;
    let parameter = template.split("\n  Channels:\n").nth(1).context("template.yaml has no parameter `Channels`")?;
    let list = parameter.lines().find_map(|line| line.trim().strip_prefix("Default: ")).context("it has no default")?;
    Ok(list.split(',').map(str::to_owned).collect())
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    println!("== {name}");
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{name}: {command:?} ended with {status}");
    println!("== {name}: {:.0?}", begun.elapsed());
    Ok(())
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments);
    command
}

/// A cargo tool: the one on the PATH if there is one, else the pinned one, built once into `target/tools`.
fn tool(name: &str) -> Result<PathBuf> {
    let on_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|dir| dir.join(name)).find(|file| file.exists());
    if let Some(found) = on_path {
        return Ok(found);
    }
    let built = Path::new("target/tools/bin").join(name);
    if !built.exists() {
        let (_, version, features) = TOOLS.into_iter().find(|tool| tool.0 == name).context("an unknown tool")?;
        let mut install = Command::new(env!("CARGO"));
        install.args([
            "install",
            "--locked",
            name,
            "--version",
            version,
            "--root",
            "target/tools",
            "--target-dir",
            "target/tools/build",
        ]);
        step(&format!("installing {name} {version}"), install.args(features))?;
        fs::remove_dir_all("target/tools/build")?;
    }
    Ok(fs::canonicalize(built)?)
}

/// A tool for checking, from PyPI.
fn python_tool(name: &str) -> Result<PathBuf> {
    environment(".venv", "tests/requirements.txt", name)
}

/// A tool for AWS, from PyPI. The SAM CLI pins what the emulators need in other versions, so it has an environment to itself.
fn aws_tool(name: &str) -> Result<PathBuf> {
    environment(".venv-sam", "tests/requirements-aws2.txt", name)
}

/// A program of a virtual environment of the project's own, which holds what `requirements` lists.
fn environment(folder: &str, requirements: &str, name: &str) -> Result<PathBuf> {
    let folder = Path::new(folder);
    let wanted = fs::read_to_string(requirements)?;
    let stamp = folder.join("requirements.txt");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        step("a Python environment", Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let install = ["install", "--quiet", "--requirement", requirements];
        step("tools from PyPI", Command::new(folder.join("bin/pip")).args(install))?;
        fs::write(stamp, wanted)?;
    }
    Ok(fs::canonicalize(folder.join("bin"))?.join(name))
}
