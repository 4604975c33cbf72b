//! One delivery: where it stands, and what was tried.

use bellhop_core::model::Scope;
use maud::{Markup, html};
use serde_json::Value;

use super::{DELIVERIES_PATH, members, page_of};
use crate::{
    call::segment,
    form::button,
    language::texts,
    show::{self, mark, text, time},
    table::table,
    visitor::Visitor,
};

texts! {
    ADDRESS = "Address", "地址";
    REASON = "Reason", "原因";
    NEXT = "Next attempt", "下次尝试";
    ATTEMPTS = "Attempts", "尝试记录";
    NUMBER = "No.", "序号";
    AT = "At", "时间";
    OUTCOME = "Outcome", "结果";
    ANSWER = "The provider's answer", "服务商的回应";
    TOOK = "Took", "用时";
    DELIVERED = "delivered", "已送达";
    RETRY_LATER = "to be tried again", "稍后重试";
    UNKNOWN = "unknown", "未知";
    FAILED = "failed", "失败";
    REPEATED = "it may have arrived twice", "可能送达了两次";
    RETRY = "Try once more", "重新投递";
    LEFT_OUT = "more:", "条未显示：";
    ALL = "all deliveries of this event", "此事件的全部投递";
}

/// Whether more is to come of it.
pub(crate) fn is_on_its_way(delivery: &Value) -> bool {
    ["queued", "sending", "retrying"].iter().any(|state| delivery["state"] == *state)
}

/// Whether nothing more comes of it, unless somebody wishes.
fn is_in_vain(delivery: &Value) -> bool {
    delivery["state"] == "failed" || delivery["state"] == "dropped"
}

/// The deliveries that an event or a run tells of, `most` of them: where there are more the wanted one comes first, then what is
/// on its way, then what is in vain.
pub(crate) fn stories(visitor: &Visitor, event: &str, told: &Value, wanted: &str, most: usize) -> Markup {
    let may_retry = visitor.may(Scope::Manage);
    let mut shown: Vec<_> = members(told, "deliveries").iter().collect();
    let mut left_out = untold(told);
    if shown.len() > most {
        left_out += shown.len() - most;
        shown.sort_by_key(|delivery| (delivery["id"] != wanted, !is_on_its_way(delivery), !is_in_vain(delivery)));
        shown.truncate(most);
    }
    html! {
        @for delivery in shown { (story(visitor, delivery, may_retry)) }
        @if left_out > 0 {
            p { "… " (left_out) " " (visitor.say(LEFT_OUT)) " " a href={ (DELIVERIES_PATH) "?event=" (segment(event)) } { (visitor.say(ALL)) } }
        }
    }
}

/// How many deliveries the API leaves out.
pub(super) fn untold(told: &Value) -> usize {
    told["deliveries_left_out"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// All that is known of a delivery. `may_retry`: what was in vain can be tried once more.
fn story(visitor: &Visitor, delivery: &Value, may_retry: bool) -> Markup {
    let (id, registration) = (text(delivery, "id"), text(delivery, "registration"));
    let retry = format!("{}/deliveries/{}/retry", page_of(text(delivery, "event")), segment(id));
    html! {
        section.card id=(id) {
            h3 {
                a href={ "/console/registrations/" (segment(registration)) } { (registration) }
                " · " (text(delivery, "channel")) " · " (show::state(visitor, &delivery["state"]))
            }
            dl.facts {
                @if delivery["address"].is_string() { dt { (visitor.say(ADDRESS)) } dd { (text(delivery, "address")) } }
                @if delivery["reason"].is_string() || delivery["why"].is_string() {
                    dt { (visitor.say(REASON)) } dd { code { (text(delivery, "reason")) } " " code { (text(delivery, "why")) } }
                }
                @if delivery["next_attempt_at"].is_string() { dt { (visitor.say(NEXT)) } dd { (time(&delivery["next_attempt_at"])) } }
            }
            @if let Some(attempts) = delivery["attempts"].as_array().filter(|attempts| !attempts.is_empty()) {
                (tried(visitor, &format!("{}: {registration}, {id}", visitor.say(ATTEMPTS)), attempts))
            }
            @if may_retry && is_in_vain(delivery) { p { (button(visitor, &retry, RETRY)) } }
        }
    }
}

fn tried(visitor: &Visitor, name: &str, attempts: &[Value]) -> Markup {
    let row = |attempt: &Value| {
        html! {
            tr {
                th scope="row" { (show::value(&attempt["n"])) }
                td { (time(&attempt["at"])) }
                td { (outcome(visitor, attempt)) @if attempt["repeated"] == true { " (" (visitor.say(REPEATED)) ")" } }
                td {
                    @if !attempt["status"].is_null() { (show::value(&attempt["status"])) " " }
                    code { (text(attempt, "reason")) } " " (text(attempt, "detail"))
                }
                td { (show::value(&attempt["duration_ms"])) " ms" }
            }
        }
    };
    let rows: Vec<_> = attempts.iter().map(row).collect();
    let heads = [NUMBER, AT, OUTCOME, ANSWER, TOOK].map(|head| visitor.say(head));
    table(visitor, name, &heads, &rows)
}

fn outcome(visitor: &Visitor, attempt: &Value) -> Markup {
    let outcomes = [
        ("delivered", "delivered", DELIVERED),
        ("retry", "retrying", RETRY_LATER),
        ("unknown", "retrying", UNKNOWN),
        ("failed", "failed", FAILED),
    ];
    let word = text(attempt, "outcome");
    let known = outcomes.iter().find(|(outcome, ..)| *outcome == word);
    known.map_or_else(|| mark("", word), |(_, class, label)| mark(class, visitor.say(*label)))
}
