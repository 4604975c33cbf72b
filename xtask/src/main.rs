//! The project's own commands: `cargo xtask <command>`.
//!
//! They install what they need and this machine lacks ([`tools`]), a browser apart inside of the working directory alone.

#![expect(clippy::print_stderr, reason = "a command line for developers; figures alone go to standard output")]

mod bench;
mod budget;
mod cost;
mod emulators;
mod lambda;
mod scale;
mod tools;

use std::{env, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, bail, ensure};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    env::set_current_dir(root)?;
    match env::args().nth(1).as_deref() {
        Some("check") => check(),
        Some("test") => check().and_then(|()| test()),
        Some("lambda") => lambda::build(),
        Some("emulators") => emulators::start(),
        Some("browser") => tools::browser(),
        Some("docs") => docs(),
        Some("screenshots") => screenshots(),
        Some("python") => [tools::TESTING, tools::DEPLOYING, tools::PEERS, tools::CALLING, tools::READING]
            .iter()
            .try_for_each(|python| python.installed().map(drop)),
        Some("cost") => {
            cost::print();
            Ok(())
        }
        Some("scale") => {
            scale::print();
            Ok(())
        }
        Some("bench") => bench::run(env::args().skip(2)),
        _ => bail!(
            "usage: cargo xtask check | test | docs | screenshots | lambda | emulators | python | browser | bench | cost | scale"
        ),
    }
}

/// Everything that can be said without running the code.
fn check() -> Result<()> {
    step("format", &mut cargo(["fmt", "--all", "--check"]))?;
    step("lints", &mut cargo(["clippy", "--workspace", "--all-features", "--all-targets", "--", "-D", "warnings"]))?;
    let docs = ["doc", "--workspace", "--all-features", "--no-deps", "--document-private-items"];
    step("documentation", cargo(docs).env("RUSTDOCFLAGS", "-D warnings"))?;
    step("bans, licences, sources", Command::new(tools::built("cargo-deny")?).args(["check", "bans", "licenses", "sources"]))?;
    step("spelling", &mut tools::TESTING.command("typos")?)?;
    step("template, for CloudFormation", tools::TESTING.command("cfn-lint")?.arg("template.yaml"))?;
    let mut validate = tools::DEPLOYING.command("sam")?;
    validate.args(["validate", "--lint", "--region", "us-east-1"]).env("SAM_CLI_TELEMETRY", "0");
    step("template, for SAM", &mut validate)
}

/// Every test there is.
fn test() -> Result<()> {
    let nextest = tools::built("cargo-nextest")?;
    let every = ["nextest", "run", "--workspace", "--all-features", "--profile", "ci"];
    step("tests", Command::new(nextest).args(every))?;
    step("examples in the documentation", &mut cargo(["test", "--workspace", "--all-features", "--doc"]))
}

/// What is made of code in `docs`, by the tests that compare it.
fn docs() -> Result<()> {
    let pages =
        [("contract_cases", "the_page_of_channels"), ("qd_digest", "the_page_of_digests"), ("openapi", "the_openapi_document")];
    pages.into_iter().try_for_each(|(target, page)| {
        let write = ["test", "--workspace", "--all-features", "--test", target, "--", page];
        step(page, cargo(write).env("BELLHOP_WRITE_DOCS", "1"))
    })
}

/// All pages of the console in `docs/screenshots`, as they are now: `PAGE.THEME.LANGUAGE.webp`, four pictures of each, 4 MB in
/// all at most. The names are those of the tests' list of pages; pictures of pages that are no more go.
fn screenshots() -> Result<()> {
    tools::browser()?;
    tools::chinese_letters()?;
    step("the binary", &mut cargo(["build", "--workspace", "--all-features", "--bin", "bellhop"]))?;
    let take = ["test", "--workspace", "--all-features", "--test", "console_pages", "--", "every_page_has_its_picture_taken"];
    step("pictures", cargo(take).env("BELLHOP_WRITE_SCREENSHOTS", "1"))
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("== {name}");
    let begun = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{name}: {command:?} ended with {status}");
    eprintln!("== {name}: {:.0?}", begun.elapsed());
    Ok(())
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments);
    command
}
