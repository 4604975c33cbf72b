//! Keys, contacts, account and hooks at the console.

use serde_json::{Value, json};

use crate::{browser::Browser, world, world::World};

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

async fn got(world: &World, path: &str) -> Value {
    world.call("full", "GET", path, "").await.body
}

#[tokio::test]
async fn a_key_is_made_shown_once_and_revoked() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let fields = [("scopes", "send"), ("scopes", "read"), ("description", HOSTILE), ("expires_at", "")];
    let made = browser.send("/console/keys", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let whole = made.text.split("<pre>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let caller = bellhop_http::key::parse_key(&whole).unwrap();
    let keys = got(&world, "/v1/keys").await;
    let key = keys["items"].as_array().unwrap().iter().find(|key| key["id"] == caller.id.to_string()).unwrap();
    assert_eq!((&key["scopes"], &key["description"]), (&json!(["send", "read"]), &json!(HOSTILE)));

    let list = browser.open("/console/keys").await;
    assert!(!list.text.contains(&whole), "it is shown once");
    for text in [&made.text, &list.text] {
        assert!(text.contains("&lt;script&gt;alert(1)") && !text.contains("<script>") && !text.contains("<img"), "{text}");
    }
    let revoke = format!("/console/keys/{}/revoke", caller.id);
    assert_eq!(browser.send(&revoke, &[]).await.leads_to(), "/console/keys?notice=done");
    let keys = got(&world, "/v1/keys").await;
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["id"] != caller.id.to_string()));
}

#[tokio::test]
async fn sessions_are_marked_and_the_visitors_own_too() {
    let world = world().await;
    let page = Browser::of(&world, "full").await.open("/console/keys").await;
    assert!(page.text.contains("session, signed in with <code>key_full</code>"), "{}", page.text);
    assert!(page.text.contains("(this session)") && page.text.contains("(the key you signed in with)"), "{}", page.text);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_beside_its_field_and_what_was_typed_is_kept() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for (fields, error) in [
        (vec![("description", "mine")], "f-scopes-error"),
        (vec![("description", "mine"), ("scopes", "read"), ("expires_at", "tomorrow")], "f-expires-at-error"),
        (vec![("description", "mine"), ("scopes", "read"), ("expires_at", "2001-01-01T00:00:00Z")], "f-expires-at-error"),
    ] {
        let page = browser.send("/console/keys", &fields).await;
        assert!(page.status == 422 && page.text.contains(&format!("id=\"{error}\"")), "{error}: {}", page.text);
        assert!(page.text.contains("value=\"mine\""), "{}", page.text);
    }
    let before = got(&world, "/v1/keys").await["items"].as_array().unwrap().len();
    let foreign = browser.send_with("/console/keys", &[("sec-fetch-site", "same-origin")], &[("scopes", "read")]).await;
    assert_eq!((foreign.status, got(&world, "/v1/keys").await["items"].as_array().unwrap().len()), (403, before));
}

#[tokio::test]
async fn a_contact_is_made_changed_and_deleted() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let made = browser.send("/console/new-contact", &[("name", "alice"), ("email", "a@example.org"), ("phone", "")]).await;
    assert_eq!(made.leads_to(), "/console/contacts?notice=saved");
    assert_eq!(got(&world, "/v1/contacts/alice").await["email"], "a@example.org");
    assert!(browser.open("/console/contacts").await.text.contains("<a href=\"/console/contacts/alice\">alice</a>"));

    let again = browser.send("/console/new-contact", &[("name", "alice"), ("email", "b@example.org")]).await;
    assert!(again.status == 409 && again.text.contains("id=\"f-name-error\"") && again.text.contains("b@example.org"));
    let wrong = browser.send("/console/contacts/alice", &[("email", HOSTILE)]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"f-email-error\""), "{}", wrong.text);
    assert!(wrong.text.contains("&lt;script&gt;") && !wrong.text.contains("<script>"), "{}", wrong.text);

    let changed = browser.send("/console/contacts/alice", &[("email", ""), ("phone", "+8613800000000")]).await;
    assert_eq!(changed.leads_to(), "/console/contacts?notice=saved");
    let alice = got(&world, "/v1/contacts/alice").await;
    assert_eq!((&alice["email"], &alice["phone"]), (&Value::Null, &json!("+8613800000000")));
    assert_eq!(browser.send("/console/contacts/alice/delete", &[]).await.leads_to(), "/console/contacts?notice=deleted");
    assert_eq!(got(&world, "/v1/contacts/alice").await["code"], "not_found");
}

#[tokio::test]
async fn the_accounts_settings_are_changed_from_what_they_were_and_its_quotas_are_shown() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.open("/console/account").await;
    let before = got(&world, "/v1/account").await;
    assert!(page.text.contains(&format!("value=\"{}\"", before["time_zone"].as_str().unwrap())), "{}", page.text);
    assert!(page.text.contains(&format!("<dd>{}</dd>", before["quotas"]["tasks"])), "{}", page.text);

    let settings = [
        ("time_zone", "Asia/Shanghai"),
        ("locale", "zh-CN"),
        ("default_image_url", "https://example.org/a.png"),
        ("retention_days", "7"),
        ("rate.per_second", "5"),
        ("rate.burst", "50"),
    ];
    assert_eq!(browser.send("/console/account", &settings).await.leads_to(), "/console/account?notice=saved");
    let after = got(&world, "/v1/account").await;
    assert_eq!((&after["time_zone"], &after["retention_days"]), (&json!("Asia/Shanghai"), &json!(7)));
    assert_eq!((&after["rate"], &after["quotas"]), (&json!({"per_second": 5, "burst": 50}), &before["quotas"]));

    for (name, value, error) in [
        ("time_zone", "Mars/Olympus", "f-time-zone-error"),
        ("retention_days", "many", "f-retention-days-error"),
        ("default_image_url", "javascript:alert(1)", "f-default-image-url-error"),
        ("rate.burst", "0", "f-rate-burst-error"),
    ] {
        let fields = settings.map(|(there, usual)| if there == name { (there, value) } else { (there, usual) });
        let page = browser.send("/console/account", &fields).await;
        assert!(page.status == 422 && page.text.contains(&format!("id=\"{error}\"")), "{name}: {}", page.text);
        assert!(page.text.contains(&format!("value=\"{value}\"")), "{name}");
    }
    let audit = browser.open("/console/audit").await;
    assert!(audit.status == 200 && audit.text.contains("<code>account_saved</code>"), "{}", audit.text);
}

#[tokio::test]
async fn a_hook_is_made_its_whole_path_shown_once_with_its_use_and_it_is_deleted() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let fields =
        [("name", "game"), ("kind", "bettergi"), ("defaults.source", HOSTILE), ("defaults.send_to", "phone\r\n"), ("token", "")];
    let made = browser.send("/console/hooks", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let url = made.text.split("<pre>").nth(1).unwrap().split('<').next().unwrap();
    let path = url.strip_prefix("http://bellhop.test").unwrap();
    assert!(made.text.contains("BetterGI&#39;s settings") || made.text.contains("BetterGI's settings"), "{}", made.text);
    let report = world.call("full", "POST", path, json!({"event": "notify.test", "result": 0, "message": "x"})).await;
    assert_eq!(report.status, 200, "{:?}", report.body);

    let list = browser.open("/console/hooks").await;
    assert!(!list.text.contains(path), "it is shown once");
    for text in [&made.text, &list.text] {
        assert!(text.contains("&lt;script&gt;alert(1)") && !text.contains("<script>") && !text.contains("<img"), "{text}");
    }
    let taken = browser.send("/console/hooks", &fields).await;
    assert!(taken.status == 409 && taken.text.contains("value=\"game\""), "{}", taken.text);
    let wrong = browser.send("/console/hooks", &[("name", "kinds"), ("kind", "qd")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"f-name-error\""), "{}", wrong.text);
    assert_eq!(browser.send("/console/hooks/game/delete", &[]).await.leads_to(), "/console/hooks?notice=deleted");
    assert_eq!(got(&world, "/v1/hooks/game").await["code"], "not_found");
}
