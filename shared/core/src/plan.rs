//! Who is to hear of an event. Pure: the registrations that its recipients stand for are looked up before.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    Reason, Timestamp,
    model::{Address, ChannelId, DeliveryId, Event, EventId, Job, Name, Recipient, Registration},
    rules::Decision,
};

/// What is to happen with an event. Stored with it, and never made again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Who gets it, at once.
    #[serde(default)]
    pub deliveries: Vec<Planned>,
    /// Which rules keep it for a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collected: Vec<Collected>,
    /// Who does not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
    /// What each rule that looked at it decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
}

/// One delivery that is to be. Its id follows from the event's and from what stands here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Planned {
    /// Where.
    pub registration: Name,
    /// How.
    pub channel: ChannelId,
    /// To whom, on channels that serve many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

impl Planned {
    /// The id of this delivery of that event.
    pub fn id(&self, event: EventId) -> DeliveryId {
        DeliveryId::new(event, &self.registration, self.address.as_ref())
    }

    /// The first wake-up of this delivery.
    pub fn job(&self, event: &Arc<Event>) -> Job {
        Job {
            delivery: self.id(event.id),
            n: 1,
            registration: self.registration.clone(),
            channel: self.channel.clone(),
            address: self.address.clone(),
            event: Arc::clone(event),
        }
    }
}

/// A rule that keeps the event for its next digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Which.
    pub rule: Name,
    /// When that digest is due.
    pub due_at: Timestamp,
    /// It is told of at once, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// Each whom the event names has a digest of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_each: bool,
}

/// A recipient that gets nothing, or a rule that tells nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dropped {
    /// Somebody who would have been reached.
    Registration {
        /// Which.
        registration: Name,
        /// Why.
        why: Reason,
    },
    /// Somebody whom a rule or another system names, and who is not there, or one too many.
    Recipient {
        /// Who.
        recipient: Recipient,
        /// Which rule; none if it was the event itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Name>,
        /// Why.
        why: Reason,
    },
    /// A rule that looked at the event, and tells nobody of it.
    Rule {
        /// Which.
        rule: Name,
        /// Why.
        why: Reason,
        /// How many failures in a row there were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// How many it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed: Option<u32>,
        /// The rule's counter could not be asked: this run was not counted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        count_approximate: bool,
    },
}

/// A registration that a recipient stands for, and the address to use there.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where.
    pub registration: Arc<Registration>,
    /// To whom, on channels that serve many.
    pub address: Option<Address>,
}

impl Target {
    /// Which of an event's deliveries goes there: [`DeliveryId::tail`].
    pub fn tail(&self, event: EventId) -> u64 {
        DeliveryId::new(event, &self.registration.name, self.address.as_ref()).tail
    }
}

/// One delivery per registration and address, however often it is named; none to what is switched off, or on a channel that
/// nobody would send it by, of which `is_open` says nothing.
pub fn plan(targets: &[Target], is_open: impl Fn(&Registration) -> Option<bool>) -> Plan {
    let mut seen = HashSet::new();
    let mut plan = Plan::default();
    for Target { registration, address } in targets {
        let planned =
            Planned { registration: registration.name.clone(), channel: registration.channel.clone(), address: address.clone() };
        if !seen.insert(planned.clone()) {
            continue;
        }
        let mut drop = |why| plan.dropped.push(Dropped::Registration { registration: registration.name.clone(), why });
        match is_open(registration) {
            Some(true) => plan.deliveries.push(planned),
            None if registration.is_open() => drop(Reason::ChannelNotDeployed),
            Some(false) | None => drop(Reason::RegistrationDisabled),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        channel::Params,
        model::{AccountId, Serves},
    };

    fn target(name: &str, address: Option<&str>, enabled: bool) -> Target {
        let registration = Registration {
            account: AccountId::parse("main").unwrap(),
            name: Name::parse(name).unwrap(),
            channel: ChannelId::new("webhook"),
            params: Params::default(),
            groups: Vec::new(),
            enabled,
            default: false,
            serves: Serves::One,
            description: None,
            version: 1,
            disabled: None,
            paused_until: None,
            timeouts: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        Target { registration: Arc::new(registration), address: address.map(|text| text.parse().unwrap()) }
    }

    proptest! {
        #[test]
        fn nothing_is_ever_planned_twice(names in prop::collection::vec(("[abc]", prop::option::of("email:[ab]")), 0..30)) {
            let targets: Vec<_> = names.iter().map(|(name, address)| target(name, address.as_deref(), true)).collect();
            let plan = plan(&targets, |registration| Some(registration.is_open()));
            let wanted: HashSet<_> = names.into_iter().collect();
            let ids: HashSet<_> = plan.deliveries.iter().map(|planned| planned.id(EventId(1))).collect();
            prop_assert_eq!(ids.len(), plan.deliveries.len());
            prop_assert_eq!(ids.len(), wanted.len());
        }
    }

    #[test]
    fn what_is_switched_off_gets_nothing_and_the_plan_says_so() {
        let plan = plan(&[target("on", None, true), target("off", None, false), target("off", None, false)], |registration| {
            Some(registration.is_open())
        });
        assert_eq!(plan.deliveries.len(), 1);
        let off = Dropped::Registration { registration: Name::parse("off").unwrap(), why: Reason::RegistrationDisabled };
        assert_eq!(plan.dropped, [off]);
    }

    #[test]
    fn what_nobody_would_send_is_not_queued_and_the_plan_says_so() {
        let plan = plan(&[target("phone", None, true)], |_| None);
        let dropped = Dropped::Registration { registration: Name::parse("phone").unwrap(), why: Reason::ChannelNotDeployed };
        assert_eq!((plan.deliveries.len(), plan.dropped), (0, vec![dropped]));
    }
}
