//! `docs/openapi.json`: what `/openapi.json` serves. It is made of the declarations in [`paths`] and of the code itself:
//! words of closed lists, channels' parameters, and, for every operation, the answer that its example really gets from the
//! routers over memory. Each answer has to be of the declared shape, and each request's fields have to be those that the code
//! reads. That every route is declared is shown through the binary, in `tests/tests/openapi.rs`.

#![expect(clippy::unwrap_used, reason = "a test")]

mod channels;
mod errors;
mod fits;
mod operation;
mod paths;
mod schemas;
mod shape;
#[path = "../../../ingest/tests/ingest/world.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod world;

use std::{collections::BTreeMap, fs};

use axum::Router;
use bellhop_core::model::ChannelId;
use bellhop_http::Api;
use serde_json::{Map, Value, json};

use fits::misfit;
use operation::{Operation, Recorded};
use world::{World, request};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

const ABOUT: &str = "Bellhop takes events from programs and brings them to people. docs/api.md tells the same in words.\n\nA key goes \
into `Authorization: Bearer` or `X-Api-Key`, belongs to one account and has scopes; each operation names the one that it takes. \
What belongs to another account is not found. Errors are RFC 9457 problems with a stable `code`.";

/// How a key is written where none is to be seen.
const SOME_KEY: &str = "bh_<id>_<secret>";

/// Where each operation's example was answered, as far as these routers serve it.
type Answers = BTreeMap<&'static str, Recorded>;

async fn house() -> World {
    let routes = |api: Api| -> Router { bellhop_manage::routes(api.clone()).merge(bellhop_ingest::routes(api)) };
    let world = World::new(routes, bellhop_channels::ALL).await;
    assert_eq!(world.call("full", "DELETE", "/v1/registrations/phone", "").await.status, 204, "it is on no real channel");
    world
}

/// Works on what is ready, so that deliveries have something to tell.
async fn work(world: &World) {
    let ports = &world.rig.ports;
    while let [wake, ..] = &ports.queue.receive(&ChannelId::new("webhook"), 1).await.unwrap()[..] {
        bellhop_core::deliver::work(ports, wake, bellhop_core::deliver::LEASE).await.unwrap();
    }
}

/// What an answer makes, for the paths of those after it.
fn remember(known: &mut BTreeMap<&'static str, String>, answer: &Value) {
    let found = [("event", "/event"), ("delivery", "/deliveries/0/id"), ("token", "/url"), ("key", "/id"), ("task", "/id")];
    for (name, place) in found {
        let text = answer.pointer(place).and_then(Value::as_str).map(|text| text.rsplit('/').next().unwrap_or_default());
        let fits = |text: &&str| match name {
            "key" => text.starts_with("key_"),
            "task" => text.starts_with("tsk_"),
            _ => true,
        };
        if let Some(text) = text.filter(fits) {
            known.insert(name, text.to_owned());
        }
    }
}

/// Calls every operation's example, in order.
async fn answers(operations: &[&Operation], document: &Value) -> Answers {
    let world = house().await;
    let (mut answers, mut known) = (Answers::new(), BTreeMap::<&str, String>::new());
    let (last, others): (Vec<&Operation>, Vec<_>) = operations.iter().copied().partition(|operation| operation.is_last);
    for operation in others.into_iter().chain(last) {
        if operation.is_text() || operation.path == "/openapi.json" {
            continue;
        }
        let written = known.iter().fold(operation.called_at(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        let body = operation.takes_what().map(|(_, example)| example.to_string()).unwrap_or_default();
        let body = body.replace(SOME_KEY, &world::key("full"));
        let headers = [("host", "bellhop.example.org"), ("x-forwarded-proto", "https")];
        let answer = world.send(request("full", operation.method, &written, &headers, body)).await;
        assert_eq!(answer.status, operation.status(), "{}: {}", operation.id, answer.body);
        remember(&mut known, &answer.body);
        let mut told = answer.body;
        if let Some(shape) = operation.shape() {
            assert_eq!(misfit(document, shape, &told, ""), None, "the answer of {}", operation.id);
        }
        for place in ["/key", "/key/key"] {
            if let Some(key @ Value::String(_)) = told.pointer_mut(place) {
                *key = SOME_KEY.into();
            }
        }
        if let (Some(items), "GET") = (told.get_mut("items").and_then(Value::as_array_mut), operation.method) {
            items.truncate(1); // one shows how all look
        }
        answers.insert(operation.id, Recorded { path: written, body: told });
        work(&world).await;
        world.rig.sim.pass(std::time::Duration::from_secs(1));
    }
    answers
}

/// The document; with the answers that there are.
fn document(groups: &[(&str, &str, Vec<Operation>)], answers: &Answers) -> Value {
    let mut paths = Map::new();
    for (tag, _, operations) in groups {
        for operation in operations {
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            path[operation.method.to_lowercase()] = operation.described(tag, answers.get(operation.id));
        }
    }
    let tags: Vec<_> = groups.iter().map(|(name, about, _)| json!({ "name": name, "description": about })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bellhop", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "`bh_<id>_<secret>`" },
                "header": { "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same key." },
            },
            "schemas": schemas::schemas(bellhop_channels::ALL.specs),
            "responses": errors::responses(),
            "examples": errors::examples(),
        },
    })
}

/// One line for each path's operation and each component: to be read in a diff, and no longer than need be, since it is served.
fn written(document: &Value) -> String {
    fn lines(value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::Object(fields) if depth > 0 && !fields.is_empty() => {
                let mut before = '{';
                for (name, field) in fields {
                    out.push(before);
                    out.push('\n');
                    out.push_str(&json!(name).to_string());
                    out.push(':');
                    lines(field, depth - 1, out);
                    before = ',';
                }
                out.push_str("\n}");
            }
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    lines(document, 3, &mut out);
    out.push('\n');
    out
}

async fn whole() -> (Vec<(&'static str, &'static str, Vec<Operation>)>, Value) {
    let groups = paths::groups();
    let bare = document(&groups, &Answers::new());
    let operations: Vec<_> = groups.iter().flat_map(|(_, _, operations)| operations).collect();
    let answers = answers(&operations, &bare).await;
    let document = document(&groups, &answers);
    (groups, document)
}

#[tokio::test]
async fn the_openapi_document_is_what_the_code_makes() {
    let (_, document) = whole().await;
    let made = written(&document);
    if std::env::var_os("BELLHOP_WRITE_DOCS").is_some() {
        fs::write(FILE, &made).unwrap();
    }
    assert!(fs::read_to_string(FILE).unwrap_or_default() == made, "run `cargo xtask docs`: docs/openapi.json is not current");
}

#[tokio::test]
async fn the_document_is_served_without_a_key() {
    let world = house().await;
    let answer = world.send(axum::http::Request::get("/openapi.json").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((answer.status, &answer.body["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn each_example_of_a_request_is_of_the_declared_shape() {
    let groups = paths::groups();
    let document = document(&groups, &Answers::new());
    for operation in groups.iter().flat_map(|(_, _, operations)| operations) {
        if let Some((shape, example)) = operation.takes_what() {
            assert_eq!(misfit(&document, shape, example, ""), None, "{}", operation.id);
        }
    }
}

/// Every object within a request that has fields of its own, with a path to it and those fields. Of choices, those that are
/// objects.
fn objects(document: &Value, shape: &Value, at: &str, found: &mut Vec<(String, Vec<String>)>) {
    if let Some(reference) = shape["$ref"].as_str() {
        objects(document, document.pointer(reference.trim_start_matches('#')).unwrap(), at, found);
    }
    for choice in shape["anyOf"].as_array().into_iter().flatten() {
        if choice.get("required").is_none() || choice["type"] == "object" {
            objects(document, choice, at, found);
        }
    }
    if let Some(items) = shape.get("items") {
        objects(document, items, &format!("{at}/0"), found);
    }
    if shape["additionalProperties"] == Value::Bool(false) {
        let fields = shape["properties"].as_object().cloned().unwrap_or_default();
        found.push((at.to_owned(), fields.keys().cloned().collect()));
        for (name, field) in &fields {
            objects(document, field, &format!("{at}/{name}"), found);
        }
    }
}

/// A body with nothing in it but an unknown field at that place.
fn with_unknown(at: &str) -> Value {
    at.split('/')
        .filter(|step| !step.is_empty())
        .rev()
        .fold(json!({ "zz_unknown": 1 }), |inner, step| if step == "0" { json!([inner]) } else { json!({ step: inner }) })
}

#[tokio::test]
async fn the_declared_fields_of_a_request_are_those_that_the_code_reads() {
    let groups = paths::groups();
    let document = document(&groups, &Answers::new());
    let world = house().await;
    let mut compared = 0;
    for operation in groups.iter().flat_map(|(_, _, operations)| operations) {
        let Some((shape, example)) = operation.takes_what() else { continue };
        if operation.path.starts_with("/in/") {
            continue; // whatever comes is taken
        }
        // what a PATCH changes has to be there
        if operation.method == "PUT" {
            assert_eq!(world.call("full", "PUT", &operation.called_at(), example).await.status, 200, "{}", operation.id);
        }
        let mut found = Vec::new();
        objects(&document, shape, "", &mut found);
        for (at, mut fields) in found {
            let mut body = example.clone();
            for (name, value) in with_unknown(&at).as_object().unwrap() {
                body[name] = value.clone();
            }
            let answer = world.call("full", operation.method, &operation.called_at(), &body).await;
            let case = format!("{} {at}: {}", operation.id, answer.body);
            if answer.status == 404 {
                continue; // a delivery is needed; it takes nothing, and an unknown field is refused as everywhere
            }
            assert_eq!(answer.refusal().1, "unknown_field", "{case}");
            let detail = answer.body["detail"].as_str().unwrap();
            let mut known: Vec<_> = detail.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            known.sort();
            fields.sort();
            assert_eq!(known, fields, "{case}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}
