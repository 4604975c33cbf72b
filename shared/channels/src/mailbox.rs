//! Addresses of people's mailboxes, alone or with a name, as a tenant writes them.
//!
//! Promise: what is read is ASCII without spaces, quotes, brackets or control characters, so it can neither end a header nor
//! an SMTP command. Names before the `@` that are not ASCII are refused: few servers take them (SMTPUTF8). Left to others:
//! encoding the name in front (`mime`).

use url::Host;

/// `Name <name@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// What stands in front, if anything does.
    pub(crate) name: Option<String>,
    /// The address alone, its host name in ASCII.
    pub(crate) address: String,
}

impl Mailbox {
    /// Reads `name@example.com`, `Name <name@example.com>` or `"Name, Inc." <name@example.com>`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some((name, rest)) = text.rsplit_once('<') else {
            return Some(Self { name: None, address: address(text)? });
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).replace("\\\"", "\"");
        let name = Some(name).filter(|name| !name.is_empty());
        Some(Self { name, address: address(rest.strip_suffix('>')?)? })
    }

    /// What stands behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// <https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2>, without quoted names, address literals and lengths beyond 4.5.3.1.
fn address(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_local = local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(fits));
    let Ok(Host::Domain(domain)) = Host::parse(domain) else { return None };
    let is_domain = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let address = format!("{local}@{domain}");
    (is_local && is_domain && address.len() <= 254).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_a_name() {
        let mailbox =
            |name: Option<&str>, address: &str| Some(Mailbox { name: name.map(str::to_owned), address: address.to_owned() });
        for (text, read) in [
            (" a.b+c@Example.ORG ", mailbox(None, "a.b+c@example.org")),
            ("通知 <u@qq.com>", mailbox(Some("通知"), "u@qq.com")),
            ("\"Ops, \\\"on call\\\"\" <ops@example.com>", mailbox(Some("Ops, \"on call\""), "ops@example.com")),
            ("<u@qq.com>", mailbox(None, "u@qq.com")),
            ("u@bücher.example", mailbox(None, "u@xn--bcher-kva.example")),
            ("root@localhost", mailbox(None, "root@localhost")),
        ] {
            assert_eq!(Mailbox::parse(text), read, "{text}");
        }
    }

    #[test]
    fn what_could_end_a_header_or_a_command_is_no_address() {
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "a@b>",
            "a@b\r\nDATA",
            "a\n@b",
            "<a@b",
            "a@b, c@d",
            "x <a@b> y",
            "a..b@c",
            ".a@b",
            "用户@example.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\"a b\"@c",
            "a@b;c",
        ] {
            assert_eq!(Mailbox::parse(text), None, "{text}");
        }
        assert_eq!(Mailbox::parse(&format!("{}@example.com", "a".repeat(65))), None);
    }
}
