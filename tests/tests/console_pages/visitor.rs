//! Somebody at the console, with a real browser.

use acceptance::{Bellhop, Browser, Page};
use serde_json::{Value, json};

/// A tab at the console.
pub(crate) struct Visitor {
    pub(crate) page: Page,
    pub(crate) url: String,
    _browser: Browser,
}

/// How the tab is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scripts {
    On,
    Off,
}

impl Visitor {
    /// Opens the console, and is not signed in.
    pub(crate) async fn of(bellhop: &Bellhop, scripts: Scripts) -> Self {
        let mut browser = Browser::start().await;
        let mut page = browser.page().await;
        if matches!(scripts, Scripts::Off) {
            page.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        }
        // the name that browsers trust as they trust HTTPS
        let url = bellhop.client.url.replace("127.0.0.1", "localhost");
        page.go(&url).await;
        Self { page, url, _browser: browser }
    }

    /// Opens the console, and signs in.
    pub(crate) async fn signed_in(bellhop: &Bellhop, scripts: Scripts) -> Self {
        let mut visitor = Self::of(bellhop, scripts).await;
        visitor.fill("key", &bellhop.client.key).await;
        visitor.submit("/console/sign-in").await;
        assert_eq!(visitor.path().await, "/console");
        visitor
    }

    pub(crate) async fn open(&mut self, path: &str) {
        self.page.go(&format!("{}{path}", self.url)).await;
    }

    /// Where the tab is.
    pub(crate) async fn path(&mut self) -> String {
        self.text_of("location.pathname").await
    }

    /// What a script comes to, as text.
    pub(crate) async fn text_of(&mut self, script: &str) -> String {
        self.page.evaluate(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// All that there is to read.
    pub(crate) async fn text(&mut self) -> String {
        self.text_of("document.body.innerText").await
    }

    /// Writes into the field of that name, as somebody does: what is there already is written over.
    pub(crate) async fn fill(&mut self, name: &str, value: &str) {
        let field = json!(format!("main [name=\"{name}\"]"));
        let found = format!("const field = document.querySelector({field}); field.focus(); field.select(); true");
        assert_eq!(self.page.evaluate(&format!("{{ {found} }}")).await, true, "{name}");
        self.page.call("Input.insertText", json!({ "text": value })).await;
    }

    /// Follows the first link that leads there, and waits for the page.
    pub(crate) async fn follow(&mut self, href: &str) {
        let link = json!(format!("a[href=\"{href}\"]"));
        self.leave(&format!("document.querySelector({link}).click()")).await;
    }

    /// Presses the button of the form that goes there, and waits for the page.
    pub(crate) async fn submit(&mut self, action: &str) {
        let button = json!(format!("form[action^=\"{action}\"] button[type=\"submit\"]"));
        self.leave(&format!("document.querySelector({button}).click()")).await;
    }

    /// Presses a key.
    pub(crate) async fn press(&mut self, key: &str) {
        let text = if key == "Enter" { "\r" } else { "" };
        let code = if key == "Enter" { 13 } else { 9 };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
            self.page.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Goes on by Tab until that is in focus.
    pub(crate) async fn tab_to(&mut self, what: &str) {
        for _ in 0..100 {
            self.press("Tab").await;
            if self.page.evaluate(&format!("document.activeElement.matches({})", json!(what))).await == true {
                return;
            }
        }
        panic!("{what} is not reached by Tab");
    }

    /// Does what leads to another page, and waits until that is loaded.
    async fn leave(&mut self, how: &str) {
        self.page.evaluate(&format!("{how}; true")).await;
        self.page.event("Page.loadEventFired").await;
    }

    /// Presses Enter where it leads to another page.
    pub(crate) async fn enter(&mut self) {
        self.press("Enter").await;
        self.page.event("Page.loadEventFired").await;
    }

    /// As the reader's system is set.
    pub(crate) async fn with_theme(&mut self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.page.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// On a screen of that size.
    pub(crate) async fn on_screen(&mut self, width: u32, height: u32) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.page.call("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// In the language that the browser asks for.
    pub(crate) async fn in_language(&mut self, language: &str) {
        self.page.call("Network.enable", json!({})).await;
        self.page.call("Network.setExtraHTTPHeaders", json!({ "headers": { "Accept-Language": language } })).await;
    }

    /// What axe finds wrong with the page: rules, and where.
    pub(crate) async fn found_by_axe(&mut self, axe: &str) -> Vec<String> {
        self.page.evaluate(&format!("{axe}; true")).await;
        let tags = json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
        let options = json!({ "runOnly": tags, "rules": { "target-size": { "enabled": true } }, "resultTypes": ["violations"] });
        let script = format!(
            "const found = await axe.run(document, {options}); \
             found.violations.map(wrong => `${{wrong.id}}: ${{wrong.nodes.map(node => node.html).join(' | ')}}`)"
        );
        let found =
            self.page.evaluate(&format!("await (async () => {{ {} }})()", script.replace("; found", "; return found"))).await;
        found.as_array().unwrap().iter().map(Value::to_string).collect()
    }
}
