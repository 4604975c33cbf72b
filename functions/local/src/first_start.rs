//! The first account and the first key, so that a fresh machine needs no set-up.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result, bail};
use bellhop_core::{
    model::{Account, AccountId, Key, KeyId, Scope},
    ports::{Clock, Ports},
};
use bellhop_http::key::{Credential, new_key, parse_key};

/// The account that a first start makes.
const ACCOUNT: &str = "main";

/// A key that nobody has had before.
pub(crate) fn make_key(clock: &dyn Clock) -> Credential {
    new_key(KeyId::from_chance(clock.chance()), [clock.chance(), clock.chance()])
}

/// Makes the account, and a key with every scope: `given`, or one that is kept in `<data>/admin-key`. Answers with the key
/// if it was made just now, to be printed once.
pub(crate) async fn prepare(ports: &Ports, data: &Path, given: Option<&str>) -> Result<Option<String>> {
    let account = AccountId::parse(ACCOUNT)?;
    let is_first = ports.accounts.get(&account).await?.is_none();
    let made = match given {
        Some(given) => {
            let key = parse_key(given).context("BELLHOP_ADMIN_KEY is no key; `bellhop new-key` makes one")?;
            keep(ports, account.clone(), &key).await?;
            None
        }
        None if is_first => make(ports, data, account.clone()).await?,
        None => None,
    };
    // The account comes last: it says that the first start is over. A key that is revoked later stays revoked.
    if is_first {
        ports.accounts.put(None, &Account::new(account)).await?;
    }
    Ok(made)
}

async fn make(ports: &Ports, data: &Path, account: AccountId) -> Result<Option<String>> {
    let file = data.join("admin-key");
    // The file comes first: a start that dies in between finds it again, and the key in it is never lost.
    if let Some(text) = read(&file)? {
        let key = parse_key(text.trim()).with_context(|| format!("`{}` holds no key; delete it", file.display()))?;
        keep(ports, account, &key).await?;
        return Ok(None);
    }
    let key = make_key(&*ports.clock);
    write(&file, &key.expose()).with_context(|| format!("cannot write `{}`", file.display()))?;
    keep(ports, account, &key).await?;
    Ok(Some(key.expose()))
}

async fn keep(ports: &Ports, account: AccountId, new: &Credential) -> Result<()> {
    let key = Key {
        id: new.id.clone(),
        account,
        hash: new.hash(),
        scopes: Scope::ALL.to_vec(),
        description: Some("first key".to_owned()),
        expires_at: None,
        session_of: None,
        created_at: ports.clock.now(),
    };
    if ports.keys.create(&key).await? {
        return Ok(());
    }
    let known = ports.keys.get(&key.id).await?;
    match known {
        Some(known) if known.hash == key.hash => Ok(()),
        _ => bail!("a key with the id `{}` exists already, with another secret; give the new key another id", key.id),
    }
}

fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    let mut kept = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(kept, "{text}")?;
    kept.sync_all()?;
    // the name, too, has to survive a power cut
    fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}
