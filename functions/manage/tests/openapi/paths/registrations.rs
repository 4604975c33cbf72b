use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

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
            .answers(200, "As it is now, without its secrets.", schema("Registration"))
            .codes(&[Code::UnknownChannel, Code::InvalidParams, Code::TooManyItems, Code::Conflict]),
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
            .codes(&[Code::NotFound, Code::UnknownChannel, Code::InvalidParams, Code::TooManyItems, Code::Conflict]),
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
    ]
}
