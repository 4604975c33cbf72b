//! Systems that already exist send what they send today, and it arrives.

#![expect(clippy::unwrap_used, reason = "a test")]

use acceptance::{Bellhop, Client, Sink};
use serde_json::{Value, json};

/// The binary with a registration `phone` that leads to the sink, and a rule that tells it everything.
async fn house(data: &tempfile::TempDir, sink: &Sink) -> Bellhop {
    let bellhop = Bellhop::start_with_webhooks(data.path(), sink, &["phone"]).await;
    bellhop.client.put("/v1/rules/all", json!({ "to": ["phone"] })).await;
    bellhop
}

/// Makes a hook, and answers its path.
async fn hook(bellhop: &Bellhop, hook: Value) -> String {
    let (status, made) = bellhop.client.call("POST", "/v1/hooks", Some(hook)).await;
    assert_eq!(status, 201, "{made}");
    made["url"].as_str().unwrap().strip_prefix(&bellhop.client.url).unwrap().to_owned()
}

/// Somebody without a key.
fn stranger(bellhop: &Bellhop) -> Client {
    Client::new(bellhop.client.url.clone(), String::new())
}

async fn reported(bellhop: &Bellhop, path: &str, body: &Value) -> Value {
    let (status, answer) = stranger(bellhop).call("POST", path, Some(body.clone())).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// What has arrived last, once so many have.
async fn arrived(sink: &Sink, count: usize) -> Value {
    sink.until(count).await.pop().unwrap().json()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_system_reports_in_its_own_form_and_a_rule_brings_it_to_people() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = house(&data, &sink).await;

    let path = hook(&bellhop, json!({ "name": "game", "kind": "bettergi" })).await;
    let report = json!({
        "send_to": "", "event": "domain.end", "result": 0, "timestamp": "2025-12-01T23:37:22.0398671+08:00",
        "screenshot": "/9j/4AAQSkZJRg==", "message": "自动秘境结束", "data": null,
    });
    reported(&bellhop, &path, &report).await;
    let told = arrived(&sink, 1).await;
    assert_eq!(
        (&told["source"], &told["type"], &told["message"]),
        (&json!("BetterGI"), &json!("domain.end"), &json!("自动秘境结束"))
    );
    assert_eq!((&told["result"], &told["screenshot"]), (&json!("success"), &json!("/9j/4AAQSkZJRg==")));

    let recipients = json!([{ "action": "approve", "to": ["phone"] }]);
    let sqle = json!({ "name": "dba", "kind": "sqle", "recipients": recipients, "link_base_url": "https://sqle.example.org" });
    let path = hook(&bellhop, sqle).await;
    let workflow =
        json!({ "project_name": "default", "project_uid": "700300", "workflow_id": "1757", "workflow_subject": "add a column" });
    let report = json!({ "event": "workflow", "action": "approve", "timestamp": "2025-02-01T12:34:56Z", "payload": { "workflow": workflow } });
    let answer = reported(&bellhop, &path, &report).await;
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1, "named and told by the rule, and told once");
    let told = arrived(&sink, 2).await;
    assert_eq!((&told["title"], &told["source"]), (&json!("SQL workflow waits for execution"), &json!("SQLE/default")));
    assert_eq!(told["url"], "https://sqle.example.org/project/700300/exec-workflow/1757");

    let path = hook(&bellhop, json!({ "name": "qd", "kind": "qd" })).await;
    let title = "QD%E5%AE%9A%E6%97%B6%E4%BB%BB%E5%8A%A1+Example-main+%E5%A4%B1%E8%B4%A5"; // QD定时任务 Example-main 失败
    let get = format!("{path}?t={title}&log=2026-11-22+05:20:58+%5Cr%5Cn403");
    assert_eq!(stranger(&bellhop).call("GET", &get, None).await.0, 200);
    let told = arrived(&sink, 3).await;
    assert_eq!((&told["source"], &told["result"]), (&json!("QD/Example/main"), &json!("failure")));
    assert_eq!((&told["trigger"], &told["message"]), (&json!("auto"), &json!("2026-11-22 05:20:58\n403")));

    let path = hook(&bellhop, json!({ "name": "nas", "kind": "generic", "defaults": { "source": "nas/backup" } })).await;
    reported(&bellhop, &path, &json!({ "message": "disk full", "host": "nas1" })).await;
    let told = arrived(&sink, 4).await;
    assert_eq!(
        (&told["source"], &told["message"], &told["data"]),
        (&json!("nas/backup"), &json!("disk full"), &json!({ "host": "nas1" }))
    );
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_holds_a_test_back() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = house(&data, &sink).await;
    let rule =
        json!({ "match": { "types": ["task.error"] }, "notify": { "auto_failure": true }, "after_failures": 3, "to": ["phone"] });
    bellhop.client.put("/v1/rules/all", rule).await;
    let path = hook(&bellhop, json!({ "name": "game", "kind": "bettergi" })).await;

    let silent = reported(&bellhop, &path, &json!({ "event": "domain.end", "result": 0, "message": "m" })).await;
    assert_eq!((&silent["deliveries"], &silent["dropped"]), (&json!([]), &json!([])));
    reported(&bellhop, &path, &json!({ "event": "notify.test", "result": 0, "message": "这是一条测试通知信息" })).await;

    assert_eq!(arrived(&sink, 1).await["message"], "这是一条测试通知信息");
    bellhop.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_path_or_a_deleted_one_is_not_found_and_a_restart_changes_nothing() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = house(&data, &sink).await;
    let path = hook(&bellhop, json!({ "name": "game", "kind": "generic" })).await;
    bellhop.stop();
    let bellhop = Bellhop::start(data.path());
    let report = json!({ "message": "m" });
    reported(&bellhop, &path, &report).await;
    let call = async |method: &str, path: &str| {
        let (status, answer) = stranger(&bellhop).call(method, path, Some(report.clone())).await;
        (status, answer["code"].clone())
    };

    assert_eq!(call("POST", "/in/0123456789abcdef0123456789abcdef").await, (404, json!("not_found")));
    assert_eq!(call("PUT", &path).await, (405, json!("method_not_allowed")));
    assert_eq!(bellhop.client.call("DELETE", "/v1/hooks/game", None).await.0, 204);
    assert_eq!(call("POST", &path).await, (404, json!("not_found")));

    let output = bellhop.stop();
    assert!(!output.contains(path.strip_prefix("/in/").unwrap()), "a hook's path is a secret");
}
