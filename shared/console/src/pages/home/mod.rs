//! The first page: the last 24 hours at a glance, what needs attention, what comes next; and for somebody new, how to begin.

mod attention;
mod guide;

use std::{collections::BTreeMap, time::Duration};

use axum::{Router, response::Response, routing::get};
use bellhop_core::{
    Timestamp,
    channel::Text,
    digest::times::Times,
    model::{Batch, Scope},
};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Console,
    call::segment,
    language::texts,
    layout::Section,
    show::{text, time},
    table::table,
    visitor::{Stop, Visitor},
};

texts! {
    TITLE = "Home", "首页";
    NOT_READING = "The key that you have signed in with may not see what is here: it lacks the scope `read`. It may do what the other pages say.",
                  "您登录所用的密钥没有 `read` 权限，看不到这里的内容；其他页面会说明它可以做什么。";
    LAST_DAY = "The last 24 hours", "最近 24 小时";
    COUNTED = "These are all of them.", "以上为全部投递。";
    COUNTED_SOME = "These are the newest, up to 200; there are more.", "以上为最新的投递（至多 200 条），还有更多。";
    QUIET = "Nothing was sent in the last 24 hours.", "最近 24 小时没有发送任何消息。";
    CHANNEL = "Channel", "渠道";
    SHARE = "Share", "占比";
    DELIVERED = "Delivered", "已送达";
    RETRYING = "On their way", "投递中";
    FAILED = "Failed", "失败";
    NEXT = "Next digests and tasks", "接下来的摘要和任务";
    NOTHING_NEXT = "No digest and no task is due.", "没有即将到期的摘要或任务。";
    DIGEST = "Digest", "摘要";
    TASK = "Task", "任务";
    WHAT = "What", "内容";
    WHEN = "When", "时间";
}

/// How many of the newest deliveries are counted. They are found by their events, one by one.
const NEWEST: usize = 200;

/// How many lines a list on this page has at most.
const LINES: usize = 8;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console", get(home))
}

async fn home(visitor: Visitor) -> Result<Response, Stop> {
    let title = visitor.say(TITLE);
    if !visitor.may(Scope::Read) {
        let content = html! { h1 { (title) } p { (visitor.say(NOT_READING)) } };
        return Ok(visitor.page(Section::Home, title, content));
    }
    let since = visitor.now() - Duration::from_hours(24);
    let newest = visitor.list(&format!("/v1/deliveries?from={since}&limit={NEWEST}")).await?;
    let failed = visitor.list(&format!("/v1/deliveries?state=failed&from={since}&limit={LINES}")).await?.items;
    let registrations = visitor.list("/v1/registrations?limit=200").await?;
    let was_quiet = newest.items.is_empty() && newest.next_cursor.is_none();
    let content = html! {
        h1 { (title) }
        @if was_quiet && has_never_sent(&visitor).await? { (guide::steps(&visitor, &registrations.items)) }
        h2 { (visitor.say(LAST_DAY)) }
        (last_day(&visitor, &counted(&newest.items), newest.next_cursor.is_some()))
        (attention::attention(&visitor, &registrations, &newest.items, &failed).await?)
        h2 { (visitor.say(NEXT)) }
        (next(&visitor).await?)
    };
    Ok(visitor.page(Section::Home, title, content))
}

/// Whether there is no delivery of whatever time.
async fn has_never_sent(visitor: &Visitor) -> Result<bool, Stop> {
    let ever = visitor.list("/v1/deliveries").await?;
    Ok(ever.items.is_empty() && ever.next_cursor.is_none())
}

/// What became of a channel's deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    delivered: u32,
    retrying: u32,
    failed: u32,
}

fn counted(deliveries: &[Value]) -> BTreeMap<&str, Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for delivery in deliveries {
        let tally = tallies.entry(text(delivery, "channel")).or_default();
        match text(delivery, "state") {
            "delivered" | "confirmed" => tally.delivered += 1,
            "queued" | "sending" | "retrying" => tally.retrying += 1,
            _ => tally.failed += 1,
        }
    }
    tallies
}

fn last_day(visitor: &Visitor, tallies: &BTreeMap<&str, Tally>, is_more: bool) -> Markup {
    let counted = visitor.say(if is_more { COUNTED_SOME } else { COUNTED });
    let row = |(channel, tally): (&&str, &Tally)| {
        html! {
            tr { th scope="row" { (channel) } td { (bar(*tally)) } td { (tally.delivered) } td { (tally.retrying) } td { (tally.failed) } }
        }
    };
    let rows: Vec<_> = tallies.iter().map(row).collect();
    let heads = [CHANNEL, SHARE, DELIVERED, RETRYING, FAILED].map(|head| visitor.say(head));
    html! {
        @if rows.is_empty() && !is_more { p.empty { (visitor.say(QUIET)) } }
        @else { (table(visitor, visitor.say(LAST_DAY), &heads, &rows)) p.help { (counted) } }
    }
}

/// How long the whole bar is.
const WIDTH: u32 = 200;

/// The shares of a tally as a bar. The numbers stand beside it, so that it is left out for those who do not see it.
fn bar(tally: Tally) -> Markup {
    let mut at = 0;
    let parts = widths(tally).map(|(class, width)| {
        let x = at;
        at += width;
        html! { rect class=(class) x=(x) y="0" width=(width) height="16" {} }
    });
    html! { svg.bar width=(WIDTH) height="16" viewBox={ "0 0 " (WIDTH) " 16" } aria-hidden="true" { @for part in &parts { (part) } } }
}

/// The parts of a bar; what there is at all is seen.
fn widths(tally: Tally) -> [(&'static str, u32); 3] {
    let all = (tally.delivered + tally.retrying + tally.failed).max(1);
    let share = |count: u32| if count == 0 { 0 } else { (count * WIDTH / all).max(4) };
    let (retrying, failed) = (share(tally.retrying), share(tally.failed));
    let delivered = if tally.delivered == 0 { 0 } else { WIDTH.saturating_sub(retrying + failed) };
    [("fill-good", delivered), ("fill-wait", retrying), ("fill-bad", failed)]
}

/// Something that happens by the clock.
struct Coming {
    at: Timestamp,
    what: Text,
    name: String,
    path: String,
}

async fn next(visitor: &Visitor) -> Result<Markup, Stop> {
    let rules = visitor.list("/v1/rules?limit=200").await?.items;
    let zone = visitor.time_zone().await?;
    let mut coming: Vec<_> = rules.iter().filter_map(|rule| digest(rule, zone.clone(), visitor.now())).collect();
    let tasks = visitor.list("/v1/tasks?state=scheduled&limit=50").await?.items;
    coming.extend(tasks.iter().filter_map(task));
    coming.sort_by_key(|one| one.at);
    let row = |one: &Coming| {
        html! {
            tr { th scope="row" { (time(&json!(one.at))) } td { (visitor.say(one.what)) ": " a href=(one.path) { (one.name) } } }
        }
    };
    let rows: Vec<_> = coming.iter().take(LINES).map(row).collect();
    Ok(html! {
        @if rows.is_empty() { p.empty { (visitor.say(NOTHING_NEXT)) } }
        @else { (table(visitor, visitor.say(NEXT), &[WHEN, WHAT].map(|head| visitor.say(head)), &rows)) }
    })
}

/// A rule's next digest, if it collects for one, and if it is known where its time is read.
fn digest(rule: &Value, of_account: Option<TimeZone>, now: Timestamp) -> Option<Coming> {
    let batch = Batch::deserialize(&rule["batch"]).ok().filter(|batch| batch.enabled && rule["enabled"] == true)?;
    let zone = of_account.or_else(|| TimeZone::get(batch.time_zone.as_deref()?).ok())?;
    let name = text(rule, "name").to_owned();
    let path = format!("/console/rules/{}", segment(&name));
    Some(Coming { at: Times::of(&batch, zone).after(now), what: DIGEST, name, path })
}

fn task(task: &Value) -> Option<Coming> {
    let path = format!("/console/tasks/{}", segment(text(task, "id")));
    Some(Coming { at: Timestamp::deserialize(&task["next_run"]).ok()?, what: TASK, name: text(task, "name").to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_bar_fill_it_and_the_smallest_is_seen() {
        let tally = |delivered, retrying, failed| Tally { delivered, retrying, failed };
        let lengths = |tally| widths(tally).map(|(_, width)| width);
        assert_eq!(lengths(tally(100, 0, 0)), [200, 0, 0]);
        assert_eq!(lengths(tally(50, 25, 25)), [100, 50, 50]);
        assert_eq!(lengths(tally(999, 1, 0)), [196, 4, 0]);
        assert_eq!(lengths(tally(0, 0, 0)), [0, 0, 0]);
    }

    #[test]
    fn deliveries_are_counted_by_channel_and_what_became_of_them() {
        let delivery = |channel, state| json!({ "channel": channel, "state": state });
        let all = [
            delivery("mail", "delivered"),
            delivery("mail", "failed"),
            delivery("webhook", "retrying"),
            delivery("mpush", "confirmed"),
        ];
        let tallies = counted(&all);
        assert_eq!(tallies["mail"], Tally { delivered: 1, retrying: 0, failed: 1 });
        assert_eq!(tallies["mpush"], Tally { delivered: 1, retrying: 0, failed: 0 });
        assert_eq!(tallies["webhook"], Tally { delivered: 0, retrying: 1, failed: 0 });
    }
}
