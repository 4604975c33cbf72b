use acceptance::{Answer, Client, Sink};
use serde_json::json;

use super::{World, with_a_dead_letter};
use crate::visitor::{Scripts, Visitor};

/// Two events that differ in all that a list can be narrowed by.
async fn two_events(client: &Client) {
    let backup =
        json!({ "source": "QD/backup", "type": "backup.end", "result": "failure", "title": "The disk is full", "message": "x" });
    client.report(backup).await;
    client.report(json!({ "source": "shop", "type": "order", "message": "Somebody has bought a bell" })).await;
}

/// The titles of the events that the list shows.
async fn titles(visitor: &mut Visitor) -> Vec<String> {
    let titles =
        visitor.page.evaluate("[...document.querySelectorAll('main tbody td:nth-child(2)')].map(cell => cell.innerText)").await;
    titles.as_array().unwrap().iter().map(|title| title.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn events_are_filtered_and_searched_into_a_list_with_an_address() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        two_events(world.client()).await;
        let visitor = &mut world.visitor;
        for (name, value, title) in [
            ("q", "DISK", "The disk is full"),
            ("q", "bought a bell", "Somebody has bought a bell"),
            ("source", "shop", "Somebody has bought a bell"),
            ("type", "backup.end", "The disk is full"),
            ("result", "failure", "The disk is full"),
        ] {
            visitor.open("/console/messages").await;
            assert_eq!(titles(visitor).await.len(), 2);
            if name == "result" {
                visitor.choose(name, value).await;
            } else {
                visitor.fill(name, value).await;
            }
            visitor.submit("/console/messages").await;
            assert_eq!(titles(visitor).await, [title], "{name}");
            assert_eq!(visitor.value_of(name).await, value);
            let address = visitor.address().await;
            visitor.open("/console").await;
            visitor.open(&address).await;
            assert_eq!(titles(visitor).await, [title], "{address} can be kept as a bookmark");
        }
        visitor.fill("to", "2020-01-01T00:00:00Z").await;
        visitor.submit("/console/messages").await;
        assert_eq!(titles(visitor).await, [""; 0], "nothing is so old");
        visitor.fill("from", "yesterday").await;
        visitor.submit("/console/messages").await;
        assert_ne!(visitor.error_at("from").await, "");
        assert_eq!(visitor.value_of("from").await, "yesterday");
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn deliveries_are_filtered_into_a_list_with_an_address() {
    let mut world = World::new(Scripts::Off).await;
    world.sink.answer([Answer::status(400)]);
    for (name, state) in [("door", "failed"), ("desk", "delivered")] {
        let delivery = world.client().send(json!({ "to": name, "body": "x" })).await.remove(0);
        world.client().until(&delivery, &[state]).await;
    }
    let visitor = &mut world.visitor;
    visitor.open("/console/deliveries").await;
    assert_eq!(titles(visitor).await, ["desk", "door"]);
    visitor.choose("state", "failed").await;
    visitor.choose("channel", "Webhook").await;
    visitor.submit("/console/deliveries").await;
    assert_eq!(titles(visitor).await, ["door"]);
    let address = visitor.address().await;
    visitor.fill("registration", "desk").await;
    visitor.submit("/console/deliveries").await;
    assert_eq!(titles(visitor).await, [""; 0]);
    visitor.choose("state", "any").await;
    visitor.submit("/console/deliveries").await;
    assert_eq!(titles(visitor).await, ["desk"]);
    visitor.open(&address).await;
    assert_eq!(titles(visitor).await, ["door"], "{address} can be kept as a bookmark");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_goes_on_under_the_same_filter_and_leads_back() {
    let mut world = World::new(Scripts::Off).await;
    let events: Vec<_> = (0..51).map(|number| json!({ "source": "many", "message": format!("no. {number}") })).collect();
    let (status, answer) = world.client().call("POST", "/v1/events/bulk", Some(json!({ "events": events }))).await;
    assert_eq!(status, 202, "{answer}");
    two_events(world.client()).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/messages").await;
    visitor.fill("source", "many").await;
    visitor.submit("/console/messages").await;
    let mut seen = titles(visitor).await;
    assert_eq!(seen.len(), 50);
    let next = visitor.text_of("document.querySelector('a[rel=next]').getAttribute('href')").await;
    visitor.follow(&next).await;
    seen.extend(titles(visitor).await);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 51, "each event is on one page");
    visitor.follow("/console/messages?source=many").await;
    assert_eq!(titles(visitor).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn what_has_failed_is_tried_once_more_and_arrives() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        world.sink.answer([Answer::status(400)]);
        let delivery = world.client().send(json!({ "to": "desk", "title": "Hello" })).await.remove(0);
        let event = world.client().until(&delivery, &["failed"]).await["event"].as_str().unwrap().to_owned();
        let visitor = &mut world.visitor;
        visitor.open(&format!("/console/messages/{event}")).await;
        visitor.submit(&format!("/console/messages/{event}/deliveries/{delivery}/retry")).await;
        assert!(visitor.text().await.contains("Done."));
        world.client().until(&delivery, &["delivered"]).await;
        let visitor = &mut world.visitor;
        visitor.open(&format!("/console/messages/{event}")).await;
        let shown = visitor.text().await;
        assert!(shown.contains("1 / 1 deliveries are over") && shown.contains("400 rejected"), "{shown}");
        assert!(!visitor.sees_button_to(&format!("/console/messages/{event}/deliveries/{delivery}/retry")).await);
        assert_eq!(world.sink.arrivals().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn dead_letters_are_brought_back_and_arrive() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let (bellhop, delivery) = with_a_dead_letter(&data, &sink).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::Off).await;
    visitor.open("/console/messages").await;
    visitor.follow("/console/dead-letters").await;
    assert_eq!(visitor.rows().await, ["webhook"]);
    visitor.submit("/console/dead-letters/redrive").await;
    assert!(visitor.text().await.contains("Done."));
    bellhop.client.until(&delivery, &["delivered"]).await;
    visitor.open("/console/dead-letters").await;
    assert_eq!(visitor.rows().await, [""; 0]);
}
