//! Every operation there is. A new one is declared here, in the file of what it is about, beside its shapes in `schemas.rs`;
//! `cargo xtask docs` then writes it into `docs/openapi.json`. The order is that in which their examples are called.

mod account;
mod hooks;
mod looking;
mod operator;
mod registrations;
mod rules;
mod sending;
mod tasks;

use crate::operation::Operation;

/// Each group of operations, with what it is about.
pub(crate) fn groups() -> Vec<(&'static str, &'static str, Vec<Operation>)> {
    vec![
        ("registrations", "Named, configured destinations.", registrations::operations()),
        ("contacts", "People, with their addresses.", rules::contacts()),
        ("rules", "Who hears of which events.", rules::operations()),
        ("sources", "Sources that rules look at or do not.", rules::sources()),
        ("hooks", "Paths by which other systems report in their own form.", hooks::operations()),
        ("sending", "Events and messages come in.", sending::operations()),
        ("tasks", "Messages that are sent by the clock.", tasks::operations()),
        ("looking", "What happened, and what became of it.", looking::operations()),
        ("account", "Settings and keys.", account::operations()),
        ("operator", "For whoever runs the deployment.", operator::operations()),
    ]
}
