//! Hostile texts stand in whatever can be stored or asked for, and are never more than texts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use acceptance::Bellhop;
use serde_json::{Value, json};

use crate::{
    lived_in::lived_in,
    visitor::{Scripts, Visitor},
};

/// Leaves an attribute and a tag, and runs if it can. It has no blank, so that it may stand wherever there must be none.
const HOSTILE: &str = "\"'><img/src=\"x\"/onerror=\"hostile=1\"><script>hostile=1</script>";

/// Each field that can hold any text, and pages that show it.
const SHOWN: [(&str, &[&str]); 0] = [];

/// Fields that no page shows.
const NEVER: [&str; 0] = [];

/// What a page would have if a text had become more: what ran, what loads or runs, and links that are no place.
const FAULTS: &str = r#"(() => {
    const all = (what) => [...document.querySelectorAll(what)];
    const ran = typeof hostile === "undefined" ? [] : ["it ran"];
    const planted = all("img, iframe, object, embed, base, style, script:not([src^='/console/'])").map((found) => found.outerHTML);
    const handlers = all("*").flatMap((found) => found.getAttributeNames().filter((name) => name.startsWith("on")));
    const leading = ["href", "src", "action", "formaction"].flatMap((name) => all(`[${name}]`).map((found) => found[name]));
    const away = leading.filter((there) => !/^(https?:|data:,$)/.test(there));
    return [...ran, ...planted, ...handlers, ...away];
})()"#;

/// All that a page says: its texts, and what stands in its fields.
const SAID: &str = r#"[document.title, document.body.textContent, ...[...document.querySelectorAll("input, textarea")].map((field) => field.value)].join("\n")"#;

/// A browser that would run what a page lets through: the policy that forbids it is out of the way.
async fn without_policy(bellhop: &Bellhop) -> Visitor {
    let mut visitor = Visitor::signed_in(bellhop, Scripts::On).await;
    visitor.page.call("Page.setBypassCSP", json!({ "enabled": true })).await;
    visitor
}

async fn faults(visitor: &mut Visitor) -> Value {
    visitor.page.evaluate(FAULTS).await
}

fn hostile(field: &str) -> String {
    format!("{field}{HOSTILE}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_a_fault_is_seen() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = without_policy(&bellhop).await;
    for markup in ["<img src='data:,'>", "<p onclick='1'>x</p>", "<a href='javascript:1'>x</a>", "<form action='javascript:1'></form>"] {
        visitor.open("/console").await;
        assert_eq!(faults(&mut visitor).await, json!([]));
        visitor.page.evaluate(&format!("document.querySelector('main').insertAdjacentHTML('beforeend', {})", json!(markup))).await;
        assert_eq!(faults(&mut visitor).await.as_array().unwrap().len(), 1, "{markup}");
    }
    visitor.page.evaluate(&format!("document.write({})", json!(HOSTILE))).await;
    assert_eq!(faults(&mut visitor).await[0], "it ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_are_texts_on_every_page_that_shows_them() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    // given an account with hostile texts, each with the name of its field in front
    let fields = Mutex::new(BTreeSet::new());
    let say = |field: &'static str, _: &str| {
        fields.lock().unwrap().insert(field);
        hostile(field)
    };
    let places = lived_in(&bellhop, &say).await;
    let fields = fields.into_inner().unwrap();

    // when somebody looks at every page
    let mut visitor = without_policy(&bellhop).await;
    let mut shown = BTreeMap::<_, BTreeSet<_>>::new();
    for place in &places {
        place.visit(&mut visitor).await;
        assert_eq!(faults(&mut visitor).await, json!([]), "{}", place.name);
        let said = visitor.text_of(SAID).await;
        for field in fields.iter().filter(|field| stands_in(field, &said)) {
            shown.entry(*field).or_default().insert(place.name);
        }
    }

    // then each field stands where it has to, and is a text there
    assert_eq!(fields, SHOWN.iter().map(|(field, _)| *field).chain(NEVER).collect());
    for (field, pages) in SHOWN {
        let found = shown.remove(field).unwrap_or_default();
        assert!(pages.iter().all(|page| found.contains(page)), "{field}: {found:?}");
    }
    assert_eq!(shown, BTreeMap::new(), "it is shown after all: say where");
}

/// Whether a page says the field's whole text, as it is or as JSON.
fn stands_in(field: &str, said: &str) -> bool {
    let text = hostile(field);
    said.contains(&text) || said.contains(json!(text).to_string().trim_matches('"'))
}
