//! Each channel's registration tested with `POST /v1/registrations/test`, as somebody does who has just typed the values: the
//! same providers, the same answers, and whatever they repeat.

use acceptance::{Answer, Bellhop, Providers, cases::Case};
use bellhop_channels::ALL;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{OTHERS, PROVIDERS, ca, case, others, parts, providers, start};

/// Secrets of a registration: each text in its secret parameters; of a URL what stands behind its host, but the marks.
fn secrets(case: &Case) -> Vec<String> {
    let spec = ALL.get(&case.channel).unwrap();
    let mut found = Vec::new();
    for param in spec.params.iter().filter(|param| param.secret) {
        leaves(&case.params[param.name], &mut found);
    }
    found.retain(|secret| secret.len() > 5 && !secret.contains(['{', '}']));
    found
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match Url::parse(text) {
            Ok(url) if url.has_host() => {
                found.extend(url.path_segments().unwrap().map(str::to_owned));
                found.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
            }
            _ => match serde_json::from_str::<Value>(text) {
                Ok(json @ Value::Object(_)) => found.extend(json["private_key"].as_str().map(str::to_owned)),
                _ => found.push(text.clone()),
            },
        },
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| leaves(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn tested(bellhop: &Bellhop, case: &Case) -> Value {
    let body = json!({ "channel": case.channel, "params": case.params, "body": "a test" });
    let (status, answer) = bellhop.client.call("POST", "/v1/registrations/test", Some(body)).await;
    assert_eq!(status, 200, "{}: {answer}", case.channel);
    let shown = answer.to_string();
    for secret in secrets(case) {
        assert!(!shown.contains(&secret), "{}: `{secret}` is in {shown}", case.channel);
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_any_channel_shows_what_the_provider_says_and_no_secret() {
    // given the providers of all channels
    let data = tempfile::tempdir().unwrap();
    let parts = PROVIDERS.iter().flat_map(parts).chain(others::parts()).collect();
    let (providers, mut options) = providers(data.path(), parts).await;
    let (mail, mut mail_options) = others::mail_server(data.path());
    options.append(&mut mail_options);
    let bellhop = start(data.path(), &options, |command| others::lead_ses_to(command, &providers, &ca(data.path())));

    for id in PROVIDERS.iter().map(|provider| provider.channel).chain(OTHERS.iter().copied()) {
        let case = case(id);
        // when values that are good are tested, then the message arrives
        let good = tested(&bellhop, &case).await;
        assert_eq!(good["delivered"], true, "{id}: {good}");
        assert!(good["request"]["url"].is_string() || good["dialog"]["server"].is_string(), "{id}: {good}");
        // when the provider refuses it, and repeats all that it was told, then its answer is shown without the secrets
        if !OTHERS.contains(&id) {
            let bad = refused(&bellhop, &providers, &case).await;
            assert_eq!(
                (&bad["delivered"], &bad["response"]["status"], &bad["status"]),
                (&json!(false), &json!(403), &json!(403))
            );
            assert!(bad["response"]["body"].to_string().contains("the provider's own words"), "{id}: {bad}");
        }
    }

    assert_eq!(bellhop.client.get("/v1/deliveries?state=failed").await["items"], json!([]));
    assert_eq!(bellhop.client.get("/v1/events").await["items"], json!([]), "nothing is kept of a test");
    bellhop.stop();
    drop(mail);
}

async fn refused(bellhop: &Bellhop, providers: &Providers, case: &Case) -> Value {
    let echo = json!({ "said": "the provider's own words", "told": secrets(case) });
    providers.answer(&case.channel, [Answer::status(403).body(echo.to_string())]);
    tested(bellhop, case).await
}
