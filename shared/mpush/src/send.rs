//! A message to a name, or to all of a group, and what became of it.

use std::{sync::Arc, time::Duration};

use bellhop_core::{
    Code, Problem, StoreError,
    accept::{Answer, Wanted, accept},
    model::{Account, Draft, EventId, Method, Mid, Name, Origin, Recipient, SendType, WAY},
    ports::Freshness,
    view,
};
use bellhop_http::wait;
use serde_json::{Map, Value, json};

use crate::{
    Command, Mpush, Refusal,
    status::{Status, Statuses, Way, Ways},
};

/// What is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// To how many.
    pub send_type: SendType,
    /// To whom.
    pub target: String,
    /// One line.
    pub text: String,
    /// The text below it.
    pub desp: String,
    /// Whatever else the client is told.
    pub extra: Map<String, Value>,
    /// By which way it came.
    pub method: Method,
    /// Who sends it, if that is known.
    pub name: String,
}

impl Call {
    /// From a packet MESSAGE.
    pub(crate) fn of(command: &Command, method: Method, name: &str) -> Result<Self, Refusal> {
        let send_type = match command.text("sendType") {
            Some("personal") => SendType::Personal,
            Some("group") => SendType::Group,
            _ => return Err(Refusal::info("sendType property must 'personal' or 'group'")),
        };
        let target = command.text("target").ok_or_else(|| Refusal::info("target property is required"))?.to_owned();
        let message = command.data.get("message").and_then(Value::as_object);
        let text = |name: &str| match message.and_then(|message| message.get(name)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let extra = message.and_then(|message| message.get("extra")).and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self { send_type, target, text: text("text"), desp: text("desp"), extra, method, name: name.to_owned() })
    }

    fn draft(self, name: Name) -> Draft {
        let Self { send_type, target, text, desp, extra, method, name: from } = self;
        let recipient = match send_type {
            SendType::Personal => Recipient::Registration(name),
            SendType::Group => Recipient::Group(name),
        };
        Draft {
            title: Some(text).filter(|text| !text.is_empty()),
            data: Some(Value::Object(extra)).filter(|extra| *extra != json!({})),
            send_to: vec![recipient],
            origin: Some(Origin { send_type, target, method, name: from }),
            ..Draft::new(desp)
        }
    }
}

/// A message that was taken, and whose statuses are not known yet.
pub struct Pending {
    mpush: Mpush,
    account: Arc<Account>,
    mid: Mid,
    event: Option<EventId>,
    known: Statuses,
    ways: Arc<Ways>,
}

impl Mpush {
    /// Takes a message. When this returns, it is kept; nobody has waited for it.
    pub async fn send(&self, account: Arc<Account>, call: Call) -> Result<Pending, Refusal> {
        self.api.spend(&account, 1)?;
        let ports = &self.api.ports;
        let (send_type, target) = (call.send_type, call.target.clone());
        let nobody = || match send_type {
            SendType::Personal => Statuses(vec![(target.clone(), Status::No)]),
            SendType::Group => Statuses::default(),
        };
        let pending = |mid, event, known, ways| Pending {
            mpush: self.clone(),
            account: Arc::clone(&account),
            mid,
            event,
            known,
            ways: Arc::new(ways),
        };
        let now = Mid::at(ports.clock.now());
        let Ok(name) = Name::parse(&call.target) else { return Ok(pending(now, None, nobody(), Ways::new())) };
        match accept(ports, &account.id, call.draft(name), Wanted::Message, None).await {
            Ok(answer) => {
                let dropped = if answer.deliveries.is_empty() { nobody() } else { Statuses::default() };
                let ways = self.ways(&account, &answer).await?;
                Ok(pending(answer.mid.unwrap_or(now), Some(answer.event), dropped, ways))
            }
            Err(Problem { code: Code::UnknownRecipient, .. }) => Ok(pending(now, None, nobody(), Ways::new())),
            Err(problem) => Err(problem.into()),
        }
    }

    /// How those are told to whom it goes.
    async fn ways(&self, account: &Account, answer: &Answer) -> Result<Ways, StoreError> {
        let ports = &self.api.ports;
        let mut ways = Ways::new();
        for delivery in &answer.deliveries {
            let Some(spec) = ports.channels.get(delivery.channel.as_str()).filter(|spec| spec.client.is_some()) else { continue };
            let found = ports.registrations.get(&account.id, &delivery.registration, Freshness::Cached).await?;
            let Some(registration) = found else { continue };
            let by_push = spec.id == "web_push" || registration.params.text(WAY) == Some("web_push");
            if by_push {
                ways.insert(delivery.registration.clone(), Way::Push);
            } else if spec.is_live(&registration.params) {
                ways.insert(delivery.registration.clone(), Way::Socket);
            }
        }
        Ok(ways)
    }
}

impl Pending {
    /// The packet `MESSAGE_REPLY`: as soon as everybody has it or will never have it, at the latest when the account's time is
    /// over.
    pub async fn reply(self) -> Value {
        let Self { mpush, account, mid, event, known, ways } = self;
        let statuses = match event {
            None => known,
            Some(event) => {
                let look = || {
                    let (ports, account, known) = (Arc::clone(&mpush.api.ports), account.id.clone(), known.clone());
                    let ways = Arc::clone(&ways);
                    async move {
                        let stored = ports.events.get(&account, event).await.ok()??;
                        let views = view::of_event(&ports, &stored).await.ok()?;
                        Some(if views.is_empty() { known } else { Statuses::of(&views, &ways) })
                    }
                };
                let limit = Duration::from_millis(u64::from(account.mpush.wait_timeout_ms));
                let first = look().await.unwrap_or_default();
                wait::until(&mpush.api, event, limit, first, Statuses::are_settled, look).await
            }
        };
        json!({ "cmd": "MESSAGE_REPLY", "data": { "mid": mid, "status": statuses.to_json() } })
    }
}
