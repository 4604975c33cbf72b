//! What the operator decides about the way out, and how it is written on a command line.

use std::{net::SocketAddr, time::Duration};

use url::Host;

use crate::Cidr;

/// The operator's word about the way out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Private networks that tenants may reach all the same.
    pub allow_private: Vec<Cidr>,
    /// Host names with the address to dial for them, without judgement: the operator says so. The port is used where a
    /// URL names none, and for mail always.
    pub resolve: Vec<(String, SocketAddr)>,
    /// Certificates to trust besides those of the system, each entry a PEM file.
    pub extra_ca: Vec<Vec<u8>>,
    /// How long a connection may take to come about: name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long a request may take altogether, the answer's body included.
    pub total_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            resolve: Vec::new(),
            extra_ca: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(25),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a network.
    #[error("`{text}` is not a network: {why}; write it like `10.0.0.0/8`")]
    Cidr {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not a host name with an address.
    #[error("`{text}` is not a host name with an address: {why}; write it like `api.telegram.org=127.0.0.1:8443`")]
    Resolve {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A CA file that holds none.
    #[error("extra CA file number {number} holds no PEM certificate; give files with `-----BEGIN CERTIFICATE-----`")]
    Certificate {
        /// Which one, counted from 1.
        number: usize,
    },
    /// TLS could not be set up.
    #[error("the HTTP client cannot be set up: {0}; see that CA certificates are installed and those given are valid")]
    Client(String),
}

/// Reads `api.telegram.org=127.0.0.1:8443`.
pub fn parse_resolve(text: &str) -> Result<(String, SocketAddr), SettingsError> {
    let error = |why| SettingsError::Resolve { text: text.to_owned(), why };
    let (host, address) = text.split_once('=').ok_or_else(|| error("it has no `=`"))?;
    let address = address.trim().parse().map_err(|_| error("after the `=` there is no `address:port`"))?;
    match Host::parse(host.trim()) {
        Ok(Host::Domain(name)) => Ok((name, address)),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err(error("an address is dialled as it is; name a host")),
        Err(_) => Err(error("before the `=` there is no host name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_its_address_is_read() {
        let address = "127.0.0.1:8443".parse().unwrap();
        assert_eq!(parse_resolve("api.telegram.org=127.0.0.1:8443"), Ok(("api.telegram.org".to_owned(), address)));
        assert_eq!(parse_resolve("Bücher.example=[::1]:1").unwrap().0, "xn--bcher-kva.example", "as URLs have it");
    }

    #[test]
    fn what_is_no_host_with_an_address_is_refused_with_the_reason() {
        let why = |text: &str| parse_resolve(text).unwrap_err().to_string();
        assert!(why("api.telegram.org").contains("it has no `=`"));
        assert!(why("api.telegram.org=127.0.0.1").contains("there is no `address:port`"));
        assert!(why("1.2.3.4=127.0.0.1:80").contains("name a host"));
        assert!(why("a b=127.0.0.1:80").contains("there is no host name"));
    }
}
