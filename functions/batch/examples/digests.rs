//! Digests on one machine, a step at a time, each in a process of its own: `cargo xtask bench digest` calls it.
//!
//! Promise: rules, events and digests go through the ports as they do in `serve`; what a digest makes is queued and not sent.
//! Time is what the steps say it is: windows end at noon of day 1, 2, 3 …

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bellhop_batch::agenda::{Matters, look_at_due};
use bellhop_core::{
    StoreError, Timestamp,
    digest::times::Times,
    model::{Account, AccountId, ChannelId, Draft, EventId, Name, Registration, Rule, RunResult, Schedule, Source},
    plan::{Collected, Plan},
    ports::{Acceptance, Clock, Kind, Ports, Record},
};
use bellhop_embedded::{Durability, Options, Store, SystemClock};
use bellhop_testkit::{Provider, Silent, registration};
use clap::{Args, Parser, Subcommand};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::tz::TimeZone;
use mimalloc::MiMalloc;
use serde_json::json;

/// As `bellhop` has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How many rules an account has at most.
const IN_ACCOUNT: usize = 200;

/// Writes that wait at the same time: the writer commits them in groups.
const AT_ONCE: usize = 500;

/// Noon of day 0, UTC.
const FIRST_NOON: Timestamp = Timestamp::constant(1_767_268_800, 0);

const DAY: Duration = Duration::from_hours(24);

/// Ticks a second in `/proc/self/stat`: 100 on every Linux since 2.6.
const TICKS: f64 = 100.0;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Saves rules: some have a digest every noon, all others one in a year.
    Fill(Place),
    /// Reports events of a day to those with a digest every noon.
    Report {
        #[command(flatten)]
        place: Place,
        /// The day behind whose noon they come.
        #[arg(long)]
        day: u32,
        /// For each rule.
        #[arg(long)]
        events: usize,
        /// From how many sources they come.
        #[arg(long, default_value_t = 5)]
        sources: usize,
    },
    /// Composes what is due at the next noon, and says what that took.
    Compose {
        #[command(flatten)]
        place: Place,
        /// The day behind whose noon the window begins.
        #[arg(long)]
        day: u32,
    },
}

/// A store, and how many rules it has.
#[derive(Args)]
struct Place {
    /// Its directory.
    #[arg(long)]
    data: PathBuf,
    /// All rules.
    #[arg(long)]
    rules: usize,
    /// Those with a digest every noon: one each of as many accounts.
    #[arg(long)]
    due: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().step {
        Step::Fill(place) => fill(&place).await,
        Step::Report { place, day, events, sources } => report(&place, day, events, sources).await,
        Step::Compose { place, day } => compose(&place, day).await,
    }
}

/// A clock that stands.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn chance(&self) -> u128 {
        SystemClock.chance()
    }
}

impl Place {
    fn open(&self, now: Timestamp, durability: Durability) -> Result<(Arc<Store>, Ports)> {
        let store = Store::open(&self.data, Options { durability }, Arc::new(Standing(now)))?;
        let ports = store.ports(Provider::new(&[]), Arc::new(Silent), bellhop_channels::ALL);
        Ok((store, ports))
    }

    fn accounts(&self) -> usize {
        self.due.max(self.rules / IN_ACCOUNT)
    }

    fn rules_each(&self) -> usize {
        self.rules / self.accounts()
    }

    /// Rules with a digest every noon lie among the others, as far apart as can be.
    fn due_rules(&self) -> impl Iterator<Item = (AccountId, Name)> {
        let apart = self.accounts() / self.due;
        (0..self.due).map(move |number| (account(number * apart), rule_name(self.rules_each() / 2)))
    }
}

fn account(number: usize) -> AccountId {
    AccountId::parse(&format!("account-{number:06}")).expect("a name")
}

fn rule_name(number: usize) -> Name {
    Name::parse(&format!("rule-{number:03}")).expect("a name")
}

fn noon(day: u32) -> Timestamp {
    FIRST_NOON + DAY * day
}

async fn fill(place: &Place) -> Result<()> {
    let (store, ports) = place.open(noon(0), Durability::None)?;
    ensure!(place.due > 0 && place.rules.is_multiple_of(place.accounts()), "so many rules cannot be dealt out evenly");
    let due: std::collections::HashSet<_> = place.due_rules().collect();
    let accounts = stream::iter((0..place.accounts()).map(|number| open_account(&ports, account(number))));
    accounts.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let names = (0..place.accounts()).flat_map(|of| (0..place.rules_each()).map(move |number| (account(of), rule_name(number))));
    let rules = names.map(|(account, name)| {
        let every = if due.contains(&(account.clone(), name.clone())) { 1 } else { 366 };
        save(&ports, account, name, every)
    });
    stream::iter(rules).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    store.close().await;
    Ok(())
}

async fn open_account(ports: &Ports, account: AccountId) -> Result<()> {
    ports.accounts.put(None, &Account::new(account.clone())).await?;
    let params = serde_json::from_value(json!({ "url": "https://example.com/hook" }))?;
    let phone = Registration { account, channel: ChannelId::new("webhook"), params, ..registration("phone") };
    ensure!(ports.registrations.put(&phone).await?, "it is there already");
    Ok(())
}

/// What the API writes: first the schedule, then the rule.
async fn save(ports: &Ports, account: AccountId, name: Name, every_days: u32) -> Result<()> {
    let batch = json!({ "at": "12:00:00", "every_seconds": every_days * 86_400, "time_zone": "UTC", "anchor": "2026-01-01" });
    let said = json!({ "match": { "sources": ["site-*"] }, "to": ["phone"], "batch": batch });
    let rule: Rule = serde_json::from_value(said)?;
    let times = Times::of(rule.batch.as_ref().context("it has one")?, TimeZone::UTC);
    let schedule = Schedule {
        account: account.clone(),
        rule: name.clone(),
        version: 1,
        since: noon(0),
        due: times.after(noon(0)),
        number: 0,
        frozen: None,
        flush: None,
        closing: None,
        seen: Vec::new(),
    };
    let record = Record { name: name.to_string(), version: 1, body: serde_json::to_string(&rule)? };
    let is_new = ports.digests.put(&schedule).await? && ports.records.put(&account, Kind::Rule, &record).await?;
    ensure!(is_new, "it is there already");
    Ok(())
}

async fn report(place: &Place, day: u32, events: usize, sources: usize) -> Result<()> {
    let (store, ports) = place.open(noon(day), Durability::None)?;
    let apart = DAY / u32::try_from(events)?;
    let reports = (0..u32::try_from(events)?).flat_map(|number| place.due_rules().map(move |rule| (number, rule)));
    let reports = reports.map(|(number, (account, rule))| {
        // the first comes after the window's beginning, the last before its end
        let at = noon(day) + apart * number + apart / 2;
        let source = number as usize % sources;
        let source = Source::parse(&format!("site-{}/task-{source}", source % 20)).unwrap_or_default();
        let result = if number.is_multiple_of(10) { RunResult::Failure } else { RunResult::Success };
        let draft = Draft {
            source,
            result: Some(result),
            ..Draft::new(format!("run {number}: {}", "signed in, +10 points. ".repeat(8)))
        };
        let event = draft.into_event(EventId::new(at, ports.clock.chance()), account, at);
        let collected = vec![Collected { rule, due_at: noon(day + 1), at_once: false, for_each: false }];
        ports.ledger.accept(Acceptance { key: None, event, plan: Plan { collected, ..Plan::default() } })
    });
    let accepted = stream::iter(reports).buffer_unordered(AT_ONCE).map(|accepted| accepted.map(drop));
    accepted.try_collect::<()>().await.map_err(|error: StoreError| error)?;
    store.close().await;
    Ok(())
}

async fn compose(place: &Place, day: u32) -> Result<()> {
    let (store, ports) = place.open(noon(day + 1), Durability::Full)?;
    let (begun, used) = (Instant::now(), cpu_seconds()?);
    let sent = look_at_due(&ports, Matters::Digests, &mut HashMap::new()).await?;
    let (seconds, cpu_seconds) = (begun.elapsed().as_secs_f64(), cpu_seconds()? - used);
    ensure!(sent == place.due, "{sent} digests were sent, and {} were due", place.due);
    println!("{}", json!({ "seconds": seconds, "cpu_seconds": cpu_seconds, "most_resident_mb": most_resident_mb()? }));
    store.close().await;
    Ok(())
}

/// The second field is the program's name in brackets; user and system time are the 14th and the 15th.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string(Path::new("/proc/self/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("`stat` has a name in brackets")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}

fn most_resident_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    Ok(most.context("`VmHWM` is missing")?.parse::<f64>()? * 1024.0 / 1e6)
}
