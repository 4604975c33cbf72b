//! The command line: what can be asked for, and how the answer is printed.

use std::{
    io::{Read, Write, stderr, stdin, stdout},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, Result};
use bellhop_core::{link::PublicUrl, ports::Clock, vapid::Contact};
use bellhop_egress::Cidr;
use bellhop_embedded::SystemClock;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::{Shell, generate};
use serde::Serialize;
use serde_json::json;

use crate::{
    backup::Backup,
    client::{
        archive::{Export, Import},
        manage::{Account, Accounts, Audit, Contacts, DeadLetters, Deliveries, Events, Hooks, Keys, Rules, Sources},
        mpush::ImportMpush,
        registrations::Registrations,
        send::{Event, Redrive, Send},
        tasks::Tasks,
    },
    doctor, dry_run, first_start, rotate_key, serve,
    show::{Form, Shown},
    verdict,
};

/// Notifications that are kept once accepted, delivered where people are, and accounted for.
#[derive(Parser)]
#[command(name = "bellhop", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
    #[command(flatten)]
    form: Form,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform on this machine (the default command).
    Serve(Serve),
    /// Send a message through a running server.
    Send(Send),
    /// Report an event to a running server.
    Event(Event),
    /// Named destinations: list, show, put, change, enable, disable, test, reveal, delete.
    Registrations(Registrations),
    /// Which events reach whom: list, show, put, change, preview, flush, delete.
    Rules(Rules),
    /// People and their addresses: list, show, put, change, delete.
    Contacts(Contacts),
    /// Switch sources off for all rules, and on.
    Sources(Sources),
    /// Paths by which other systems report: list, show, make, delete.
    Hooks(Hooks),
    /// Messages that are sent by the clock: list, show, make, change, runs, cancel, delete.
    Tasks(Tasks),
    /// API keys of the account: list, make, revoke.
    Keys(Keys),
    /// Show the account's settings, or change them.
    Account(Account),
    /// All accounts of the deployment, for whoever runs it: list, make, delete.
    Accounts(Accounts),
    /// What was reported: list, show.
    Events(Events),
    /// What became of each notification: list, show, retry.
    Deliveries(Deliveries),
    /// Who looked at secrets, and who changed what.
    Audit(Audit),
    /// How many messages each channel has given up.
    DeadLetters(DeadLetters),
    /// Bring a channel's dead letters back into its queue.
    Redrive(Redrive),
    /// Print every channel with its parameters.
    Channels,
    /// Write an account to a file: registrations, rules, contacts, sources, settings.
    Export(Export),
    /// Bring an account from a file to a server, of whatever kind.
    Import(Import),
    /// Bring Mpush's `config.json` to a server: token, time limits, and webhooks as registrations.
    ImportMpush(ImportMpush),
    /// Copy a data directory, while its server goes on.
    Backup(Backup),
    /// Print a script that completes this command line.
    Completions {
        /// bash, elvish, fish, powershell or zsh.
        shell: Shell,
    },
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
    /// The account that Mpush's clients and scripts reach without a token, once it has one and as far as its settings let
    /// them; `none` = no account.
    #[arg(long, env = "BELLHOP_MPUSH_ACCOUNT", default_value = "main", value_name = "ACCOUNT")]
    pub mpush_account: String,
    /// Where records of Kafka come from.
    #[command(flatten)]
    pub kafka: Kafka,
    /// To whom push services turn who have trouble with what is sent, e.g. `mailto:ops@example.com`; Apple wants one.
    #[arg(long, env = "BELLHOP_CONTACT", value_name = "URL", value_parser = Contact::parse, default_value_t)]
    pub contact: Contact,
    /// Where people reach this server, e.g. `https://bellhop.example.com`: digests link to its console.
    #[arg(long, env = "BELLHOP_PUBLIC_URL", value_name = "URL", value_parser = PublicUrl::parse)]
    pub public_url: Option<PublicUrl>,
    /// What to log, e.g. `info` or `bellhop_core=debug`.
    #[arg(long, env = "BELLHOP_LOG", default_value = "info")]
    pub log: String,
    /// Answer before the disk has it: a power cut may then lose what was answered. For tests only.
    #[arg(long, hide = true)]
    pub unsafe_no_sync: bool,
}

/// Options of `bellhop serve` that lead to Kafka.
#[derive(Args, Clone)]
pub struct Kafka {
    /// Take records from these Kafka brokers, too, e.g. `10.0.0.7:9092,10.0.0.8:9092`; needs the Cargo feature `kafka`.
    #[arg(long = "kafka", env = "BELLHOP_KAFKA", value_name = "BROKERS")]
    pub brokers: Option<String>,
    /// The topic that they are taken from.
    #[arg(long = "kafka-topic", env = "BELLHOP_KAFKA_TOPIC", default_value = "task.push.info", value_name = "TOPIC")]
    pub topic: String,
    /// The consumer group that remembers how far it has come; processes of one group share the partitions.
    #[arg(long = "kafka-group", env = "BELLHOP_KAFKA_GROUP", default_value = "bellhop", value_name = "GROUP")]
    pub group: String,
    /// The topic for records that can never be accepted; without it, that of the records with `.dead-letters` behind.
    #[arg(long = "kafka-dead-letters", env = "BELLHOP_KAFKA_DEAD_LETTERS", value_name = "TOPIC")]
    pub dead_letters: Option<String>,
    /// The account that the records are for.
    #[arg(long = "kafka-account", env = "BELLHOP_KAFKA_ACCOUNT", default_value = "main", value_name = "ACCOUNT")]
    pub account: String,
}

/// Runs the command that the arguments ask for.
pub fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(cli.command.unwrap_or(Command::Serve(cli.serve)), cli.form) {
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

fn run(command: Command, form: Form) -> Result<ExitCode> {
    let show = |shown: Result<Shown>| print(&shown?.print(form));
    match command {
        Command::Serve(options) => serve::run(options)?,
        Command::Send(send) => {
            let (answer, arrived) = send.run()?;
            show(Ok(answer))?;
            return Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::from(2) });
        }
        Command::Event(event) => show(event.run())?,
        Command::Registrations(registrations) => show(registrations.run())?,
        Command::Rules(rules) => show(rules.run())?,
        Command::Contacts(contacts) => show(contacts.run())?,
        Command::Sources(sources) => show(sources.run())?,
        Command::Hooks(hooks) => show(hooks.run())?,
        Command::Tasks(tasks) => show(tasks.run())?,
        Command::Keys(keys) => show(keys.run())?,
        Command::Account(account) => show(account.run())?,
        Command::Accounts(accounts) => show(accounts.run())?,
        Command::Events(events) => show(events.run())?,
        Command::Deliveries(deliveries) => show(deliveries.run())?,
        Command::Audit(audit) => show(audit.run())?,
        Command::DeadLetters(dead_letters) => show(dead_letters.run())?,
        Command::Redrive(redrive) => show(redrive.run())?,
        Command::Channels => show(Ok(channels()))?,
        Command::Export(export) => show(export.run())?,
        Command::Import(import) => show(import.run())?,
        Command::ImportMpush(import) => show(import.run())?,
        Command::Backup(backup) => backup.run()?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            generate(shell, &mut Cli::command(), "bellhop", &mut script);
            print(String::from_utf8_lossy(&script).trim_end())?;
        }
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

fn channels() -> Shown {
    let specs = json!(bellhop_channels::SPECS.specs);
    Shown::list(specs, "", &["id", "label.en", "label.zh", "address", "docs"])
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
