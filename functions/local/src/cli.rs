//! The command line: what can be asked for, and how the answer is printed.

use std::{
    io::{Read, Write, stderr, stdin, stdout},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use bellhop_core::{channel::Spec, ports::Clock};
use bellhop_egress::Cidr;
use bellhop_embedded::SystemClock;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;

use crate::{client, doctor, dry_run, first_start, rotate_key, serve, verdict};

/// Notifications that are kept once accepted, delivered where people are, and accounted for.
#[derive(Parser)]
#[command(name = "bellhop", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform on this machine (the default command).
    Serve(Serve),
    /// Send a message through a running server.
    Send(client::Send),
    /// Report an event to a running server.
    Event(client::Event),
    /// Bring a channel's dead letters back into its queue.
    Redrive(client::Redrive),
    /// Print every channel with its parameters, as JSON.
    Channels,
    /// Look a data directory over and say what is wrong.
    Doctor(doctor::Doctor),
    /// Seal every secret in a data directory anew, with new keys. No server may use it meanwhile.
    RotateKey(rotate_key::RotateKey),
    /// Print the requests that a case on standard input would make, without making them.
    ///
    /// A case is `{"channel": "webhook", "registration": {"url": "https://example.com"}, "notification": {"title": "hello"},
    /// "now_unix": 1700000000}`.
    DryRun,
    /// Print what a provider's answer on standard input means.
    ///
    /// An answer is `{"channel": "webhook", "response": {"status": 503, "headers": {"Retry-After": "7"}, "body": ""}}`.
    Verdict,
    /// Make an API key; print it and the hash by which it is stored.
    NewKey,
}

/// Options of `bellhop serve`.
#[derive(Args, Clone)]
pub struct Serve {
    /// Where to listen for HTTP; may be repeated.
    #[arg(long, env = "BELLHOP_LISTEN", default_value = "127.0.0.1:8480", value_delimiter = ',')]
    pub listen: Vec<SocketAddr>,
    /// Where everything is kept.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data")]
    pub data: PathBuf,
    /// The first key, `bh_<id>_<secret of 32 characters or more>`; without it one is made at the first start.
    #[arg(long, env = "BELLHOP_ADMIN_KEY", hide_env_values = true, hide = true)]
    pub admin_key: Option<String>,
    /// Private networks that messages may be sent to, e.g. `10.0.0.0/8,127.0.0.0/8`.
    #[arg(long, env = "BELLHOP_ALLOW_PRIVATE", value_delimiter = ',', value_name = "CIDR")]
    pub allow_private: Vec<Cidr>,
    /// Dial this address for that host name, e.g. `api.telegram.org=127.0.0.1:8443`; may be repeated.
    #[arg(long, env = "BELLHOP_RESOLVE", value_delimiter = ',', value_name = "HOST=ADDRESS:PORT", value_parser = bellhop_egress::parse_resolve)]
    pub resolve: Vec<(String, SocketAddr)>,
    /// Trust the certificates in this PEM file, too; may be repeated.
    #[arg(long, env = "BELLHOP_EXTRA_CA", value_delimiter = ',', value_name = "FILE")]
    pub extra_ca: Vec<PathBuf>,
    /// What to log, e.g. `info` or `bellhop_core=debug`.
    #[arg(long, env = "BELLHOP_LOG", default_value = "info")]
    pub log: String,
    /// Answer before the disk has it: a power cut may then lose what was answered. For tests only.
    #[arg(long, hide = true)]
    pub unsafe_no_sync: bool,
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(cli.command.unwrap_or(Command::Serve(cli.serve))) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            drop(writeln!(stderr(), "bellhop: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A variable that is set to nothing, as service files often have it, counts as not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve(options) => serve::run(options)?,
        Command::Send(send) => {
            let (answer, arrived) = send.run()?;
            print_json(&answer)?;
            return Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::from(2) });
        }
        Command::Event(event) => print_json(&event.run()?)?,
        Command::Redrive(redrive) => print_json(&redrive.run()?)?,
        Command::Channels => print_json(&channels())?,
        Command::Doctor(doctor) => {
            let (report, healthy) = doctor.run();
            print(&report)?;
            return Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::RotateKey(rotate_key) => print(&rotate_key.run()?)?,
        Command::DryRun => print_json(&dry_run::dry_run(&standard_input()?, bellhop_channels::ALL, SystemClock.now())?)?,
        Command::Verdict => print_json(&verdict::verdict(&standard_input()?, bellhop_channels::ALL, SystemClock.now())?)?,
        Command::NewKey => {
            let key = first_start::make_key(&SystemClock);
            print(&format!("key  {}\nhash {}", key.expose(), key.hash()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn channels() -> Vec<&'static Spec> {
    bellhop_channels::SPECS.specs.to_vec()
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("standard input is not UTF-8 text")?;
    Ok(text)
}

fn print_json(value: &impl Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

fn print(text: &str) -> Result<()> {
    writeln!(stdout(), "{text}").context("standard output is gone")
}
