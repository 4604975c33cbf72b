//! Walks over all pages: nothing is left out, nothing is too wide, nothing is reported, nothing needs a script.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use acceptance::Bellhop;
use serde_json::json;

use crate::{
    lived_in::{lived_in, usually},
    visitor::{Scripts, Visitor},
};

/// Addresses of the console that are no pages of their own: what pages load, and what leads elsewhere or shows another's page.
const NO_PAGES: [&str; 10] = [
    "/console/",
    "/console/{*rest}",
    "/console/style.css",
    "/console/console.js",
    "/console/browser.js",
    "/console/worker.js",
    "/console/changes",
    "/console/new-registration/paste",
    "/console/registrations/{name}/test",
    "/console/registrations/{name}/reveal",
];

/// Every address of the console that answers a GET, as its code has them.
fn addresses(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(addresses(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let code = fs::read_to_string(&path).unwrap();
            found.extend(code.split(".route(").skip(1).filter_map(|route| address(route, &path)));
        }
    }
    found
}

/// The address of a route, if it answers a GET.
fn address(route: &str, file: &Path) -> Option<String> {
    let (address, handlers) = route.split_once(',').unwrap();
    let address = address.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let address = address.unwrap_or_else(|| panic!("{}: a route whose address is no literal is not seen here", file.display()));
    let handlers = handlers.split(".route(").next().unwrap().lines().next().unwrap();
    (address != "/" && ["get(", "any("].iter().any(|method| handlers.contains(method))).then(|| address.to_owned())
}

/// Whether a path is one of that address.
fn is_at(path: &str, address: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap();
    let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), address.split('/').collect());
    parts.len() == wanted.len() && parts.iter().zip(&wanted).all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_the_console_is_left_out() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let is_known = |path: &str| places.iter().any(|place| place.sent.is_none() && is_at(&place.path, path));

    // of those that the code has
    let addresses = addresses(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/console/src"));
    let left_out: Vec<_> =
        addresses.iter().filter(|address| !NO_PAGES.contains(&address.as_str()) && !is_known(address)).collect();
    assert_eq!(left_out, [""; 0]);
    assert!(NO_PAGES.iter().all(|address| addresses.contains(*address)), "{addresses:?}");

    // and of those that a link leads to
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    let links = "[...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))";
    let mut led = BTreeMap::new();
    for place in &places {
        place.visit(&mut visitor).await;
        for link in visitor.page.evaluate(links).await.as_array().unwrap() {
            led.insert(link.as_str().unwrap().to_owned(), place.name);
        }
    }
    let unknown = |link: &str| {
        let address = addresses.iter().find(|address| is_at(link, address));
        address.is_none_or(|address| !is_known(address))
    };
    led.retain(|link, _| link.starts_with("/console") && unknown(link));
    assert_eq!(led, BTreeMap::new());
}

/// Whether somebody with a narrow screen has to scroll to the side.
async fn is_wide(visitor: &mut Visitor) -> bool {
    visitor.page.evaluate("document.documentElement.scrollWidth").await != 320
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_wider_than_a_narrow_screen() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &|_, _| "long".repeat(30)).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.on_screen(320, 640).await;
    let mut wide = Vec::new();
    for place in &places {
        place.visit(&mut visitor).await;
        wide.extend(is_wide(&mut visitor).await.then_some(place.name));
    }
    assert_eq!(wide, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_no_channel_is_wider_than_a_narrow_screen() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let channels = bellhop.client.get("/v1/channels").await["items"].take();
    let channels: Vec<_> = channels.as_array().unwrap().iter().map(|channel| channel["id"].as_str().unwrap()).collect();
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.on_screen(320, 640).await;
    let mut wide = Vec::new();
    for channel in channels {
        visitor.open(&format!("/console/new-registration?channel={channel}")).await;
        assert_eq!(visitor.text_of("document.querySelector('main [name=channel]').value").await, channel);
        wide.extend(is_wide(&mut visitor).await.then_some(channel));
    }
    assert_eq!(wide, [""; 0]);
}

/// What the browser has found wrong since it was asked last.
async fn complaints(visitor: &mut Visitor) -> Vec<String> {
    // what a page has reported comes before what is asked of it afterwards
    visitor.page.evaluate("1").await;
    let reports = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
    let reports = reports.into_iter().flat_map(|report| visitor.page.heard(report));
    // it recommends a field for a user's name beside each secret: here are none
    reports.filter(|report| report["entry"]["source"] != "recommendation").map(|report| report.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_finds_nothing_wrong_with_any_page() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    for reporting in ["Log.enable", "Runtime.enable"] {
        visitor.page.call(reporting, json!({})).await;
    }
    for place in &places {
        place.visit(&mut visitor).await;
        let mut found = complaints(&mut visitor).await;
        // that it is refused is no fault of the page
        found.retain(|found| !found.contains("Failed to load resource") || !["not-found", "rule-refused"].contains(&place.name));
        assert_eq!(found, [""; 0], "{}", place.name);
    }
    // it would say so: of what the policy forbids, of what is thrown, and of what a script tells
    let wrong = [
        "document.body.append(Object.assign(document.createElement('script'), { textContent: '1' }))",
        "await new Promise((kept) => { setTimeout(kept); setTimeout(() => { throw new Error('on purpose'); }); setTimeout(kept, 1); })",
        "console.error('on purpose')",
    ];
    for wrong in wrong {
        visitor.page.evaluate(&format!("{wrong}; 1")).await;
        assert_eq!(complaints(&mut visitor).await.len(), 1, "{wrong}");
    }
}

/// What a page says, without what scripts put in its place (times in the reader's own zone) and what is said of the moment itself.
const SAID: &str = "(() => {
    const page = document.querySelector('main').cloneNode(true);
    page.querySelectorAll('time, noscript').forEach((part) => part.remove());
    return page.textContent.replace(/\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d/g, '');
})()";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_without_scripts_what_it_says_with_them() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    for place in places.iter().filter(|place| place.sent.is_none()) {
        let mut said = Vec::new();
        for is_off in [false, true] {
            visitor.page.call("Emulation.setScriptExecutionDisabled", json!({ "value": is_off })).await;
            place.visit(&mut visitor).await;
            assert_eq!(visitor.page.evaluate("document.querySelector('h1').textContent !== ''").await, true, "{}", place.name);
            said.push(visitor.text_of(SAID).await);
        }
        assert_eq!(said[0], said[1], "{}", place.name);
    }
}

/// axe-core, as `cargo xtask python` installs it.
fn axe() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv-axe/lib");
    let versions = fs::read_dir(&folder).unwrap_or_else(|_| panic!("axe is missing: run `cargo xtask python`"));
    let script = versions.map(|version| version.unwrap().path().join("site-packages/axe_playwright_python/axe.min.js"));
    fs::read_to_string(script.into_iter().find(|file| file.exists()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_what_is_wrong_on_purpose() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let mut visitor = Visitor::of(&bellhop, Scripts::On).await;
    let axe = axe();
    assert_eq!(visitor.found_by_axe(&axe).await, [""; 0]);
    visitor.page.evaluate("document.querySelector('label').remove()").await;
    assert!(visitor.found_by_axe(&axe).await.iter().any(|wrong| wrong.contains("label")));
}

/// Colours hang on the theme alone, and texts on the language alone: two looks are all.
async fn axe_finds_nothing(theme: &str, language: &str) {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.with_theme(theme).await;
    visitor.in_language(language).await;
    let axe = axe();
    let mut found = Vec::new();
    for place in &places {
        place.visit(&mut visitor).await;
        found.extend(visitor.found_by_axe(&axe).await.into_iter().map(|wrong| format!("{}: {wrong}", place.name)));
    }
    assert_eq!(found, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_light_and_in_english() {
    axe_finds_nothing("light", "en").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_dark_and_in_chinese() {
    axe_finds_nothing("dark", "zh-CN").await;
}

/// Gives each control of the page that can be seen a number.
const NUMBER_CONTROLS: &str = "(() => {
    const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')];
    const seen = all.filter(control => control.checkVisibility() && !control.disabled);
    seen.forEach((control, number) => { control.dataset.number = number; });
    return seen.length;
})()";

/// The number of the control in focus, or -1 where nobody sees that it is; a table that can be scrolled has none.
const IN_FOCUS: &str = "(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const isSeen = outlineStyle !== 'none' && outlineWidth !== '0px';
    const number = document.activeElement.dataset.number;
    return number === undefined ? null : isSeen ? Number(number) : -1;
})()";

#[tokio::test(flavor = "multi_thread")]
async fn every_control_of_every_page_is_reached_by_tab_in_its_order_and_is_seen_to_be() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::Off).await;
    for place in &places {
        place.visit(&mut visitor).await;
        let count = visitor.page.evaluate(NUMBER_CONTROLS).await.as_u64().unwrap();
        // from the very beginning, wherever the page has put the focus
        visitor.page.evaluate("document.querySelector('[data-number=\"0\"]').focus(); true").await;
        let mut next = 1;
        for _ in 0..2 * count {
            if next == count {
                break;
            }
            visitor.press("Tab").await;
            if let Some(number) = visitor.page.evaluate(IN_FOCUS).await.as_i64() {
                assert_eq!(u64::try_from(number), Ok(next), "{}", place.name);
                next += 1;
            }
        }
        assert_eq!(next, count, "{}: not all are reached", place.name);
    }
}
