use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::{
    operation::{Operation, operation, schema},
    shape::{text, yes_or_no},
};

pub(crate) fn operations() -> Vec<Operation> {
    const ONE: &str = "/v1/registrations/{name}";
    vec![
        operation("PUT", ONE, "putRegistration", "Save a registration whole")
            .about("What a channel's parameters mean, and which belong together, `GET /v1/channels` and docs/channels.md say.")
            .scope(Scope::Manage)
            .named("desk")
            .takes(
                schema("RegistrationBody"),
                json!({
                    "channel": "webhook", "groups": ["ops"],
                    "params": { "url": "https://desk.example.org/bellhop", "headers": { "X-Desk": "one-two-three-four" } },
                }),
            )
            .query(
                "verify",
                false,
                &yes_or_no(),
                "`true` saves it only if a test of it is delivered; the answer then has it as `test`.",
            )
            .query("to", false, &text(), "With `verify`: the address that the test goes to, on channels that serve many.")
            .answers(200, "As it is now, without its secrets.", schema("Registration"))
            .codes(&[Code::UnknownChannel, Code::InvalidParams, Code::TooManyItems, Code::QuotaExceeded, Code::Conflict])
            .codes(&[Code::TestFailed, Code::RateLimited]),
        operation("POST", "/v1/registrations/{name}/test", "testRegistration", "Send a test by a registration")
            .about("It goes the way of every message, whether the registration is switched on or not, and nothing is kept of it.")
            .scope(Scope::Manage)
            .named("desk")
            .takes_optionally(schema("TestBody"), json!({ "title": "hello" }))
            .answers(200, "What was said, and what the provider answered, without the secrets.", schema("Test"))
            .codes(&[Code::NotFound, Code::RateLimited]),
        operation("POST", ONE, "testParams", "Send a test by values that are not saved")
            .about("`POST /v1/registrations/test`: nothing else is posted to a name.")
            .scope(Scope::Manage)
            .named_only("test")
            .takes(
                schema("TypedTestBody"),
                json!({ "channel": "webhook", "params": { "url": "https://desk.example.org/bellhop" } }),
            )
            .answers(200, "What was said, and what the provider answered, without the secrets.", schema("Test"))
            .codes(&[Code::NotFound, Code::UnknownChannel, Code::InvalidParams, Code::RateLimited]),
        operation("POST", "/v1/registrations/{name}/reveal", "revealRegistration", "Parameters in clear, the former ones too")
            .about("`key` is a whole key of the account with the scope `manage`, given once more. Each try stands in the audit.")
            .scope(Scope::Manage)
            .named("desk")
            .takes(schema("RevealBody"), json!({ "key": "bh_<id>_<secret>" }))
            .answers(200, "Not to be kept by any cache.", schema("Revealed"))
            .codes(&[Code::NotFound, Code::RateLimited]),
        operation("GET", "/v1/registrations", "listRegistrations", "List registrations")
            .scope(Scope::Read)
            .paged()
            .lists("Registration"),
        operation("GET", ONE, "getRegistration", "One registration")
            .scope(Scope::Read)
            .named("desk")
            .codes(&[Code::NotFound])
            .answers(200, "Without its secrets.", schema("Registration")),
        operation("PATCH", ONE, "patchRegistration", "Change a registration")
            .about("An absent field is kept, `null` clears it; parameters are merged by name.")
            .scope(Scope::Manage)
            .named("desk")
            .takes(schema("RegistrationChange"), json!({ "description": "the desk by the door" }))
            .answers(200, "As it is now.", schema("Registration"))
            .codes(&[Code::NotFound, Code::UnknownChannel, Code::InvalidParams, Code::TooManyItems])
            .codes(&[Code::QuotaExceeded, Code::Conflict]),
        operation("DELETE", ONE, "deleteRegistration", "Delete a registration")
            .about("What is under way to it is dropped.")
            .scope(Scope::Manage)
            .named("desk")
            .codes(&[Code::NotFound])
            .last(),
        operation("GET", "/v1/channels", "listChannels", "List channels")
            .about("What every channel declares about itself: enough to draw a form.")
            .scope(Scope::Read)
            .lists("ChannelSpec"),
        operation("GET", "/v1/web-push", "getWebPush", "The key that browsers subscribe with")
            .about("A page hands it over as `applicationServerKey`; what it is given goes to the channel `web_push`.")
            .scope(Scope::Read)
            .answers(200, "The same for ever.", schema("WebPush")),
    ]
}
