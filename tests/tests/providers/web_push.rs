//! A push service, and behind it a browser that reads what it is handed.

use acceptance::{Arrival, Bellhop, Part, Providers, Subscriber, cases::Case};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{content::url, story};

/// The browser's own half of the published example. <https://www.rfc-editor.org/rfc/rfc8291#appendix-A>
const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn part() -> Part {
    let case = Case::first("web_push");
    let endpoint = url(&case.request);
    let (host, path) = (endpoint.host_str().unwrap().to_owned(), endpoint.path().to_owned());
    Part { name: case.channel.clone(), host, path, usually: case.success().answer() }
}

/// The claims that the deployment's key has signed.
fn claims(arrival: &Arrival, public: &str) -> Value {
    let shown = arrival.header("authorization").strip_prefix("vapid t=").unwrap().to_owned();
    let (token, key) = shown.split_once(", k=").unwrap();
    assert_eq!(key, public);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(public)).verify(signed.as_bytes(), &bytes(signature)).unwrap();
    serde_json::from_slice(&bytes(signed.split_once('.').unwrap().1)).unwrap()
}

pub(crate) async fn play(bellhop: &Bellhop, providers: &Providers) {
    let case = Case::first("web_push");
    let dead = case.response(410, "").answer();
    story(bellhop, providers, &case, case.throttle().answer(), (dead, "gone")).await;

    let arrivals = providers.arrivals("web_push");
    let browser = Subscriber::of(PRIVATE, case.params["auth"].as_str().unwrap());
    let told: Vec<Value> = arrivals.iter().map(|it| serde_json::from_str(&browser.read(&it.body)).unwrap()).collect();
    let message = case.message("web_push");
    for told in &told {
        let said = &told["data"]["message"];
        assert_eq!((&told["cmd"], &said["text"], &said["desp"]), (&json!("MESSAGE"), &message["title"], &message["body"]));
    }
    let wanted = &case.request["headers"];
    for name in ["ttl", "urgency", "content-encoding", "content-type"] {
        assert_eq!(arrivals[0].header(name), wanted[name].as_str().unwrap(), "{name}");
    }
    let topics: Vec<_> = arrivals.iter().map(|it| it.header("topic").to_owned()).collect();
    assert!(topics[0] != topics[1] && topics[1] == topics[2], "a repetition takes the place of the first try: {topics:?}");
    assert_ne!(arrivals[1].body, arrivals[2].body, "each try has a key of its own");

    let public = bellhop.client.get("/v1/web-push").await["public_key"].as_str().unwrap().to_owned();
    for arrival in &arrivals {
        let claims = claims(arrival, &public);
        assert_eq!((&claims["aud"], &claims["sub"]), (&json!("https://push.example.net"), &json!("mailto:nobody@example.com")));
        assert_eq!(claims.as_object().unwrap().len(), 3, "{claims}");
    }
}
