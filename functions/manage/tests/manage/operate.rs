//! `/v1/dead-letters`, and what every server does with what it does not know.

use bellhop_testkit::channel;
use serde_json::json;

use crate::world;

#[tokio::test]
async fn dead_letters_are_counted_and_brought_back() {
    let world = world().await;
    world.call("send", "POST", "/v1/messages", json!({"to": "phone", "body": "x"})).await;
    let wakes = world.rig.ports.queue.receive(&channel(), 10).await.unwrap();
    world.rig.ports.queue.bury(&wakes[0]).await.unwrap();

    let listed = world.call("operate", "GET", "/v1/dead-letters", "").await;
    let redriven = world.call("operate", "POST", "/v1/dead-letters/redrive", json!({"channel": "probe"})).await;

    assert_eq!(listed.body, json!({"items": [{"channel": "probe", "count": 1}], "next_cursor": null}));
    assert_eq!((redriven.status, redriven.body), (200, json!({"redriven": 1})));
    assert_eq!(world.work().await, 1);
}

#[tokio::test]
async fn dead_letters_of_a_channel_that_is_none_are_not_brought_back() {
    let world = world().await;
    for (body, refusal) in [
        (json!({"channel": "telegarm"}), (422, "unknown_channel", "channel")),
        (json!({}), (422, "missing_field", "channel")),
        (json!({"channel": "probe", "most": 1}), (422, "unknown_field", "most")),
    ] {
        assert_eq!(world.call("operate", "POST", "/v1/dead-letters/redrive", &body).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let world = world().await;
    for path in ["/", "/v1", "/v2/events", "/v1/registrations/a/b", "/v1/events/"] {
        assert_eq!(world.call("full", "GET", path, "").await.refusal(), (404, "not_found", ""), "{path}");
    }
    let answer = world.call("full", "DELETE", "/v1/events", "").await;
    assert_eq!(answer.refusal(), (405, "method_not_allowed", ""));
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
}
