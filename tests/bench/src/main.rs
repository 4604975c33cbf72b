//! The load program behind `docs/benchmarks.md`: starts the real binary, posts to it over real sockets, receives with a
//! sink of its own, and says what came of it beside what the machine can do without us.
//!
//! Everything of one benchmark is measured in one run, on the same cores. Left to others: building what is measured
//! (`cargo xtask bench` does), judging the figures.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures go to standard output, progress beside it")]

mod client;
mod console;
mod digest;
mod endpoint;
mod isolation;
mod kills;
mod lambda;
mod load;
mod machine;
mod mpush;
mod process;
mod report;
mod runtime;
mod serve;
mod sink;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use tempfile::TempDir;

use crate::{
    machine::Processors,
    process::Start,
    report::{Report, Target},
};

/// Measures the server: `cargo xtask bench <what>`.
#[derive(Parser)]
#[command(name = "bellhop-bench")]
struct Cli {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: Common,
}

/// What every benchmark is told.
#[derive(Args)]
struct Common {
    /// The server.
    #[arg(long, global = true, default_value = "target/release/bellhop")]
    binary: PathBuf,
    /// A directory on a real disk; data goes into a new directory in it, which is removed at the end.
    #[arg(long, global = true, default_value = "target")]
    data: PathBuf,
    /// What the server logs, to /dev/null: formatting lines is measured, keeping them is not.
    #[arg(long, global = true, default_value = "info")]
    log: String,
    /// Print a table instead of JSON.
    #[arg(long, global = true)]
    markdown: bool,
}

#[derive(Subcommand)]
enum What {
    /// How much one machine takes and delivers, how fast, and what that costs.
    Serve(serve::Serve),
    /// What a receiver suffers beside one that hangs.
    Isolation(isolation::Isolation),
    /// Whether anything is lost or repeated when the server is killed under load.
    Kills(kills::Kills),
    /// How soon Mpush's senders are answered, and what clients take that are connected and say nothing.
    Mpush(mpush::Mpush),
    /// What composing digests takes, of few rules, of many, and of many events.
    Digest(digest::Digest),
    /// How soon the pages of the console are there, over ten thousand registrations and a million deliveries.
    Console(console::Console),
    /// How large the Lambda functions are, and how fast they start, beside one that does nothing.
    Lambda(lambda::Lambda),
}

impl Common {
    /// A new data directory.
    fn fresh_data(&self) -> Result<TempDir> {
        let data = tempfile::Builder::new().prefix("bench-").tempdir_in(&self.data);
        data.with_context(|| format!("cannot make a directory in `{}`", self.data.display()))
    }

    fn start(&self, data: &Path) -> Start {
        Start { binary: self.binary.clone(), data: data.to_owned(), log: self.log.clone(), preload: None }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Cli { what, common } = Cli::parse();
    fs::create_dir_all(&common.data)?;
    machine::is_on_disk(&common.data)?;
    let (name, connections) = match &what {
        What::Serve(serve) => ("serve", serve.connections),
        What::Isolation(_) => ("isolation", 16),
        What::Kills(kills) => ("kills", kills.connections),
        What::Mpush(_) => ("mpush", 8),
        What::Digest(_) => ("digest", 16),
        What::Console(_) => ("console", 16),
        What::Lambda(_) => ("lambda", 16),
    };
    let processors = Processors::look()?;
    let mut report = Report::new(name, command(), machine::measure(&common.data, connections).await?);
    match what {
        What::Serve(serve) => serve.run(&common, &mut report).await?,
        What::Isolation(isolation) => isolation.run(&common, &mut report).await?,
        What::Kills(kills) => kills.run(&common, &mut report).await?,
        What::Mpush(mpush) => mpush.run(&common, &mut report).await?,
        What::Digest(digest) => digest.run(&common, &mut report)?,
        What::Console(console) => console.run(&common, &mut report).await?,
        What::Lambda(lambda) => lambda.run(&common, &mut report).await?,
    }
    report.end(machine::measure(&common.data, connections).await?);
    let stolen = Processors::look()?.stolen_since(processors);
    report.add("the machine: processor time that its host gave to others", "%", stolen, Target::None);
    if common.markdown {
        println!("{}", report.markdown());
    } else {
        println!("{:#}", report.json());
    }
    Ok(())
}

/// How to do it again.
fn command() -> String {
    let arguments = env::args().skip(1).map(|argument| format!(" {argument}"));
    ["cargo xtask bench".to_owned()].into_iter().chain(arguments).collect()
}
