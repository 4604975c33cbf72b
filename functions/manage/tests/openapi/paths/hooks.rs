use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

pub(crate) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/hooks";
    const ONE: &str = "/v1/hooks/{name}";
    let reported = |method, id, summary| {
        operation(method, "/in/{token}", id, summary)
            .about("Takes what that system sends, unchanged; it needs no key. docs/hooks.md says what each kind sends.")
            .with_token("{token}")
            .answers(200, "The event is kept.", schema("Accepted"))
            .codes(&[
                Code::Forbidden,
                Code::MissingField,
                Code::InvalidField,
                Code::InvalidBase64,
                Code::PictureTooLarge,
                Code::TooManyItems,
                Code::InvalidIdempotencyKey,
                Code::IdempotencyMismatch,
                Code::RateLimited,
                // it reads a body, too, should one come
                Code::MalformedJson,
                Code::BodyTooLarge,
                Code::UnsupportedMediaType,
            ])
    };
    vec![
        operation("POST", ALL, "makeHook", "Make a hook")
            .about("The answer tells its path, once.")
            .scope(Scope::Manage)
            .takes(schema("HookBody"), json!({ "name": "nas", "kind": "generic", "defaults": { "source": "nas/backup" } }))
            .repeatable(true)
            .answers(201, "Made.", schema("Hook"))
            .codes(&[Code::TooManyItems, Code::Conflict]),
        operation("GET", ALL, "listHooks", "List hooks").scope(Scope::Read).paged().lists("Hook"),
        operation("GET", "/v1/hooks/kinds", "listHookKinds", "List kinds of systems")
            .about("With the types of events that are known of each.")
            .scope(Scope::Read)
            .lists("HookKind"),
        operation("GET", ONE, "getHook", "One hook").scope(Scope::Read).named("nas").codes(&[Code::NotFound]).answers(
            200,
            "Without its path.",
            schema("Hook"),
        ),
        operation("DELETE", ONE, "deleteHook", "Delete a hook").scope(Scope::Manage).named("nas").codes(&[Code::NotFound]).last(),
        reported("POST", "report", "Report by a hook").takes_foreign(json!({ "message": "disk full", "host": "nas1" })),
        reported("GET", "reportByQuery", "Report by a hook, in the query")
            .query("message", false, &json!({ "type": "string" }), "A field of an event; any other may be there as well.")
            .with_query("?message=disk+full"),
    ]
}
