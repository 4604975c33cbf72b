//! Ways in for `cargo fuzz`, which alone sets `cfg(fuzzing)`: what is parsed before anything is kept.

use bellhop_core::{
    Timestamp,
    model::{Account, AccountId, Defaults, Hook, HookKind, Name},
};
use bellhop_http::{
    body::{Limit, Payload},
    event::EventBody,
    message::MessageBody,
};

use crate::hooks::{self, Incoming};

fn account() -> Account {
    let id = AccountId::parse("main").expect("a name");
    Account { time_zone: "Asia/Shanghai".into(), locale: "zh-CN".into(), ..Account::new(id) }
}

/// Any bytes as an event.
pub fn event(bytes: &[u8]) {
    let payload = Payload::of(bytes.to_vec(), Limit::Picture("screenshot"));
    if let Ok(draft) = payload.parse::<EventBody>().and_then(|body| body.draft(&account())) {
        assert!(!draft.message.trim().is_empty());
    }
}

/// Any bytes as a message.
pub fn message(bytes: &[u8]) {
    let payload = Payload::of(bytes.to_vec(), Limit::Picture("screenshot"));
    if let Ok((draft, wait)) = payload.parse::<MessageBody>().and_then(MessageBody::draft) {
        assert!(!draft.send_to.is_empty() && wait.as_secs() <= 25);
    }
}

/// Any request to a hook of one of the kinds, its body said to be of one of the types.
pub fn report(kind: usize, media: usize, query: &str, bytes: &[u8]) {
    const KINDS: [HookKind; 4] = [HookKind::Bettergi, HookKind::Sqle, HookKind::Qd, HookKind::Generic];
    const MEDIA: [Option<&str>; 4] =
        [None, Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain")];
    let hook = Hook {
        account: account().id,
        name: Name::parse("h").expect("a name"),
        kind: KINDS[kind % KINDS.len()],
        hash: String::new(),
        defaults: Defaults::default(),
        recipients: Vec::new(),
        link_base_url: Some("https://example.org".into()),
        report_hash: None,
        made_under: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    let incoming = Incoming::made_of(query, MEDIA[media % MEDIA.len()], bytes);
    if let Ok(draft) = hooks::read(&incoming, &hook, &account()).and_then(|report| report.draft(&hook)) {
        assert!(!draft.message.trim().is_empty());
    }
}
