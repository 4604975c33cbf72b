//! A person, and how to reach them on channels that serve many with one app.

use serde::{Deserialize, Serialize};

use super::{Address, AddressKind, account::is_language_tag};

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

    /// The first field that holds nothing of its kind, and why.
    pub fn broken(&self) -> Option<(&'static str, String)> {
        let no_address = AddressKind::ALL.into_iter().find_map(|kind| {
            let (name, value) = self.field(kind);
            let error = Address::parse(kind, value?).err()?;
            Some((name, error.to_string()))
        });
        let no_email = || {
            let is_wrong = self.email.as_deref().is_some_and(|email| !is_email(email));
            is_wrong.then(|| ("email", "expected one address such as `a@example.org`, without a name".to_owned()))
        };
        let no_locale = || {
            let is_wrong = self.locale.as_deref().is_some_and(|tag| !is_language_tag(tag));
            is_wrong.then(|| ("locale", "expected a language tag such as `zh-CN`".to_owned()))
        };
        no_address.or_else(no_email).or_else(no_locale)
    }
}

/// Whether it has the two halves of an address, and none of the signs by which addresses are given names or strung together.
/// What else the halves may be, the mail server says. <https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1>
fn is_email(text: &str) -> bool {
    let halves = text.rsplit_once('@').is_some_and(|(person, host)| !person.is_empty() && !host.is_empty());
    halves && text.matches('@').count() == 1 && !text.contains(['<', '>', '(', ')', ',', ';', ':', '"', '\\'])
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
        assert_eq!(contact.broken().unwrap().0, "feishu_open_id");
        assert_eq!(Contact::default().broken(), None);
    }

    #[test]
    fn an_email_is_one_address_and_a_locale_a_language_tag() {
        let email = |text: &str| Contact { email: Some(text.to_owned()), ..Contact::default() }.broken().map(|(field, _)| field);
        for good in ["a@example.org", "a.b+c@例子.cn", "a@localhost"] {
            assert_eq!(email(good), None, "{good}");
        }
        for bad in ["", "a", "a@", "@b", "a@b@c", "a@b,c@d", "A<a@b>", "mailto:a@b"] {
            assert_eq!(email(bad), Some("email"), "{bad}");
        }
        let locale = Contact { locale: Some("Chinese".to_owned()), ..Contact::default() };
        assert_eq!(locale.broken().unwrap().0, "locale");
    }
}
