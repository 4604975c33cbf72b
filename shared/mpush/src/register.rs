//! A client that connects is a registration: made when it first comes, and known by its name from then on.

use std::sync::Arc;

use bellhop_core::{
    Reason,
    channel::Params,
    model::{Account, AccountId, ChannelId, Name, Registration, WAY},
    ports::Freshness,
    quota::has_room_for_registration,
};
use serde_json::{Map, Value};

use crate::{Command, Mpush, Refusal};

/// The channel of clients.
const CHANNEL: &str = "mpush";

/// A client's subscription to Web Push, among its parameters.
const SUBSCRIPTION: [&str; 3] = ["endpoint", "p256dh", "auth"];

/// How often a registration is saved again that others save at the same time.
const MOST_TRIES: usize = 8;

impl Mpush {
    /// The registration of a client that connects under that name, in that group. A name that is something else is not given
    /// away.
    pub(crate) async fn registered(
        &self,
        account: &Account,
        name: &Name,
        group: Option<&Name>,
    ) -> Result<Arc<Registration>, Refusal> {
        let ports = &self.api.ports;
        let groups: Vec<_> = group.cloned().into_iter().collect();
        for _ in 0..MOST_TRIES {
            let stored = ports.registrations.get(&account.id, name, Freshness::Fresh).await?;
            let now = ports.clock.now();
            let wanted = match stored {
                None => {
                    let channel = ChannelId::new(CHANNEL);
                    has_room_for_registration(ports, &account.id, &channel).await?;
                    let spec = ports.channels.require(&channel)?;
                    let params = Params::parse(spec, Map::from_iter([(WAY.to_owned(), Value::from("socket"))]))?;
                    let fresh = Registration::unsaved(account.id.clone(), name.clone(), channel, params, now);
                    Registration { groups: groups.clone(), ..fresh }
                }
                Some(stored) if !self.is_live(&stored) => {
                    return Err(Refusal::forbidden(format!("The name [{name}] is already used")));
                }
                Some(stored) if is_given_up(&stored) => {
                    let spec = ports.channels.require(&stored.channel)?;
                    let mut params = stored.params.expose().clone();
                    params.retain(|name, _| !SUBSCRIPTION.contains(&name.as_str()));
                    let (params, version) = (Params::parse(spec, params)?, stored.version + 1);
                    let groups = if groups.is_empty() { stored.groups.clone() } else { groups.clone() };
                    let fresh = Registration { params, groups, version, updated_at: now, ..Registration::clone(&stored) };
                    Registration { disabled: None, ..fresh }
                }
                Some(stored) if !stored.is_open() => {
                    return Err(Refusal::forbidden(format!("The name [{name}] is switched off")));
                }
                Some(stored) if groups.is_empty() || stored.groups.contains(&groups[0]) => return Ok(stored),
                Some(stored) => {
                    let version = stored.version + 1;
                    Registration { groups: groups.clone(), version, updated_at: now, ..Registration::clone(&stored) }
                }
            };
            if ports.registrations.put(&wanted).await? {
                return Ok(Arc::new(wanted));
            }
        }
        Err(Refusal::info("the registration of this name is being changed; try again"))
    }

    /// Keeps the client's subscription to Web Push, by which it is told while it is not connected.
    pub(crate) async fn subscribed(&self, account: &AccountId, name: &Name, packet: &Command) -> Result<(), Refusal> {
        let ports = &self.api.ports;
        let key = |name: &str| packet.data.get("keys").and_then(|keys| keys.get(name)).and_then(Value::as_str);
        let (Some(endpoint), Some(p256dh), Some(auth)) = (packet.text("endpoint"), key("p256dh"), key("auth")) else {
            return match packet.text("token") {
                Some(_) => Err(Refusal::info("FCM's tokens are no longer taken: subscribe to Web Push")),
                // what a page sends besides its subscription
                None if packet.cmd == "REGISTER_FCM" => Ok(()),
                None => Err(Refusal::info("endpoint and keys properties are required")),
            };
        };
        for _ in 0..MOST_TRIES {
            let stored = ports.registrations.get(account, name, Freshness::Fresh).await?;
            let Some(stored) = stored.filter(|stored| self.is_live(stored)) else {
                return Err(Refusal::info(format!("there is no client `{name}` any more")));
            };
            let mut params = stored.params.expose().clone();
            params.extend(SUBSCRIPTION.map(str::to_owned).into_iter().zip([endpoint, p256dh, auth].map(Value::from)));
            let spec = ports.channels.require(&stored.channel)?;
            let params = Params::parse(spec, params)?;
            (spec.check)(&params)?;
            if params == stored.params {
                return Ok(());
            }
            let version = stored.version + 1;
            let wanted = Registration { params, version, updated_at: ports.clock.now(), ..Registration::clone(&stored) };
            if ports.registrations.put(&wanted).await? {
                return Ok(());
            }
        }
        Err(Refusal::info("the registration of this name is being changed; try again"))
    }

    fn is_live(&self, registration: &Registration) -> bool {
        let spec = self.api.ports.channels.get(registration.channel.as_str());
        spec.is_some_and(|spec| spec.is_live(&registration.params))
    }
}

/// Whether it was switched off since its push service knows its subscription no more, which a client outlives that is there.
fn is_given_up(registration: &Registration) -> bool {
    registration.enabled && registration.disabled.as_ref().is_some_and(|disabled| disabled.reason == Reason::Gone)
}
