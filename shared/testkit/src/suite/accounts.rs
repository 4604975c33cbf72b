//! Tenants.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::{
    Timestamp,
    model::{Account, AccountId, Key, KeyId, Scope},
    ports::Ports,
};

fn id(name: &str) -> AccountId {
    AccountId::parse(name).expect("a name")
}

fn tenant(name: &str) -> Account {
    Account { created_at: Some(Timestamp::UNIX_EPOCH), ..Account::new(id(name)) }
}

fn first_key(account: &str, part: &str) -> Key {
    Key {
        id: KeyId::from_part(part).expect("a key id"),
        account: id(account),
        hash: format!("hash of {part}"),
        scopes: vec![Scope::Manage],
        description: None,
        expires_at: None,
        session_of: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

async fn create(ports: &Ports, account: &str, key: &str) -> bool {
    let made = ports.accounts.create(&tenant(account), &first_key(account, key)).await;
    made.expect("accounts are made")
}

async fn get(ports: &Ports, name: &str) -> Option<Account> {
    ports.accounts.get(&id(name)).await.expect("accounts are read").map(|found| Account::clone(&found))
}

async fn put(ports: &Ports, before: Option<&Account>, account: &Account) -> bool {
    ports.accounts.put(before, account).await.expect("accounts are saved")
}

async fn list(ports: &Ports, after: Option<&str>, most: usize) -> Vec<String> {
    let page = ports.accounts.list(after.map(id).as_ref(), most).await.expect("accounts are listed");
    page.into_iter().map(|account| account.id.as_str().to_owned()).collect()
}

pub async fn an_account_is_made_once_and_with_its_first_key_or_not_at_all(ports: &Ports) {
    assert_eq!(get(ports, "acme").await, None, "that there was none is remembered no longer than until there is one");
    assert!(create(ports, "acme", "aaaa").await);
    assert!(!create(ports, "acme", "bbbb").await, "the name is taken");
    assert!(!create(ports, "globex", "aaaa").await, "the key's id is taken");
    assert_eq!((get(ports, "acme").await, get(ports, "globex").await), (Some(tenant("acme")), None));
    assert_eq!(ports.keys.list(&id("acme")).await.expect("keys are listed"), [first_key("acme", "aaaa")]);
    let key = ports.keys.get(&first_key("acme", "aaaa").id).await.expect("keys are read");
    assert_eq!(key.as_deref(), Some(&first_key("acme", "aaaa")));
    assert_eq!(ports.keys.get(&first_key("acme", "bbbb").id).await.expect("keys are read"), None);
}

pub async fn accounts_are_listed_by_name_page_by_page(ports: &Ports) {
    for (name, key) in [("c", "cccc"), ("值班", "dddd"), ("a", "aaaa")] {
        assert!(create(ports, name, key).await);
    }
    assert!(put(ports, None, &Account::new(id("b"))).await);
    assert_eq!(list(ports, None, 10).await, ["a", "b", "c", "值班"]);
    assert_eq!(list(ports, None, 2).await, ["a", "b"]);
    assert_eq!(list(ports, Some("b"), 2).await, ["c", "值班"]);
    assert_eq!(list(ports, Some("值班"), 2).await, [] as [&str; 0]);
}

pub async fn a_deleted_account_stays_deleted_and_its_name_is_not_given_again(ports: &Ports) {
    assert!(create(ports, "acme", "aaaa").await);
    let deleted = Account { deleted_at: Some(Timestamp::UNIX_EPOCH), ..tenant("acme") };
    assert!(put(ports, Some(&tenant("acme")), &deleted).await);
    assert!(!put(ports, Some(&tenant("acme")), &tenant("acme")).await, "somebody who has not heard of it");
    assert!(!put(ports, None, &tenant("acme")).await, "somebody who has not heard of any");
    assert_eq!(get(ports, "acme").await, Some(deleted.clone()));
    assert!(!create(ports, "acme", "bbbb").await);
    assert_eq!(ports.accounts.list(None, 10).await.expect("accounts are listed"), [deleted]);
}
