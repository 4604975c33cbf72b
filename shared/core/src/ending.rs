//! The end of an account.
//!
//! Promises: once [`end`] has answered, nobody is let in by the account's keys or hooks for longer than they are remembered
//! anywhere, which is 30 seconds; and its name is never given to anybody again. What the account has said (registrations with
//! their secrets, tasks, rules, sources, contacts) is deleted, so many things a call; whoever is told that there are more calls again.
//! Events and deliveries are not looked for: nobody can see them any more, and they are forgotten in their time, as
//! those of every account are.

use crate::{
    StoreError,
    digest::follow::follow,
    model::{Account, AccountId, Name, Rule},
    ports::{Kind, Ports, Record},
    task,
};

/// How many things one call deletes: a request has seconds.
const MOST: usize = 500;

/// How often an account is saved against others.
const RACES: usize = 5;

/// What is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing that has to be deleted.
    Nothing,
    /// There may be more.
    More,
}

/// Ends an account, or goes on with that. `None`: there is none of that name.
pub async fn end(ports: &Ports, id: &AccountId) -> Result<Option<(Account, Left)>, StoreError> {
    let Some(account) = gone(ports, id).await? else { return Ok(None) };
    if let Some(token) = &account.mpush.token_hash {
        ports.clients.drop_token(token, id).await?;
    }
    for key in ports.keys.list(id).await? {
        ports.keys.delete(id, &key.id).await?;
        ports.records.delete(id, Kind::Use, &key.id.to_string()).await?;
    }
    for hook in ports.hooks.list(id).await? {
        ports.hooks.delete(id, &hook.name).await?;
    }
    let mut left = MOST;
    let registrations = ports.registrations.list(id, None, left).await?;
    for registration in &registrations {
        ports.registrations.delete(id, &registration.name).await?;
    }
    left -= registrations.len();
    let tasks = if left == 0 { Vec::new() } else { ports.tasks.list(id, None, None, left).await? };
    for task in &tasks {
        // also one that a run changes at this moment
        task::delete(ports, id, task.id).await.map_err(|problem| StoreError::Unavailable(problem.to_string()))?;
    }
    left -= tasks.len();
    for kind in [Kind::Rule, Kind::Source, Kind::Contact] {
        let records = if left == 0 { Vec::new() } else { ports.records.list(id, kind, None, left).await? };
        for record in &records {
            end_schedule(ports, &account, kind, record).await?;
            ports.records.delete(id, kind, &record.name).await?;
        }
        left -= records.len();
    }
    Ok(Some((account, if left == 0 { Left::More } else { Left::Nothing })))
}

/// The account, marked as deleted.
async fn gone(ports: &Ports, id: &AccountId) -> Result<Option<Account>, StoreError> {
    for _ in 0..RACES {
        let Some(before) = ports.accounts.get(id).await? else { return Ok(None) };
        if before.deleted_at.is_some() {
            return Ok(Some(Account::clone(&before)));
        }
        let account = Account { deleted_at: Some(ports.clock.now()), ..Account::clone(&before) };
        if ports.accounts.put(Some(&before), &account).await? {
            return Ok(Some(account));
        }
    }
    Err(StoreError::Unavailable("others save this account at the same time; repeat the request".to_owned()))
}

/// A rule's digests end with it.
async fn end_schedule(ports: &Ports, account: &Account, kind: Kind, record: &Record) -> Result<(), StoreError> {
    match (kind, Name::parse(&record.name), record.read::<Rule>()) {
        (Kind::Rule, Ok(name), Ok(rule)) => follow(ports, account, &name, Some(&rule), None).await,
        _ => Ok(()),
    }
}
