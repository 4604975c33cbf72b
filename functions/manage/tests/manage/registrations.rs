//! `/v1/registrations`

use bellhop_core::{
    Reason,
    model::Disabled,
    ports::{Clock, Freshness},
};
use bellhop_testkit::{account, name};
use serde_json::{Value, json};

use crate::world;

const ROBOT: &str = "/v1/registrations/robot";
const TOKEN: &str = "token-0123456789-ab12";
const BEARER: &str = "Bearer 0123456789-cd34";

fn whole() -> Value {
    json!({"channel": "safe", "params": {"token": TOKEN, "pin": "4711", "headers": {"Authorization": BEARER}, "room": "7",
        "loud": true}, "groups": ["ops", "值班"], "enabled": true, "default": true, "serves": "one", "description": "d"})
}

#[tokio::test]
async fn a_registration_is_saved_and_shown_without_its_secrets() {
    let world = world().await;

    let saved = world.call("manage", "PUT", ROBOT, whole()).await;

    assert_eq!(saved.status, 200);
    let shown = world.call("read", "GET", ROBOT, "").await;
    assert_eq!(shown.body, saved.body);
    let params = json!({"token": {"set": true, "hint": "…ab12"}, "pin": {"set": true},
        "headers": {"Authorization": {"set": true, "hint": "…cd34"}}, "room": "7", "loud": true});
    assert_eq!(shown.body["params"], params);
    assert_eq!(shown.body["name"], "robot");
    assert_eq!(shown.body["groups"], json!(["ops", "值班"]));
    assert_eq!((&shown.body["default"], &shown.body["description"]), (&json!(true), &json!("d")));
    let stored = world.rig.ports.registrations.get(&account(), &name("robot"), Freshness::Fresh).await.unwrap().unwrap();
    assert_eq!(stored.params.text("token"), Some(TOKEN));
}

#[tokio::test]
async fn parameters_may_be_written_on_one_line() {
    let world = world().await;

    let saved = world.call("manage", "PUT", ROBOT, json!({"channel": "safe", "params": format!("{TOKEN};;7;")})).await;

    assert_eq!(saved.body["params"], json!({"token": {"set": true, "hint": "…ab12"}, "room": "7"}));
    let patched = world.call("manage", "PATCH", ROBOT, json!({"params": TOKEN})).await;
    assert_eq!(patched.body["params"], json!({"token": {"set": true, "hint": "…ab12"}}));
}

#[tokio::test]
async fn no_answer_ever_holds_a_secret() {
    let world = world().await;
    let mut answers = vec![world.call("manage", "PUT", ROBOT, whole()).await];
    answers.push(world.call("manage", "PATCH", ROBOT, json!({"params": {"room": "8"}})).await);
    answers.push(world.call("manage", "PATCH", ROBOT, json!({"params": {"room": 8}})).await);
    answers.push(world.call("manage", "PATCH", ROBOT, json!({"channel": "probe"})).await);
    answers.push(world.call("manage", "PUT", ROBOT, json!({"channel": "safe", "enabled": TOKEN})).await);
    answers.push(world.call("manage", "PUT", ROBOT, json!({"channel": "safe", "params": {"token": [TOKEN, BEARER]}})).await);
    answers.push(world.call("manage", "PUT", ROBOT, json!({"channel": "safe", "params": format!("{TOKEN};{BEARER}")})).await);
    answers.push(world.call("read", "GET", ROBOT, "").await);
    answers.push(world.call("read", "GET", "/v1/registrations", "").await);
    for answer in answers {
        let text = answer.body.to_string();
        for secret in [TOKEN, BEARER, "4711"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_patch_keeps_what_it_does_not_name_and_null_clears() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, whole()).await;

    let change = json!({"description": null, "groups": null, "params": {"pin": null, "room": "8"}});
    let shown = world.call("manage", "PATCH", ROBOT, change).await;

    assert_eq!(shown.status, 200);
    assert_eq!(shown.body["params"]["room"], "8");
    assert_eq!(shown.body["params"]["pin"], json!(null));
    assert_eq!(shown.body["params"]["token"]["hint"], "…ab12");
    assert_eq!((&shown.body["description"], &shown.body["groups"]), (&json!(null), &json!([])));
    assert_eq!((&shown.body["default"], &shown.body["version"]), (&json!(true), &json!(2)));
}

#[tokio::test]
async fn a_put_replaces_everything() {
    let world = world().await;
    let first = world.call("manage", "PUT", ROBOT, whole()).await;

    let second = world.call("manage", "PUT", ROBOT, json!({"channel": "probe"})).await;

    assert_eq!((second.status, &second.body["params"]), (200, &json!({})));
    assert_eq!((&second.body["enabled"], &second.body["default"]), (&json!(true), &json!(false)));
    assert_eq!(second.body["version"], 2);
    assert_eq!(second.body["created_at"], first.body["created_at"]);
}

#[tokio::test]
async fn a_registration_that_a_provider_switched_off_is_open_again_once_its_owner_saves_it() {
    let world = world().await;
    let saved = world.call("manage", "PUT", ROBOT, whole()).await;
    let version = saved.body["version"].as_u64().unwrap();
    let disabled = Disabled { reason: Reason::Gone, at: world.rig.sim.now() };
    world.rig.ports.registrations.disable(&account(), &name("robot"), version, &disabled).await.unwrap();
    assert_eq!(world.call("read", "GET", ROBOT, "").await.body["disabled"]["reason"], "gone");

    let shown = world.call("manage", "PATCH", ROBOT, json!({})).await;

    assert_eq!((shown.status, &shown.body["disabled"]), (200, &json!(null)));
}

#[tokio::test]
async fn a_registration_that_cannot_work_is_refused_and_nothing_is_saved() {
    let world = world().await;
    let params = |params: Value| json!({"channel": "safe", "params": params});
    for (body, refusal) in [
        (json!({"channel": "telegarm"}), (422, "unknown_channel", "channel")),
        (json!({"params": {}}), (422, "missing_field", "channel")),
        (json!({"channel": "safe"}), (422, "invalid_params", "params.token")),
        (params(json!({"token": " "})), (422, "invalid_params", "params.token")),
        (params(json!({"token": 5})), (422, "invalid_params", "params.token")),
        (params(json!({"token": "x", "tokn": "y"})), (422, "invalid_params", "params.tokn")),
        (params(json!({"token": "x", "room": "nowhere"})), (422, "invalid_params", "params.room")),
        (params(json!({"token": {"set": true, "hint": "…ab12"}})), (422, "invalid_params", "params.token")),
        (params(json!({"token": "x", "headers": {"A": {"set": true}}})), (422, "invalid_params", "params.headers")),
        (params(json!("a;b;c;d")), (422, "invalid_params", "params")),
        (params(json!(["a"])), (422, "invalid_params", "params")),
        (json!({"channel": "probe", "groups": ["a/b"]}), (422, "invalid_name", "groups[0]")),
        (json!({"channel": "probe", "groups": "ops"}), (422, "invalid_field", "groups")),
        (json!({"channel": "probe", "serves": "all"}), (422, "invalid_field", "serves")),
        (json!({"channel": "probe", "serves": "contacts"}), (422, "invalid_field", "serves")),
        (json!({"channel": "probe", "enabled": "yes"}), (422, "invalid_field", "enabled")),
        (json!({"channel": "probe", "version": 7}), (422, "unknown_field", "version")),
        (json!([]), (422, "invalid_field", "")),
    ] {
        assert_eq!(world.call("manage", "PUT", ROBOT, &body).await.refusal(), refusal, "{body}");
        assert_eq!(world.call("read", "GET", ROBOT, "").await.status, 404, "{body}");
    }
    assert_eq!(world.call("manage", "PUT", ROBOT, "{").await.refusal(), (400, "malformed_json", ""));
}

#[tokio::test]
async fn a_patch_that_makes_no_sense_is_refused_and_nothing_is_saved() {
    let world = world().await;
    let saved = world.call("manage", "PUT", ROBOT, whole()).await;
    for (change, refusal) in [
        (json!({"channel": null}), (422, "invalid_field", "channel")),
        (json!({"params": {"token": null}}), (422, "invalid_params", "params.token")),
        (json!({"params": null}), (422, "invalid_params", "params.token")),
        (json!({"params": {"token": {"set": true}}}), (422, "invalid_params", "params.token")),
        (json!({"colour": null}), (422, "unknown_field", "colour")),
        (json!({"name": "other"}), (422, "unknown_field", "name")),
    ] {
        assert_eq!(world.call("manage", "PATCH", ROBOT, &change).await.refusal(), refusal, "{change}");
    }
    assert_eq!(world.call("read", "GET", ROBOT, "").await.body, saved.body);
    let unknown = world.call("manage", "PATCH", "/v1/registrations/nobody", json!({"enabled": false})).await;
    assert_eq!(unknown.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn a_deleted_registration_is_gone() {
    let world = world().await;
    world.call("manage", "PUT", ROBOT, whole()).await;

    let answer = world.call("manage", "DELETE", ROBOT, "").await;

    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(world.call("read", "GET", ROBOT, "").await.refusal(), (404, "not_found", ""));
    assert_eq!(world.call("manage", "DELETE", ROBOT, "").await.refusal(), (404, "not_found", ""));
}

#[tokio::test]
async fn a_path_that_is_no_name_is_refused() {
    let world = world().await;
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        for path in ["a%2Fb", "a%20b", "%FF", &"x".repeat(65)] {
            let answer = world.call("full", method, &format!("/v1/registrations/{path}"), "{}").await;
            assert_eq!(answer.refusal(), (422, "invalid_name", "name"), "{method} {path}");
        }
    }
    let han = world.call("full", "PUT", "/v1/registrations/%E5%80%BC%E7%8F%AD", json!({"channel": "probe"})).await;
    assert_eq!((han.status, &han.body["name"]), (200, &json!("值班")));
}

#[tokio::test]
async fn the_list_is_paged_by_name() {
    let world = world().await;
    for called in ["a", "b", "c"] {
        world.call("manage", "PUT", &format!("/v1/registrations/{called}"), json!({"channel": "probe"})).await;
    }

    let first = world.call("read", "GET", "/v1/registrations?limit=3", "").await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = world.call("read", "GET", &format!("/v1/registrations?limit=3&cursor={cursor}"), "").await;

    let names = |answer: &crate::world::Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&first), names(&second)), (vec!["a".into(), "b".into(), "c".into()], vec!["phone".into()]));
    assert_eq!(second.body["next_cursor"], json!(null));
    let wrong = world.call("read", "GET", "/v1/registrations?limit=0", "").await;
    assert_eq!(wrong.refusal(), (422, "invalid_query", "limit"));
    let wrong = world.call("read", "GET", "/v1/registrations?cursor=zzz", "").await;
    assert_eq!(wrong.refusal(), (422, "invalid_cursor", "cursor"));
    let wrong = world.call("read", "GET", "/v1/registrations?channel=probe", "").await;
    assert_eq!(wrong.refusal(), (422, "invalid_query", "channel"));
}

#[tokio::test]
async fn another_accounts_registrations_are_not_there() {
    let world = world().await;
    assert_eq!(world.call("other", "GET", "/v1/registrations", "").await.body["items"], json!([]));
    for (method, body) in [("GET", ""), ("PATCH", "{}"), ("DELETE", "")] {
        assert_eq!(world.call("other", method, "/v1/registrations/phone", body).await.refusal(), (404, "not_found", ""));
    }
    assert_eq!(world.call("other", "PUT", "/v1/registrations/phone", json!({"channel": "probe"})).await.status, 200);
    assert_eq!(world.call("full", "GET", "/v1/registrations/phone", "").await.body["version"], 1);
}

#[tokio::test]
async fn every_channel_says_what_it_takes() {
    let world = world().await;

    let answer = world.call("read", "GET", "/v1/channels", "").await;

    assert_eq!(answer.body["next_cursor"], json!(null));
    let safe = &answer.body["items"][1];
    assert_eq!(safe["id"], "safe");
    assert_eq!(safe["params"][0]["name"], "token");
    assert_eq!(safe["params"][0]["secret"], true);
    assert_eq!(safe["params"][0]["kind"], "text");
}
