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

impl Scripts {
    pub(crate) const BOTH: [Self; 2] = [Self::On, Self::Off];
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

    /// Where the tab is, with the query.
    pub(crate) async fn address(&mut self) -> String {
        self.text_of("location.pathname + location.search").await
    }

    /// What a script comes to, as text.
    pub(crate) async fn text_of(&mut self, script: &str) -> String {
        self.page.evaluate(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// All that there is to read.
    pub(crate) async fn text(&mut self) -> String {
        self.text_of("document.body.innerText").await
    }

    /// How each row of the page's table begins.
    pub(crate) async fn rows(&mut self) -> Vec<String> {
        let rows = self.page.evaluate("[...document.querySelectorAll('main tbody th')].map(row => row.innerText.trim())").await;
        rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
    }

    /// Writes into the field of that name, as somebody does: what is there already is written over.
    pub(crate) async fn fill(&mut self, name: &str, value: &str) {
        let found = format!("const field = {}; field.focus(); field.select(); true", field(name));
        assert_eq!(self.page.evaluate(&format!("{{ {found} }}")).await, true, "{name}");
        if value.is_empty() {
            self.press("Delete").await;
        } else {
            self.page.call("Input.insertText", json!({ "text": value })).await;
        }
    }

    /// What stands in the field of that name.
    pub(crate) async fn value_of(&mut self, name: &str) -> String {
        self.text_of(&format!("{}.value", field(name))).await
    }

    /// Takes the choice that reads like that, in the field of that name.
    pub(crate) async fn choose(&mut self, name: &str, label: &str) {
        let options = format!("[...{}.options]", field(name));
        let taken = format!("{options}.find(option => option.text === {}).selected = true", json!(label));
        self.page.evaluate(&taken).await;
    }

    /// Clicks on the words beside a box: it is ticked, or not any more.
    pub(crate) async fn tick(&mut self, label: &str) {
        let labels = "[...document.querySelectorAll('main label')]";
        self.page.evaluate(&format!("{labels}.find(label => label.innerText.trim() === {}).click(); true", json!(label))).await;
    }

    /// What is said to be wrong beside the field of that name, where whoever does not see it hears it, too.
    pub(crate) async fn error_at(&mut self, name: &str) -> String {
        let said = format!(
            "const field = {}; const error = field.closest('.field').querySelector('.error'); \
             const told = field.closest('[aria-describedby]')?.getAttribute('aria-describedby').split(' ') ?? []; \
             return error && field.ariaInvalid === 'true' && told.includes(error.id) ? error.innerText : ''",
            field(name)
        );
        self.text_of(&format!("(() => {{ {said} }})()")).await
    }

    /// The names of the fields that the browser itself asks to be filled in before it sends anything.
    pub(crate) async fn asked_for(&mut self) -> String {
        self.text_of("[...document.querySelectorAll('main form :invalid')].map(field => field.name).join(' ')").await
    }

    /// Follows the first link that leads there, and waits for the page.
    pub(crate) async fn follow(&mut self, href: &str) {
        let link = json!(format!("a[href=\"{href}\"]"));
        self.leave(&format!("document.querySelector({link}).click()")).await;
    }

    /// Presses the button that sends a form to that path, and waits for the page.
    pub(crate) async fn submit(&mut self, path: &str) {
        assert!(self.sees_button_to(path).await, "nobody sees the button to {path}");
        self.leave(&format!("{}.click()", button_to(path))).await;
    }

    /// Presses the button that reads like that, and waits for the page.
    pub(crate) async fn press_button(&mut self, label: &str) {
        let buttons = "[...document.querySelectorAll('main button')]";
        self.leave(&format!("{buttons}.find(button => button.innerText === {}).click()", json!(label))).await;
    }

    /// Clicks on that button, and once more while the first answer is on its way: whoever answers has both then.
    pub(crate) async fn submit_twice(&mut self, path: &str) {
        let answers = json!([{ "urlPattern": format!("*{path}"), "requestStage": "Response" }]);
        self.page.call("Fetch.enable", json!({ "patterns": answers })).await;
        let place = format!(
            "{{ const button = {}; button.scrollIntoView(); const {{ x, y }} = button.getBoundingClientRect(); [x + 5, y + 5] }}",
            button_to(path)
        );
        let place = self.page.evaluate(&place).await;
        self.click(&place, 1).await;
        self.page.event("Fetch.requestPaused").await;
        self.click(&place, 2).await;
        let second = self.page.event("Fetch.requestPaused").await;
        self.page.call("Fetch.continueRequest", json!({ "requestId": second["requestId"] })).await;
        self.page.event("Page.loadEventFired").await;
    }

    /// The mouse's button, at that place of the window; `nth` in a row.
    async fn click(&mut self, place: &Value, nth: u32) {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": nth });
            self.page.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Answers the question that stands before what cannot be undone, and waits for the page.
    pub(crate) async fn confirm(&mut self, path: &str) {
        assert!(!self.sees_button_to(path).await, "{path} is not asked about");
        self.page.evaluate(&format!("{}.closest('details').querySelector('summary').click(); true", button_to(path))).await;
        self.submit(path).await;
    }

    /// Whether there is a button to see that sends a form to that path.
    pub(crate) async fn sees_button_to(&mut self, path: &str) -> bool {
        self.page.evaluate(&format!("{}?.checkVisibility() ?? false", button_to(path))).await == true
    }

    /// Presses a key.
    pub(crate) async fn press(&mut self, key: &str) {
        let (text, code) = match key {
            "Enter" => ("\r", 13),
            "Delete" => ("", 46),
            _ => ("", 9),
        };
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

/// The field of that name, as a script finds it.
fn field(name: &str) -> String {
    format!("document.querySelector({})", json!(format!("main [name=\"{name}\"]:not([type=hidden])")))
}

/// The button that sends a form to that path, as a script finds it.
fn button_to(path: &str) -> String {
    format!(
        "[...document.querySelectorAll('form button[type=submit]')].find(button => {{ \
         const action = button.getAttribute('formaction') ?? button.form.getAttribute('action'); \
         return decodeURIComponent(new URL(action, location.href).pathname) === {}; }})",
        json!(path)
    )
}
