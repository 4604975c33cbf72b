//! What a rule's next digest would say, if it were sent now.

use serde::Serialize;

use super::{
    compose::Desk,
    send::title,
    wording::{self, Language},
};
use crate::{
    StoreError, Timestamp,
    model::{AccountId, Because, Format, Frozen, Name, Recipient, Schedule},
    ports::Ports,
};

/// A rule's next digest.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Which rule's.
    pub rule: Name,
    /// When it is due.
    pub due_at: Timestamp,
    /// Behind this.
    pub since: Timestamp,
    /// How many events stand in it.
    pub events: u64,
    /// What it says to whom.
    pub digests: Vec<ForSome>,
}

/// What one circle of people would be told.
#[derive(Debug, Clone, Serialize)]
pub struct ForSome {
    /// Who they are.
    pub to: Vec<Recipient>,
    /// One line.
    pub title: String,
    /// The text, as it is where nothing limits it.
    pub text: String,
}

/// What would be told now; `None` where the rule collects nothing.
pub async fn preview(ports: &Ports, account: &AccountId, name: &Name) -> Result<Option<Preview>, StoreError> {
    let schedule = ports.digests.get(account, name).await?.filter(|schedule| schedule.closing.is_none());
    let Some(schedule) = schedule else { return Ok(None) };
    let behind = schedule.frozen.as_ref().map_or(schedule.since, |frozen| frozen.until);
    let due_at = schedule.due;
    let desk = Desk::of(ports, Schedule { frozen: None, since: behind, ..schedule }).await?;
    let now = ports.clock.now();
    let frozen = Frozen { since: behind, until: now.max(behind), intervals: 1, because: Because::Due, rule: None };
    let (letters, _) = desk.letters(ports, &frozen).await?;
    let language = Language::of(&desk.settings.locale);
    let events = letters.iter().map(|letter| letter.content.tally.total()).max().unwrap_or(0);
    let digests = letters.into_iter().map(|letter| {
        let said = wording::parts(&letter.content, language, Format::Text, None, None);
        let own = title(desk.batch(), &letter.content).0;
        let title = own.or_else(|| said.first().map(|part| part.title.clone())).unwrap_or_default();
        let text = said.into_iter().map(|part| part.message).collect::<Vec<_>>().join("\n");
        ForSome { to: letter.to, title, text }
    });
    Ok(Some(Preview { rule: name.clone(), due_at, since: behind, events, digests: digests.collect() }))
}
