//! Messages: what was reported, what came of it, and what nobody could be told.

mod dead_letters;
mod delivery;
mod event;
mod list;

use axum::{
    Router,
    routing::{get, post},
};
use maud::{Markup, html};

pub(crate) use delivery::stories;
pub(crate) use event::{collected, decisions, members, not_told};

use crate::{Console, call::segment, language::texts, visitor::Visitor};

texts! {
    EVENTS = "Events", "事件";
    DELIVERIES = "Deliveries", "投递";
    DEAD_LETTERS = "Dead letters", "死信";
    VIEWS = "Messages", "消息";
}

const PATH: &str = "/console/messages";

const DELIVERIES_PATH: &str = "/console/deliveries";

const DEAD_LETTERS_PATH: &str = "/console/dead-letters";

/// After how many seconds a page is looked at again that shows what is on its way.
pub(crate) const LIVE_SECONDS: u32 = 3;

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/messages", get(list::events))
        .route("/console/messages/{event}", get(event::show))
        .route("/console/messages/{event}/deliveries/{delivery}/retry", post(event::retry))
        .route("/console/deliveries", get(list::deliveries))
        .route("/console/dead-letters", get(dead_letters::show))
        .route("/console/dead-letters/redrive", post(dead_letters::redrive))
}

/// The path of an event's page.
pub(crate) fn page_of(event: &str) -> String {
    format!("{PATH}/{}", segment(event))
}

/// Where a delivery stands on its event's page.
pub(crate) fn place_of(event: &str, delivery: &str) -> String {
    let delivery = segment(delivery);
    format!("{}?{}={delivery}#{delivery}", page_of(event), event::WANTED)
}

/// The ways to look at messages; `current` is the one that is shown.
fn views(visitor: &Visitor, current: &str) -> Markup {
    let views = [(PATH, EVENTS), (DELIVERIES_PATH, DELIVERIES), (DEAD_LETTERS_PATH, DEAD_LETTERS)];
    html! {
        nav.views aria-label=(visitor.say(VIEWS)) {
            ul { @for (path, label) in views { li { a href=(path) aria-current=[(path == current).then_some("page")] { (visitor.say(label)) } } } }
        }
    }
}
