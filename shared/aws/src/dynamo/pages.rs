//! What does not fit into an event's row: a long plan, and the text of a very long event, page by page in rows of their own.
//!
//! Promises: pages lie there before the row that tells of them, which decides; they carry a mark of the try that wrote them,
//! so that no row ever tells of another try's pages, wherever that try died; they outlive their row. Left to others: which
//! row that is ([`super::events`]). A try that died leaves pages behind that nobody reads, until their time is over.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items>

use std::collections::HashMap;

use bellhop_core::{
    StoreError,
    model::{AccountId, Event, EventId},
    plan::Plan,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    keys::{self, Key},
    table::Row,
};
use crate::{
    Store,
    error::{corrupt, json, parse},
};

/// The most text in one row. DynamoDB takes 400 KB, names and keys included.
const ROOM: usize = 350 * 1024;

/// The most entries of a plan in one row: each takes up to 1.5 KB.
const ENTRIES: usize = 100;

/// How many pages are written at once.
const AT_ONCE: usize = 8;

const TEXT: &str = "body";
const PLAN: &str = "plan";
const PAGES_MARK: &str = "pages";
const TEXT_PAGES: &str = "body_pages";
const PLAN_PAGES: &str = "plan_pages";
const PAGE: &str = "page";

/// An event with its plan, on its way into rows.
pub(crate) struct Paged {
    /// What goes into the event's row itself, as attribute and text.
    own: Vec<(&'static str, String)>,
    text_pages: Vec<String>,
    plan_pages: Vec<String>,
}

impl Paged {
    pub(crate) fn of(event: &Event, plan: &Plan) -> Result<Self, StoreError> {
        let (text, whole_plan) = (json(event)?, json(plan)?);
        let mut paged = Self { own: Vec::new(), text_pages: Vec::new(), plan_pages: Vec::new() };
        let mut room = ROOM;
        if text.len() > ROOM {
            paged.text_pages = slices(&text).map(str::to_owned).collect();
        } else {
            room -= text.len();
            paged.own.push((TEXT, text));
        }
        if entries(plan) > ENTRIES || whole_plan.len() > room {
            paged.plan_pages = cut(plan).iter().map(json).collect::<Result<_, _>>()?;
        } else {
            paged.own.push((PLAN, whole_plan));
        }
        Ok(paged)
    }

    pub(crate) fn has_pages(&self) -> bool {
        !self.text_pages.is_empty() || !self.plan_pages.is_empty()
    }
}

impl Store {
    /// Writes the pages; answers the event's row, which is to tell of them.
    pub(crate) async fn put_pages(&self, paged: Paged, event: &Event, kept_until: i64, row: Row) -> Result<Row, StoreError> {
        let has_pages = paged.has_pages();
        let Paged { own, text_pages, plan_pages } = paged;
        let row = own.into_iter().fold(row, |row, (name, text)| row.with_text(name, text));
        if !has_pages {
            return Ok(row);
        }
        let mark = format!("{:032x}", self.clock.chance());
        let counts = (text_pages.len() as u64, plan_pages.len() as u64);
        let (account, id) = (&event.account, event.id);
        let text_pages = (0..).zip(text_pages).map(|(at, page)| (keys::text_page(account, id, &mark, at), page));
        let plan_pages = (0..).zip(plan_pages).map(|(at, page)| (keys::plan_page(account, id, &mark, at), page));
        let writes = text_pages.chain(plan_pages).map(|(key, page)| {
            self.table.put(Row::new(key).with_text(PAGE, page).with_number(keys::EXPIRES, kept_until + super::events::A_DAY))
        });
        stream::iter(writes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(row.with_text(PAGES_MARK, mark).with_number(TEXT_PAGES, counts.0).with_number(PLAN_PAGES, counts.1))
    }
}

/// Where the pages lie that an event's row tells of.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) text: Vec<Key>,
    pub(crate) plan: Vec<Key>,
}

impl Pages {
    pub(crate) fn of(account: &AccountId, row: &Row) -> Result<Self, StoreError> {
        if !row.has(PAGES_MARK) {
            return Ok(Self::default());
        }
        let mark = row.text(PAGES_MARK)?;
        let id: EventId = row.text("sk")?.parse().map_err(|_| corrupt("an event's id"))?;
        Ok(Self {
            text: (0..row.number(TEXT_PAGES)?).map(|at| keys::text_page(account, id, mark, at)).collect(),
            plan: (0..row.number(PLAN_PAGES)?).map(|at| keys::plan_page(account, id, mark, at)).collect(),
        })
    }

    /// The event, from its row and what was `read` of its pages.
    pub(crate) fn event(&self, row: &Row, read: &HashMap<Key, Row>) -> Result<Event, StoreError> {
        if self.text.is_empty() {
            return row.body();
        }
        parse("an event", &texts(&self.text, read)?.concat())
    }

    /// The plan, likewise.
    pub(crate) fn plan(&self, row: &Row, read: &HashMap<Key, Row>) -> Result<Plan, StoreError> {
        if self.plan.is_empty() {
            return parse("a plan", row.text(PLAN)?);
        }
        let mut whole = Plan::default();
        for page in texts(&self.plan, read)? {
            let Plan { deliveries, collected, dropped, decisions } = parse("a page of a plan", page)?;
            whole.deliveries.extend(deliveries);
            whole.collected.extend(collected);
            whole.dropped.extend(dropped);
            whole.decisions.extend(decisions);
        }
        Ok(whole)
    }
}

fn texts<'a>(keys: &[Key], read: &'a HashMap<Key, Row>) -> Result<Vec<&'a str>, StoreError> {
    keys.iter().map(|key| read.get(key).ok_or_else(|| corrupt("a page, which is not there"))?.text(PAGE)).collect()
}

fn entries(plan: &Plan) -> usize {
    plan.deliveries.len() + plan.collected.len() + plan.dropped.len() + plan.decisions.len()
}

/// A plan in pages, none of which has more than [`ENTRIES`] of a kind.
fn cut(plan: &Plan) -> Vec<Plan> {
    let deliveries = plan.deliveries.chunks(ENTRIES).map(|part| Plan { deliveries: part.to_vec(), ..Plan::default() });
    let collected = plan.collected.chunks(ENTRIES).map(|part| Plan { collected: part.to_vec(), ..Plan::default() });
    let dropped = plan.dropped.chunks(ENTRIES).map(|part| Plan { dropped: part.to_vec(), ..Plan::default() });
    let decisions = plan.decisions.chunks(ENTRIES).map(|part| Plan { decisions: part.to_vec(), ..Plan::default() });
    deliveries.chain(collected).chain(dropped).chain(decisions).collect()
}

/// A text in pieces that each fit into a row.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut left = text;
    std::iter::from_fn(move || {
        let (slice, rest) = left.split_at(left.floor_char_boundary(ROOM));
        left = rest;
        (!slice.is_empty()).then_some(slice)
    })
}

#[cfg(test)]
mod tests {
    use bellhop_core::{Reason, Timestamp, plan::Dropped};
    use bellhop_testkit::{account, channel, draft, name, planned};

    use super::*;

    fn event(text: &str) -> Event {
        draft(text).into_event(EventId::new(Timestamp::UNIX_EPOCH, 7), account(), Timestamp::UNIX_EPOCH)
    }

    fn plan(deliveries: usize, dropped: usize) -> Plan {
        let why = Reason::RegistrationDisabled;
        Plan {
            deliveries: (0..deliveries).map(|number| planned(&format!("r{number}"), &channel())).collect(),
            dropped: (0..dropped)
                .map(|number| Dropped::Registration { registration: name(&format!("d{number}")), why })
                .collect(),
            ..Plan::default()
        }
    }

    fn pages(text: &str, plan: &Plan) -> (usize, usize) {
        let paged = Paged::of(&event(text), plan).unwrap();
        let own: usize = paged.own.iter().map(|(_, text)| text.len()).sum();
        assert!(own <= ROOM, "{own}");
        assert!(paged.text_pages.iter().chain(&paged.plan_pages).all(|page| page.len() <= ROOM));
        (paged.text_pages.len(), paged.plan_pages.len())
    }

    #[test]
    fn what_fits_has_no_pages() {
        assert_eq!(pages("short", &plan(100, 0)), (0, 0));
        assert_eq!(pages(&"x".repeat(256 * 1024), &plan(100, 0)), (0, 0));
    }

    #[test]
    fn a_long_plan_is_paged_by_the_hundred_of_each_kind() {
        assert_eq!(pages("short", &plan(101, 0)), (0, 2));
        assert_eq!(pages("short", &plan(10_000, 0)), (0, 100));
        assert_eq!(pages("short", &plan(1, 250)), (0, 4));
        assert_eq!(pages(&"x".repeat(ROOM - 1_000), &plan(50, 0)), (0, 1), "what has no room beside its event");
    }

    #[test]
    fn a_very_long_text_is_cut_between_characters() {
        let text = "长".repeat(ROOM);
        assert_eq!(pages(&text, &plan(1, 0)), (4, 0));
        assert_eq!(slices(&text).collect::<String>(), text);
    }

    #[test]
    fn a_plan_is_the_same_after_it_was_cut_and_put_together() {
        let plan = plan(230, 120);
        let mut together = Plan::default();
        for page in cut(&plan) {
            together.deliveries.extend(page.deliveries);
            together.dropped.extend(page.dropped);
        }
        assert_eq!(together, plan);
    }
}
