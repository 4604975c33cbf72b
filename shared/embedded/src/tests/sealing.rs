//! What is secret lies sealed: in all files, after an older program, for its owner alone, under keys that change.

use std::{fs, path::Path, sync::Arc};

use bellhop_core::{
    StoreError,
    channel::Params,
    model::{AccountId, Registration},
    ports::{Clock, Freshness, Registrations, Tokens},
    token::{Credential, Good, Held, Secret, Slot, Token, TokenKey, Wish},
};
use bellhop_testkit::{Sim, account, channel, name, registration};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{House, files_with};
use crate::{
    OpenError, Options, Sealing, Store, directory, inspect, rotate_key,
    rotation::{Step, rotate},
    schema::{self, STEPS},
};

const FIRST: &str = "the first secret, 7c1e";
const SECOND: &str = "the second secret, 88af";
const TOKEN: &str = "a provider's token, 5d20";
const LONG_GONE: &str = "a secret that was overwritten, 19cc";

fn other_account() -> AccountId {
    AccountId::parse("other").unwrap()
}

/// `phone` with that secret.
fn phone(owner: AccountId, version: u64, secret: &str) -> Registration {
    let params = serde_json::from_value(serde_json::json!({ "tone": secret })).unwrap();
    Registration { account: owner, version, params, ..registration("phone") }
}

async fn secret(store: &Store, owner: &AccountId) -> Result<String, StoreError> {
    let found = Registrations::get(store, owner, &name("phone"), Freshness::Fresh).await?.unwrap();
    Ok(found.params.text("tone").unwrap().to_owned())
}

async fn former_secrets(store: &Store, owner: &AccountId) -> Vec<String> {
    let formers = store.formers(owner, &name("phone")).await.unwrap();
    formers.iter().map(|former| former.params.text("tone").unwrap().to_owned()).collect()
}

fn token_key(owner: AccountId) -> TokenKey {
    TokenKey { account: owner, channel: channel(), credential: Credential::of(&["s3cret"]) }
}

fn wish(sim: &Sim) -> Wish {
    Wish { by: 7, refused: None, now: sim.now() }
}

async fn held(store: &Store, sim: &Sim, owner: AccountId) -> Held {
    store.ask(&token_key(owner), &wish(sim)).await.unwrap()
}

/// A registration that was saved twice, and a provider's token.
async fn furnished() -> House {
    let house = House::new();
    for (version, secret) in [(1, FIRST), (2, SECOND)] {
        assert!(house.store.put_registration(phone(account(), version, secret)).await);
    }
    assert!(matches!(held(&house.store, &house.sim, account()).await, Held::Yours { .. }));
    let token = Token { value: Secret::new(TOKEN), lasts: std::time::Duration::from_hours(2) };
    let slot = Slot::Good(Good::of(token, house.sim.now()));
    Tokens::put(&*house.store, &token_key(account()), 7, &slot).await.unwrap();
    house
}

impl Store {
    async fn put_registration(&self, registration: Registration) -> bool {
        Registrations::put(self, &registration).await.unwrap()
    }
}

async fn opens_everything(store: &Store) {
    assert_eq!(secret(store, &account()).await.unwrap(), SECOND);
    assert_eq!(former_secrets(store, &account()).await, [FIRST]);
}

fn open(dir: &Path) -> Result<Arc<Store>, OpenError> {
    Store::open(dir, Options::default(), Sim::new(2))
}

fn key_of(dir: &Path) -> String {
    fs::read_to_string(dir.join("seal-key")).unwrap()
}

#[tokio::test]
async fn no_secret_stands_in_any_file() {
    let house = furnished().await;
    assert!(matches!(held(&house.store, &house.sim, account()).await, Held::Token(_)));
    assert_eq!(house.files_with(b"\"phone\"").len(), 1, "the search finds what is there");
    for _ in 0..2 {
        for secret in [FIRST, SECOND, TOKEN] {
            assert_eq!(house.files_with(secret.as_bytes()), [""; 0], "{secret}");
        }
        house.store.close().await;
    }
}

/// A data directory as the last program without seals left it when it was killed: with a log, and with remains of what was
/// overwritten.
fn in_clear() -> TempDir {
    let (made, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut database = Connection::open(directory::database(made.path())).unwrap();
    let before = STEPS.iter().position(|step| step.contains("secrets_in_clear")).unwrap();
    schema::prepare(&mut database, &STEPS[..before], |_| Ok::<_, rusqlite::Error>(())).unwrap();
    let params = |secret: &str| serde_json::to_string(&phone(account(), 1, secret).params).unwrap();
    let body = Registration { params: Params::default(), ..phone(account(), 2, "") };
    database
        .execute(
            "INSERT INTO registrations (account, name, version, is_default, body) VALUES ('main', 'phone', 2, 0, ?1)",
            [serde_json::to_string(&body).unwrap()],
        )
        .unwrap();
    // so much that what is overwritten stays behind in pages of its own
    let long_gone = params(&LONG_GONE.repeat(1_000));
    for params in [long_gone, params(FIRST)] {
        database
            .execute("INSERT OR REPLACE INTO secrets (account, name, params) VALUES ('main', 'phone', ?1)", [params])
            .unwrap();
    }
    let journal: String = database.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).unwrap();
    assert_eq!(journal, "wal");
    let params = params(SECOND);
    database.execute("UPDATE secrets SET params = ?1", [params]).unwrap();
    let slot = serde_json::json!({ "good": { "value": TOKEN, "until": "2100-01-01T00:00:00Z" } }).to_string();
    let token =
        "INSERT INTO tokens (account, channel, credential, slot, until) VALUES ('main', 'probe', 'aa', ?1, 4102444800000)";
    database.execute(token, [slot]).unwrap();
    for file in fs::read_dir(made.path()).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    left
}

#[tokio::test]
async fn what_an_older_program_stored_in_clear_is_sealed_and_leaves_no_trace() {
    let dir = in_clear();
    for secret in [FIRST, SECOND, TOKEN, LONG_GONE] {
        assert_ne!(files_with(dir.path(), secret.as_bytes()), [""; 0], "{secret}: or there is nothing to be shown");
    }
    let store = open(dir.path()).unwrap();
    assert_eq!(secret(&store, &account()).await.unwrap(), SECOND);
    for secret in [FIRST, SECOND, TOKEN, LONG_GONE] {
        assert_eq!(files_with(dir.path(), secret.as_bytes()), [""; 0], "{secret}");
    }
    assert_eq!(inspect(dir.path()).unwrap().sealing, Sealing::Opens { channels: 1, remains: false });
}

#[tokio::test]
async fn a_copied_row_does_not_open_in_another_account() {
    let house = furnished().await;
    for (version, secret) in [(1, "theirs"), (2, "theirs, too")] {
        assert!(house.store.put_registration(phone(other_account(), version, secret)).await);
    }
    assert!(matches!(held(&house.store, &house.sim, other_account()).await, Held::Yours { .. }));
    for table in ["secrets", "formers", "tokens"] {
        let copy =
            format!("UPDATE {table} SET sealed = (SELECT sealed FROM {table} WHERE account = 'main') WHERE account = 'other'");
        let copied = house.store.write(move |tx| Ok(tx.connection.execute(&copy, [])?)).await.unwrap();
        assert_eq!(copied, 1);
    }
    let refused = secret(&house.store, &other_account()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("this owner")), "{refused}");
    assert_eq!(former_secrets(&house.store, &other_account()).await, [""; 0]);
    let held = held(&house.store, &house.sim, other_account()).await;
    assert!(matches!(held, Held::Yours { .. }), "a token that does not open is as good as none: {held:?}");
    opens_everything(&house.store).await;
}

#[tokio::test]
async fn without_the_right_key_nothing_starts_and_no_other_key_is_made() {
    let house = furnished().await;
    house.store.close().await;
    let (dir, file) = (house.path(), house.path().join("seal-key"));
    let key = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let Err(error) = open(&dir) else { panic!("it was opened without a key") };
    assert!(matches!(error, OpenError::NoSealKey(_)), "{error}");
    assert!(!file.exists(), "a new key over what another one sealed");
    assert_eq!(inspect(&dir).unwrap().sealing, Sealing::NoKey);
    for wrong in ["0".repeat(64), "not a key".to_owned(), String::new()] {
        fs::write(&file, &wrong).unwrap();
        let Err(error) = open(&dir) else { panic!("it was opened with another key") };
        assert!(matches!(error, OpenError::WrongSealKey(_)), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
        assert_eq!(inspect(&dir).unwrap().sealing, Sealing::WrongKey);
    }
    fs::write(&file, key).unwrap();
    opens_everything(&open(&dir).unwrap()).await;
}

#[tokio::test]
async fn a_registration_whose_data_key_is_gone_cannot_be_read_and_is_not_taken_for_deleted() {
    let house = furnished().await;
    house.tamper("DELETE FROM data_keys").await;
    let refused = secret(&house.store, &account()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("data key")), "{refused}");
}

#[tokio::test]
async fn a_directory_in_which_nothing_is_sealed_yet_may_lose_its_key() {
    let mut house = House::new();
    assert_eq!(inspect(&house.path()).unwrap().sealing, Sealing::Opens { channels: 0, remains: false });
    fs::remove_file(house.path().join("seal-key")).unwrap();
    assert_eq!(inspect(&house.path()).unwrap().sealing, Sealing::Nothing);
    house.reopen().await;
    assert!(house.store.put_registration(phone(account(), 1, FIRST)).await);
    house.reopen().await;
    assert_eq!(secret(&house.store, &account()).await.unwrap(), FIRST);
}

#[tokio::test]
async fn new_keys_open_everything_and_old_ones_nothing_any_more() {
    let mut house = furnished().await;
    house.store.close().await;
    let (dir, old) = (house.path(), key_of(&house.path()));
    let sealed: Vec<u8> = {
        let database = Connection::open(directory::database(&dir)).unwrap();
        database.query_row("SELECT sealed FROM secrets", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(house.files_with(&sealed), ["bellhop.db"]);
    rotate_key(&dir).unwrap();
    assert_eq!(house.files_with(&sealed), [""; 0], "what was sealed before is gone");
    let new = key_of(&dir);
    assert_ne!(new, old);
    house.reopen().await;
    opens_everything(&house.store).await;
    assert!(matches!(held(&house.store, &house.sim, account()).await, Held::Yours { .. }), "tokens are fetched again");
    house.store.close().await;
    fs::write(dir.join("seal-key"), old).unwrap();
    assert!(matches!(open(&dir).err(), Some(OpenError::WrongSealKey(_))));
}

#[tokio::test]
async fn a_change_of_keys_that_dies_anywhere_leaves_a_key_that_opens_everything() {
    for (last, sealing) in [
        (Step::Written, Sealing::Opens { channels: 1, remains: false }),
        (Step::Resealed, Sealing::Unfinished),
        (Step::TakenOver, Sealing::Opens { channels: 1, remains: true }),
    ] {
        let house = furnished().await;
        house.store.close().await;
        let dir = house.path();
        rotate(&dir, last).unwrap();
        assert_eq!(inspect(&dir).unwrap().sealing, sealing, "{last:?}");
        let store = open(&dir).unwrap();
        opens_everything(&store).await;
        assert!(!dir.join("seal-key.new").exists(), "{last:?}");
        assert_eq!(inspect(&dir).unwrap().sealing, Sealing::Opens { channels: 1, remains: false }, "{last:?}");
        store.close().await;
        rotate_key(&dir).unwrap();
        opens_everything(&open(&dir).unwrap()).await;
    }
}

#[tokio::test]
async fn what_is_secret_is_printed_nowhere() {
    let house = furnished().await;
    let found = Registrations::get(&*house.store, &account(), &name("phone"), Freshness::Fresh).await.unwrap();
    let formers = house.store.formers(&account(), &name("phone")).await.unwrap();
    let printed = format!("{found:?} {formers:?} {:?}", house.store.memory.seals);
    assert!(printed.contains("tone") && printed.contains("Seals"), "{printed}");
    for secret in [FIRST, SECOND, key_of(&house.path()).trim()] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
async fn keys_are_not_changed_under_a_running_server_nor_where_there_is_nothing() {
    let house = furnished().await;
    let key = key_of(&house.path());
    assert!(matches!(rotate_key(&house.path()), Err(OpenError::InUse(_))));
    assert_eq!(key_of(&house.path()), key);
    opens_everything(&house.store).await;
    let nowhere = house.dir.path().join("nowhere");
    assert!(matches!(rotate_key(&nowhere), Err(OpenError::Io { .. })));
    assert!(!nowhere.exists());
}
