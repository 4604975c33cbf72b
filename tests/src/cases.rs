//! The cases of channels in `shared/channels/cases`, for tests that play providers: what a registration and a message look
//! like, which request belongs to them, and what the provider says. The walk over all of them is in `functions/local/tests`.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

use crate::Answer;

/// A case of a channel, and every answer that its provider gives to a message in any of them.
pub struct Case {
    pub channel: String,
    /// What is registered.
    pub params: Value,
    /// The request that has to arrive; `null` where it is none of HTTP.
    pub request: Value,
    /// Requests that go before it, with their answers.
    pub preflight: Vec<(Value, Response)>,
    pub responses: Vec<Response>,
    notification: Map<String, Value>,
}

/// What a provider says, and what is to become of the message then.
#[derive(Clone)]
pub struct Response(Value);

impl Case {
    pub fn first(channel: &str) -> Self {
        Self::find(channel, |_| true)
    }

    pub fn named(channel: &str, name: &str) -> Self {
        Self::find(channel, |case| case["name"] == name)
    }

    fn find(channel: &str, is_it: impl Fn(&Value) -> bool) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/channels/cases/{channel}.json"));
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let cases = file["cases"].as_array().unwrap();
        let list = |case: &Value, name: &str| case[name].as_array().cloned().unwrap_or_default();
        let case = cases.iter().find(|case| is_it(case)).unwrap();
        let preflight = list(case, "preflight").into_iter();
        // what is said `at` another address is said to no message
        let responses = cases.iter().flat_map(|case| list(case, "responses")).filter(|response| response["at"].is_null());
        Self {
            channel: channel.to_owned(),
            params: case["registration"].clone(),
            request: case["expect_request"].clone(),
            preflight: preflight.map(|it| (it["request"].clone(), Response(it["response"].clone()))).collect(),
            responses: responses.map(Response).collect(),
            notification: case["notification"].as_object().unwrap().clone(),
        }
    }

    /// The id of the message, which in a delivery's place is the delivery's.
    pub fn id(&self) -> Option<&str> {
        self.notification.get("id").and_then(Value::as_str)
    }

    /// The message, as the API takes it.
    pub fn message(&self, to: &str) -> Value {
        let mut message = json!({ "to": to });
        let mut options = Map::new();
        for (name, value) in &self.notification {
            match name.as_str() {
                "id" => {}
                "title" | "body" | "format" | "url" | "data" => message[name] = value.clone(),
                "image" => message["image_url"] = value.clone(),
                "image_bytes_b64" => message["screenshot"] = value.clone(),
                option => drop(options.insert(option.to_owned(), value.clone())),
            }
        }
        if message.get("title").or(message.get("body")).is_none() {
            message["body"] = "the options say it all".into();
        }
        message["options"] = json!({ self.channel.as_str(): options });
        message
    }

    /// The answer of that status that holds that text; several have to mean the same.
    pub fn response(&self, status: u16, text: &str) -> &Response {
        let fits = |response: &&Response| response.0["status"] == status && response.text().contains(text);
        let found: Vec<_> = self.responses.iter().filter(fits).collect();
        let [first, others @ ..] = found.as_slice() else { panic!("no case of `{}` has {status} `{text}`", self.channel) };
        let same = others.iter().all(|other| other.0["verdict"] == first.0["verdict"]);
        assert!(same, "cases of `{}` have several {status} `{text}`", self.channel);
        first
    }

    /// The first answer that means `delivered`.
    pub fn success(&self) -> &Response {
        self.responses.iter().find(|response| response.0["verdict"] == "delivered").unwrap()
    }

    /// An answer after which the message is to be sent again: the provider's word that it is too much, asking for a second if
    /// it says itself for how long; where the cases have none that is over in seconds, a fault of the provider.
    pub fn throttle(&self) -> Response {
        let hurried = self.responses.iter().filter_map(Response::for_a_second);
        let fault = self.responses.iter().filter(|it| it.0["verdict"] == "retry" && it.0["status"] != 0);
        hurried
            .chain(fault.cloned())
            .next()
            .unwrap_or_else(|| panic!("no case of `{}` has an answer to wait after", self.channel))
    }
}

impl Response {
    /// The body, as it is sent.
    pub fn text(&self) -> String {
        match &self.0["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        }
    }

    pub fn status(&self) -> u16 {
        self.0["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap()
    }

    pub fn answer(&self) -> Answer {
        let headers = self.0["headers"].as_object().into_iter().flatten();
        headers
            .fold(Answer::status(self.status()), |answer, (name, value)| answer.header(name, value.as_str().unwrap()))
            .body(self.text())
    }

    /// The same in the words of SES's older API, which the SDK speaks; the cases have those of its JSON API.
    /// <https://docs.aws.amazon.com/ses/latest/APIReference/CommonErrors.html>
    pub fn answer_of_ses(&self) -> Answer {
        let body = &self.0["body"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let xml = if self.status() == 200 {
            let id = text(&body["MessageId"]);
            let result = format!("<SendRawEmailResult><MessageId>{id}</MessageId></SendRawEmailResult>");
            format!("<SendRawEmailResponse>{result}</SendRawEmailResponse>")
        } else {
            let (code, message) = (text(&self.0["headers"]["x-amzn-ErrorType"]), text(&body["message"]));
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
        };
        Answer::status(self.status()).header("content-type", "text/xml").body(xml)
    }

    /// The same, asking to wait for a second; nothing if it asks for no wait or for a fixed one of more than five.
    fn for_a_second(&self) -> Option<Self> {
        let asked = self.0["retry_after_s"].as_u64()?;
        let mut hurried = self.0.clone();
        let changed = shorten(&mut hurried["headers"], &"1".into()) | shorten(&mut hurried["body"], &1.into());
        (changed || asked <= 5).then_some(Self(hurried))
    }
}

/// Puts `second` where somebody says how long to wait, and tells whether there was such a place.
fn shorten(value: &mut Value, second: &Value) -> bool {
    let Value::Object(object) = value else { return false };
    object.iter_mut().fold(false, |changed, (name, value)| {
        let is_wait = ["retry_after", "retry-after"].contains(&name.to_lowercase().as_str());
        if is_wait {
            *value = second.clone();
        }
        changed | is_wait | shorten(value, second)
    })
}
