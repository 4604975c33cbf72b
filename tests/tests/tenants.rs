//! Several accounts on one machine, through the binary: made by the operator, apart from each other, and gone for good.

#![expect(clippy::unwrap_used, reason = "a test")]

use acceptance::{Bellhop, Client, Sink, URL_SECRET};
use serde_json::{Value, json};

async fn made(operator: &Client, id: &str) -> Client {
    let (status, made) = operator.call("POST", "/v1/accounts", Some(json!({ "id": id }))).await;
    assert_eq!(status, 201, "{made}");
    Client::new(operator.url.clone(), made["key"]["key"].as_str().unwrap().to_owned())
}

async fn status(client: &Client, method: &str, path: &str, body: Option<Value>) -> u16 {
    client.call(method, path, body).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_share_a_machine_and_see_nothing_of_each_other() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let bellhop = Bellhop::start_with_webhooks(data.path(), &sink, &["desk"]).await;
    let (acme, globex) = (made(&bellhop.client, "acme").await, made(&bellhop.client, "globex").await);

    // each has a registration of the same name
    for (client, name) in [(&acme, "acme"), (&globex, "globex")] {
        let params = json!({ "url": format!("{}/{name}?{URL_SECRET}", sink.url) });
        client.put("/v1/registrations/desk", json!({ "channel": "webhook", "params": params })).await;
        let delivery = client.send(json!({ "to": "desk", "body": name })).await.remove(0);
        client.until(&delivery, &["delivered"]).await;
        let other = if name == "acme" { &globex } else { &acme };
        assert_eq!(status(other, "GET", &format!("/v1/deliveries/{delivery}"), None).await, 404);
    }
    let paths: Vec<_> = sink.arrivals().iter().map(|arrival| arrival.path.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["/acme", "/globex"]);
    assert_eq!(acme.get("/v1/events").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(status(&acme, "GET", "/v1/accounts", None).await, 403);

    // a deleted one is gone, also for whoever starts again; the other stays
    assert_eq!(status(&bellhop.client, "DELETE", "/v1/accounts/acme", None).await, 204);
    assert_eq!(status(&acme, "GET", "/v1/account", None).await, 401);
    assert_eq!(status(&bellhop.client, "DELETE", "/v1/accounts/main", None).await, 409);
    bellhop.stop();
    let bellhop = Bellhop::start(data.path());
    let [acme, globex] = [acme, globex].map(|client| Client::new(bellhop.client.url.clone(), client.key));
    assert_eq!(status(&acme, "GET", "/v1/account", None).await, 401);
    assert_eq!(globex.get("/v1/registrations").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(status(&bellhop.client, "POST", "/v1/accounts", Some(json!({ "id": "acme" }))).await, 409);
    bellhop.stop();
}
