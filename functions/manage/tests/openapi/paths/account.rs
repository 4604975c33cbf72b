use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

pub(crate) fn operations() -> Vec<Operation> {
    const SETTINGS: &str = "/v1/account";
    const KEYS: &str = "/v1/keys";
    vec![
        operation("PUT", SETTINGS, "putAccount", "Change the account's settings")
            .about("Those that are named; `null` is the setting of a new account.")
            .scope(Scope::Manage)
            .takes(schema("AccountChange"), json!({ "time_zone": "Asia/Shanghai", "locale": "zh-CN", "rate": { "burst": 1000 } }))
            .answers(200, "As they are now.", schema("Account")),
        operation("GET", SETTINGS, "getAccount", "The account's settings").scope(Scope::Manage).answers(
            200,
            "As they are.",
            schema("Account"),
        ),
        operation("POST", KEYS, "makeKey", "Make a key")
            .about("The answer tells it, once. Nobody gives a scope that the calling key lacks, nor a key that outlasts it. `account` takes the scope `operate`: a key for an account that has lost its own.")
            .scope(Scope::Manage)
            .takes(schema("KeyBody"), json!({ "scopes": ["send"], "description": "the cron job" }))
            .repeatable(true)
            .answers(201, "Made.", schema("Key"))
            .codes(&[Code::Conflict, Code::TooManyItems]),
        operation("GET", KEYS, "listKeys", "List keys").scope(Scope::Manage).paged().lists("Key"),
        operation("DELETE", "/v1/keys/{id}", "revokeKey", "Revoke a key")
            .scope(Scope::Manage)
            .identified("KeyId", "{key}")
            .last(),
        operation("GET", "/v1/audit", "listAudit", "Who did what with what the account owns")
            .scope(Scope::Manage)
            .paged()
            .lists("AuditEntry"),
    ]
}
