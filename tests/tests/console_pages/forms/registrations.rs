use acceptance::{Answer, eventually};
use serde_json::{Value, json};

use super::World;
use crate::visitor::Scripts;

const EDIT: &str = "/console/registrations/desk/edit";

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_registration_is_changed_and_a_secret_that_is_left_empty_stays() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/registrations/desk").await;
        visitor.follow(EDIT).await;
        assert!(visitor.text().await.contains("It is set. Leave this empty to keep it."));
        assert_eq!(visitor.value_of("params.url").await, "");
        visitor.fill("description", "By the door").await;
        visitor.fill("groups", "night, ops").await;
        visitor.submit(EDIT).await;
        assert_eq!(visitor.path().await, "/console/registrations/desk");
        let shown = visitor.text().await;
        assert!(shown.contains("Saved.") && shown.contains("By the door") && shown.contains("night, ops"), "{shown}");

        let saved = world.client().get("/v1/registrations/desk").await;
        assert_eq!((&saved["description"], &saved["groups"]), (&json!("By the door"), &json!(["night", "ops"])));
        world.client().send(json!({ "to": "group:ops", "body": "x" })).await;
        assert_eq!(world.sink.until(1).await[0].path, "/desk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_by_what_is_typed_and_taken_away_by_its_box() {
    let mut world = World::new(Scripts::Off).await;
    let params = json!({ "url": format!("{}/desk", world.sink.url), "headers": { "X-Desk": "of the desk" } });
    world.client().put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
    world.visitor.open(EDIT).await;
    world.visitor.fill("params.url", &format!("{}/door", world.sink.url)).await;
    world.visitor.tick("Headers: Remove what is set").await;
    world.visitor.submit(EDIT).await;
    world.client().send(json!({ "to": "desk", "body": "x" })).await;
    let arrived = world.sink.until(1).await.remove(0);
    assert_eq!((arrived.path.as_str(), arrived.header("x-desk")), ("/door", ""));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_registration_is_switched_off_and_on() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        world.visitor.open("/console/registrations/desk").await;
        world.visitor.submit("/console/registrations/desk/disable").await;
        assert!(world.visitor.text().await.contains("switched off"));
        assert_eq!(world.client().get("/v1/registrations/desk").await["enabled"], false);
        world.visitor.submit("/console/registrations/desk/enable").await;
        assert!(!world.visitor.text().await.contains("switched off"));
        assert_eq!(world.client().get("/v1/registrations/desk").await["enabled"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_providers_answer_has_disabled_is_switched_on_again() {
    let mut world = World::new(Scripts::Off).await;
    world.sink.answer([Answer::status(410)]);
    world.client().send(json!({ "to": "desk", "body": "x" })).await;
    eventually("it is disabled", async || {
        let registration = world.client().get("/v1/registrations/desk").await;
        registration["disabled"].is_object().then_some(())
    })
    .await;
    world.visitor.open("/console/registrations/desk").await;
    assert!(world.visitor.text().await.contains("disabled by the provider's answer"));
    world.visitor.submit("/console/registrations/desk/enable").await;
    assert_eq!(world.client().get("/v1/registrations/desk").await["disabled"], Value::Null);
    let delivery = world.client().send(json!({ "to": "desk", "body": "x" })).await.remove(0);
    world.client().until(&delivery, &["delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn former_values_are_shown_to_whoever_types_a_key_once_more() {
    let mut world = World::new(Scripts::Off).await;
    let (reveal, page) = ("/console/registrations/desk/reveal", "/console/registrations/desk");
    let now = json!({ "channel": "webhook", "params": { "url": "https://example.org/now" } });
    world.client().put("/v1/registrations/desk", now).await;
    let former = format!("{}/desk", world.sink.url);
    let key = world.client().key.clone();
    let visitor = &mut world.visitor;
    visitor.open(page).await;
    visitor.fill("key", "bh_somebody_0123456789abcdef0123456789abcdef").await;
    visitor.submit(reveal).await;
    assert!(visitor.error_at("key").await.contains("a whole key of this account"));
    assert!(!visitor.text().await.contains("https://example.org/now"));

    visitor.fill("key", &key).await;
    visitor.submit(reveal).await;
    let shown = visitor.text().await;
    assert!(shown.contains("https://example.org/now") && shown.contains(&former), "{shown}");

    // what was shown is no page: whoever loads its address anew sees nothing of it
    visitor.open(reveal).await;
    assert_eq!(visitor.path().await, page);
    let shown = visitor.text().await;
    assert!(!shown.contains("https://example.org/now") && !shown.contains(&former), "{shown}");
    let audit = world.client().get("/v1/audit").await;
    let deeds: Vec<_> = audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(deeds[..2], ["registration_revealed", "reveal_refused"]);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_line_as_qd_writes_it_fills_in_the_parameters_of_the_channel_that_is_chosen() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let line = "1111111111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;222222222;tg.example.org";
        let visitor = &mut world.visitor;
        visitor.open("/console/new-registration").await;
        visitor.fill("line", line).await;
        visitor.submit("/console/new-registration/paste").await;
        assert!(visitor.error_at("line").await.contains("Choose the channel below"));
        visitor.follow("/console/new-registration?channel=telegram").await;
        visitor.fill("name", "phone").await;
        visitor.fill("line", line).await;
        visitor.submit("/console/new-registration").await;
        assert_eq!(visitor.path().await, "/console/registrations/phone");
        let saved = world.client().get("/v1/registrations/phone").await;
        let params = json!({ "bot_token": { "set": true, "hint": saved["params"]["bot_token"]["hint"] },
            "chat_id": "222222222", "base_url": "https://tg.example.org" });
        assert_eq!((&saved["channel"], &saved["params"]), (&json!("telegram"), &params));
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn what_a_channel_does_not_take_is_said_beside_its_parameter_and_what_was_typed_stays() {
    let mut world = World::new(Scripts::Off).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/new-registration?channel=email").await;
    visitor.fill("name", "mail").await;
    visitor.fill("params.host", "mail.example.org").await;
    visitor.fill("params.port", "many").await;
    visitor.fill("params.from", "bellhop@example.org").await;
    visitor.choose("params.tls", "implicit").await;
    visitor.fill("params.to", "alice@example.org\nbob@example.org").await;
    visitor.submit("/console/new-registration").await;
    assert!(visitor.error_at("params.port").await.contains("number"), "{}", visitor.text().await);
    assert_eq!(visitor.value_of("params.port").await, "many");
    visitor.fill("params.port", "465").await;
    visitor.submit("/console/new-registration").await;
    assert_eq!(visitor.path().await, "/console/registrations/mail");
    let params = json!({ "host": "mail.example.org", "port": 465, "tls": "implicit", "from": "bellhop@example.org",
        "to": ["alice@example.org", "bob@example.org"] });
    assert_eq!(world.client().get("/v1/registrations/mail").await["params"], params);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_saved_only_if_its_test_arrives_where_that_is_asked_for() {
    let mut world = World::new(Scripts::Off).await;
    world.sink.answer([Answer::status(404).body("no such desk")]);
    let address = format!("{}/gate", world.sink.url);
    let visitor = &mut world.visitor;
    visitor.open("/console/new-registration?channel=webhook").await;
    visitor.fill("name", "gate").await;
    visitor.fill("params.url", &address).await;
    visitor.tick("Send a test first, and save only if it arrives").await;
    visitor.submit("/console/new-registration").await;
    let shown = visitor.text().await;
    assert!(shown.contains("It was not delivered.") && shown.contains("no such desk"), "{shown}");
    assert_eq!(world.client().call("GET", "/v1/registrations/gate", None).await.0, 404);
    world.visitor.submit("/console/new-registration").await;
    assert_eq!(world.visitor.path().await, "/console/registrations/gate");
    assert_eq!(world.sink.arrivals().len(), 2, "the second test has arrived");
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_test_is_answered_beside_its_button_also_where_it_does_not_arrive() {
    let mut world = World::new(Scripts::Off).await;
    world.sink.answer([Answer::status(503).body("closed for lunch")]);
    world.visitor.open("/console/registrations/desk").await;
    world.visitor.fill("body", "Hello").await;
    world.visitor.submit("/console/registrations/desk/test").await;
    let shown = world.visitor.text_of("document.querySelector('#test [role=status]').innerText").await;
    assert!(shown.contains("It was not delivered.") && shown.contains("closed for lunch"), "{shown}");
    assert_eq!(world.sink.until(1).await[0].json()["message"], "Hello");
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_registration_is_deleted_once_that_is_confirmed() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        world.visitor.open("/console/registrations/desk").await;
        world.visitor.confirm("/console/registrations/desk/delete").await;
        assert_eq!(world.visitor.path().await, "/console/registrations");
        assert_eq!(world.visitor.rows().await, ["door"]);
        assert_eq!(world.client().call("GET", "/v1/registrations/desk", None).await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn without_scripts_a_browser_that_cannot_subscribe_is_told_so() {
    let mut world = World::new(Scripts::Off).await;
    world.visitor.open("/console/browser").await;
    world.visitor.fill("name", "laptop").await;
    world.visitor.submit("/console/browser").await;
    assert!(world.visitor.text().await.contains("the browser has told no subscription; this needs JavaScript"));
    assert_eq!(world.client().call("GET", "/v1/registrations/laptop", None).await.0, 404);
}
