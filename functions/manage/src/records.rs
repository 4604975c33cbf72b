//! Saving what an account says, over what somebody else may save at the same time.

use bellhop_core::{
    Code, Problem, StoreError,
    model::AccountId,
    ports::{Kind, Record},
};
use bellhop_http::{Api, Refused};
use serde::Serialize;

/// How often a save is tried against others.
const TRIES: usize = 5;

/// Saves what `make` makes of the stored record; a new one only if there are fewer than `most`, where
/// there is such a number. Answers it with its version.
pub(crate) async fn save<T: Serialize>(
    api: &Api,
    account: &AccountId,
    kind: Kind,
    name: &str,
    most: Option<usize>,
    make: impl Fn(Option<&Record>) -> Result<T, Refused>,
) -> Result<(T, u64), Refused> {
    let records = &api.ports.records;
    for _ in 0..TRIES {
        let old = records.get(account, kind, name).await?;
        let new = make(old.as_ref())?;
        if let (None, Some(most)) = (&old, most)
            && records.list(account, kind, None, most).await?.len() >= most
        {
            let detail = format!("an account has {most} of these at most; delete one, or let one say more");
            return Err(Problem::new(Code::TooManyItems, detail).into());
        }
        let body = serde_json::to_string(&new).map_err(|error| StoreError::Corrupt(format!("a record: {error}")))?;
        let record = Record { name: name.to_owned(), version: old.map_or(0, |old| old.version) + 1, body };
        if records.put(account, kind, &record).await? {
            return Ok((new, record.version));
        }
    }
    Err(Problem::new(Code::Conflict, format!("others saved `{name}` at the same moment; read it again and repeat")).into())
}
