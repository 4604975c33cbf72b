//! From a host to the addresses that may be dialled for it.
//!
//! Promise: no address leaves this module that was not judged, or named by the operator. What is dialled is what was
//! judged, so a name that answers differently the next time (DNS rebinding) gains nothing. `dial(host, port)` for other
//! protocols is: [`Resolver::targets`], then connect to one of them.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Guard;

/// Why there is nothing to dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAddress {
    /// The name has none.
    #[error("the host name has no address")]
    Unknown,
    /// All that it has are denied.
    #[error("the address may not be dialled from here")]
    Blocked,
}

/// Asks for a name's addresses.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    /// All of them, unjudged.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's way.
pub(crate) struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Knows what to dial for a host. Clones share everything.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Parts>);

struct Parts {
    guard: Guard,
    fixed: HashMap<String, SocketAddr>,
    lookup: Box<dyn Lookup>,
}

impl Resolver {
    pub(crate) fn new(guard: Guard, fixed: Vec<(String, SocketAddr)>, lookup: Box<dyn Lookup>) -> Self {
        let fixed = fixed.into_iter().map(|(name, address)| (bare(&name), address)).collect();
        Self(Arc::new(Parts { guard, fixed, lookup }))
    }

    /// What may be dialled for that host, at least one; port 0 stands for the asker's own.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, NoAddress> {
        if let Some(address) = literal(host) {
            return self.judged(vec![address]);
        }
        if let Some(address) = self.0.fixed.get(&bare(host)) {
            return Ok(vec![*address]);
        }
        let found = self.0.lookup.lookup(host).await.map_err(|_| NoAddress::Unknown)?;
        self.judged(found)
    }

    /// The same for a protocol whose own port is known.
    pub(crate) async fn targets(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
        let mut addresses = self.addresses(host).await?;
        for address in addresses.iter_mut().filter(|address| address.port() == 0) {
            address.set_port(port);
        }
        Ok(addresses)
    }

    /// Judges a host that is an address; names pass. HTTP clients dial addresses without asking a resolver.
    pub(crate) fn judge_literal(&self, host: &str) -> Result<(), NoAddress> {
        literal(host).map_or(Ok(()), |address| self.judged(vec![address]).map(drop))
    }

    fn judged(&self, found: Vec<IpAddr>) -> Result<Vec<SocketAddr>, NoAddress> {
        if found.is_empty() {
            return Err(NoAddress::Unknown);
        }
        let allowed = found.into_iter().filter(|address| self.0.guard.allows(*address));
        let allowed: Vec<_> = allowed.map(|address| SocketAddr::new(address, 0)).collect();
        if allowed.is_empty() { Err(NoAddress::Blocked) } else { Ok(allowed) }
    }
}

/// A name without what makes no difference.
fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The address that a host is, if it is one: `127.0.0.1`, `127.0.0.1.`, `[::1]`. The numeric forms (`2130706433`) have
/// been turned into these by the URL parser; where one got past it, the lookup understands it, and judges.
fn literal(host: &str) -> Option<IpAddr> {
    let unwrapped = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    unwrapped.strip_suffix('.').unwrap_or(unwrapped).parse().ok()
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses: Addrs = Box::new(resolver.addresses(name.as_str()).await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name has these addresses.
    struct Always(Vec<IpAddr>);

    #[async_trait]
    impl Lookup for Always {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    fn resolver(found: &[&str]) -> Resolver {
        let fixed = vec![("Fixed.Example.".to_owned(), "127.0.0.1:8443".parse().unwrap())];
        let found = found.iter().map(|address| address.parse().unwrap()).collect();
        Resolver::new(Guard::default(), fixed, Box::new(Always(found)))
    }

    #[tokio::test]
    async fn only_the_allowed_ones_of_a_names_addresses_are_handed_out() {
        let addresses = resolver(&["10.0.0.1", "1.1.1.1", "::1"]).addresses("mixed.example").await;
        assert_eq!(addresses, Ok(vec!["1.1.1.1:0".parse().unwrap()]));
    }

    #[tokio::test]
    async fn a_name_with_nothing_but_private_addresses_is_blocked() {
        assert_eq!(resolver(&["10.0.0.1", "::1"]).addresses("inside.example").await, Err(NoAddress::Blocked));
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_unknown() {
        assert_eq!(resolver(&[]).addresses("nowhere.example").await, Err(NoAddress::Unknown));
    }

    #[tokio::test]
    async fn what_the_operator_named_is_not_judged() {
        for host in ["fixed.example", "FIXED.example", "fixed.example."] {
            assert_eq!(resolver(&[]).addresses(host).await, Ok(vec!["127.0.0.1:8443".parse().unwrap()]), "{host}");
        }
    }

    #[tokio::test]
    async fn an_address_is_judged_in_every_form_that_is_dialled_without_a_lookup() {
        let resolver = resolver(&["1.1.1.1"]);
        for host in ["127.0.0.1", "127.0.0.1.", "[::1]", "::1", "[::ffff:127.0.0.1]"] {
            assert_eq!(resolver.judge_literal(host), Err(NoAddress::Blocked), "{host}");
            assert_eq!(resolver.addresses(host).await, Err(NoAddress::Blocked), "{host}");
        }
        assert_eq!(resolver.judge_literal("localhost"), Ok(()), "names are judged when they are looked up");
    }

    #[tokio::test]
    async fn the_system_turns_numbers_into_addresses_and_they_are_judged() {
        let resolver = Resolver::new(Guard::default(), Vec::new(), Box::new(System));
        assert_eq!(resolver.addresses("localhost").await, Err(NoAddress::Blocked));
        assert_eq!(resolver.addresses("2130706433").await, Err(NoAddress::Blocked));
    }
}
