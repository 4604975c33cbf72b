//! An account in a file: written by one deployment, read by another, whatever each of them keeps it in.
//!
//! Promise: secrets leave a server by the audited way alone and lie in the file sealed, or not at all; nothing is written to the
//! new server before all of the file could be read. Left out: keys and hooks, whose secrets no server knows any more; events
//! and deliveries, which stay where they happened.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use bellhop_channels::SPECS;
use bellhop_core::{
    channel::Params,
    model::{AccountId, ChannelId, Name},
    ports::Clock,
};
use bellhop_embedded::SystemClock;
use bellhop_seal::Owner;
use clap::Args;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Connection, Server,
    manage::{CONTACTS, Kind, RULES, as_said},
    registrations::REGISTRATIONS,
    sealed::{Key, Passphrase, Sealing},
    tasks,
};
use crate::show::Shown;

/// The form of the file.
const FORM: u32 = 1;

/// What is the server's to say of things.
const NOT_SAID: &[&str] = &["name", "version", "created_at", "updated_at", "disabled", "paused_until"];

/// Options of `bellhop export`.
#[derive(Args)]
pub(crate) struct Export {
    /// The file to write; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Leave all secrets out: registrations are then to be completed by hand.
    #[arg(long, conflicts_with = "passphrase_file")]
    without_secrets: bool,
    #[command(flatten)]
    server: Server,
}

/// Options of `bellhop import`.
#[derive(Args)]
pub(crate) struct Import {
    /// A file that `bellhop export` wrote.
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Save what is in the file over what has the same name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    server: Server,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    bellhop_export: u32,
    made_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealing: Option<Sealing>,
    account: Value,
    contacts: Vec<Named>,
    registrations: Vec<Named>,
    sources: Vec<Value>,
    rules: Vec<Named>,
    /// Those that wait for a run.
    #[serde(default)]
    tasks: Vec<Waiting>,
}

/// A task that waits for a run, as its `POST` takes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    id: String,
    said: Value,
}

impl Waiting {
    /// Makes it on that server, or says why it did not.
    fn make(&self, server: &Connection) -> Result<(), String> {
        tasks::make(server, &self.id, &self.said).map(drop).map_err(|error| format!("`{}`: {error:#}", self.id))
    }
}

/// One thing, as its `PUT` takes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    said: Value,
    /// The parameters of a registration, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl Export {
    pub(crate) fn run(self) -> Result<Shown> {
        let passphrase = if self.without_secrets { None } else { self.passphrase.read()? };
        ensure!(
            self.without_secrets || passphrase.is_some(),
            "an export holds secrets: give --passphrase-file or BELLHOP_PASSPHRASE, or leave them out by --without-secrets"
        );
        // before anything is asked for, so that nothing is revealed in vain
        let mut file = new_file(&self.file)?;
        let archive = gather(&self.server.open()?, passphrase.as_deref());
        let written = archive.and_then(|archive| {
            file.write_all(&serde_json::to_vec_pretty(&archive)?)?;
            file.sync_all()?;
            Ok(archive)
        });
        let archive = written.inspect_err(|_| drop(fs::remove_file(&self.file)))?;
        Ok(Shown::one(archive.counts()))
    }
}

fn new_file(path: &Path) -> Result<fs::File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("`{}` cannot be made; name a file that does not exist", path.display()))
}

fn gather(server: &Connection, passphrase: Option<&str>) -> Result<Archive> {
    let sealing = passphrase.map(|_| Sealing::new()).transpose()?;
    let key = match (&sealing, passphrase) {
        (Some(sealing), Some(passphrase)) => Some(sealing.key(passphrase)?),
        _ => None,
    };
    let named =
        |kind: &Kind| -> Result<Vec<Named>> { Ok(server.all(kind.path(), usize::MAX)?.into_iter().map(Named::of).collect()) };
    let mut registrations = named(&REGISTRATIONS)?;
    let progress = ProgressBar::new(registrations.len() as u64);
    for registration in progress.wrap_iter(registrations.iter_mut()) {
        registration.keep_params(server, key.as_ref())?;
    }
    let mut rules = named(&RULES)?;
    for rule in &mut rules {
        if let Some(batch) = rule.said.get_mut("batch").and_then(Value::as_object_mut) {
            batch.remove("anchor");
        }
    }
    Ok(Archive {
        bellhop_export: FORM,
        made_at: SystemClock.now().to_string(),
        sealing,
        account: as_said(server.get("/v1/account")?, &["id", "quotas"]),
        contacts: named(&CONTACTS)?,
        registrations,
        sources: server.all("/v1/sources", usize::MAX)?,
        rules,
        tasks: tasks::waiting(server)?.into_iter().map(|(id, said)| Waiting { id, said }).collect(),
    })
}

impl Named {
    fn of(stored: Value) -> Self {
        let name = stored["name"].as_str().unwrap_or_default().to_owned();
        Self { name, said: as_said(stored, NOT_SAID), sealed: None }
    }

    /// A registration's parameters: sealed if there is a key, else those that are no secrets.
    fn keep_params(&mut self, server: &Connection, key: Option<&Key>) -> Result<()> {
        let Some(key) = key else {
            if let Some(params) = self.said.get_mut("params").and_then(Value::as_object_mut) {
                params.retain(|_, value| !is_hidden(value));
            }
            return Ok(());
        };
        let path = format!("{}/reveal", REGISTRATIONS.of(&self.name));
        let revealed = server.post(&path, &json!({ "key": server.key() }), None)?;
        let params = revealed.get("params").filter(|params| params.is_object()).context("the server revealed no parameters")?;
        self.sealed = Some(key.seal(&self.owner()?, &params.to_string())?);
        if let Some(said) = self.said.as_object_mut() {
            said.remove("params");
        }
        Ok(())
    }

    /// Whose its secrets are: of that name and channel, in whatever account the file is brought to.
    fn owner(&self) -> Result<Owner> {
        let account = AccountId::parse("export").context("`export` is a name")?;
        let name = Name::parse(&self.name).with_context(|| format!("`{}` is no name", self.name))?;
        Ok(Owner::params(&account, &name, &ChannelId::new(self.said["channel"].as_str().unwrap_or_default())))
    }

    /// What a registration lacks to be saved as it stands here, if its channel is known here: the server decides in the end.
    fn lacks(&self) -> Option<String> {
        let spec = SPECS.get(self.said["channel"].as_str()?)?;
        let params = self.said["params"].as_object().cloned().unwrap_or_default();
        let problem = Params::parse(spec, params).and_then(|params| (spec.check)(&params)).err()?;
        Some(format!("`{}` ({}: {})", self.name, problem.field.unwrap_or_default(), problem.detail))
    }

    /// It as its `PUT` takes it.
    fn opened(&self, key: Option<&Key>) -> Result<Value> {
        let mut said = self.said.clone();
        if let Some(sealed) = &self.sealed {
            let key = key.context("the file's secrets are sealed: give --passphrase-file or BELLHOP_PASSPHRASE")?;
            let params: Map<String, Value> =
                serde_json::from_str(&key.open(&self.owner()?, sealed).with_context(|| format!("`{}`", self.name))?)
                    .with_context(|| format!("what was sealed of `{}` are no parameters", self.name))?;
            said["params"] = Value::Object(params);
        }
        Ok(said)
    }
}

/// Whether an answer hides it. <docs/api.md>
fn is_hidden(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    object.get("set").is_some_and(Value::is_boolean) || object.values().any(is_hidden)
}

impl Archive {
    fn counts(&self) -> Value {
        json!({
            "registrations": self.registrations.len(), "rules": self.rules.len(), "contacts": self.contacts.len(),
            "sources": self.sources.len(), "tasks": self.tasks.len(), "secrets": self.sealing.is_some(),
        })
    }

    fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        let archive: Self = serde_json::from_slice(&text).with_context(|| format!("`{}` is no export", path.display()))?;
        ensure!(archive.bellhop_export == FORM, "the file has form {}; this program knows {FORM}", archive.bellhop_export);
        Ok(archive)
    }
}

impl Import {
    pub(crate) fn run(self) -> Result<Shown> {
        let archive = Archive::read(&self.file)?;
        let key = match (&archive.sealing, self.passphrase.read()?) {
            (Some(sealing), Some(passphrase)) => Some(sealing.key(&passphrase)?),
            _ => None,
        };
        let server = self.server.open()?;
        let mut saves = Vec::new();
        for (kind, things) in [(&CONTACTS, &archive.contacts), (&REGISTRATIONS, &archive.registrations), (&RULES, &archive.rules)]
        {
            for thing in things {
                saves.push(("PUT", kind.of(&thing.name), thing.opened(key.as_ref())?));
            }
        }
        if !self.replace {
            refuse_known(&server, &archive)?;
        }
        if archive.sealing.is_none() {
            let complete = complete_there(&server, &archive.registrations)?;
            for (verb, _, _) in saves.iter_mut().filter(|(_, path, _)| complete.contains(path)) {
                *verb = "PATCH";
            }
        }
        let progress = ProgressBar::new(saves.len() as u64);
        // first of all: times and texts of everything else follow from it
        server.put("/v1/account", &archive.account)?;
        for source in &archive.sources {
            server.put("/v1/sources", source)?;
        }
        for (verb, path, said) in progress.wrap_iter(saves.iter()) {
            server
                .call(verb, path, Some(said), None)
                .with_context(|| format!("`{path}` was not saved; mend that, and run the same command again with --replace"))?;
        }
        // each stands for itself: the time of one may be over by now
        let refused: Vec<_> = archive.tasks.iter().filter_map(|task| task.make(&server).err()).collect();
        ensure!(
            refused.is_empty(),
            "everything was imported but these tasks; make them anew, or mend the file and run the same command again with \
             --replace: {}",
            refused.join("; ")
        );
        Ok(Shown::one(archive.counts()))
    }
}

/// The paths of registrations that the server has with secrets that a file without any is not to take away. Refuses a file with
/// others that are nothing without theirs.
fn complete_there(server: &Connection, registrations: &[Named]) -> Result<Vec<String>> {
    let there = server.all(REGISTRATIONS.path(), usize::MAX)?;
    let is_there =
        |one: &&Named| there.iter().any(|known| known["name"] == one.name.as_str() && known["channel"] == one.said["channel"]);
    let (complete, new): (Vec<_>, Vec<_>) = registrations.iter().partition(is_there);
    let lacking: Vec<_> = new.into_iter().filter_map(Named::lacks).collect();
    ensure!(
        lacking.is_empty(),
        "the file holds no secrets, and nothing was imported: write into it what is missing, or make these on the server and \
         import with --replace: {}",
        lacking.join(", ")
    );
    Ok(complete.into_iter().map(|one| REGISTRATIONS.of(&one.name)).collect())
}

/// Nothing is overwritten that nobody has said is to be.
fn refuse_known(server: &Connection, archive: &Archive) -> Result<()> {
    for (kind, things) in [(&CONTACTS, &archive.contacts), (&REGISTRATIONS, &archive.registrations), (&RULES, &archive.rules)] {
        let there = server.all(kind.path(), usize::MAX)?;
        let is_there = |thing: &&Named| there.iter().any(|known| known["name"] == thing.name.as_str());
        let known: Vec<_> = things.iter().filter(is_there).map(|thing| kind.of(&thing.name)).collect();
        if !known.is_empty() {
            bail!("the server has these already, and nothing was imported; --replace saves over them: {}", known.join(", "));
        }
    }
    Ok(())
}
