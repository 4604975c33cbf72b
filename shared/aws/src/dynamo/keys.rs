//! Every key of the one table: what lies where, and why it can be found without a scan.
//!
//! Each kind of row has a prefix of its own, so that a role can be given one kind and no other
//! (`dynamodb:LeadingKeys`). Names of accounts, registrations, groups and channels have no `/`, so no two kinds and no
//! two owners can meet. Every partition below is bounded by time, by one owner's own things, or by one event.
//!
//! | `pk` | `sk` | row |
//! |---|---|---|
//! | `event/{account}/{day}/{shard}` | `evt_…` | an event with its plan; four shards a day, for lists |
//! | `plan/{account}/evt_…` | `{mark}/{page}` | a hundred entries of a plan that is too long for its event's row, which has the mark |
//! | `text/{account}/evt_…` | `{mark}/{page}` | a piece of an event that is too long for its row, likewise |
//! | `days/{account}` | `{day}` | that day has events |
//! | `delivery/{account}/evt_…` | `dlv_…` | a delivery; those of an event lie together |
//! | `idempotency/{account}/{key}` | `{route}` | what an idempotency key stands for |
//! | `due` | `{minute}` | that minute has parked wake-ups |
//! | `due/{minute}/{shard}` | `{ms}/dlv_…/{n}` | a parked wake-up; sixteen shards a minute |
//! | `entries/{account}/{rule}` | `{ms}/evt_…` | an event that the rule has collected, or where it has moved to |
//! | `schedule/{account}/{rule}` | `schedule` | when the rule's digests are due, and how far they have come |
//! | `frozen/{account}/{rule}` | `{number}/{token}/{chunk}` | which of the last entries before its end a digest has taken |
//! | `composing` | `{minute}` | something is due in that minute, and when somebody looks there next |
//! | `composing/{minute}/{shard}` | `{ms}/{account}/{rule}` | a schedule that is due; sixteen shards a minute |
//! | `composing/{minute}/{shard}` | `{ms}/{account}/task/tsk_…` | a task that is due, likewise |
//! | `task/{account}` | `tsk_…` | a task |
//! | `open/{account}` | `tsk_…` | it waits for a run |
//! | `run/{account}/tsk_…` | `evt_…` | a run of it |
//! | `made/{account}/{hash}` | `task` | which task was made under the idempotency key of that hash |
//! | `registration/{account}` | `{name}` | a registration without its parameters |
//! | `standing/{account}` | `{name}` | what a provider's answer said of it; all that a sender may write of it |
//! | `pace/{account}` | `{name}` | up to when its slots are taken, and how long it pauses; likewise |
//! | `secret/{channel}/{account}` | `{name}` | its parameters, sealed; readable by that channel's sender and `manage` |
//! | `former/{account}/{name}` | `0` to `4` | parameters that it had before, sealed; the places take turns |
//! | `secret/{channel}` | `key` | the channel's first data key, wrapped by KMS; which is the newest, and since when |
//! | `secret/{channel}` | `key/{number}` | a later one |
//! | `rule/{account}`, `source/{account}`, `contact/{account}` | `{name}` | what the account says |
//! | `counter/{account}/{rule}/{source}` | `counter` | failures in a row; apart from each other, since they are hot |
//! | `token/{channel}/{account}` | `{hash}` | a provider's token for a credential, sealed; that channel's sender alone has it |
//! | `vapid` | `key` | the deployment's key of Web Push, sealed by that channel's data key, and its public part |
//! | `group/{account}/{group}` | `{name}` | a member |
//! | `default/{account}` | `{name}` | takes raw addresses |
//! | `serves/{account}` | `{name}` | reaches contacts |
//! | `use/{account}` | `{key id}` | when a key was last shown, likewise by name |
//! | `account/{account}` | `account` | an account's settings |
//! | `accounts` | `{account}` | the same, for the list of all |
//! | `key/{key id}` | `key` | an API key |
//! | `keys/{account}` | `{created ms}/{key id}` | the same, for the account's list |
//! | `hook/{hash}` | `hook` | a hook, by the hash of its path's token |
//! | `hooks/{account}` | `{name}` | the same, for the account's list |
//! | `mpush/{hash}` | `token` | the account that has the Mpush token of that hash |
//! | `number/{account}/{mid}` | `number` | the event that Mpush clients know under that number |
//! | `line/{account}/{name}` | `dlv_…` | what waits for a client, in order |
//! | `client/{account}/{name}` | `client` | the connection on which a client is |
//! | `connection/{id}` | `connection` | who is on a connection |
//! | `audit/{account}` | `aud_…` | what was done, and by which key; nobody changes or deletes it |
//!
//! The one index, [`RARE`], is sparse: only deliveries that are `retrying`, `failed` or `dropped` have its attributes.
//! It lags and is therefore asked for ids alone; the rows decide.

use bellhop_core::{
    Timestamp,
    model::{
        AccountId, AuditId, ChannelId, ConnectionId, DeliveryId, EventId, FORMERS, Hook, Key as ApiKey, KeyId, Mid, Name, State,
        TaskId,
    },
    ports::{Due, IdempotencyKey, Kind, Matter},
    token::TokenKey,
};

/// The index over rare states: [`RARE_PK`] and [`RARE_SK`], keys only.
pub const RARE: &str = "rare";
/// `{account}/{state}`, on rows in a rare state.
pub const RARE_PK: &str = "rare";
/// `dlv_…`, on rows in a rare state.
pub const RARE_SK: &str = "rare_id";
/// When DynamoDB may delete the row: seconds since 1970.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html>
pub const EXPIRES: &str = "expires";

/// How many partitions a day of one account's events is spread over: each takes a thousand writes a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html>
pub(crate) const EVENT_SHARDS: u8 = 4;

/// How many partitions a minute's parked wake-ups are spread over, and those of what is due in it.
pub(crate) const DUE_SHARDS: u8 = 16;

/// Names one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

fn key(pk: impl Into<String>, sk: impl Into<String>) -> Key {
    Key { pk: pk.into(), sk: sk.into() }
}

/// A record.
pub(crate) fn record(account: &AccountId, kind: Kind, name: &str) -> Key {
    match kind {
        Kind::Rule | Kind::Source | Kind::Contact | Kind::Use => key(records(account, kind), name),
        Kind::Counter => key(format!("{}/{name}", records(account, kind)), "counter"),
    }
}

/// The partition of all records of a kind.
pub(crate) fn records(account: &AccountId, kind: Kind) -> String {
    format!("{}/{}", kind.as_str(), account.as_str())
}

/// When a registration may be sent to.
pub(crate) fn pace(account: &AccountId, name: &Name) -> Key {
    key(format!("pace/{}", account.as_str()), name.as_str())
}

/// `2026-11-22`: sorts like the days.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `2026-11-22T07:05`: sorts like the minutes.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

pub(crate) fn event(account: &AccountId, id: EventId) -> Key {
    let shard = u8::try_from(id.0 % u128::from(EVENT_SHARDS)).unwrap_or(0);
    key(events_of_day(account, &day(id.time()), shard), id.to_string())
}

pub(crate) fn events_of_day(account: &AccountId, day: &str, shard: u8) -> String {
    format!("event/{account}/{day}/{shard}", account = account.as_str())
}

pub(crate) fn days(account: &AccountId) -> String {
    format!("days/{}", account.as_str())
}

pub(crate) fn day_with_events(account: &AccountId, day: String) -> Key {
    key(days(account), day)
}

/// `mark` is that of the try that wrote the page: what an earlier one left behind has another.
pub(crate) fn plan_page(account: &AccountId, id: EventId, mark: &str, page: u32) -> Key {
    key(format!("plan/{}/{id}", account.as_str()), format!("{mark}/{page:04}"))
}

pub(crate) fn text_page(account: &AccountId, id: EventId, mark: &str, page: u32) -> Key {
    key(format!("text/{}/{id}", account.as_str()), format!("{mark}/{page:04}"))
}

pub(crate) fn delivery(account: &AccountId, id: DeliveryId) -> Key {
    key(format!("delivery/{}/{}", account.as_str(), id.event), id.to_string())
}

/// The index's key of a delivery in that state; `None` for the states that are not rare.
pub(crate) fn rare(account: &AccountId, state: State) -> Option<String> {
    match state {
        State::Retrying | State::Failed | State::Dropped => Some(format!("{}/{}", account.as_str(), state.as_str())),
        State::Queued | State::Sending | State::Delivered | State::Confirmed => None,
    }
}

pub(crate) fn idempotency(used: &IdempotencyKey) -> Key {
    key(format!("idempotency/{}/{}", used.account.as_str(), used.key), used.route)
}

/// The partition of the minutes that have parked wake-ups.
pub(crate) const DUE: &str = "due";

pub(crate) fn due_minute(minute: &str) -> Key {
    key(DUE, minute)
}

pub(crate) fn due_in(minute: &str, shard: u8) -> String {
    format!("due/{minute}/{shard:x}")
}

pub(crate) fn due(at: Timestamp, delivery: DeliveryId, n: u32) -> Key {
    let shard = u8::try_from(delivery.tail % u64::from(DUE_SHARDS)).unwrap_or(0);
    key(due_in(&minute(at), shard), format!("{}/{delivery}/{n}", due_from(at)))
}

/// The key of the same parked wake-up at another time.
pub(crate) fn due_moved(parked: &Key, at: Timestamp) -> Key {
    let shard = parked.pk.rsplit('/').next().unwrap_or_default();
    let which = parked.sk.split_once('/').map_or(parked.sk.as_str(), |(_, which)| which);
    key(format!("due/{}/{shard}", minute(at)), format!("{}/{which}", due_from(at)))
}

/// Below all that is due at that time or later.
pub(crate) fn due_from(at: Timestamp) -> String {
    format!("{:015}", at.as_millisecond())
}

/// The partition of what a rule has collected.
pub(crate) fn entries(account: &AccountId, rule: &Name) -> String {
    format!("entries/{}/{}", account.as_str(), rule.as_str())
}

pub(crate) fn entry(account: &AccountId, rule: &Name, at: Timestamp, event: EventId) -> Key {
    key(entries(account, rule), format!("{}/{event}", due_from(at)))
}

pub(crate) fn schedule(account: &AccountId, rule: &Name) -> Key {
    key(format!("schedule/{}/{}", account.as_str(), rule.as_str()), "schedule")
}

/// `list` is the digest's number and the token of the try that wrote it, like a page's mark.
pub(crate) fn frozen(account: &AccountId, rule: &Name, list: &str, chunk: u32) -> Key {
    key(format!("frozen/{}/{}", account.as_str(), rule.as_str()), format!("{list}/{chunk:04}"))
}

/// The partition of the minutes in which schedules are due.
pub(crate) const COMPOSING: &str = "composing";

pub(crate) fn composing_minute(minute: &str) -> Key {
    key(COMPOSING, minute)
}

pub(crate) fn composing_in(minute: &str, shard: u8) -> String {
    format!("composing/{minute}/{shard:x}")
}

pub(crate) fn composing(due: &Due) -> Key {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, composing_of(due).as_bytes());
    let shard = digest.as_ref().first().map_or(0, |first| first % DUE_SHARDS);
    key(composing_in(&minute(due.at), shard), format!("{}/{}", due_from(due.at), composing_of(due)))
}

fn composing_of(due: &Due) -> String {
    let account = due.account.as_str();
    match &due.matter {
        Matter::Rule(rule) => format!("{account}/{}", rule.as_str()),
        // names have no `/`
        Matter::Task(id) => format!("{account}/{TASK}{id}"),
    }
}

/// What is due, by the sort key of its row.
pub(crate) fn composing_at(sk: &str) -> Option<Due> {
    let mut parts = sk.splitn(3, '/');
    let at = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
    let account = AccountId::parse(parts.next()?).ok()?;
    let matter = parts.next()?;
    let matter = match matter.strip_prefix(TASK) {
        Some(id) => Matter::Task(id.parse().ok()?),
        None => Matter::Rule(Name::parse(matter).ok()?),
    };
    Some(Due { at, account, matter })
}

/// What stands before a task among what is due.
const TASK: &str = "task/";

/// The partition of an account's tasks.
pub(crate) fn tasks(account: &AccountId) -> String {
    format!("task/{}", account.as_str())
}

pub(crate) fn task(account: &AccountId, id: TaskId) -> Key {
    key(tasks(account), id.to_string())
}

/// The partition of those that wait for a run.
pub(crate) fn open_tasks(account: &AccountId) -> String {
    format!("open/{}", account.as_str())
}

pub(crate) fn open_task(account: &AccountId, id: TaskId) -> Key {
    key(open_tasks(account), id.to_string())
}

/// The partition of a task's runs.
pub(crate) fn runs(account: &AccountId, id: TaskId) -> String {
    format!("run/{}/{id}", account.as_str())
}

pub(crate) fn run(account: &AccountId, id: TaskId, event: EventId) -> Key {
    key(runs(account, id), event.to_string())
}

pub(crate) fn made_under(account: &AccountId, hash: &str) -> Key {
    key(format!("made/{}/{hash}", account.as_str()), "task")
}

/// The time and the event of an entry, by the sort key of its row.
pub(crate) fn entry_at(sk: &str) -> Option<(Timestamp, EventId)> {
    let (at, event) = sk.split_once('/')?;
    Some((Timestamp::from_millisecond(at.parse().ok()?).ok()?, event.parse().ok()?))
}

pub(crate) fn registrations(account: &AccountId) -> String {
    format!("registration/{}", account.as_str())
}

pub(crate) fn registration(account: &AccountId, name: &Name) -> Key {
    key(registrations(account), name.as_str())
}

pub(crate) fn standing(account: &AccountId, name: &Name) -> Key {
    key(format!("standing/{}", account.as_str()), name.as_str())
}

pub(crate) fn secret(channel: &ChannelId, account: &AccountId, name: &Name) -> Key {
    key(format!("secret/{channel}/{}", account.as_str()), name.as_str())
}

/// The partition of the parameters that a registration had before.
pub(crate) fn formers(account: &AccountId, name: &Name) -> String {
    format!("former/{}/{}", account.as_str(), name.as_str())
}

/// The place of those that were kept after `before` others.
pub(crate) fn former(account: &AccountId, name: &Name, before: usize) -> Key {
    key(formers(account, name), (before % FORMERS).to_string())
}

pub(crate) fn data_key(channel: &ChannelId, number: u16) -> Key {
    let which = if number == 1 { "key".to_owned() } else { format!("key/{number}") };
    key(format!("secret/{channel}"), which)
}

pub(crate) fn token(kept: &TokenKey) -> Key {
    key(format!("token/{}/{}", kept.channel, kept.account.as_str()), kept.credential.to_string())
}

/// The deployment's key of Web Push.
pub(crate) fn vapid() -> Key {
    key("vapid", "key")
}

pub(crate) fn members(account: &AccountId, group: &Name) -> String {
    format!("group/{}/{}", account.as_str(), group.as_str())
}

pub(crate) fn member(account: &AccountId, group: &Name, name: &Name) -> Key {
    key(members(account, group), name.as_str())
}

pub(crate) fn defaults(account: &AccountId) -> String {
    format!("default/{}", account.as_str())
}

pub(crate) fn default(account: &AccountId, name: &Name) -> Key {
    key(defaults(account), name.as_str())
}

pub(crate) fn serving(account: &AccountId) -> String {
    format!("serves/{}", account.as_str())
}

pub(crate) fn serves(account: &AccountId, name: &Name) -> Key {
    key(serving(account), name.as_str())
}

pub(crate) fn account(id: &AccountId) -> Key {
    account_named(id.as_str())
}

pub(crate) fn account_named(id: &str) -> Key {
    key(format!("account/{id}"), "account")
}

/// The partition of all accounts.
pub(crate) const ACCOUNTS: &str = "accounts";

/// An account in the list of all.
pub(crate) fn listed(id: &AccountId) -> Key {
    key(ACCOUNTS, id.as_str())
}

pub(crate) fn api_key(id: &KeyId) -> Key {
    key(format!("key/{}", id.part()), "key")
}

pub(crate) fn api_keys(account: &AccountId) -> String {
    format!("keys/{}", account.as_str())
}

pub(crate) fn api_key_of_account(owned: &ApiKey) -> Key {
    key(api_keys(&owned.account), format!("{:015}/{}", owned.created_at.as_millisecond(), owned.id.part()))
}

pub(crate) fn hook(hash: &str) -> Key {
    key(format!("hook/{hash}"), "hook")
}

pub(crate) fn hooks(account: &AccountId) -> String {
    format!("hooks/{}", account.as_str())
}

pub(crate) fn hook_of_account(owned: &Hook) -> Key {
    key(hooks(&owned.account), owned.name.as_str())
}

pub(crate) fn client_token(hash: &str) -> Key {
    key(format!("mpush/{hash}"), "token")
}

pub(crate) fn number(account: &AccountId, mid: Mid) -> Key {
    key(format!("number/{}/{mid}", account.as_str()), "number")
}

pub(crate) fn line(account: &AccountId, name: &Name) -> String {
    format!("line/{}/{}", account.as_str(), name.as_str())
}

pub(crate) fn in_line(account: &AccountId, name: &Name, delivery: DeliveryId) -> Key {
    key(line(account, name), delivery.to_string())
}

pub(crate) fn client(account: &AccountId, name: &Name) -> Key {
    key(format!("client/{}/{}", account.as_str(), name.as_str()), "client")
}

pub(crate) fn connection(id: &ConnectionId) -> Key {
    key(format!("connection/{id}"), "connection")
}

/// The partition of an account's audit, which TTL bounds.
pub(crate) fn audit(account: &AccountId) -> String {
    format!("audit/{}", account.as_str())
}

pub(crate) fn audit_entry(account: &AccountId, id: AuditId) -> Key {
    key(audit(account), id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn what_is_due_sorts_by_time() {
        let id = DeliveryId { event: EventId(1), tail: 3 };
        let (early, late) = (due(at(1_799_999_999_999), id, 9), due(at(1_800_000_000_000), id, 1));
        assert!(early.sk < late.sk && early.sk.as_str() < due_from(at(1_800_000_000_000)).as_str());
        assert!(due_from(at(1_800_000_000_000)) < late.sk);
        assert_eq!(late.pk, "due/2027-01-15T08:00/3");
    }

    #[test]
    fn a_parked_wake_up_moves_in_time_and_stays_itself() {
        let id = DeliveryId { event: EventId(1), tail: 3 };
        assert_eq!(due_moved(&due(at(0), id, 9), at(1_800_000_000_000)), due(at(1_800_000_000_000), id, 9));
    }

    #[test]
    fn what_is_due_is_read_from_its_key() {
        let account = AccountId::parse("值班").unwrap();
        let rule = Name::parse("daily").unwrap();
        for (matter, text) in [
            (Matter::Rule(rule), "001800000000000/值班/daily"),
            (Matter::Task(TaskId(7)), "001800000000000/值班/task/tsk_00000000000000000000000007"),
        ] {
            let due = Due { at: at(1_800_000_000_000), account: account.clone(), matter };
            let key = composing(&due);
            assert_eq!(key.sk, text);
            assert!(key.pk.starts_with("composing/2027-01-15T08:00/"), "{}", key.pk);
            assert_eq!(composing_at(&key.sk), Some(due));
        }
    }

    #[test]
    fn an_events_key_follows_from_its_id() {
        let account = AccountId::parse("值班").unwrap();
        let id = EventId::new(at(1_800_000_000_000), 6);
        assert_eq!(event(&account, id), key("event/值班/2027-01-15/2", id.to_string()));
    }

    #[test]
    fn only_rare_states_are_in_the_index() {
        let account = AccountId::parse("main").unwrap();
        let rare: Vec<_> = State::ALL.into_iter().filter_map(|state| rare(&account, state)).collect();
        assert_eq!(rare, ["main/retrying", "main/failed", "main/dropped"]);
    }
}
