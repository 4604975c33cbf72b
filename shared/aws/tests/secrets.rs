//! What is secret in the table: sealed, for its owner alone; what keeping former parameters costs; entries of the audit.
#![expect(clippy::unwrap_used, reason = "a test")]

mod emulated;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use bellhop_core::{
    StoreError,
    model::{Account, AccountId, Action, AuditEntry, KeyId, Registration},
    ports::{Freshness, Ports},
};
use bellhop_testkit::{CATALOG, Provider, Silent, Sim, account, name, registration};
use emulated::{
    Deployment, Emulator, Kind,
    wire::{Fate, Wire, body_of},
};

const SECRET: &str = "the-secret-7c1e";
const FORMER: &str = "the-former-88af";

async fn deployment() -> Deployment {
    Deployment::on(Emulator::shared(Kind::Ministack).await, Duration::from_mins(6)).await
}

fn other_account() -> AccountId {
    AccountId::parse("other").unwrap()
}

fn phone(owner: AccountId, version: u64, secret: &str) -> Registration {
    let params = serde_json::from_value(serde_json::json!({ "tone": secret })).unwrap();
    Registration { account: owner, version, params, ..registration("phone") }
}

async fn save(ports: &Ports, registration: &Registration) {
    assert!(ports.registrations.put(registration).await.unwrap());
}

/// A table as whoever may read and write all of it sees it.
struct Raw {
    client: Client,
    table: String,
}

type Row = HashMap<String, AttributeValue>;

impl Raw {
    fn of(deployment: &Deployment) -> Self {
        let client = Client::new(&emulated::sdk(&deployment.url, Wire::calm(), 3));
        Self { client, table: deployment.config.table.clone() }
    }

    async fn rows(&self, pk: &str) -> Vec<Row> {
        let asked = self.client.query().table_name(&self.table).key_condition_expression("pk = :pk");
        asked.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned())).send().await.unwrap().items.unwrap()
    }

    /// Puts what is sealed in the rows of one partition into those of another.
    async fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.rows(from).await, self.rows(to).await);
        assert!(!from.is_empty() && from.len() == to.len());
        for (from, mut to) in from.into_iter().zip(to) {
            to.insert("sealed".to_owned(), from["sealed"].clone());
            self.client.put_item().table_name(&self.table).set_item(Some(to)).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_copied_row_does_not_open_in_another_account() {
    let deployment = deployment().await;
    let ports = deployment.ports(Wire::calm());
    for owner in [account(), other_account()] {
        save(&ports, &phone(owner.clone(), 1, FORMER)).await;
        save(&ports, &phone(owner, 2, SECRET)).await;
    }
    let raw = Raw::of(&deployment);
    raw.copy("secret/probe/main", "secret/probe/other").await;
    raw.copy("former/main/phone", "former/other/phone").await;

    let reader = deployment.ports(Wire::calm());
    let get = async |owner| reader.registrations.get(&owner, &name("phone"), Freshness::Fresh).await;
    let refused = get(other_account()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("this owner")), "{refused}");
    assert_eq!(reader.registrations.formers(&other_account(), &name("phone")).await.unwrap(), []);
    assert_eq!(get(account()).await.unwrap().unwrap().params.text("tone"), Some(SECRET));
    assert_eq!(reader.registrations.formers(&account(), &name("phone")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_secret_stands_in_any_row_of_a_registration() {
    let deployment = deployment().await;
    let ports = deployment.ports(Wire::calm());
    save(&ports, &phone(account(), 1, FORMER)).await;
    save(&ports, &phone(account(), 2, SECRET)).await;
    let raw = Raw::of(&deployment);
    for pk in ["registration/main", "secret/probe/main", "secret/probe", "former/main/phone"] {
        let rows = raw.rows(pk).await;
        assert_eq!(rows.len(), 1, "{pk}");
        for value in rows[0].values() {
            let bytes = match value {
                AttributeValue::B(bytes) => bytes.as_ref().to_vec(),
                other => format!("{other:?}").into_bytes(),
            };
            for secret in [SECRET, FORMER] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} in {pk}");
            }
        }
    }
}

#[tokio::test]
async fn after_ninety_days_a_new_data_key_seals_and_the_old_one_opens_what_it_sealed() {
    let deployment = deployment().await;
    let sim = Sim::new(1);
    let process =
        || deployment.store(Wire::calm(), 1, Arc::clone(&sim) as _).ports(Provider::new(&[]), Arc::new(Silent), CATALOG);
    let desk = Registration { name: name("desk"), ..phone(account(), 1, FORMER) };
    let (saver, sender) = (process(), process());
    save(&saver, &phone(account(), 1, FORMER)).await;
    save(&saver, &desk).await;
    let read = async |ports: &Ports, of: &str| {
        let found = ports.registrations.get(&account(), &name(of), Freshness::Fresh).await.unwrap().unwrap();
        found.params.text("tone").unwrap().to_owned()
    };
    assert_eq!(read(&sender, "phone").await, FORMER);

    sim.pass(Duration::from_hours(91 * 24));
    save(&saver, &phone(account(), 2, SECRET)).await;
    save(&process(), &phone(account(), 3, "the-third-20d1")).await;

    let raw = Raw::of(&deployment);
    let keys: Vec<_> = raw.rows("secret/probe").await.iter().map(|row| row["sk"].as_s().unwrap().clone()).collect();
    assert_eq!(keys, ["key", "key/2"], "one more, and not one with every save");
    for ports in [&saver, &sender, &process()] {
        assert_eq!(read(ports, "phone").await, "the-third-20d1");
        assert_eq!(read(ports, "desk").await, FORMER, "sealed by the first");
        let formers = ports.registrations.formers(&account(), &name("phone")).await.unwrap();
        let formers: Vec<_> = formers.iter().map(|former| former.params.text("tone").unwrap()).collect();
        assert_eq!(formers, [SECRET, FORMER]);
    }
}

/// Counts the rows that each transaction writes.
#[derive(Default)]
struct Writes(Mutex<Vec<usize>>);

#[async_trait]
impl Fate for Writes {
    async fn send(
        &self,
        call: &str,
        request: HttpRequest,
        onwards: &SharedHttpConnector,
    ) -> Result<HttpResponse, ConnectorError> {
        if call == "TransactWriteItems" {
            self.0.lock().unwrap().push(body_of(&request)["TransactItems"].as_array().unwrap().len());
        }
        onwards.call(request).await
    }
}

#[tokio::test]
async fn a_save_with_other_parameters_writes_one_row_more_however_many_came_before() {
    let deployment = deployment().await;
    let writes = Arc::new(Writes::default());
    let ports = deployment.ports(Wire::with(Arc::clone(&writes) as _));
    save(&ports, &phone(account(), 1, "t0")).await;
    save(&ports, &phone(account(), 2, "t0")).await;
    for version in 3..=10 {
        save(&ports, &phone(account(), version, &format!("t{version}"))).await;
    }
    assert!(ports.registrations.delete(&account(), &name("phone")).await.unwrap());
    let counted = writes.0.lock().unwrap().clone();
    let first = counted[0];
    assert_eq!(counted, [&[first; 2][..], &[first + 1; 8], &[first + 5]].concat());
    assert_eq!(Raw::of(&deployment).rows("former/main/phone").await, []);
}

#[tokio::test]
async fn an_entry_of_the_audit_says_when_the_table_may_forget_it() {
    let deployment = deployment().await;
    let ports = deployment.ports(Wire::calm());
    let key = KeyId::from_part("abcd").unwrap();
    let now = ports.clock.now();
    let entry = AuditEntry::new(&Account::new(account()), key, Action::KeyMade, None, (now, 7));
    ports.audit.record(&entry).await.unwrap();
    let rows = Raw::of(&deployment).rows("audit/main").await;
    assert_eq!(rows[0]["expires"], AttributeValue::N((now + Duration::from_hours(30 * 24)).as_second().to_string()));
}
