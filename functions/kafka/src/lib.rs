//! From a record of Kafka to `core::accept` and `core::task`.
//!
//! Promises: a record that comes twice is one, known by topic, partition and offset; one that can never be accepted goes to the
//! dead letters with the reason and holds up nobody; one that could not be kept now is not passed. Left to others: how records
//! come and where dead letters go ([`DeadLetters`]): a consumer group on one machine, an event source mapping on AWS ([`event`]).

mod envelope;
pub mod event;
pub mod record;

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use bellhop_core::{
    Code, Problem, StoreError,
    accept::{Wanted, accept},
    model::AccountId,
    ports::Ports,
    task,
};
use bellhop_http::{
    body::{Limit, Payload},
    task::made_under,
};
use futures_util::FutureExt;

use record::{Asks, Record};

/// Where what a record makes is remembered by: of no HTTP route.
const ROUTE: &str = "Kafka";

/// Where records go that can never be accepted.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Keeps a record, and why it is here.
    async fn bury(&self, record: &Record, why: &Problem) -> Result<(), StoreError>;
}

/// Takes records for one account. Cheap to clone.
#[derive(Clone)]
pub struct Kafka {
    ports: Arc<Ports>,
    account: AccountId,
    dead_letters: Arc<dyn DeadLetters>,
}

impl Kafka {
    /// For that account.
    pub fn new(ports: Arc<Ports>, account: AccountId, dead_letters: Arc<dyn DeadLetters>) -> Self {
        Self { ports, account, dead_letters }
    }

    /// Whether the record is dealt with, so that the next of its partition may follow; else it has to come again.
    pub async fn take(&self, record: &Record) -> bool {
        let Record { topic, partition, offset, .. } = record;
        // a panic is one record's misfortune, not that of all behind it
        let accepted = AssertUnwindSafe(self.accepted(record))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Problem::new(Code::Internal, "a fault in our own code; the operator's log says where")));
        let Err(why) = accepted else { return true };
        if comes_again(why.code) {
            tracing::warn!(topic, partition, offset, code = %why.code, "this record could not be kept now; it comes again");
            return false;
        }
        let field = why.field.as_deref();
        match self.dead_letters.bury(record, &why).await {
            Ok(()) => {
                tracing::warn!(topic, partition, offset, code = %why.code, field, "this record was refused; it is with the dead letters");
                true
            }
            Err(error) => {
                tracing::error!(topic, partition, offset, code = %why.code, field, %error, "this record was refused, and the dead letters did not take it; it comes again");
                false
            }
        }
    }

    async fn accepted(&self, record: &Record) -> Result<(), Problem> {
        let (ports, now) = (&*self.ports, self.ports.clock.now());
        let account = ports.accounts.settings(&self.account).await?;
        if account.deleted_at.is_some() {
            let detail = "the account that records are for is deleted; name another (`--kafka-account`, `KafkaAccount`)";
            return Err(Problem::new(Code::NotFound, detail));
        }
        let payload = Payload::of(record.value.clone().unwrap_or_default(), Limit::Picture("screenshot"));
        let key = payload.named_key(&account.id, ROUTE, record.name(), now);
        match record::read(&payload, &account, now)? {
            Asks::Event(draft) => accept(ports, &account.id, draft, Wanted::Event, Some(key)).await.map(drop),
            Asks::Message(draft) => accept(ports, &account.id, draft, Wanted::Message, Some(key)).await.map(drop),
            Asks::Task(wish) => task::make(ports, &account.id, *wish, Some(made_under(key))).await.map(drop),
        }
    }
}

/// Whether the same record may be accepted a moment later, without anybody having changed anything.
fn comes_again(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::RateLimited | Code::Conflict)
}
