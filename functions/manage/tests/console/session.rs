//! Signing in and out, and what keeps forms and pages safe.

use std::time::Duration;

use bellhop_core::{model::KeyId, ports::Ports};
use bellhop_testkit::account;

use crate::{
    browser::{Browser, ask, form, sign_in},
    world,
    world::key,
};

/// How many sessions the account has.
async fn sessions(ports: &Ports) -> usize {
    let keys = ports.keys.list(&account()).await.unwrap();
    keys.iter().filter(|key| key.session_of.is_some()).count()
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_sign_in_and_then_to_where_he_wanted() {
    let world = world().await;
    let led = ask(&world, "GET", "/console/registrations?cursor=x", &[], "").await;
    assert_eq!(led.leads_to(), "/console/sign-in?next=%2Fconsole%2Fregistrations%3Fcursor%3Dx");

    let page = ask(&world, "GET", led.leads_to(), &[], "").await;
    assert_eq!((page.status, page.after("name=\"next\" value=\"")), (200, "/console/registrations?cursor=x"));
    let body = form(&[("key", &key("full")), ("next", "/console/registrations?cursor=x")]);
    let signed_in = ask(&world, "POST", "/console/sign-in", &[], &body).await;
    assert_eq!(signed_in.leads_to(), "/console/registrations?cursor=x");
}

#[tokio::test]
async fn what_is_no_key_is_refused_beside_the_field_and_never_repeated() {
    let world = world().await;
    let wrong = "bh_full_0123456789abcdef0123456789abcdef";
    for refused in ["nonsense", wrong, &key("expired"), ""] {
        let page = sign_in(&world, refused).await;
        assert_eq!((page.status, page.header("set-cookie")), (401, ""), "{refused}");
        assert!(page.text.contains("aria-describedby=\"f-key-help f-key-error\""), "{}", page.text);
        assert!(refused.is_empty() || !page.text.contains(refused));
    }
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_over_tls_of_other_hosts() {
    let world = world().await;
    let plain = sign_in(&world, &key("full")).await;
    let plain = plain.header("set-cookie");
    assert!(plain.starts_with("bellhop=bh_"), "{plain}");
    assert!(plain.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{plain}");

    let body = form(&[("key", &key("full"))]);
    let secure = ask(&world, "POST", "/console/sign-in", &[("x-forwarded-proto", "https")], &body).await;
    let secure = secure.header("set-cookie");
    assert!(secure.starts_with("__Host-bellhop=bh_"), "{secure}");
    assert!(secure.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"), "{secure}");
    // over TLS, the cookie that others can set does not count
    let weak = secure.split(';').next().unwrap().strip_prefix("__Host-").unwrap();
    let led = ask(&world, "GET", "/console", &[("x-forwarded-proto", "https"), ("cookie", weak)], "").await;
    assert_eq!(led.leads_to(), "/console/sign-in?next=%2Fconsole");
}

#[tokio::test]
async fn the_cookie_holds_a_key_of_its_own_that_counts_for_pages_and_not_for_the_api() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    assert!(!browser.cookie.contains(&key("full")));
    assert_eq!(browser.open("/v1/registrations").await.status, 401);
    assert_eq!(browser.open("/console").await.status, 200);
}

#[tokio::test]
async fn a_session_ends_with_the_key_that_it_was_begun_with() {
    let world = world().await;
    let browser = Browser::of(&world, "manage").await;
    world.rig.ports.keys.delete(&account(), &KeyId::from_part("manage").unwrap()).await.unwrap();
    assert_eq!(browser.open("/console").await.leads_to(), "/console/sign-in?next=%2Fconsole");
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    world.rig.sim.pass(Duration::from_hours(12) - Duration::from_millis(1));
    assert_eq!(browser.open("/console").await.status, 200);
    world.rig.sim.pass(Duration::from_millis(1));
    assert_eq!(browser.open("/console").await.leads_to(), "/console/sign-in?next=%2Fconsole");
    // what is over is removed when somebody signs in
    drop(Browser::of(&world, "full").await);
    assert_eq!(sessions(&world.rig.ports).await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let out = browser.send("/console/sign-out", &[]).await;
    assert_eq!(out.leads_to(), "/console/sign-in");
    assert_eq!(out.header("set-cookie"), "bellhop=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    assert_eq!(browser.open("/console").await.leads_to(), "/console/sign-in?next=%2Fconsole");
    assert_eq!(sessions(&world.rig.ports).await, 0);
}

#[tokio::test]
async fn a_session_begins_no_other() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let whole = browser.cookie.strip_prefix("bellhop=").unwrap();
    assert_eq!(sign_in(&world, whole).await.status, 401);
}

#[tokio::test]
async fn sessions_take_no_room_from_keys_and_the_oldest_of_a_key_makes_room_for_its_eleventh() {
    let world = world().await;
    let oldest = Browser::of(&world, "full").await;
    for _ in 0..10 {
        world.rig.sim.pass(Duration::from_secs(1));
        assert_eq!(sign_in(&world, &key("full")).await.status, 303);
    }
    assert_eq!(sessions(&world.rig.ports).await, 10);
    assert_eq!(oldest.open("/console").await.status, 303);
    let there = world.rig.ports.keys.list(&account()).await.unwrap().len() - 10;
    for n in there..200 {
        assert_eq!(world.call("full", "POST", "/v1/keys", r#"{"scopes": ["read"]}"#).await.status, 201, "{n}");
    }
}

#[tokio::test]
async fn a_session_is_listed_with_the_key_that_it_was_begun_with_and_stands_in_the_audit() {
    let world = world().await;
    drop(Browser::of(&world, "full").await);
    let keys = world.call("full", "GET", "/v1/keys", "").await.body;
    let session = keys["items"].as_array().unwrap().iter().find(|key| key.get("session_of").is_some()).unwrap().clone();
    assert_eq!(session["session_of"], "key_full");
    let audit = world.call("full", "GET", "/v1/audit", "").await.body;
    let entry = &audit["items"][0];
    assert_eq!((&entry["action"], &entry["key"]), (&"key_made".into(), &"key_full".into()));
    assert_eq!(entry["object"], session["id"]);
}

#[tokio::test]
async fn a_key_that_is_made_in_a_session_may_outlast_it_but_not_the_key_behind_it() {
    let world = world().await;
    let end = (world.rig.ports.clock.now() + Duration::from_hours(48)).to_string();
    let body = |end: &str| serde_json::json!({"scopes": ["manage", "read"], "expires_at": end});
    let passing = world.call("full", "POST", "/v1/keys", body(&end)).await.body;
    let signed_in = sign_in(&world, passing["key"].as_str().unwrap()).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    let bearer = format!("Bearer {}", cookie.strip_prefix("bellhop=").unwrap());
    let late = (world.rig.ports.clock.now() + Duration::from_hours(49)).to_string();
    let make =
        async |end: &str| ask(&world, "POST", "/v1/keys", &[("authorization", &bearer)], &body(end).to_string()).await.status;
    assert_eq!((make(&end).await, make(&late).await), (201, 403));
}

#[tokio::test]
async fn a_form_of_another_site_or_without_the_sessions_token_does_nothing() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let stranger = Browser::of(&world, "manage").await;
    let token = [("form_token", browser.token.as_str())];
    let refused = [
        browser.send_with("/console/sign-out", &[("sec-fetch-site", "cross-site")], &token).await,
        browser.send_with("/console/sign-out", &[("sec-fetch-site", "same-site")], &token).await,
        browser.send_with("/console/sign-out", &[("origin", "https://evil.example")], &token).await,
        browser.send_with("/console/sign-out", &[("sec-fetch-site", "same-origin")], &[]).await,
        browser.send_with("/console/sign-out", &[], &[("form_token", stranger.token.as_str())]).await,
    ];
    for page in refused {
        assert_eq!(page.status, 403, "{}", page.text);
    }
    assert_eq!(browser.open("/console").await.status, 200);
    let own = browser.send_with("/console/sign-out", &[("origin", "http://bellhop.test")], &token).await;
    assert_eq!(own.leads_to(), "/console/sign-in");
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site() {
    let world = world().await;
    let body = form(&[("key", &key("full"))]);
    let page = ask(&world, "POST", "/console/sign-in", &[("sec-fetch-site", "cross-site")], &body).await;
    assert_eq!((page.status, page.header("set-cookie")), (403, ""));
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_load_nothing_foreign_and_to_keep_nothing() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src \
                  'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for path in ["/console", "/console/sign-in", "/console/registrations", "/console/nowhere"] {
        let page = browser.open(path).await;
        assert_eq!(page.header("content-security-policy"), policy, "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="), "{path}");
    }
}

#[tokio::test]
async fn style_and_script_may_be_kept_under_an_address_that_changes_with_them() {
    let world = world().await;
    let page = ask(&world, "GET", "/console/sign-in", &[], "").await;
    for address in [page.after("rel=\"stylesheet\" href=\""), page.after("script src=\"")] {
        assert!(address.contains("?v="), "{address}");
        let asset = ask(&world, "GET", address, &[], "").await;
        assert_eq!((asset.status, asset.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    }
}

#[tokio::test]
async fn pages_speak_the_browsers_language_and_say_which() {
    let world = world().await;
    let english = ask(&world, "GET", "/console/sign-in", &[("accept-language", "en-GB")], "").await;
    let chinese = ask(&world, "GET", "/console/sign-in", &[("accept-language", "zh-CN,en;q=0.5")], "").await;
    assert!(english.text.contains("<html lang=\"en\">") && english.text.contains("<h1>Sign in</h1>"));
    assert!(chinese.text.contains("<html lang=\"zh-CN\">") && chinese.text.contains("<h1>登录</h1>"));
}

#[tokio::test]
async fn an_unknown_path_is_a_page_that_says_so() {
    let world = world().await;
    let page = Browser::of(&world, "full").await.open("/console/nowhere").await;
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn what_comes_with_a_request_is_text_on_the_page_and_never_markup() {
    let world = world().await;
    let led = ask(&world, "GET", "/console/sign-in?next=/console%3F%22%3E%3Cscript%3Ealert(1)%3C/script%3E", &[], "").await;
    assert_eq!(led.after("name=\"next\" value=\""), "/console?%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(!led.text.contains("<script>"), "{}", led.text);
}

#[tokio::test]
async fn an_address_with_line_ends_in_it_leads_into_the_console_and_brings_no_header() {
    let world = world().await;
    for next in ["/console/\r\nset-cookie: x=y", "/console/%0d%0aset-cookie:%20x=y", "//evil.example/console\n"] {
        let body = form(&[("key", &key("full")), ("next", next)]);
        let signed_in = ask(&world, "POST", "/console/sign-in", &[], &body).await;
        let cookies = signed_in.headers.get_all("set-cookie").iter().collect::<Vec<_>>();
        assert!(signed_in.leads_to().starts_with("/console"), "{next}: {}", signed_in.leads_to());
        assert!(cookies.len() == 1 && cookies[0].to_str().unwrap().starts_with("bellhop=bh_"), "{next}: {cookies:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_marked_as_english_where_it_is_and_not_where_the_console_says_it_in_the_pages_language() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    let chinese = [("accept-language", "zh-CN"), ("sec-fetch-site", "same-origin")];
    let elsewhere = [("accept-language", "zh-CN"), ("sec-fetch-site", "cross-site")];
    let with_token = |fields: &[(&'static str, &'static str)]| {
        fields
            .iter()
            .copied()
            .chain([("form_token", browser.token.as_str())])
            .map(|(name, value)| (name, value.to_owned()))
            .collect::<Vec<_>>()
    };
    let send = async |path: &str, headers: &[(&str, &str)], fields: Vec<(&str, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.send_with(path, headers, &fields).await
    };
    // where it stands, and whether its words are the API's
    let pages = [
        (
            send("/console/new-contact", &chinese, with_token(&[("name", "a b")])).await,
            "class=\"error\" id=\"f-name-error\"",
            true,
        ),
        (send("/console/new-contact", &chinese, with_token(&[("name", "")])).await, "class=\"error\" id=\"f-name-error\"", false),
        (send("/console/contacts/nobody", &chinese, with_token(&[])).await, "role=\"alert\"", true),
        (send("/console/sign-out", &elsewhere, with_token(&[])).await, "role=\"alert\"", false),
        (browser.open_with("/console/nowhere", &[("accept-language", "zh-CN")]).await, "role=\"alert\"", false),
        (ask(&world, "POST", "/console/sign-in", &chinese, "key=nonsense").await, "id=\"f-key-error\" role=\"alert\"", true),
        (ask(&world, "POST", "/console/sign-in", &elsewhere, "key=nonsense").await, "id=\"f-key-error\" role=\"alert\"", false),
    ];
    for (page, place, is_english) in pages {
        let (_, behind) = page.text.split_once(place).unwrap_or_else(|| panic!("{place}: {}", page.text));
        let (attributes, words) = behind.split_once('>').unwrap();
        let words = words.split('<').next().unwrap();
        assert_eq!(attributes.contains("lang=\"en\""), is_english, "{attributes}: {words}");
        assert_eq!(words.is_ascii(), is_english, "{words}");
    }
}

#[tokio::test]
async fn the_address_of_a_form_is_no_page_and_says_so_on_one() {
    let world = world().await;
    let browser = Browser::of(&world, "full").await;
    for path in
        ["/console/sources/forget", "/console/dead-letters/redrive", "/console/tasks/tsk_00000000000000000000000000/cancel"]
    {
        let page = browser.open(path).await;
        assert!(page.status == 404 && page.text.contains("There is no such page"), "{path}: {}", page.text);
    }
}
