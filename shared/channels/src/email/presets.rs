//! Mail servers by name: their provider's, or the domain of an address there.
//!
//! The names are nodemailer's, and are compared as it does: without regard to case, spaces and signs but `.` and `-`.
//! <https://nodemailer.com/smtp/well-known-services>

/// What is known of a provider's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preset {
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    pub(crate) security: Security,
}

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Implicit,
    StartTls,
    Off,
}

use Security::{Implicit, Off, StartTls};

/// The server of that name, alias or domain.
pub(crate) fn find(name: &str) -> Option<Preset> {
    let name = bare(name);
    let found = PRESETS.iter().find(|(names, ..)| names.iter().any(|known| bare(known) == name));
    found.map(|&(_, host, port, security)| Preset { host, port, security })
}

/// Every provider's name.
pub(crate) fn names() -> String {
    PRESETS.iter().filter_map(|(names, ..)| names.first().copied()).collect::<Vec<_>>().join(", ")
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect::<String>().to_ascii_lowercase()
}

type Row = (&'static [&'static str], &'static str, u16, Security);

/// Name, aliases and domains; host; port; security.
#[rustfmt::skip]
const PRESETS: [Row; 53] = [
    (&["126", "126.com"], "smtp.126.com", 465, Implicit),
    (&["163", "163.com"], "smtp.163.com", 465, Implicit),
    (&["1und1"], "smtp.1und1.de", 465, Implicit),
    (&["Aliyun", "aliyun.com"], "smtp.aliyun.com", 465, Implicit),
    (&["AliyunQiye"], "smtp.qiye.aliyun.com", 465, Implicit),
    (&["AOL", "aol.com"], "smtp.aol.com", 587, StartTls),
    (&["DebugMail"], "debugmail.io", 25, StartTls),
    (&["DREAMHOST-MASTER"], "homie.mail.dreamhost.com", 465, Implicit),
    (&["DREAMHOST-SUB-0"], "smtp.dreamhost.com", 465, Implicit),
    (&["DREAMHOST-SUB-3"], "sub3.mail.dreamhost.com", 465, Implicit),
    (&["DREAMHOST-SUB-4"], "sub4.mail.dreamhost.com", 465, Implicit),
    (&["DREAMHOST-SUB-5"], "sub5.mail.dreamhost.com", 465, Implicit),
    (&["DynectEmail", "Dynect"], "smtp.dynect.net", 25, StartTls),
    (&["FastMail", "fastmail.fm"], "smtp.fastmail.com", 465, Implicit),
    (&["Feishu Mail", "Feishu"], "smtp.feishu.cn", 465, Implicit),
    (&["GandiMail", "Gandi"], "mail.gandi.net", 587, StartTls),
    (&["Gmail", "Google Mail", "gmail.com", "googlemail.com"], "smtp.gmail.com", 465, Implicit),
    (&["Godaddy"], "smtpout.secureserver.net", 25, StartTls),
    (&["GodaddyAsia"], "smtp.asia.secureserver.net", 25, StartTls),
    (&["GodaddyEurope"], "smtp.europe.secureserver.net", 25, StartTls),
    (&["hot.ee"], "mail.hot.ee", 587, StartTls),
    (&["Hotmail", "Outlook", "Outlook.com", "Hotmail.com"], "smtp-mail.outlook.com", 587, StartTls),
    (&["iCloud", "Me", "Mac", "me.com", "mac.com", "icloud.com"], "smtp.mail.me.com", 587, StartTls),
    (&["mail.ee"], "smtp.mail.ee", 587, StartTls),
    (&["Mail.ru"], "smtp.mail.ru", 465, Implicit),
    (&["Maildev"], "localhost", 1025, Off),
    (&["Mailgun"], "smtp.mailgun.org", 465, Implicit),
    (&["Mailjet"], "in.mailjet.com", 587, StartTls),
    (&["Mailosaur"], "mailosaur.io", 25, StartTls),
    (&["Mandrill"], "smtp.mandrillapp.com", 587, StartTls),
    (&["Naver"], "smtp.naver.com", 587, StartTls),
    (&["One"], "send.one.com", 465, Implicit),
    (&["OpenMailBox", "OMB", "openmailbox.org"], "smtp.openmailbox.org", 465, Implicit),
    (&["Outlook365"], "smtp.office365.com", 587, StartTls),
    (&["Postmark", "PostmarkApp"], "smtp.postmarkapp.com", 2525, StartTls),
    (&["Proton", "ProtonMail", "proton.me", "protonmail.com", "protonmail.ch", "pm.me"], "smtp.protonmail.ch", 587, StartTls),
    (&["qiye.aliyun"], "smtp.mxhichina.com", 465, Implicit),
    (&["QQ", "qq.com"], "smtp.qq.com", 465, Implicit),
    (&["QQex", "QQ Enterprise", "exmail.qq.com"], "smtp.exmail.qq.com", 465, Implicit),
    (&["Resend"], "smtp.resend.com", 465, Implicit),
    (&["SendCloud"], "smtp.sendcloud.net", 2525, StartTls),
    (&["SendGrid"], "smtp.sendgrid.net", 587, StartTls),
    (&["SendinBlue"], "smtp-relay.sendinblue.com", 587, StartTls),
    (&["SES-AP-NORTHEAST-1"], "email-smtp.ap-northeast-1.amazonaws.com", 465, Implicit),
    (&["SES-EU-WEST-1"], "email-smtp.eu-west-1.amazonaws.com", 465, Implicit),
    (&["SES-US-EAST-1", "SES"], "email-smtp.us-east-1.amazonaws.com", 465, Implicit),
    (&["SES-US-WEST-2"], "email-smtp.us-west-2.amazonaws.com", 465, Implicit),
    (&["SMTP2GO"], "mail.smtp2go.com", 2525, StartTls),
    (&["Sparkpost", "SparkPost Mail", "sparkpost.com"], "smtp.sparkpostmail.com", 587, StartTls),
    (&["Tipimail"], "smtp.tipimail.com", 587, StartTls),
    (&["Yahoo", "yahoo.com"], "smtp.mail.yahoo.com", 465, Implicit),
    (&["Yandex", "yandex.ru"], "smtp.yandex.ru", 465, Implicit),
    (&["Zoho"], "smtp.zoho.com", 465, Implicit),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_provider_is_found_by_name_alias_and_domain() {
        for name in ["QQ", "qq", "qq.com", "QQ.com "] {
            assert_eq!(find(name), Some(Preset { host: "smtp.qq.com", port: 465, security: Implicit }), "{name}");
        }
        assert_eq!(find("google mail").unwrap().host, "smtp.gmail.com");
        assert_eq!(find("Maildev").unwrap(), Preset { host: "localhost", port: 1025, security: Off });
        assert!(find("example.com").is_none() && find("").is_none());
    }

    #[test]
    fn no_name_stands_for_two_servers_and_465_alone_is_implicit() {
        let mut seen = HashSet::new();
        for (names, host, port, security) in PRESETS {
            for name in names {
                assert!(seen.insert(bare(name)), "{name}");
            }
            assert_eq!(port == 465, security == Implicit, "{host}");
        }
    }
}
