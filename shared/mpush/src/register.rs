//! A client that connects is a registration: made when it first comes, and known by its name from then on.

use std::sync::Arc;

use bellhop_core::{
    channel::Params,
    model::{Account, ChannelId, Name, Registration},
    ports::Freshness,
};
use serde_json::{Map, Value};

use crate::{Mpush, Refusal};

/// The channel of clients.
const CHANNEL: &str = "mpush";

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
                    let spec = ports.channels.require(&channel)?;
                    let params = Params::parse(spec, Map::from_iter([("method".to_owned(), Value::from("socket"))]))?;
                    let fresh = Registration::unsaved(account.id.clone(), name.clone(), channel, params, now);
                    Registration { groups: groups.clone(), ..fresh }
                }
                Some(stored) if !self.is_live(&stored) => {
                    return Err(Refusal::forbidden(format!("The name [{name}] is already used")));
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

    fn is_live(&self, registration: &Registration) -> bool {
        let spec = self.api.ports.channels.get(registration.channel.as_str());
        spec.is_some_and(|spec| spec.is_live(&registration.params))
    }
}
