use acceptance::Client;
use serde_json::{Value, json};

use super::World;
use crate::visitor::{Scripts, Visitor};

/// What is shown once, beside the words that it is.
async fn shown_once(visitor: &mut Visitor) -> String {
    visitor.text_of("document.querySelector('main [role=status] pre').innerText").await
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_contact_is_made_as_its_form_says() {
    let mut world = World::new(Scripts::Off).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/contacts").await;
    visitor.follow("/console/new-contact").await;
    assert_eq!(visitor.asked_for().await, "name");
    for (name, value) in [
        ("name", "艾丽丝"),
        ("email", "alice@example.org"),
        ("phone", "+8613800000000"),
        ("wecom_user_id", "alice"),
        ("feishu_open_id", "ou_alice"),
        ("locale", "zh-CN"),
    ] {
        visitor.fill(name, value).await;
    }
    visitor.submit("/console/new-contact").await;
    assert_eq!((visitor.path().await.as_str(), visitor.rows().await), ("/console/contacts", vec!["艾丽丝".to_owned()]));
    let mut contact = world.client().get("/v1/contacts").await["items"][0].take();
    contact.as_object_mut().unwrap().remove("version");
    let said = json!({ "name": "艾丽丝", "email": "alice@example.org", "phone": "+8613800000000", "wecom_user_id": "alice",
        "feishu_open_id": "ou_alice", "locale": "zh-CN" });
    assert_eq!(contact, said);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_contact_is_changed_what_is_wrong_is_said_beside_the_field_and_what_is_emptied_is_gone() {
    let mut world = World::new(Scripts::Off).await;
    let alice = json!({ "email": "alice@example.org", "phone": "+8613800000000", "wecom_user_id": "alice" });
    world.client().put("/v1/contacts/alice", alice).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/contacts").await;
    visitor.follow("/console/contacts/alice").await;
    visitor.fill("wecom_user_id", "").await;
    for (name, wrong, right) in
        [("email", "alice", "alice@example.com"), ("phone", "call me", "+4930123456"), ("locale", "x y", "en")]
    {
        visitor.fill(name, wrong).await;
        visitor.submit("/console/contacts/alice").await;
        assert_ne!(visitor.error_at(name).await, "", "{name}: {}", visitor.text().await);
        assert_eq!(visitor.value_of(name).await, wrong);
        visitor.fill(name, right).await;
    }
    visitor.submit("/console/contacts/alice").await;
    assert!(visitor.text().await.contains("Saved."));
    let mut contact = world.client().get("/v1/contacts/alice").await;
    contact.as_object_mut().unwrap().retain(|_, value| value.is_string());
    assert_eq!(contact, json!({ "name": "alice", "email": "alice@example.com", "phone": "+4930123456", "locale": "en" }));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_contact_is_deleted_once_that_is_confirmed() {
    let mut world = World::new(Scripts::On).await;
    world.client().put("/v1/contacts/alice", json!({ "email": "alice@example.org" })).await;
    world.visitor.open("/console/contacts/alice").await;
    world.visitor.confirm("/console/contacts/alice/delete").await;
    assert!(world.visitor.text().await.contains("Deleted."));
    assert_eq!(world.client().get("/v1/contacts").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn the_address_of_a_new_hook_is_shown_once_and_takes_reports() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/hooks").await;
        assert_eq!(visitor.asked_for().await, "name");
        visitor.fill("name", "nas").await;
        visitor.choose("kind", "Anything else").await;
        visitor.fill("defaults.source", "nas/backup").await;
        visitor.fill("defaults.send_to", "desk").await;
        visitor.submit("/console/hooks").await;
        let address = shown_once(visitor).await;
        let path = address.strip_prefix(&visitor.url).unwrap_or_else(|| panic!("{address}")).to_owned();
        assert_eq!(visitor.rows().await, ["nas"]);
        let (status, answer) =
            world.client().with_key("").call("POST", &path, Some(json!({ "message": "the disk is full" }))).await;
        assert_eq!(status, 200, "{answer}");
        let arrived = world.sink.until(1).await[0].json();
        assert_eq!((&arrived["source"], &arrived["message"]), (&json!("nas/backup"), &json!("the disk is full")));
        world.visitor.open("/console/hooks").await;
        assert!(!world.visitor.text().await.contains(&path), "it was shown once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_hook_is_said_beside_the_field_and_what_was_typed_stays() {
    let mut world = World::new(Scripts::Off).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/hooks").await;
    visitor.fill("name", "game").await;
    visitor.choose("kind", "BetterGI").await;
    let too_long = "x".repeat(257);
    for (name, wrong, right) in [
        ("name", "a game", "game"),
        ("defaults.source", too_long.as_str(), "game"),
        ("defaults.send_to", "group:", "desk"),
        ("link_base_url", "javascript:alert(1)", ""),
    ] {
        visitor.fill(name, wrong).await;
        visitor.submit("/console/hooks").await;
        assert_ne!(visitor.error_at(name).await, "", "{name}: {}", visitor.text().await);
        assert_eq!(visitor.value_of(name).await, wrong);
        visitor.fill(name, right).await;
    }
    visitor.fill("token", "of the game").await;
    visitor.submit("/console/hooks").await;
    assert_ne!(shown_once(visitor).await, "");
    let hook = world.client().get("/v1/hooks/game").await;
    let said = json!({ "source": "game", "send_to": ["desk"] });
    assert_eq!((&hook["kind"], &hook["token"], &hook["defaults"]), (&json!("bettergi"), &json!({ "set": true }), &said));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_pressed_twice_makes_one_hook_and_says_that_its_address_was_shown() {
    let mut world = World::new(Scripts::On).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/hooks").await;
    visitor.fill("name", "nas").await;
    visitor.submit_twice("/console/hooks").await;
    assert_eq!(visitor.rows().await, ["nas"]);
    let shown = visitor.text().await;
    assert!(shown.contains("made its hook then") && !shown.contains("/in/"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_hook_is_deleted_once_that_is_confirmed_and_takes_nothing_any_more() {
    let mut world = World::new(Scripts::Off).await;
    let hook = super::made(world.client(), "/v1/hooks", json!({ "name": "nas", "kind": "generic" })).await;
    let path = hook["url"].as_str().unwrap().strip_prefix(&world.client().url).unwrap().to_owned();
    world.visitor.open("/console/hooks").await;
    world.visitor.confirm("/console/hooks/nas/delete").await;
    assert!(world.visitor.text().await.contains("Deleted."));
    let (status, _) = world.client().with_key("").call("POST", &path, Some(json!({ "message": "x" }))).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_new_key_is_shown_once_and_may_do_what_was_ticked() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/keys").await;
        visitor.fill("description", "the cron job").await;
        visitor.submit("/console/keys").await;
        assert_ne!(visitor.error_at("scopes").await, "", "{}", visitor.text().await);
        visitor.tick("send: report events and send messages").await;
        visitor.fill("expires_at", "2020-01-01T00:00:00Z").await;
        visitor.submit("/console/keys").await;
        assert_ne!(visitor.error_at("expires_at").await, "", "{}", visitor.text().await);
        visitor.fill("expires_at", "2199-01-01T00:00:00Z").await;
        visitor.submit("/console/keys").await;
        let key = shown_once(visitor).await;
        let cron = world.client().with_key(&key);
        cron.send(json!({ "to": "desk", "body": "x" })).await;
        assert_eq!(cron.call("GET", "/v1/events", None).await.0, 403);
        let keys = world.client().get("/v1/keys").await["items"].take();
        let found = keys.as_array().unwrap().iter().find(|found| found["description"] == "the cron job").unwrap();
        assert_eq!((&found["scopes"], &found["expires_at"]), (&json!(["send"]), &json!("2199-01-01T00:00:00Z")));
        world.visitor.open("/console/keys").await;
        let shown = world.visitor.text().await;
        assert!(shown.contains("the cron job") && !shown.contains(&key), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_pressed_twice_makes_one_key_and_says_that_it_was_shown() {
    let mut world = World::new(Scripts::Off).await;
    let keys = async |client: &Client| client.get("/v1/keys").await["items"].as_array().unwrap().len();
    let before = keys(world.client()).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/keys").await;
    visitor.tick("send: report events and send messages").await;
    visitor.submit_twice("/console/keys").await;
    let shown = visitor.text().await;
    assert!(shown.contains("made its key then") && !shown.contains("bh_"), "{shown}");
    assert_eq!(keys(world.client()).await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn a_key_is_revoked_once_that_is_confirmed_and_opens_nothing_any_more() {
    let mut world = World::new(Scripts::On).await;
    let key = super::made(world.client(), "/v1/keys", json!({ "scopes": ["read"] })).await;
    let reader = world.client().with_key(key["key"].as_str().unwrap());
    world.visitor.open("/console/keys").await;
    world.visitor.confirm(&format!("/console/keys/{}/revoke", key["id"].as_str().unwrap())).await;
    assert!(world.visitor.text().await.contains("Done."));
    assert_eq!(reader.call("GET", "/v1/events", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn the_accounts_settings_are_saved_as_their_form_says() {
    for scripts in Scripts::BOTH {
        let mut world = World::new(scripts).await;
        let visitor = &mut world.visitor;
        visitor.open("/console/account").await;
        for (name, wrong, right) in [
            ("time_zone", "Mars/Olympus", "Europe/Berlin"),
            ("locale", "x y", "zh-CN"),
            ("default_image_url", "a picture", "https://example.org/bell.png"),
            ("retention_days", "many", "7"),
            ("rate.per_second", "-1", "5"),
            ("rate.burst", "some", "50"),
        ] {
            visitor.fill(name, wrong).await;
            visitor.submit("/console/account").await;
            assert_ne!(visitor.error_at(name).await, "", "{name}: {}", visitor.text().await);
            assert_eq!(visitor.value_of(name).await, wrong);
            visitor.fill(name, right).await;
        }
        visitor.submit("/console/account").await;
        assert!(visitor.text().await.contains("Saved."));
        let account = world.client().get("/v1/account").await;
        let said = json!({ "time_zone": "Europe/Berlin", "locale": "zh-CN", "default_image_url": "https://example.org/bell.png",
            "retention_days": 7, "rate": { "per_second": 5, "burst": 50 } });
        for (member, value) in said.as_object().unwrap() {
            assert_eq!(&account[member], value, "{member}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_emptied_is_that_of_a_new_account() {
    let mut world = World::new(Scripts::Off).await;
    let new = world.client().get("/v1/account").await;
    world.client().put("/v1/account", json!({ "time_zone": "Europe/Berlin", "retention_days": 7 })).await;
    world.visitor.open("/console/account").await;
    world.visitor.fill("time_zone", "").await;
    world.visitor.fill("retention_days", "").await;
    world.visitor.submit("/console/account").await;
    assert_eq!(world.client().get("/v1/account").await, new);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_who_did_what_at_the_console() {
    let mut world = World::new(Scripts::Off).await;
    let visitor = &mut world.visitor;
    visitor.open("/console/account").await;
    visitor.fill("time_zone", "Europe/Berlin").await;
    visitor.submit("/console/account").await;
    visitor.follow("/console/audit").await;
    let lines = visitor.text_of("document.querySelector('main tbody').innerText").await;
    let keys = world.client().get("/v1/keys").await["items"].take();
    let session = keys.as_array().unwrap().iter().find(|key| key["session_of"] != Value::Null).unwrap();
    let id = session["id"].as_str().unwrap();
    assert!(lines.lines().next().unwrap().contains(&format!("{id}\taccount_saved")), "{lines}");
}
