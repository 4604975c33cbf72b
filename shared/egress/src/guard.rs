//! Which addresses a tenant may reach: a pure judgement, on the address that is dialled and never on a name.
//!
//! Promise: IPv4 inside IPv6 is judged as the IPv4 address it is; the forms that hide one behind a translator (NAT64,
//! 6to4, the old `::a.b.c.d`) are denied whole. Left to others: to ask before every connection ([`crate::resolve`]).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use crate::SettingsError;

/// A network such as `10.0.0.0/8`. A bare address is the network of that address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    const fn v4(network: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = network;
        Self { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    /// By its first three groups: no network of ours needs more.
    const fn v6(network: [u16; 3], prefix: u8) -> Self {
        let [a, b, c] = network;
        Self { network: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether the address lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        let common_bits = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits()).leading_zeros(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        common_bits >= u32::from(self.prefix)
    }

    /// Several, with commas between them: `10.0.0.0/8,127.0.0.0/8`.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, SettingsError> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
    }
}

impl FromStr for Cidr {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let error = |why| SettingsError::Cidr { text: text.to_owned(), why };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| error("it is not an IP address"))?;
        if network.to_canonical() != network {
            return Err(error("write an IPv4 network as IPv4"));
        }
        let (bits, host_bits) = match network {
            IpAddr::V4(v4) => (32, v4.to_bits().trailing_zeros()),
            IpAddr::V6(v6) => (128, v6.to_bits().trailing_zeros()),
        };
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| error("the prefix is not a number")))?;
        if prefix > bits {
            return Err(error("the prefix is longer than the address"));
        }
        if host_bits < u32::from(bits - prefix) {
            return Err(error("the address has bits beyond the prefix"));
        }
        Ok(Self { network, prefix })
    }
}

/// What is not the public internet.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
const DENIED_V4: [Cidr; 16] = [
    Cidr::v4([0, 0, 0, 0], 8),     // this network
    Cidr::v4([10, 0, 0, 0], 8),    // private
    Cidr::v4([100, 64, 0, 0], 10), // carrier-grade NAT
    Cidr::v4([127, 0, 0, 0], 8),   // loopback, Lambda's runtime API
    // Azure's services for its own machines, at an address that is public by its number alone
    // <https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16>
    Cidr::v4([168, 63, 129, 16], 32),
    Cidr::v4([169, 254, 0, 0], 16),  // link-local, cloud metadata
    Cidr::v4([172, 16, 0, 0], 12),   // private
    Cidr::v4([192, 0, 0, 0], 24),    // protocol assignments
    Cidr::v4([192, 0, 2, 0], 24),    // documentation
    Cidr::v4([192, 88, 99, 0], 24),  // 6to4 relays
    Cidr::v4([192, 168, 0, 0], 16),  // private
    Cidr::v4([198, 18, 0, 0], 15),   // benchmarks
    Cidr::v4([198, 51, 100, 0], 24), // documentation
    Cidr::v4([203, 0, 113, 0], 24),  // documentation
    Cidr::v4([224, 0, 0, 0], 4),     // multicast
    Cidr::v4([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
const DENIED_V6: [Cidr; 12] = [
    Cidr::v6([0, 0, 0], 64), // unspecified, loopback, and IPv4 that was once written so (RFC 4291, 2.5.5.1; RFC 2765, 2.1)
    Cidr::v6([0x64, 0xff9b, 0], 96), // NAT64
    Cidr::v6([0x64, 0xff9b, 1], 48), // NAT64, local use
    Cidr::v6([0x100, 0, 0], 64), // discard
    Cidr::v6([0x2001, 0xdb8, 0], 32), // documentation
    Cidr::v6([0x2001, 0, 0], 32), // Teredo
    Cidr::v6([0x2002, 0, 0], 16), // 6to4
    Cidr::v6([0x3fff, 0, 0], 20), // documentation
    Cidr::v6([0x5f00, 0, 0], 16), // segment routing
    Cidr::v6([0xfc00, 0, 0], 7), // unique local
    Cidr::v6([0xfe80, 0, 0], 9), // link-local, and what was site-local
    Cidr::v6([0xff00, 0, 0], 8), // multicast
];

/// The judge: everything public, and what the operator allowed.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<Cidr>,
}

impl Guard {
    /// A judge that also lets these networks pass.
    pub fn new(allowed: Vec<Cidr>) -> Self {
        Self { allowed }
    }

    /// Whether that address may be dialled.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |networks: &[Cidr]| networks.iter().any(|network| network.contains(address));
        within(&self.allowed) || !(within(&DENIED_V4) || within(&DENIED_V6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        Guard::default().allows(address.parse().unwrap())
    }

    #[test]
    fn known_addresses_are_judged_as_they_should_be() {
        let denied = [
            "10.254.0.0",
            "172.16.10.65",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "224.1.2.3",
            "192.0.2.255",
            "203.0.113.6",
            "198.18.0.0",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "2001:db8::1",
            "fe80::dead:beef",
            "fdee:3a45:9057::1",
            "2002:c000:204::dead:beef",
            "ff02::1",
        ];
        let allowed = ["100.128.0.1", "1.1.1.1", "2001:4860:4860::8888"];
        assert_eq!(denied.into_iter().filter(|address| allows(address)).collect::<Vec<_>>(), Vec::<&str>::new());
        assert_eq!(allowed.into_iter().filter(|address| !allows(address)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn each_denied_range_ends_where_it_ends() {
        // The last address before, the first and the last within, the first after; `None` = the neighbour is denied too.
        type Row = (Option<&'static str>, &'static str, &'static str, Option<&'static str>);
        let ranges: [Row; 27] = [
            (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
            (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
            (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
            (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
            (Some("168.63.129.15"), "168.63.129.16", "168.63.129.16", Some("168.63.129.17")),
            (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
            (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
            (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
            (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
            (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
            (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
            (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
            (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
            (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
            (Some("223.255.255.255"), "224.0.0.0", "239.255.255.255", None),
            (None, "240.0.0.0", "255.255.255.255", None),
            (None, "::", "::ffff:ffff:ffff:ffff", Some("0:0:0:1::")),
            (Some("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff"), "64:ff9b::", "64:ff9b::ffff:ffff", Some("64:ff9b::1:0:0")),
            (
                Some("64:ff9b:0:ffff:ffff:ffff:ffff:ffff"),
                "64:ff9b:1::",
                "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
                Some("64:ff9b:2::"),
            ),
            (Some("ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "100::", "100::ffff:ffff:ffff:ffff", Some("100:0:0:1::")),
            (
                Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:db9::"),
            ),
            (
                Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2003::"),
            ),
            (
                Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("3fff:1000::"),
            ),
            (
                Some("5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "5f00::",
                "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("5f01::"),
            ),
            (
                Some("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "fc00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("fe00::"),
            ),
            (Some("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
            (None, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ];
        for (before, first, last, after) in ranges {
            assert!(!allows(first), "`{first}` is the first of its range");
            assert!(!allows(last), "`{last}` is the last of its range");
            assert!(before.is_none_or(allows), "{before:?} lies before `{first}`");
            assert!(after.is_none_or(allows), "{after:?} lies after `{last}`");
        }
    }

    #[test]
    fn a_mapped_address_is_judged_as_the_ipv4_address_it_is() {
        assert!(!allows("::ffff:10.0.0.1"));
        assert!(!allows("::ffff:a9fe:a9fe"));
        assert!(allows("::ffff:1.1.1.1"));
    }

    #[test]
    fn what_the_operator_allows_passes_and_nothing_else() {
        let guard = Guard::new(Cidr::parse_list("10.0.0.0/8, 127.0.0.1,fd00::/8").unwrap());
        let verdicts = ["10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd12::1", "127.0.0.2", "192.168.0.1", "fc00::1"]
            .map(|address| guard.allows(address.parse().unwrap()));
        assert_eq!(verdicts, [true, true, true, true, false, false, false]);
    }

    #[test]
    fn a_network_of_length_zero_is_everything() {
        let everything: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("255.255.255.255".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()), "of its own family");
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_the_reason() {
        let why = |text: &str| text.parse::<Cidr>().unwrap_err().to_string();
        assert!(why("localhost/8").contains("it is not an IP address"));
        assert!(why("10.0.0.0/x").contains("the prefix is not a number"));
        assert!(why("10.0.0.0/33").contains("the prefix is longer than the address"));
        assert!(why("10.0.0.1/8").contains("the address has bits beyond the prefix"));
        assert!(why("::ffff:10.0.0.0/104").contains("write an IPv4 network as IPv4"));
    }
}
