//! A person, and how to reach them on channels that serve many with one app.

use serde::{Deserialize, Serialize};

use super::{Address, AddressKind, RecipientError};

/// A person's addresses, as they are written in the API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contact {
    /// For mail.
    pub email: Option<String>,
    /// For short messages, with the country's number: `+86…`.
    pub phone: Option<String>,
    /// In WeCom.
    pub wecom_user_id: Option<String>,
    /// In Feishu.
    pub feishu_open_id: Option<String>,
    /// The language of what we write to them, e.g. `zh-CN`; the account's if there is none.
    pub locale: Option<String>,
}

impl Contact {
    /// What the contact has for a kind of channel, and the field's name.
    fn field(&self, kind: AddressKind) -> (&'static str, Option<&str>) {
        match kind {
            AddressKind::Email => ("email", self.email.as_deref()),
            AddressKind::Sms => ("phone", self.phone.as_deref()),
            AddressKind::Wecom => ("wecom_user_id", self.wecom_user_id.as_deref()),
            AddressKind::Feishu => ("feishu_open_id", self.feishu_open_id.as_deref()),
        }
    }

    /// The address of that kind.
    pub fn address(&self, kind: AddressKind) -> Option<Address> {
        self.field(kind).1.map(|value| Address { kind, value: value.to_owned() })
    }

    /// The first field that holds no address, and why.
    pub fn broken(&self) -> Option<(&'static str, RecipientError)> {
        AddressKind::ALL.into_iter().find_map(|kind| {
            let (name, value) = self.field(kind);
            let error = Address::parse(kind, value?).err()?;
            Some((name, error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_has_the_addresses_that_are_written_there() {
        let contact = Contact { phone: Some("+8613800000000".to_owned()), ..Contact::default() };
        assert_eq!(contact.address(AddressKind::Sms).unwrap().to_string(), "sms:+8613800000000");
        assert_eq!(contact.address(AddressKind::Email), None);
    }

    #[test]
    fn what_is_no_address_is_named() {
        let contact = Contact { feishu_open_id: Some("a b".to_owned()), ..Contact::default() };
        assert_eq!(contact.broken(), Some(("feishu_open_id", RecipientError::Address)));
        assert_eq!(Contact::default().broken(), None);
    }
}
