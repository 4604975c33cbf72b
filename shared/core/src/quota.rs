//! How much an account may have ([`crate::model::Quotas`]). Those who make something at the same moment do not see each other: by
//! so many there may be more.

use crate::{
    Code, Problem,
    model::{AccountId, ChannelId},
    ports::Ports,
};

/// Refuses one registration more on a channel than the account may have.
pub async fn has_room_for_registration(ports: &Ports, account: &AccountId, channel: &ChannelId) -> Result<(), Problem> {
    let most = ports.accounts.settings(account).await?.quotas.registrations_per_channel;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if ports.registrations.count(account, channel, most).await? < most {
        return Ok(());
    }
    let detail =
        format!("the account has {most} registrations on `{channel}`, and no more may be; delete one, or ask for a higher quota");
    Err(Problem::field(Code::QuotaExceeded, "channel", detail))
}

/// Refuses one task more that waits for a run than the account may have.
pub async fn has_room_for_task(ports: &Ports, account: &AccountId) -> Result<(), Problem> {
    let most = ports.accounts.settings(account).await?.quotas.tasks;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if ports.tasks.open(account, most).await? < most {
        return Ok(());
    }
    let detail =
        format!("{most} tasks of this account wait for their next run, and no more may; cancel one, or ask for a higher quota");
    Err(Problem::new(Code::QuotaExceeded, detail))
}
