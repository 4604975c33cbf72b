//! The few things that are done to a table. Every read is strongly consistent, but those of the index.
//!
//! Promise: a conditional write that the SDK repeats because its answer was lost knows its own work again (each carries a
//! mark of its own), so that a condition fails for others' writes alone. Left to others: what the rows mean.

use std::{collections::HashMap, fmt, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{
        AttributeValue, Delete, KeysAndAttributes, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};
use bellhop_core::StoreError;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};

use super::keys::{self, Key};
use crate::error::{corrupt, json, parse, unavailable, unfinished};

/// How many rows one call reads at most.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const BATCH: usize = 100;

/// How often rows that a batch left unread are asked for again: it was throttled, or they are more than 16 MB.
const BATCH_TRIES: u32 = 6;

/// How long to wait before the first repetition; twice as long before the next.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html#Programming.Errors.BatchOperations>
const BATCH_PAUSE: Duration = Duration::from_millis(10);

/// How many batches are read at once.
const BATCHES: usize = 8;

/// Says which write made a row.
const MARK: &str = "mark";
pub(crate) const BODY: &str = "body";

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

/// A row on its way in or out. Prints the names of its attributes only.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Row(HashMap<String, AttributeValue>);

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Row {
    pub(crate) fn new(key: Key) -> Self {
        Self::default().with("pk", AttributeValue::S(key.pk)).with("sk", AttributeValue::S(key.sk))
    }

    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn with_text(self, name: &str, text: impl Into<String>) -> Self {
        self.with(name, AttributeValue::S(text.into()))
    }

    pub(crate) fn with_number(self, name: &str, number: impl Into<i128>) -> Self {
        self.with(name, AttributeValue::N(number.into().to_string()))
    }

    pub(crate) fn with_bytes(self, name: &str, bytes: Vec<u8>) -> Self {
        self.with(name, AttributeValue::B(bytes.into()))
    }

    /// The thing itself, as JSON.
    pub(crate) fn with_body(self, body: &impl Serialize) -> Result<Self, StoreError> {
        Ok(self.with_text(BODY, json(body)?))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, StoreError> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or_else(|| corrupt(name))
    }

    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, StoreError> {
        let number = self.0.get(name).and_then(|value| value.as_n().ok());
        number.and_then(|number| number.parse().ok()).ok_or_else(|| corrupt(name))
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<&[u8], StoreError> {
        self.0.get(name).and_then(|value| value.as_b().ok()).map(AsRef::as_ref).ok_or_else(|| corrupt(name))
    }

    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        parse("a row", self.text(BODY)?)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The same row under another key.
    pub(crate) fn under(self, key: Key) -> Self {
        self.with("pk", AttributeValue::S(key.pk)).with("sk", AttributeValue::S(key.sk))
    }

    pub(crate) fn key(&self) -> Result<Key, StoreError> {
        Ok(Key { pk: self.text("pk")?.to_owned(), sk: self.text("sk")?.to_owned() })
    }
}

/// What a write is conditional on.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    expression: &'static str,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    pub(crate) const IS_FREE: Self = Self { expression: "attribute_not_exists(pk)", values: Vec::new() };
    pub(crate) const IS_ONLY: Self = Self { expression: "attribute_not_exists(newest)", values: Vec::new() };
    pub(crate) const IS_THERE: Self = Self { expression: "attribute_exists(pk)", values: Vec::new() };

    pub(crate) fn new(expression: &'static str, name: &'static str, number: impl Into<i128>) -> Self {
        Self { expression, values: vec![(name, AttributeValue::N(number.into().to_string()))] }
    }

    /// What is there still says what it said when it was read.
    pub(crate) fn has_body_of(read: &Row) -> Result<Self, StoreError> {
        Ok(Self { expression: "body = :body", values: vec![(":body", AttributeValue::S(read.text(BODY)?.to_owned()))] })
    }

    fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        (!self.values.is_empty()).then(|| values.collect())
    }
}

/// What came of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    /// It is there.
    Yes,
    /// The condition failed; this is what was there.
    No(Option<Row>),
}

/// A part of a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    pub(crate) pk: String,
    /// Sort keys at or above this.
    pub(crate) from: Option<String>,
    /// Sort keys below this.
    pub(crate) before: Option<String>,
    pub(crate) newest_first: bool,
}

impl Range {
    pub(crate) fn all(pk: impl Into<String>) -> Self {
        Self { pk: pk.into(), ..Self::default() }
    }

    fn expression(&self, pk: &str, sk: &str) -> (String, HashMap<String, AttributeValue>) {
        let mut values = HashMap::from([(":pk".to_owned(), AttributeValue::S(self.pk.clone()))]);
        let bound =
            |name: &str, bound: &Option<String>| bound.as_ref().map(|text| (name.to_owned(), AttributeValue::S(text.clone())));
        values.extend(bound(":from", &self.from).into_iter().chain(bound(":before", &self.before)));
        let expression = match (&self.from, &self.before) {
            (None, None) => format!("{pk} = :pk"),
            (Some(_), None) => format!("{pk} = :pk AND {sk} >= :from"),
            (None, Some(_)) => format!("{pk} = :pk AND {sk} < :before"),
            // a key condition takes one range; `before` itself is taken out below
            (Some(_), Some(_)) => format!("{pk} = :pk AND {sk} BETWEEN :from AND :before"),
        };
        (expression, values)
    }

    /// Whether nothing can lie in it: DynamoDB refuses such a range.
    fn is_empty(&self) -> bool {
        self.from.as_ref().zip(self.before.as_ref()).is_some_and(|(from, before)| before <= from)
    }

    fn holds(&self, sk: &str) -> bool {
        self.before.as_ref().is_none_or(|before| sk < before.as_str())
    }
}

impl Table {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    pub(crate) async fn get(&self, key: Key) -> Result<Option<Row>, StoreError> {
        let got = self.client.get_item().table_name(&self.name).set_key(Some(attributes(key))).consistent_read(true);
        let got = got.send().await.map_err(|error| unavailable("GetItem", &error))?;
        Ok(got.item.map(Row))
    }

    /// Those of the rows that are there, by their keys.
    pub(crate) async fn get_many(&self, wanted: Vec<Key>) -> Result<HashMap<Key, Row>, StoreError> {
        let batches: Vec<_> = wanted.chunks(BATCH).map(|batch| self.get_batch(batch)).collect();
        let found: Vec<_> = stream::iter(batches).buffer_unordered(BATCHES).try_collect().await?;
        found.into_iter().flatten().map(|row| Ok((row.key()?, row))).collect()
    }

    async fn get_batch(&self, wanted: &[Key]) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        let mut left: Vec<_> = wanted.iter().cloned().map(attributes).collect();
        for doublings in 0..BATCH_TRIES {
            let keys = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
            let keys = keys.map_err(|_| unfinished("a batch of keys cannot be built"))?;
            let got = self.client.batch_get_item().request_items(&self.name, keys).send().await;
            let got = got.map_err(|error| unavailable("BatchGetItem", &error))?;
            found.extend(got.responses.into_iter().flatten().flat_map(|(_, rows)| rows).map(Row));
            let unread = got.unprocessed_keys.into_iter().flatten().next();
            left = unread.map(|(_, keys)| keys.keys).unwrap_or_default();
            if left.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(BATCH_PAUSE * 2_u32.pow(doublings)).await;
        }
        Err(unfinished("`BatchGetItem` leaves rows unread again and again"))
    }

    /// Up to `most` rows of a part of a partition, in order.
    pub(crate) async fn query(&self, range: &Range, most: usize) -> Result<Vec<Row>, StoreError> {
        self.query_in(None, range, most).await
    }

    /// The keys of up to `most` rows of a part of the index, as it lately was.
    pub(crate) async fn query_rare(&self, range: &Range, most: usize) -> Result<Vec<Row>, StoreError> {
        self.query_in(Some(keys::RARE), range, most).await
    }

    async fn query_in(&self, index: Option<&str>, range: &Range, most: usize) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        if range.is_empty() {
            return Ok(rows);
        }
        let (pk, sk) = if index.is_some() { (keys::RARE_PK, keys::RARE_SK) } else { ("pk", "sk") };
        let (expression, values) = range.expression(pk, sk);
        let mut start = None;
        loop {
            let left = i32::try_from(most - rows.len() + 1).unwrap_or(i32::MAX);
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .set_index_name(index.map(str::to_owned))
                .consistent_read(index.is_none())
                .key_condition_expression(&expression)
                .set_expression_attribute_values(Some(values.clone()))
                .scan_index_forward(!range.newest_first)
                .limit(left) // one more, which may be `before` itself
                .set_exclusive_start_key(start);
            let page = page.send().await.map_err(|error| unavailable("Query", &error))?;
            for row in page.items.into_iter().flatten().map(Row) {
                if range.holds(row.text(sk)?) {
                    rows.push(row);
                }
            }
            rows.truncate(most);
            start = page.last_evaluated_key;
            if start.is_none() || rows.len() == most {
                return Ok(rows);
            }
        }
    }

    /// Writes a row, whatever was there.
    pub(crate) async fn put(&self, row: Row) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(row.0)).send().await;
        put.map(drop).map_err(|error| unavailable("PutItem", &error))
    }

    /// Writes a row if the condition holds. `mark` is this write's own, and random.
    pub(crate) async fn put_if(&self, row: Row, condition: &Condition, mark: u128) -> Result<Written, StoreError> {
        let mark = format!("{mark:x}");
        let key = row.key()?;
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row.with_text(MARK, &mark).0))
            .condition_expression(condition.expression)
            .set_expression_attribute_values(condition.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let there = match put.send().await {
            Ok(_) => return Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => match &failed.item {
                    Some(there) => Some(Row(there.clone())),
                    None => self.get(key).await?,
                },
                // the row is part of a transaction that is under way: whoever makes it is the other writer
                Some(PutItemError::TransactionConflictException(_)) => self.get(key).await?,
                _ => return Err(unavailable("PutItem", &error)),
            },
        };
        let is_ours = there.as_ref().is_some_and(|there| there.text(MARK).is_ok_and(|there| there == mark));
        Ok(if is_ours { Written::Yes } else { Written::No(there) })
    }

    /// Changes a row, or makes it, if the condition holds. `mark` is this update's own, and random; whoever else writes the
    /// row between two tries of it hides that the first came through.
    pub(crate) async fn update_if(&self, key: Key, update: Update, mark: u128) -> Result<Updated, StoreError> {
        let mark = format!("{mark:x}");
        let mut values = update.values;
        values.insert(":mark".to_owned(), AttributeValue::S(mark.clone()));
        let sent = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attributes(key.clone())))
            .update_expression(format!("{}, mark = :mark", update.expression))
            .condition_expression(format!("(attribute_not_exists(mark) OR mark <> :mark) AND ({})", update.condition))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let there = match sent.send().await {
            Ok(done) => return Ok(Updated::Yes(Row(done.attributes.unwrap_or_default()))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => match &failed.item {
                    Some(there) => Row(there.clone()),
                    None => self.get(key).await?.unwrap_or_default(),
                },
                _ => return Err(unavailable("UpdateItem", &error)),
            },
        };
        let is_ours = there.text(MARK).is_ok_and(|there| there == mark);
        Ok(if is_ours { Updated::Yes(there) } else { Updated::No(there) })
    }

    /// Deletes a row if it is there.
    pub(crate) async fn delete(&self, key: Key) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(attributes(key))).send().await;
        delete.map(drop).map_err(|error| unavailable("DeleteItem", &error))
    }

    /// All of these or none. `false`: a condition failed, or somebody else wrote one of the rows at the same time.
    pub(crate) async fn write_all(&self, writes: Vec<Write>) -> Result<bool, StoreError> {
        let writes = writes.into_iter().map(|write| write.item(&self.name)).collect::<Result<Vec<_>, _>>()?;
        let written = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = written else { return Ok(true) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                let reasons = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code());
                let mut reasons = reasons.filter(|code| *code != "None").peekable();
                // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
                let is_lost = reasons.peek().is_some()
                    && reasons.all(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"));
                if is_lost { Ok(false) } else { Err(unavailable("TransactWriteItems", &error)) }
            }
            _ => Err(unavailable("TransactWriteItems", &error)),
        }
    }
}

/// A change of some of a row's attributes, and what it is conditional on.
pub(crate) struct Update {
    expression: &'static str,
    condition: String,
    values: HashMap<String, AttributeValue>,
}

impl Update {
    pub(crate) fn new(expression: &'static str, condition: impl Into<String>) -> Self {
        Self { expression, condition: condition.into(), values: HashMap::new() }
    }

    pub(crate) fn with_number(mut self, name: &str, number: impl Into<i128>) -> Self {
        self.values.insert(name.to_owned(), AttributeValue::N(number.into().to_string()));
        self
    }
}

/// What came of an update.
pub(crate) enum Updated {
    /// It was made; the row as it is now.
    Yes(Row),
    /// The condition failed; the row as it is, empty if there is none.
    No(Row),
}

/// One write of several.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Put(Row, Option<Condition>),
    Delete(Key, Option<Condition>),
}

impl Write {
    fn item(self, table: &str) -> Result<TransactWriteItem, StoreError> {
        let built = match self {
            Self::Put(row, condition) => {
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(row.0))
                    .set_condition_expression(condition.as_ref().map(|condition| condition.expression.to_owned()))
                    .set_expression_attribute_values(condition.as_ref().and_then(Condition::values));
                put.build().map(|put| TransactWriteItem::builder().put(put).build())
            }
            Self::Delete(key, condition) => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(attributes(key)))
                    .set_condition_expression(condition.as_ref().map(|condition| condition.expression.to_owned()))
                    .set_expression_attribute_values(condition.as_ref().and_then(Condition::values));
                delete.build().map(|delete| TransactWriteItem::builder().delete(delete).build())
            }
        };
        built.map_err(|_| StoreError::Unavailable("a write cannot be built".to_owned()))
    }
}

fn attributes(key: Key) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), AttributeValue::S(key.pk)), ("sk".to_owned(), AttributeValue::S(key.sk))])
}
