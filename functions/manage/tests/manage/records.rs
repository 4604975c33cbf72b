//! Rules, sources and contacts: what is saved, what is cleared, and what is refused.

use serde_json::json;

use crate::world;

#[tokio::test]
async fn null_clears_a_field_inside_match_too() {
    let world = world().await;
    let rule = json!({"match": {"sources": ["a"], "types": ["t"]}, "to": ["phone"]});
    assert_eq!(world.call("full", "PUT", "/v1/rules/ops", rule).await.status, 200);
    let changed = world.call("full", "PATCH", "/v1/rules/ops", json!({"match": {"sources": null}})).await;
    assert_eq!((changed.status, &changed.body["match"]), (200, &json!({"sources": [], "types": ["t"]})));
}

#[tokio::test]
async fn a_rule_says_since_when_it_is_there_and_nobody_else_does() {
    let world = world().await;
    let made = world.call("full", "PUT", "/v1/rules/ops", json!({"to": ["phone"]})).await.body;
    assert!(made["created_at"].is_string(), "{made}");
    world.rig.sim.pass(std::time::Duration::from_mins(1));
    let saved = world.call("full", "PUT", "/v1/rules/ops", json!({"to": ["phone"], "enabled": false})).await;
    assert_eq!(saved.body["created_at"], made["created_at"], "it is still the same rule");

    let mine = world.call("full", "PUT", "/v1/rules/ops", json!({"to": ["phone"], "created_at": "2001-01-01T00:00:00Z"})).await;
    assert_eq!(mine.refusal(), (422, "invalid_field", "created_at"));

    assert_eq!(world.call("full", "DELETE", "/v1/rules/ops", "").await.status, 204);
    let anew = world.call("full", "PUT", "/v1/rules/ops", json!({"to": ["phone"]})).await;
    assert_ne!(anew.body["created_at"], made["created_at"]);
}

#[tokio::test]
async fn the_case_of_a_switched_source_does_not_matter() {
    let world = world().await;
    assert_eq!(world.call("full", "PUT", "/v1/rules/ops", json!({"to": ["phone"]})).await.status, 200);
    let off = json!({"source": "QD/Example", "enabled": false});
    assert_eq!(world.call("full", "PUT", "/v1/sources", off.clone()).await.status, 200);

    let event = world.call("full", "POST", "/v1/events", json!({"source": "qd/EXAMPLE", "message": "m"})).await;
    assert_eq!(event.body["dropped"], json!([{"rule": "ops", "why": "source_switched_off"}]));

    let again = json!({"source": "qd/example", "enabled": false});
    assert_eq!(world.call("full", "PUT", "/v1/sources", again.clone()).await.status, 200);
    assert_eq!(world.call("full", "GET", "/v1/sources", "").await.body["items"], json!([again]), "as it was last written");
    assert_eq!(world.call("full", "DELETE", "/v1/sources?source=QD/EXAMPLE", "").await.status, 204);
    assert_eq!(world.call("full", "GET", "/v1/sources", "").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_contact_with_what_is_no_address_or_no_language_is_refused() {
    let world = world().await;
    for (contact, field) in [
        (json!({"email": "not one"}), "email"),
        (json!({"email": "nobody"}), "email"),
        (json!({"email": "A <a@example.org>"}), "email"),
        (json!({"locale": "Chinese"}), "locale"),
    ] {
        let refused = world.call("full", "PUT", "/v1/contacts/alice", &contact).await;
        assert_eq!(refused.refusal(), (422, "invalid_field", field), "{contact}");
    }
    let good = json!({"email": "a@example.org", "locale": "zh-CN"});
    assert_eq!(world.call("full", "PUT", "/v1/contacts/alice", good).await.status, 200);
}
