//! The operator's key: configuration, not data.
//!
//! Promise: it is good as long as the deployment's parameter says so, and not a moment longer than the functions that were
//! deployed with it. A key that no row knows is measured against it, so its id can be anything.

use std::sync::Arc;

use async_trait::async_trait;
use bellhop_core::{
    StoreError, Timestamp,
    model::{AccountId, Key, KeyId, Scope},
    ports::Keys,
};

/// The account that the operator's key speaks for, as on one machine.
const ACCOUNT: &str = "main";

/// The stored keys, and the operator's besides.
pub struct WithAdmin {
    stored: Arc<dyn Keys>,
    account: AccountId,
    hash: String,
}

impl WithAdmin {
    /// `hash` is that of the key's secret, as `bellhop new-key` prints it; without one there are the stored keys alone.
    pub fn around(stored: Arc<dyn Keys>, hash: &str) -> Arc<dyn Keys> {
        match AccountId::parse(ACCOUNT) {
            Ok(account) if !hash.is_empty() => Arc::new(Self { stored, account, hash: hash.to_owned() }),
            Ok(_) | Err(_) => stored,
        }
    }
}

#[async_trait]
impl Keys for WithAdmin {
    async fn get(&self, id: &KeyId) -> Result<Option<Arc<Key>>, StoreError> {
        let stored = self.stored.get(id).await?;
        Ok(stored.or_else(|| {
            Some(Arc::new(Key {
                id: id.clone(),
                account: self.account.clone(),
                hash: self.hash.clone(),
                scopes: Scope::ALL.to_vec(),
                description: Some("the operator's key".to_owned()),
                expires_at: None,
                session_of: None,
                created_at: Timestamp::UNIX_EPOCH,
            }))
        }))
    }

    async fn list(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        self.stored.list(account).await
    }

    async fn create(&self, key: &Key) -> Result<bool, StoreError> {
        self.stored.create(key).await
    }

    async fn delete(&self, account: &AccountId, id: &KeyId) -> Result<bool, StoreError> {
        self.stored.delete(account, id).await
    }
}

#[cfg(test)]
mod tests {
    use bellhop_testkit::{account, ports};

    use super::*;

    fn id(part: &str) -> KeyId {
        KeyId::from_part(part).unwrap()
    }

    #[tokio::test]
    async fn a_key_that_no_row_knows_is_measured_against_the_operators() {
        let keys = WithAdmin::around(ports().keys, "aa");
        let key = keys.get(&id("anything")).await.unwrap().unwrap();
        assert_eq!((key.hash.as_str(), &key.account, &key.scopes[..]), ("aa", &account(), &Scope::ALL[..]));
    }

    #[tokio::test]
    async fn a_stored_key_stays_what_it_is() {
        let keys = WithAdmin::around(ports().keys, "aa");
        let operators = keys.get(&id("known")).await.unwrap().unwrap();
        let stored = Key { hash: "bb".to_owned(), scopes: vec![Scope::Read], ..Key::clone(&operators) };
        assert!(keys.create(&stored).await.unwrap());
        let found = keys.get(&id("known")).await.unwrap().unwrap();
        assert_eq!((found.hash.as_str(), &found.scopes[..]), ("bb", &[Scope::Read][..]));
    }

    #[tokio::test]
    async fn without_a_hash_there_is_no_operators_key() {
        let keys = WithAdmin::around(ports().keys, "");
        assert_eq!(keys.get(&id("anything")).await.unwrap(), None);
    }
}
