//! Registrations at the console.

use std::time::Duration;

use bellhop_core::model::Name;
use bellhop_testkit::account;
use serde_json::{Value, json};

use crate::{browser::Browser, real_world, world, world::World};

async fn stored(world: &World, name: &str) -> Value {
    world.call("full", "GET", &format!("/v1/registrations/{name}"), "").await.body
}

#[tokio::test]
async fn a_registration_is_made_by_a_form_drawn_from_its_channel() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.open("/console/new-registration?channel=dingtalk").await;
    for field in ["name=\"params.access_token\"", "name=\"params.secret\"", "name=\"params.at_all\"", "name=\"groups\""] {
        assert!(page.text.contains(field), "{field}");
    }
    let fields = [
        ("channel", "dingtalk"),
        ("name", "ops"),
        ("params.access_token", "0123456789abcdef"),
        ("params.at_mobiles", "13800000000\r\n13900000000"),
        ("params.at_all", ""),
        ("groups", "night, day"),
        ("enabled", "on"),
    ];
    let made = browser.send("/console/new-registration", &fields).await;
    assert_eq!(made.leads_to(), "/console/registrations/ops?notice=saved");
    let stored = stored(&world, "ops").await;
    assert_eq!((&stored["channel"], &stored["groups"]), (&json!("dingtalk"), &json!(["day", "night"])));
    assert_eq!(stored["params"]["at_mobiles"], json!(["13800000000", "13900000000"]));
    assert_eq!(stored["params"].get("at_all"), None, "what is left empty is not there");
    let shown = browser.open(made.leads_to()).await;
    assert!(shown.text.contains("<p class=\"notice\" role=\"status\">Saved.</p>"), "{}", shown.text);
}

#[tokio::test]
async fn what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let fields = [("channel", "webhook"), ("name", "ops"), ("params.url", "nonsense"), ("description", "of \"ours\"")];
    let page = browser.send("/console/new-registration", &fields).await;
    assert_eq!(page.status, 422);
    let error = page.after("id=\"f-params-url-error\" lang=\"en\">");
    assert!(error.contains("URL"), "{error}");
    assert!(page.text.contains("aria-describedby=\"f-params-url-help f-params-url-error\""));
    assert_eq!(page.after("name=\"description\" value=\""), "of &quot;ours&quot;");
    assert_eq!(stored(&world, "ops").await["code"], "not_found");
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_saved_over() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let before = stored(&world, "phone").await;
    let fields = [("channel", "webhook"), ("name", "phone"), ("params.url", "https://example.org/")];
    let page = browser.send("/console/new-registration", &fields).await;
    assert!(page.status == 409 && page.text.contains("id=\"f-name-error\""), "{}", page.text);
    assert_eq!(stored(&world, "phone").await, before);
}

#[tokio::test]
async fn the_address_of_a_robot_finds_its_channel_and_is_taken_as_it_is() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let addresses = [
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"),
        ("wecom_bot", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0a1b2c3d-0000-4000-8000-000000000000"),
        ("feishu_bot", "https://open.feishu.cn/open-apis/bot/v2/hook/0a1b2c3d-0000-4000-8000-000000000000"),
        ("slack", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("discord", "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz"),
        ("teams", "https://prod-00.westus.logic.azure.com:443/workflows/0/triggers/manual/paths/invoke?sig=x"),
        ("bark", "https://api.day.app/0123456789abcdef"),
        ("serverchan", "https://sctapi.ftqq.com/SCT1Tabcdef.send"),
        ("webhook", "https://example.org/hook"),
    ];
    for (channel, address) in addresses {
        let form = browser.send("/console/new-registration/paste", &[("line", address)]).await;
        assert_eq!(form.after("name=\"channel\" value=\""), channel, "{address}");
        let fields = [("channel", channel), ("name", channel), ("line", address), ("enabled", "on")];
        let made = browser.send("/console/new-registration", &fields).await;
        assert_eq!(made.leads_to(), format!("/console/registrations/{}?notice=saved", channel.replace('_', "%5F")));
    }
}

#[tokio::test]
async fn a_line_as_qd_writes_it_is_read_by_its_channel() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let fields = [("channel", "telegram"), ("name", "tg"), ("line", "123456:abcdef;42"), ("enabled", "on")];
    assert_eq!(browser.send("/console/new-registration", &fields).await.status, 303);
    assert_eq!(stored(&world, "tg").await["params"]["chat_id"], "42");

    let fields = [("channel", "telegram"), ("name", "tg2"), ("line", "123456:abcdef;42;;;;too much")];
    let page = browser.send("/console/new-registration", &fields).await;
    assert!(page.status == 422 && page.text.contains("id=\"f-line-error\""), "{}", page.text);
}

#[tokio::test]
async fn a_change_keeps_secrets_that_are_left_empty_and_takes_away_what_is_cleared() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let body = json!({"channel": "webhook", "params": {"url": "https://example.org/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}});
    assert_eq!(world.call("full", "PUT", "/v1/registrations/ops", body).await.status, 200);
    let page = browser.open("/console/registrations/ops/edit").await;
    assert!(!page.text.contains("MfKQ9r8") && !page.text.contains("example.org"), "secrets are not shown");

    let change = [("description", "of ours"), ("enabled", "on")];
    assert_eq!(browser.send("/console/registrations/ops/edit", &change).await.status, 303);
    let kept = stored(&world, "ops").await;
    assert!(kept["description"] == "of ours" && kept["params"]["url"]["set"] == true && kept["params"]["secret"]["set"] == true);

    assert_eq!(browser.send("/console/registrations/ops/edit", &[("clear.secret", "on")]).await.status, 303);
    let cleared = stored(&world, "ops").await;
    assert_eq!(
        (cleared["params"].get("secret"), &cleared["enabled"], &cleared["description"]),
        (None, &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn it_is_switched_off_and_on_and_deleted() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let at = "/console/registrations/phone";
    assert_eq!(browser.send(&format!("{at}/disable"), &[]).await.leads_to(), "/console/registrations/phone?notice=saved");
    assert_eq!(stored(&world, "phone").await["enabled"], false);
    assert!(browser.open("/console/registrations").await.text.contains("switched off"));
    assert_eq!(browser.send(&format!("{at}/enable"), &[]).await.status, 303);
    assert_eq!(stored(&world, "phone").await["enabled"], true);
    assert_eq!(browser.send(&format!("{at}/delete"), &[]).await.leads_to(), "/console/registrations?notice=deleted");
    assert_eq!(stored(&world, "phone").await["code"], "not_found");
}

#[tokio::test]
async fn a_test_shows_what_the_provider_answered() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.send("/console/registrations/phone/test", &[("title", "Hello"), ("body", "")]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("The provider has taken it."), "{}", page.text);
    assert!(page.text.contains("&quot;request&quot;"), "{}", page.text);
}

#[tokio::test]
async fn the_last_deliveries_are_shown_with_the_way_to_those_before() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let rows = |text: &str| text.matches("<th scope=\"row\">").count();
    for n in 0..12 {
        let message = json!({"to": "phone", "title": n.to_string(), "body": "…"});
        assert_eq!(world.call("full", "POST", "/v1/messages", &message).await.status, 202);
        world.rig.sim.pass(Duration::from_secs(1));
    }
    let page = browser.open("/console/registrations/phone").await;
    assert_eq!(rows(&page.text), 10, "{}", page.text);
    let cursor = page.after("href=\"/console/deliveries?registration=phone&amp;cursor=");
    let before = browser.open(&format!("/console/deliveries?registration=phone&cursor={cursor}")).await;
    assert_eq!(rows(&before.text), 2, "{}", before.text);
}

#[tokio::test]
async fn values_are_shown_in_clear_for_the_key_once_more() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    for url in ["https://example.org/first", "https://example.org/second"] {
        let body = json!({"channel": "webhook", "params": {"url": url}});
        assert_eq!(world.call("full", "PUT", "/v1/registrations/ops", body).await.status, 200);
    }
    let refused = browser.send("/console/registrations/ops/reveal", &[("key", "nonsense")]).await;
    assert!(refused.status == 403 && refused.text.contains("id=\"f-key-error\"") && !refused.text.contains("example.org"));
    let shown = browser.send("/console/registrations/ops/reveal", &[("key", &crate::world::key("full"))]).await;
    assert!(shown.text.contains("https://example.org/first") && shown.text.contains("https://example.org/second"));
}

#[tokio::test]
async fn who_may_only_read_sees_registrations_and_is_offered_nothing_else() {
    let world = world().await;
    let browser = Browser::of(&world, "read").await;
    let page = browser.open("/console/registrations/phone").await;
    assert!(page.status == 200 && !page.text.contains("/console/registrations/phone/"), "{}", page.text);
    assert_eq!(browser.send("/console/registrations/phone/delete", &[]).await.status, 403);
    assert!(
        world
            .rig
            .ports
            .registrations
            .list(&account(), None, 10)
            .await
            .unwrap()
            .iter()
            .any(|one| one.name == Name::parse("phone").unwrap())
    );
}

#[tokio::test]
async fn another_accounts_registration_is_not_there() {
    let world = world().await;
    let browser = Browser::of(&world, "other").await;
    assert_eq!(browser.open("/console/registrations/phone").await.status, 404);
}

#[tokio::test]
async fn hostile_texts_are_texts() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
    let body = json!({"channel": "wecom_bot", "description": hostile,
        "params": {"key": "0a1b2c3d-0000-4000-8000-000000000000", "mentioned_list": [hostile]}});
    let saved = world.call("full", "PUT", "/v1/registrations/ops", &body).await;
    assert_eq!(saved.status, 200, "{:?}", saved.body);
    for path in ["/console/registrations", "/console/registrations/ops", "/console/registrations/ops/edit"] {
        let page = browser.open(path).await;
        assert!(page.status == 200 && !page.text.contains("<script>") && !page.text.contains("<img"), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn many_are_paged_by_cursor() {
    let world = real_world().await;
    for number in 0..60 {
        let body = json!({"channel": "webhook", "params": {"url": "https://example.org/"}});
        assert_eq!(world.call("full", "PUT", &format!("/v1/registrations/r{number:02}"), body).await.status, 200);
    }
    let browser = Browser::of(&world, "full").await;
    let first = browser.open("/console/registrations").await;
    let rows = |text: &str| text.matches("<th scope=\"row\">").count();
    let next = first.after("rel=\"next\" href=\"").to_owned();
    let second = browser.open(&next).await;
    assert_eq!((rows(&first.text), rows(&second.text)), (50, 11));
    assert!(!second.text.contains("rel=\"next\"") && second.text.contains(">First page<"));
}

#[tokio::test]
async fn a_line_that_is_no_address_is_refused_beside_its_field_and_stands_in_no_address() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    let page = browser.send("/console/new-registration/paste", &[("line", "123456:abcdef;42")]).await;
    assert!(page.status == 422 && page.text.contains("id=\"f-line-error\""), "{}", page.text);
    assert!(page.text.contains("action=\"/console/new-registration/paste\"") && !page.text.contains("method=\"get\""));
    assert_eq!(browser.open("/console/new-registration/paste").await.status, 200, "an address that is opened again");
}

#[tokio::test]
async fn what_a_form_has_shown_is_led_back_to_the_registration_by_its_address() {
    let world = real_world().await;
    let browser = Browser::of(&world, "full").await;
    for shown in ["test", "reveal"] {
        let led = browser.open(&format!("/console/registrations/desk/{shown}")).await;
        assert_eq!(led.leads_to(), "/console/registrations/desk");
    }
    assert_eq!(browser.open("/console/").await.leads_to(), "/console");
}
