//! Systems that know nothing of this API report by a path of their own, each in the form it always had.
//!
//! Promises: a report is refused only if it says nothing at all, or lacks the token that it has to show; what a field of an
//! event cannot hold, and whoever it names that is not there, travels on in the event. A hook's path is no key: nobody
//! whom it names by a raw address is reached. The answer is 200, which QD and SQLE insist on. Left to others: what becomes
//! of the event ([`bellhop_core::accept`]).

mod bettergi;
mod generic;
mod incoming;
mod qd;
mod report;
mod said;
mod sqle;

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
};
use bellhop_core::{
    Code, Problem,
    accept::{Answer, Wanted, accept},
    model::{Account, Hook, HookKind},
    ports::IdempotencyKey,
};
use bellhop_http::{
    Api, Refused,
    body::{Limit, Payload},
    key::hash_secret,
};

pub(crate) use incoming::Incoming;
pub(crate) use report::Report;

const ROUTE: &str = "/in";

/// Takes what a system sends. Its only credential is the path's token.
pub(crate) async fn report(
    State(api): State<Api>,
    token: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Answer>, Refused> {
    let nothing = || Problem::new(Code::NotFound, "there is no hook at this path; it may have been deleted");
    let Path(token) = token.map_err(|_| nothing())?;
    let hook = api.ports.hooks.find(&hash_secret(&token)).await?.ok_or_else(nothing)?;
    let account = api.account(&hook.account).await?;
    api.spend(&account, 1)?;
    let head = incoming::head(&request);
    let payload = Payload::foreign(request, Limit::Picture("screenshot")).await?;
    let incoming = Incoming::new(head, payload);
    let report = read(&incoming, &hook, &account)?;
    let now = api.ports.clock.now();
    let given = incoming.payload.idempotency_key(&account.id, ROUTE, now);
    let key = given.or_else(|| report.has_identity.then(|| incoming.payload.own_key(&account.id, ROUTE, now)));
    let key = key.map(|key| IdempotencyKey { key: format!("{}/{}", hook.name, key.key), ..key });
    let draft = report.draft(&hook)?;
    Ok(Json(accept(&api.ports, &account.id, draft, Wanted::Hook, key).await?))
}

/// A look at a path is no report: the router would take it for a GET without an answer.
pub(crate) async fn refuse() -> Refused {
    Refused(Problem::new(Code::MethodNotAllowed, "this path takes GET and POST"))
}

pub(crate) fn read(incoming: &Incoming, hook: &Hook, account: &Account) -> Result<Report, Problem> {
    match hook.kind {
        HookKind::Bettergi => bettergi::read(incoming, hook, account),
        HookKind::Sqle => sqle::read(incoming, hook, account),
        HookKind::Qd => qd::read(incoming, account),
        HookKind::Generic => generic::read(incoming, account),
    }
}

#[cfg(test)]
mod tests {
    use bellhop_core::{
        Timestamp,
        model::{AccountId, Defaults, Name},
    };
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// A hook of that kind, with nothing said.
    pub(super) fn hook(kind: HookKind) -> Hook {
        Hook {
            account: AccountId::parse("main").unwrap(),
            name: Name::parse("h").unwrap(),
            kind,
            hash: String::new(),
            defaults: Defaults::default(),
            recipients: Vec::new(),
            link_base_url: None,
            report_hash: None,
            made_under: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// An account in Shanghai that reads Chinese.
    pub(super) fn account() -> Account {
        let id = AccountId::parse("main").unwrap();
        Account { time_zone: "Asia/Shanghai".into(), locale: "zh-CN".into(), ..Account::new(id) }
    }

    /// JSON of the fields that the readers look for, with anything in them.
    fn some_fields() -> impl Strategy<Value = Vec<u8>> {
        let names =
            "(event|action|payload|workflow|timestamp|t|log|title|message|result|screenshot|send_to|to_group|data|url|final)";
        let leaf = prop_oneof!["\\PC{0,8}".prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
        let value = leaf.prop_recursive(3, 24, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(names, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        let fields = prop::collection::btree_map(names, value, 0..10);
        fields.prop_map(|map| Value::Object(map.into_iter().collect()).to_string().into_bytes())
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_report_without_a_text_is_taken(
            bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), some_fields()],
            query in "[a-z=&%0-9]{0,30}",
            media in prop::option::of("(application|text)/(json|plain|x-www-form-urlencoded|xml)"),
            kind in prop_oneof![Just(HookKind::Bettergi), Just(HookKind::Sqle), Just(HookKind::Qd), Just(HookKind::Generic)],
        ) {
            let incoming = Incoming::made_of(&query, media.as_deref(), bytes);
            let hook = Hook { link_base_url: Some("https://example.org".into()), ..hook(kind) };
            if let Ok(draft) = read(&incoming, &hook, &account()).and_then(|report| report.draft(&hook)) {
                prop_assert!(!draft.message.trim().is_empty());
            }
        }
    }
}
