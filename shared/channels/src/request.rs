//! What most providers want: one request, often a POST of JSON, whose answer says what became of the message.

use bellhop_core::{
    SendError, Timestamp,
    channel::{Body, Channel, Context, Message, Method, Outgoing, Params, Reply, Spec, Step},
};
use serde_json::Value;

use crate::param::with_picture;

/// A channel that takes a message in one request.
pub(crate) struct Once {
    pub(crate) spec: &'static Spec,
    /// The request that says it, or why there is none. The message has the picture that goes along.
    pub(crate) request: fn(&Context, &Message, &Params) -> Result<Outgoing, SendError>,
    /// What the answer means.
    pub(crate) judge: fn(&Reply, Timestamp) -> Step,
}

impl Channel for Once {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn step(&self, cx: &Context, message: &Message, params: &Params, so_far: &[Reply]) -> Step {
        match so_far.last() {
            Some(reply) => (self.judge)(reply, cx.now),
            None => (self.request)(cx, &with_picture(cx, message, params), params).map_or_else(Step::Fail, Step::Call),
        }
    }
}

/// A POST of this JSON, of the type `application/json`.
pub(crate) fn post_json(url: String, body: &Value) -> Outgoing {
    post_json_as("application/json", url, body)
}

/// The same, for providers that want the type spelt their way.
pub(crate) fn post_json_as(content_type: &str, url: String, body: &Value) -> Outgoing {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Outgoing { method: Method::Post, url, headers, body: Body::Json(body.to_string()), proxy: None }
}
