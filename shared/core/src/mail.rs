//! A mail that is to leave, and what the server says to it. Plain data: who makes the message is a channel's business, who
//! carries it the port [`crate::ports::Smtp`]'s.

use std::fmt;

/// A mail on its way to one server. Prints no more than how many it is for: all else is a secret or somebody's address.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who takes it.
    pub server: Server,
    /// How we are known there.
    pub login: Option<Login>,
    /// The envelope's sender: an address alone.
    pub from: String,
    /// The envelope's recipients: addresses alone.
    pub to: Vec<String>,
    /// The whole message as of RFC 5322, in ASCII: headers, blank line, body.
    pub message: Vec<u8>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail(to {}, {} bytes)", self.to.len(), self.message.len())
    }
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, which its certificate has to bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: Tls,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From its first byte.
    Implicit(Trust),
    /// After STARTTLS; a server that does not offer it gets nothing.
    StartTls(Trust),
    /// Not at all.
    Off,
}

/// Whose certificate is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// One for the host, from an authority that is trusted here.
    Verified,
    /// Any: whoever sits in between may read along.
    Anyone,
}

/// Name and password on a mail server.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// A server's reply to one command. Prints its codes alone: servers like to repeat an address in the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpReply {
    /// Three digits. <https://www.rfc-editor.org/rfc/rfc5321#section-4.2>
    pub code: u16,
    /// What stands behind them.
    pub text: String,
}

impl SmtpReply {
    /// Reads `550 5.1.1 No such user`.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
        Some(Self { code, text: text.to_owned() })
    }

    /// The server has done what it was asked for.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// It may be well later. The enhanced code, where there is one, knows better than the first digit.
    pub fn is_transient(&self) -> bool {
        !self.is_positive() && self.enhanced().map_or(self.code / 100, |[class, ..]| class) == 4
    }

    /// Class, subject and detail, if they stand at the beginning of the text.
    /// <https://www.rfc-editor.org/rfc/rfc3463#section-2>
    pub fn enhanced(&self) -> Option<[u16; 3]> {
        let word = self.text.split_whitespace().next()?;
        let parts: Vec<u16> = word.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        <[u16; 3]>::try_from(parts).ok().filter(|[class, ..]| matches!(class, 2 | 4 | 5))
    }

    /// Whether a recipient who is answered like this is worth waiting for before anybody gets the message: what is sent to
    /// the others now cannot be sent to this one alone later. A mailbox that is full or switched off (X.2.1, X.2.2) is its
    /// owner's affair and holds up nobody.
    pub fn asks_to_wait(&self) -> bool {
        self.is_transient() && !matches!(self.enhanced(), Some([_, 2, 1 | 2]))
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enhanced() {
            Some([class, subject, detail]) => write!(f, "{} {class}.{subject}.{detail}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

impl fmt::Debug for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpReply({self})")
    }
}

/// The server has the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// For everybody.
    All,
    /// Not for everybody: for whom not, and why, without an address.
    Except(String),
}

/// What a server said to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailed {
    /// No, before anybody was named: to us, to the login or to the sender.
    Refused(SmtpReply),
    /// To each recipient, in the mail's order. The message was held back: nobody was accepted, or somebody
    /// [asks to wait](SmtpReply::asks_to_wait).
    HeldBack(Vec<SmtpReply>),
    /// To each recipient, in the mail's order, and to the message for those who were accepted.
    Answered {
        /// To the recipients.
        recipients: Vec<SmtpReply>,
        /// To the message.
        message: SmtpReply,
    },
}

impl Mailed {
    /// The reply that decided.
    pub fn decisive(&self) -> Option<&SmtpReply> {
        match self {
            Self::Refused(reply) | Self::Answered { message: reply, .. } => Some(reply),
            Self::HeldBack(recipients) => recipients
                .iter()
                .find(|reply| reply.asks_to_wait())
                .or_else(|| recipients.iter().find(|reply| !reply.is_positive())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> SmtpReply {
        SmtpReply::parse(line).unwrap()
    }

    #[test]
    fn a_line_is_read_with_its_enhanced_code_if_it_has_one() {
        assert_eq!(reply("550 5.1.1 No such user").enhanced(), Some([5, 1, 1]));
        assert_eq!(reply("250").enhanced(), None);
        assert_eq!(reply("220 mail.example.com 1.2.3 ready").enhanced(), None);
        assert_eq!(reply("550 3.1.1 no such class").enhanced(), None);
        for line in ["", "hello", "99 x", "600 x", "reset after <CRLF>.<CRLF> before the reply"] {
            assert_eq!(SmtpReply::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_enhanced_code_knows_better_than_the_first_digit() {
        assert!(reply("550 4.7.1 slow down").is_transient() && !reply("450 5.1.1 gone").is_transient());
        assert!(reply("451").is_transient() && !reply("551").is_transient() && !reply("250 4.0.0").is_transient());
    }

    #[test]
    fn a_full_mailbox_holds_up_nobody_but_a_grey_list_does() {
        assert!(reply("450 4.2.0 Greylisted").asks_to_wait() && reply("451 later").asks_to_wait());
        assert!(!reply("452 4.2.2 Mailbox full").asks_to_wait() && !reply("550 5.1.1 x").asks_to_wait());
    }

    #[test]
    fn no_address_and_no_password_is_printed() {
        let mail = Mail {
            server: Server { host: "smtp.example.com".to_owned(), port: 587, tls: Tls::Off },
            login: Some(Login { user: "u".to_owned(), password: "S3cr3t".to_owned() }),
            from: "S3cr3t@example.com".to_owned(),
            to: vec!["S3cr3t@example.org".to_owned()],
            message: b"S3cr3t".to_vec(),
        };
        let shown = format!("{mail:?} {:?} {:?}", mail.login, reply("550 5.1.1 <S3cr3t@example.org> unknown"));
        assert_eq!(shown, "Mail(to 1, 6 bytes) Some(Login) SmtpReply(550 5.1.1)");
    }
}
